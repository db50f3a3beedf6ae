CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE alert (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	topic_id TEXT NOT NULL, 
	story_id TEXT NOT NULL, 
	channel_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	article_id TEXT NOT NULL, 
	score FLOAT NOT NULL, 
	"by" TEXT NOT NULL, 
	clause TEXT NOT NULL, 
	evidence JSON NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	work TEXT NOT NULL, 
	started_at BIGINT, 
	sent_at BIGINT, 
	remote_id TEXT, 
	due_at BIGINT NOT NULL, 
	lease_until BIGINT, 
	lease_token TEXT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	last_error TEXT, detail TEXT DEFAULT '' NOT NULL, digest TEXT, shown JSON, repeat BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_alert PRIMARY KEY (id), 
	CONSTRAINT uq_alert_key UNIQUE ("key")
);

CREATE INDEX ix_alert_created_at ON alert (created_at);

CREATE INDEX ix_alert_story_id_topic_id_channel_id ON alert (story_id, topic_id, channel_id);

CREATE TABLE article (
	id TEXT NOT NULL, 
	url TEXT NOT NULL, 
	title TEXT NOT NULL, 
	text TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	language TEXT, 
	published_at BIGINT NOT NULL, 
	read_at BIGINT NOT NULL, 
	source TEXT NOT NULL, page TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_article PRIMARY KEY (id)
);

CREATE INDEX ix_article_read_at ON article (read_at);

CREATE TABLE dead (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	ref BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	dead_at BIGINT NOT NULL, 
	redriven_at BIGINT, 
	CONSTRAINT pk_dead PRIMARY KEY (id)
);

CREATE INDEX ix_dead_dead_at ON dead (dead_at);

CREATE TABLE delivery (
	id INTEGER NOT NULL, 
	alert_key TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	remote_id TEXT, 
	CONSTRAINT pk_delivery PRIMARY KEY (id)
);

CREATE INDEX ix_delivery_alert_key ON delivery (alert_key);

CREATE TABLE entry (
	id INTEGER NOT NULL, 
	feed_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	url TEXT NOT NULL, 
	page TEXT NOT NULL, 
	title TEXT NOT NULL, 
	text TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	language TEXT, 
	published_at BIGINT, 
	first_seen_at BIGINT NOT NULL, 
	work TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	article_id TEXT, 
	due_at BIGINT NOT NULL, 
	lease_until BIGINT, 
	lease_token TEXT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	last_error TEXT, seen_at BIGINT DEFAULT '0' NOT NULL, title_key TEXT DEFAULT '' NOT NULL, fingerprint TEXT DEFAULT '' NOT NULL, edits INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_entry PRIMARY KEY (id), 
	CONSTRAINT uq_entry_feed_id_key UNIQUE (feed_id, "key")
);

CREATE INDEX ix_entry_page ON entry (page);

CREATE TABLE feed (
	id TEXT NOT NULL, 
	url TEXT NOT NULL, 
	work TEXT NOT NULL, 
	state TEXT NOT NULL, 
	outcome TEXT, 
	error TEXT, 
	etag TEXT, 
	last_modified TEXT, 
	body_hash TEXT, 
	failures FLOAT NOT NULL, 
	polled_at BIGINT, 
	last_success_at BIGINT, 
	interval BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	lease_until BIGINT, 
	lease_token TEXT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	last_error TEXT, host TEXT DEFAULT '' NOT NULL, max_age BIGINT DEFAULT '0' NOT NULL, base BIGINT DEFAULT '600000000' NOT NULL, moved_to TEXT, moved_count INTEGER DEFAULT '0' NOT NULL, address TEXT, full_at BIGINT, validators TEXT DEFAULT '' NOT NULL, gaps INTEGER DEFAULT '0' NOT NULL, hints JSON DEFAULT '{}' NOT NULL, rhythm JSON DEFAULT '{}' NOT NULL, parsed_at BIGINT, shown BLOB, whole_at BIGINT, 
	CONSTRAINT pk_feed PRIMARY KEY (id)
);

CREATE TABLE "match" (
	article_id TEXT NOT NULL, 
	topic_id TEXT NOT NULL, 
	topic_version TEXT NOT NULL, 
	score FLOAT NOT NULL, 
	"by" TEXT NOT NULL, 
	clause TEXT NOT NULL, 
	evidence JSON NOT NULL, 
	matched_at BIGINT NOT NULL, 
	CONSTRAINT pk_match PRIMARY KEY (article_id, topic_id, topic_version)
);

CREATE TABLE member (
	article_id TEXT NOT NULL, 
	story_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	published_at BIGINT NOT NULL, 
	joined_at BIGINT NOT NULL, 
	features JSON NOT NULL, why TEXT DEFAULT '' NOT NULL, shingles BLOB, seq BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_member PRIMARY KEY (article_id)
);

CREATE INDEX ix_member_story_id ON member (story_id);

CREATE TABLE snapshot (
	generation INTEGER NOT NULL, 
	taken_at BIGINT NOT NULL, 
	topics JSON NOT NULL, files JSON, 
	CONSTRAINT pk_snapshot PRIMARY KEY (generation)
);

CREATE TABLE story (
	id TEXT NOT NULL, 
	first_at BIGINT NOT NULL, 
	newest_at BIGINT NOT NULL, 
	linked TEXT, merged TEXT, 
	CONSTRAINT pk_story PRIMARY KEY (id)
);

CREATE INDEX ix_story_newest_at ON story (newest_at);

CREATE TABLE turn (
	name TEXT NOT NULL, 
	count BIGINT NOT NULL, 
	CONSTRAINT pk_turn PRIMARY KEY (name)
);

CREATE TABLE alias (
	feed_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	entry_id BIGINT NOT NULL, 
	CONSTRAINT pk_alias PRIMARY KEY (feed_id, "key")
);

CREATE INDEX ix_alias_entry_id ON alias (entry_id);

CREATE INDEX ix_feed_host ON feed (host);

CREATE INDEX ix_entry_seen_at ON entry (seen_at);

CREATE INDEX ix_entry_feed_id_title_key ON entry (feed_id, title_key);

CREATE INDEX ix_article_page ON article (page);

CREATE TABLE progress (
	name TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_progress PRIMARY KEY (name)
);

CREATE INDEX ix_feed_work_due_at_id ON feed (work, due_at, id);

CREATE INDEX ix_feed_lease_until ON feed (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX ix_entry_work_due_at_id ON entry (work, due_at, id);

CREATE INDEX ix_entry_lease_until ON entry (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX ix_alert_work_due_at_id ON alert (work, due_at, id);

CREATE INDEX ix_alert_lease_until ON alert (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX ix_member_seq ON member (seq);

CREATE TABLE posting (
	article_id TEXT NOT NULL, 
	term TEXT NOT NULL, 
	at BIGINT NOT NULL, story_id TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_posting PRIMARY KEY (article_id, term)
);

CREATE INDEX ix_posting_at ON posting (at);

CREATE INDEX ix_alert_digest ON alert (digest);

CREATE INDEX ix_alert_article_id ON alert (article_id);

CREATE INDEX ix_alert_channel_id_due_at ON alert (channel_id, due_at);

CREATE TABLE channel (
	id TEXT NOT NULL, 
	hold_until BIGINT, 
	disabled_at BIGINT, 
	reason TEXT DEFAULT '' NOT NULL, 
	config TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_channel PRIMARY KEY (id)
);

CREATE TABLE silence (
	id INTEGER NOT NULL, 
	topic TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	story TEXT NOT NULL, 
	author TEXT NOT NULL, 
	comment TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	starts_at BIGINT NOT NULL, 
	ends_at BIGINT NOT NULL, 
	CONSTRAINT pk_silence PRIMARY KEY (id)
);

CREATE INDEX ix_silence_ends_at ON silence (ends_at);

CREATE TABLE decision (
	article_id TEXT NOT NULL, 
	topic_id TEXT NOT NULL, 
	channel_id TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	alert_key TEXT, 
	CONSTRAINT pk_decision PRIMARY KEY (article_id, topic_id, channel_id, at)
);

CREATE INDEX ix_posting_term_at_story_id ON posting (term, at, story_id);

CREATE TABLE tally (
	name TEXT NOT NULL, 
	label TEXT NOT NULL, 
	day INTEGER NOT NULL, 
	shard INTEGER NOT NULL, 
	n FLOAT NOT NULL, 
	CONSTRAINT pk_tally PRIMARY KEY (name, label, day, shard)
);

CREATE TABLE length (
	host TEXT NOT NULL, 
	texts INTEGER NOT NULL, 
	usual FLOAT NOT NULL, 
	recent FLOAT NOT NULL, 
	at BIGINT NOT NULL, 
	since BIGINT, 
	CONSTRAINT pk_length PRIMARY KEY (host)
);

CREATE INDEX ix_entry_article_id ON entry (article_id);

CREATE INDEX ix_match_topic_id_article_id_matched_at ON "match" (topic_id, article_id, matched_at);

CREATE INDEX ix_member_outlet_story_id ON member (outlet, story_id);

CREATE INDEX ix_alert_channel_id_work_sent_at_created_at ON alert (channel_id, work, sent_at, created_at);

CREATE TABLE archived (
	id INTEGER NOT NULL, 
	article_id TEXT NOT NULL, 
	outlet TEXT NOT NULL, 
	published_at BIGINT NOT NULL, 
	CONSTRAINT pk_archived PRIMARY KEY (id), 
	CONSTRAINT uq_archived_article_id UNIQUE (article_id)
);

CREATE VIEW archive_text AS SELECT archived.id, article.title, article.text FROM archived JOIN article ON article.id = archived.article_id;

CREATE VIRTUAL TABLE archive USING fts5 (title, text, content='archive_text', content_rowid='id', tokenize='unicode61 remove_diacritics 2');

CREATE TRIGGER archive_adds AFTER INSERT ON article BEGIN
        INSERT INTO archived (article_id, outlet, published_at) VALUES (new.id, new.outlet, new.published_at);
        INSERT INTO archive (rowid, title, text)
            SELECT id, new.title, new.text FROM archived WHERE article_id = new.id;
    END;

CREATE TRIGGER archive_changes AFTER UPDATE OF title, text ON article BEGIN
        INSERT INTO archive (archive, rowid, title, text)
            SELECT 'delete', id, old.title, old.text FROM archived WHERE article_id = old.id;
        INSERT INTO archive (rowid, title, text)
            SELECT id, new.title, new.text FROM archived WHERE article_id = new.id;
    END;

CREATE TRIGGER archive_removes AFTER DELETE ON article BEGIN
        INSERT INTO archive (archive, rowid, title, text)
            SELECT 'delete', id, old.title, old.text FROM archived WHERE article_id = old.id;
        DELETE FROM archived WHERE article_id = old.id;
    END;

INSERT INTO archive (archive) VALUES ('rebuild');

INSERT INTO alembic_version (version_num) VALUES ('0008')

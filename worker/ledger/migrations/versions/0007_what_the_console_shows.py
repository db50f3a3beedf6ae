"""What the console shows: the words of the archive, the stories of a topic and of an outlet, how channels do."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

from worker.errors import LedgerUnusable

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The same expression stands in ``worker.ledger.archive``: the index serves no other one. PostgreSQL would take
#: "and/or" for a path and "example.org" for a host, whole; and more than a megabyte of words is more than it can take.
_WORDS = (
    "to_tsvector('simple', translate(left(title, 1000) || ' ' || left(text, 100000), '-/.@_:+&=?#~', '            '))"
)
#: Every change of an article reaches its words in the transaction of the change. FTS5 removes what it is told again.
_TRIGGERS = {
    "archive_adds": """AFTER INSERT ON article BEGIN
        INSERT INTO archived (article_id, outlet, published_at) VALUES (new.id, new.outlet, new.published_at);
        INSERT INTO archive (rowid, title, text)
            SELECT id, new.title, new.text FROM archived WHERE article_id = new.id;
    END""",
    "archive_changes": """AFTER UPDATE OF title, text ON article BEGIN
        INSERT INTO archive (archive, rowid, title, text)
            SELECT 'delete', id, old.title, old.text FROM archived WHERE article_id = old.id;
        INSERT INTO archive (rowid, title, text)
            SELECT id, new.title, new.text FROM archived WHERE article_id = new.id;
    END""",
    "archive_removes": """AFTER DELETE ON article BEGIN
        INSERT INTO archive (archive, rowid, title, text)
            SELECT 'delete', id, old.title, old.text FROM archived WHERE article_id = old.id;
        DELETE FROM archived WHERE article_id = old.id;
    END""",
}


def upgrade() -> None:
    op.create_index(
        op.f("ix_match_topic_id_article_id_matched_at"), "match", ["topic_id", "article_id", "matched_at"], unique=False
    )
    op.create_index(op.f("ix_member_outlet_story_id"), "member", ["outlet", "story_id"], unique=False)
    states = ["channel_id", "work", "sent_at", "created_at"]
    op.create_index(op.f("ix_alert_channel_id_work_sent_at_created_at"), "alert", states, unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE INDEX ix_article_words ON article USING gin ({_WORDS})")
    else:
        _index_words()


def _index_words() -> None:
    """Make the index of SQLite, which knows rows by numbers.

    Those of ``article`` are not kept when a file is vacuumed or copied, so there is a table of numbers that are; what
    a search is narrowed by stands there, too, where no text has to be passed over. FTS5 takes the texts themselves
    from ``article`` (https://www.sqlite.org/fts5.html#external_content_tables).
    """
    op.create_table(
        "archived",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archived")),
        sa.UniqueConstraint("article_id", name=op.f("uq_archived_article_id")),
    )
    op.execute(
        "CREATE VIEW archive_text AS SELECT archived.id, article.title, article.text "
        "FROM archived JOIN article ON article.id = archived.article_id"
    )
    try:
        op.execute(
            "CREATE VIRTUAL TABLE archive USING fts5 "
            "(title, text, content='archive_text', content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
        )
    except OperationalError as error:
        raise LedgerUnusable(
            f"the SQLite of this Python ({error.orig}) lacks FTS5, by which articles are searched; "
            "take a Python with it, or PostgreSQL as ledger"
        ) from error
    op.execute(
        "INSERT INTO archived (article_id, outlet, published_at) "
        "SELECT id, outlet, published_at FROM article ORDER BY read_at, id"
    )
    op.execute("INSERT INTO archive (archive) VALUES ('rebuild')")
    for name, does in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {does}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_article_words", table_name="article")
    else:
        for name in _TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE archive")
        op.execute("DROP VIEW archive_text")
        op.drop_table("archived")
    op.drop_index(op.f("ix_alert_channel_id_work_sent_at_created_at"), table_name="alert")
    op.drop_index(op.f("ix_member_outlet_story_id"), table_name="member")
    op.drop_index(op.f("ix_match_topic_id_article_id_matched_at"), table_name="match")

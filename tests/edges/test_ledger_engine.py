"""Opening the ledger, its schema, and what happens when it cannot be written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select

from tests.builders import NOON, alert, article, at, entry, feed, match
from tests.rows import new
from worker.errors import DiskFull, LedgerUnusable
from worker.ledger import decided, entries, feeds, outbox, overview, stories, sweep
from worker.ledger import migrate as migrations
from worker.ledger.archive import compared
from worker.ledger.engine import Ledger, open_file
from worker.ledger.feeds import Polled
from worker.ledger.retention import Retention
from worker.ledger.tables import article as article_table
from worker.ledger.tables import metadata
from worker.model import Member, Reason, Role, Story


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    """A table changed without a migration fails here."""
    open_file(tmp_path / "ledger.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_name": compared})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    """The constant that spares Alembic's import names the newest script."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_ledger_of_the_first_version_is_brought_along(tmp_path: Path) -> None:
    """Its entries are known under their keys, and its feeds are asked in full once."""
    path = tmp_path / "ledger.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO feed (id, url, work, state, etag, failures, interval, due_at, last_success_at) "
            "VALUES ('wire', 'https://wire.example/feed.xml', 'open', 'ok', '\"1\"', 0, 600000000, 0, 7)"
        )
        connection.exec_driver_sql(
            "INSERT INTO entry "
            "(feed_id, key, url, page, title, text, outlet, first_seen_at, work, reason, detail, due_at) VALUES "
            "('wire', 'old', 'https://wire.example/1', 'p', 'One', '', 'Wire', 5, 'done', 'baseline', '', 5)"
        )
    engine.dispose()
    ledger = open_file(path)
    try:
        with ledger.write() as t:
            state = feeds.states(t)["wire"]
            known = entries.known(t, "wire", ["old", "other"])
    finally:
        ledger.close()
    assert (state.etag, state.state, state.full_at) == (None, "ok", state.last_success_at)
    assert known.keys() == {"old"}
    assert (known["old"].fingerprint, known["old"].edits) == ("", 0)


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """The message names the file and both schemas, and nothing is changed."""
    path = tmp_path / "ledger.sqlite"
    open_file(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(LedgerUnusable, match=r"ledger\.sqlite.*newer wirewatch.*9999"):
        open_file(path)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Somebody's text file is not overwritten."""
    path = tmp_path / "ledger.sqlite"
    path.write_text("these are my notes\n" * 200)
    with pytest.raises(LedgerUnusable, match="not a wirewatch ledger"):
        open_file(path)
    assert path.read_text().startswith("these are my notes")


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the place of the directory: the message says which and what to do."""
    (tmp_path / "state").write_text("")
    with pytest.raises(LedgerUnusable, match=r"state.*--state"):
        open_file(tmp_path / "state" / "deeper" / "ledger.sqlite")


def test_a_full_disk_says_so_and_leaves_nothing_half_written(ledger: Ledger) -> None:
    """The transaction that met the full disk is gone as a whole, and with room again work goes on."""
    big = article(text="x" * 200_000)
    with pytest.raises(DiskFull, match="disk is full"), ledger.write() as t:
        # SQLite raises the same error (SQLITE_FULL) for its own page limit as for a full disk.
        t.exec_driver_sql(f"PRAGMA max_page_count={t.exec_driver_sql('PRAGMA page_count').scalar_one() + 2}")
        entries.add_article(t, article(2), now=NOON)
        entries.add_article(t, big, now=NOON)
    with ledger.write() as t:
        t.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert t.execute(select(article_table.c.id)).all() == []
        assert entries.add_article(t, big, now=NOON)


def test_times_are_aware_and_exact(either_ledger: Ledger) -> None:
    """A time comes back to the microsecond; a time without a zone is refused."""
    precise = NOON + timedelta(microseconds=1)
    with either_ledger.write() as t:
        entries.add_article(t, article(published_at=precise), now=NOON)
        stored = entries.get_article(t, "a-1")
        assert stored is not None
        assert stored.published_at == precise
    with pytest.raises(Exception, match="no time zone"), either_ledger.write() as t:
        entries.add_article(t, article(2, published_at=datetime(2026, 1, 1)), now=NOON)  # noqa: DTZ001 - the point


def test_feeds_follow_the_configuration_and_keep_what_they_know(either_ledger: Ledger) -> None:
    """A feed that left the configuration is not polled; when it comes back it is, with its state."""
    with either_ledger.write() as t:
        feeds.sync(t, [feed(), feed(id="other")], now=NOON)
        feeds.sync(t, [feed()], now=at(1))
        assert [c.id for c in feeds.claim(t, now=at(1), limit=9)] == ["wire"]
        feeds.sync(t, [feed(id="other")], now=at(2))
        assert [c.id for c in feeds.claim(t, now=at(2), limit=9)] == ["other"]
        assert set(feeds.states(t)) == {"wire", "other"}


def test_a_feed_with_a_new_address_forgets_its_validators(either_ledger: Ledger) -> None:
    """A tag of another address means nothing."""
    with either_ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        (claim,) = feeds.claim(t, now=NOON, limit=1)
        polled = replace(claim.value, state="ok", etag='"1"', polled_at=NOON, last_success_at=NOON)
        feeds.record(t, [Polled(claim=claim, state=polled, next_poll_at=at(10), host="wire.example")])
        assert feeds.states(t)["wire"].etag == '"1"'
        feeds.sync(t, [feed(url="https://wire.example/new.xml")], now=at(1))
        assert feeds.states(t)["wire"].etag is None
        assert feeds.states(t)["wire"].next_poll_at == at(1)


def test_queues_show_what_is_due_and_how_long_it_waits(either_ledger: Ledger) -> None:
    """Open, due, in hand and the age of the oldest, a queue."""
    with either_ledger.write() as t:
        entries.add(t, new(entry(1), entry(2)), now=NOON)
        entries.claim(t, now=NOON, limit=1)
        queue = overview.queues(t, now=at(2))["read"]
        assert queue == {"open": 2, "due": 1, "leased": 1, "oldest_s": 120.0}
        assert overview.next_due(t, "read") == NOON
        assert overview.next_due(t, "deliver") is None


def test_the_sweep_erases_what_is_old_and_nothing_that_waits(either_ledger: Ledger) -> None:
    """Old texts, identities and alerts go; open work and the article of an open alert stay."""
    with either_ledger.write() as t:
        for number in (1, 2):
            entries.add_article(t, article(number), now=NOON)
            entries.add_match(t, match(number), now=NOON)
            member = Member(article_id=f"a-{number}", role=Role.FIRST, outlet="Wire", origin="Wire", published_at=NOON)
            story = Story(id=f"s-{number}", first_at=NOON, newest_at=NOON, members=(member,))
            stories.save(t, story, new=member, now=NOON)
        decided.add(t, alert(2, story_id="s-2"))
        entries.add(t, new(entry(1), reason=Reason.BASELINE), now=NOON)
        entries.add(t, new(entry(2)), now=NOON)
    with either_ledger.write() as t:
        erased = sweep.sweep(t, Retention(), now=NOON + timedelta(days=400))
    assert erased == {
        "match": 1, "member": 1, "article": 1, "entry": 1, "alert": 0, "delivery": 0, "decision": 0, "dead": 0,
        "story": 1, "snapshot": 0, "progress": 0, "posting": 0, "silence": 0, "channel": 0, "length": 0, "tally": 3,
    }  # fmt: skip
    with either_ledger.read() as t:
        assert entries.get_article(t, "a-2") is not None
        assert stories.get(t, "s-2") is not None
        assert stories.get(t, "s-1") is None


def test_what_a_feed_still_shows_is_never_forgotten(either_ledger: Ledger) -> None:
    """An entry of last year that a feed showed when it was last parsed would be news again, were it erased."""
    long_after = NOON + timedelta(days=300)
    with either_ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        entries.add(t, new(entry(1), entry(2), reason=Reason.BASELINE), now=NOON)
        (claim,) = feeds.claim(t, now=NOON, limit=1)
        state = replace(claim.value, polled_at=NOON)
        feeds.record(t, [Polled(claim=claim, state=state, next_poll_at=at(10), host="wire.example", parsed=True)])
    with either_ledger.write() as t:
        assert sweep.sweep(t, Retention(), now=long_after)["entry"] == 0
        (claim,) = feeds.claim(t, now=long_after, limit=1)
        # Parsed again, with only one of them in the document.
        entries.still_shown(t, [entries.known(t, "wire", [entry(1).key])[entry(1).key].id], now=long_after)
        state = replace(claim.value, polled_at=long_after)
        feeds.record(t, [Polled(claim=claim, state=state, next_poll_at=at(10), host="wire.example", parsed=True)])
        assert sweep.sweep(t, Retention(), now=long_after)["entry"] == 1
        assert entries.known(t, "wire", [entry(1).key, entry(2).key]).keys() == {entry(1).key}


def test_an_alert_comes_back_as_it_was_decided(either_ledger: Ledger) -> None:
    """Evidence and clause survive, whatever characters they hold, and a prefix of the key finds it."""
    made = alert(1, key="0123456789abcdef", evidence=match().evidence, clause="near: «é»\n")
    with either_ledger.write() as t:
        decided.add(t, made)
        assert outbox.find(t, "01234567") == made
        assert outbox.find(t, "0123") is None
        assert outbox.find(t, "%%%%%%%%") is None

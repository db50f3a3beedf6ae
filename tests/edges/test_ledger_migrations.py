"""Ledgers of earlier versions: what they hold is still there after the way to this one, and after the way back."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, text

from tests.builders import NOON, alert, article
from worker.ledger import connections, decided, entries
from worker.ledger import migrate as migrations
from worker.ledger.engine import Ledger, open_file
from worker.model import Reason

SCRIPTS = Path(migrations.__file__).with_name("migrations")


def walk(ledger: Ledger, *, to: str) -> None:
    """Bring a ledger to another revision, up or down."""
    with ledger.write() as connection:
        up = to > (migrations.revision(connection) or "")
        (command.upgrade if up else command.downgrade)(alembic(connection), to)


def alembic(connection: Connection) -> Config:
    """Return what Alembic has to know."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def migrated(path: Path) -> Path:
    """Make a file by every migration, one after another."""
    engine = connections.connect(URL.create("sqlite", database=str(path)), durable=False)
    with engine.begin() as connection:
        command.upgrade(alembic(connection), migrations.HEAD)
    engine.dispose()
    return path


def schema(path: Path) -> list[str]:
    """Return the statements that make what a file holds, without those that SQLite adds by itself."""
    asked = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    with closing(sqlite3.connect(path)) as connection:
        return [
            sql
            for name, sql in connection.execute(asked)
            if not re.fullmatch("archive_(data|idx|docsize|config)", name)
        ]


def rows(path: Path) -> dict[str, list[Any]]:
    """Return every row of every table of a file."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}  # noqa: S608 - names of our own


def decisions(connection: Connection) -> list[tuple[str, str, str]]:
    """Return article, channel and reason of every decision."""
    rows = connection.execute(text("SELECT article_id, channel_id, reason FROM decision ORDER BY at, article_id"))
    return [(row[0], row[1], row[2]) for row in rows]


def test_decisions_and_alerts_survive_the_way_down_and_up(either_ledger: Ledger) -> None:
    """The table of decisions is made anew on both ways; each keeps its reason and finds its alert again."""
    told = alert(1)
    with either_ledger.write() as t:
        entries.add_article(t, article(1), now=NOON)
        decided.add(t, told)
        for channel, reason in ((told.channel_id, Reason.QUEUED), ("other", Reason.COPY)):
            decided.add_decision(
                t,
                article_id=told.article_id,
                topic_id=told.topic_id,
                channel_id=channel,
                reason=reason,
                alert_key=told.key if reason is Reason.QUEUED else None,
                now=NOON,
            )
    walk(either_ledger, to="0003")
    with either_ledger.write() as connection:
        assert len(decisions(connection)) == 2
        columns = connection.execute(text("SELECT * FROM decision")).keys()
        assert "alert_key" not in columns
    walk(either_ledger, to=migrations.HEAD)
    with either_ledger.read() as t:
        found = decided.of_article(t, told.article_id)
    assert {row["channel_id"]: (row["reason"], row["key"]) for row in found} == {
        told.channel_id: (Reason.QUEUED, told.key),
        "other": (Reason.COPY, None),
    }


def test_a_new_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    """Statement by statement, with the few rows; only blanks and quotes are a matter of SQLite's version.

    ``WIREWATCH_WRITE_DATA=1`` writes the statements anew, after a migration was added.
    """
    expected = migrated(tmp_path / "migrated.sqlite")
    if os.environ.get("WIREWATCH_WRITE_DATA"):
        also = [
            "INSERT INTO archive (archive) VALUES ('rebuild')",
            f"INSERT INTO alembic_version (version_num) VALUES ('{migrations.HEAD}')",  # noqa: S608 - a name of ours
        ]
        migrations.SCHEMA.write_text(";\n\n".join([*schema(expected), *also]) + "\n", "utf-8")
    open_file(tmp_path / "new.sqlite").close()
    made, stepped = (
        [re.sub(r'[\s"]', "", sql) for sql in schema(tmp_path / f"{name}.sqlite")] for name in ("new", "migrated")
    )
    assert made == stepped
    assert rows(tmp_path / "new.sqlite") == rows(expected)
    assert rows(expected)["alembic_version"] == [(migrations.HEAD,)]

"""Ledgers of earlier versions: what they hold is still there after the way to this one, and after the way back."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from tests.builders import NOON, alert, article
from worker.ledger import decided, entries
from worker.ledger import migrate as migrations
from worker.ledger.engine import Ledger
from worker.model import Reason

SCRIPTS = Path(migrations.__file__).with_name("migrations")


def walk(ledger: Ledger, *, to: str) -> None:
    """Bring a ledger to another revision, up or down."""
    with ledger.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        up = to > (migrations.revision(connection) or "")
        (command.upgrade if up else command.downgrade)(config, to)


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

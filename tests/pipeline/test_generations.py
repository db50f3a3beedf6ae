"""Configurations that change while the stages are at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.builders import NOON, at, feed, topic
from tests.pipeline.conftest import House, item
from tests.pipeline.test_stages import Moody, page, ready, reasons
from worker.ledger import feeds, overview, snapshots
from worker.ledger.tables import alert, entry
from worker.ledger.tables import feed as feed_table
from worker.model import Reason
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outdated


def put_in_force(house: House, text: str) -> int:
    """Put a configuration in force and return its generation."""
    with house.p.ledger.write() as t:
        return snapshots.keep(t, topics=[topic()], files={"feeds.yaml": text}, now=NOON)


def charged(house: House) -> list[tuple[int, int]]:
    """Return how many attempts were counted and how many leases there are, a table."""
    with house.p.ledger.read() as t:
        return [
            (
                t.execute(select(func.sum(table.c.attempt))).scalar_one(),
                t.execute(select(func.count(table.c.lease_until))).scalar_one(),
            )
            for table in (feed_table, entry, alert)
        ]


@pytest.mark.parametrize("stage", [poll, read, deliver], ids=["poll", "read", "deliver"])
def test_a_stage_claims_nothing_for_a_configuration_that_is_no_longer_in_force(house: House, stage: object) -> None:
    """Neither a lease nor an attempt is written; with the new generation the same rows are claimed."""
    generation = put_in_force(house, "first")
    ready(house, Moody())
    house.web.feed(item(1), item(2))
    page(house, 2)
    house.poll(at(10))  # an entry waits, and an alert, and soon the feed
    house.change(generation=generation)
    newest = put_in_force(house, "second")
    late = at(30)
    before = charged(house)
    with pytest.raises(Outdated, match=f"generation {newest} .* {generation} is at work"):
        stage.claim(house.p, now=late, limit=9)  # type: ignore[attr-defined]
    assert charged(house) == before
    house.change(generation=newest)
    claims, _ = stage.claim(house.p, now=late, limit=9)  # type: ignore[attr-defined]
    assert len(claims) == 1


def test_a_pipeline_without_a_generation_is_never_outdated(house: House) -> None:
    """That of a replay."""
    put_in_force(house, "first")
    house.web.feed(item(1))
    assert reasons(house.poll(NOON)) == [Reason.BASELINE]


def test_a_feed_of_a_newer_configuration_waits_for_a_worker_that_knows_it(house: House) -> None:
    """It is due again in some seconds, uncharged, and stays on: only the configuration itself takes feeds out."""
    house.web.feed(item(1))
    known = dict(house.p.feeds)
    house.feeds(*known.values(), feed(id="new", url="https://new.example/feed.xml"))
    newer = house.p
    house.change(feeds=known)
    assert [outcome.subject for outcome in house.poll(NOON)] == ["wire"]
    with house.p.ledger.read() as t:
        assert feeds.states(t)["new"].next_poll_at == NOON + timedelta(seconds=5)
        assert overview.queues(t, now=at(1))["poll"]["open"] == 2
    house.p = replace(newer)
    claims, _ = poll.claim(house.p, now=at(1))
    assert [(claim.id, claim.attempt) for claim in claims] == [("new", 1)]

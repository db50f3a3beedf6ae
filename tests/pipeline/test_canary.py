"""The canary: an article of our own that goes the whole way, seen by nobody, and forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from tests.builders import NOON, at, feed, topic
from tests.pipeline.conftest import House, item
from worker.build.canary import CanaryMatcher, CanaryWeb, channels_with_canary, with_canary
from worker.errors import ConfigError
from worker.ledger import canary, feeds, tallies
from worker.ledger.tables import metadata
from worker.model import CANARY, Reason
from worker.settings import Service, Settings
from worker.settings.values import Heartbeat
from worker.stages import alarms
from worker.topics import compile_topics

EVERY = timedelta(minutes=5)
SETTINGS = Settings(
    feeds=(feed(),), topics=(topic(),), service=Service(heartbeat=Heartbeat(url="http://127.0.0.1/beat", every=EVERY))
)


@pytest.fixture
def watched(house: House) -> House:
    """Give the usual pipeline with a canary in it."""
    settings = with_canary(SETTINGS)
    house.change(
        feeds={f.id: f for f in settings.feeds},
        topics={t.id: t for t in settings.topics},
        matcher=CanaryMatcher(compile_topics(settings.topics)),
        web=CanaryWeb(house.web, every=EVERY),
        channels=channels_with_canary(settings, house.p.channels),
        recipients=settings.recipients,
    )
    with house.p.ledger.write() as t:
        feeds.sync(t, settings.feeds, now=NOON)
    return house


def arrived(house: House) -> datetime | None:
    """Return when a canary has come through last."""
    with house.p.ledger.read() as t:
        return canary.arrived_at(t)


def rounds(house: House, now: datetime) -> None:
    """Run all three stages."""
    house.poll(now)
    house.read(now)
    house.deliver(now)


def test_each_canary_is_a_story_of_its_own_and_comes_through(watched: House) -> None:
    """Twenty in a row: none is a copy or a report of another, so that each is told."""
    seen = set()
    for number in range(20):
        rounds(watched, NOON + number * EVERY)
        seen.add(arrived(watched))
    assert len(seen - {None}) == 20
    assert watched.told() == []
    with watched.p.ledger.read() as t:
        assert tallies.totals(t, [tallies.ALERTS]) == {("alerts", (CANARY, "first")): 22}


def test_a_canary_that_is_not_delivered_has_not_arrived(watched: House) -> None:
    """Each of the stages is needed."""
    watched.poll(NOON)
    watched.read(NOON)
    assert arrived(watched) is None
    watched.deliver(NOON)
    assert arrived(watched) == NOON


def test_it_keeps_to_itself(watched: House) -> None:
    """A topic that matches everything does not see it, and its topic sees nothing else."""
    everything = topic(id="everything", any=("missile", "wirewatchcanary"))
    settings = with_canary(SETTINGS)
    own = next(t for t in settings.topics if t.id == CANARY)
    watched.change(
        topics={t.id: t for t in (everything, own)}, matcher=CanaryMatcher(compile_topics([everything, own]))
    )
    watched.web.feed(item(1, title="A missile and the wirewatchcanary"))
    rounds(watched, NOON)
    rounds(watched, at(1))
    assert [alert["topic"] for alert in watched.told()] == ["everything"]
    with watched.p.ledger.read() as t:
        counted = tallies.totals(t, [tallies.MATCHES])
    assert {labels[0]: n for (_, labels), n in counted.items()} == {CANARY: 3, "everything": 1}


def test_it_is_forgotten_without_a_trace_and_nothing_else_is(watched: House) -> None:
    """All tables are as they are without canaries; what is counted stays counted."""
    watched.web.feed(item(1, title="A missile flies"))
    for number in range(4):
        rounds(watched, NOON + number * EVERY)
    with watched.p.ledger.write() as t:
        assert canary.forget(t, before=NOON + 10 * EVERY) == 6
        assert canary.forget(t, before=NOON + 10 * EVERY) == 0
    left = {"entry": 1, "article": 1, "match": 1, "story": 1, "member": 1, "alert": 1, "delivery": 1, "decision": 1}
    with watched.p.ledger.read() as t:
        found = {name: t.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one() for name in left}
    assert found == left
    rounds(watched, NOON + 5 * EVERY)
    assert arrived(watched) == NOON + 5 * EVERY


def test_open_work_of_a_canary_is_not_forgotten(watched: House) -> None:
    """It may still come through."""
    watched.poll(NOON)
    with watched.p.ledger.write() as t:
        assert canary.forget(t, before=at(60)) == 0
    assert [outcome.reason for outcome in watched.read(NOON)][-1] is Reason.PAGE
    with watched.p.ledger.write() as t:
        assert canary.forget(t, before=at(60)) == 0
    watched.deliver(NOON)
    assert arrived(watched) == NOON


def test_one_that_stays_away_is_an_alarm(watched: House) -> None:
    """After three that should have come, and some patience."""
    rounds(watched, NOON)

    def found(now: datetime) -> list[str]:
        with watched.p.ledger.read() as t:
            raised = alarms.find(t, configured={}, topics=(), now=now, canary_every=EVERY)
            return [alarm.kind for alarm in raised]

    assert found(NOON + 3 * EVERY) == []
    assert found(NOON + 4 * EVERY) == ["canary-late"]
    rounds(watched, NOON + 4 * EVERY)
    assert found(NOON + 4 * EVERY) == []


def test_without_a_heartbeat_there_is_none() -> None:
    """Nothing is added to what is configured, and its name is only taken when it is needed."""
    plain = Settings(feeds=(feed(id=CANARY),))
    assert with_canary(plain) is plain
    with pytest.raises(ConfigError, match="is that of the canary"):
        with_canary(Settings(feeds=(feed(id=CANARY),), service=SETTINGS.service))

"""Articles that others have put together anew: who is told of what, then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import NOON, article, at, match
from tests.faults import bursts
from worker.ledger import decided, entries, stories, tables
from worker.ledger.engine import Ledger, open_file
from worker.model import Article, Reason, Role, Story, alert_key
from worker.stages.pipeline import Pipeline
from worker.stages.placing import Prepared, prepare
from worker.stages.telling import tell


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Any) -> Ledger:
    """Give an empty ledger in a file, and then one in PostgreSQL."""
    if request.param == "sqlite":
        return open_file(tmp_path / "ledger.sqlite", durable=False)
    empty: Ledger = request.getfixturevalue("postgres_ledger")
    return empty


def report(number: int) -> Article:
    """Return a report of one event."""
    said = bursts.reports(0)[number]
    return article(number, title=said.title, text=said.text, outlet=said.outlet, published_at=at(number), language="en")


def take_in(p: Pipeline, number: int, prepared: Prepared | None = None) -> None:
    """Record a report and tell of it."""
    with p.ledger.write() as t:
        entries.add_article(t, report(number), now=at(number))
        found = [match(number, topic_id="alarm")]
        tell(t, p, report(number), found, now=at(number), prepared=prepared)


def alerts(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    """Return article, story, role and state of all alerts."""
    of = tables.alert.c
    with ledger.read() as t:
        rows = t.execute(select(of.article_id, of.story_id, of.role, of.work).order_by(of.article_id, of.id))
        return [(row.article_id, row.story_id, row.role, row.work) for row in rows]


def story_of(ledger: Ledger, number: int) -> Story:
    """Return the story of a report."""
    with ledger.read() as t:
        of = stories.of_article(t, f"a-{number}")
        assert of is not None
        found = stories.get(t, of)
    assert found is not None
    return found


def regrouped(p: Pipeline, number: int, *, takes: int) -> Prepared:
    """Return that a report opens a story into which it takes another from where that was."""
    prepared = prepare(p, report(number))
    assert prepared is not None
    (before,) = prepared.near
    (taken,) = (m for m in before.members if m.article_id == f"a-{takes}")
    rest = replace(before, members=tuple(m for m in before.members if m is not taken))
    new = replace(prepared.joined.member, role=Role.REPORT)
    home = replace(before, id="s-apart", members=(replace(taken, role=Role.FIRST), new))
    return replace(prepared, joined=replace(prepared.joined, story=home, member=new, changed=(rest,)))


def test_an_article_is_told_of_when_that_with_which_it_was_told_has_left(ledger: Ledger) -> None:
    """It was counted in an alert about another event, as it turns out, so nobody has been told of its own."""
    p = bursts.pipeline(ledger)
    take_in(p, 0)
    take_in(p, 1)
    old = story_of(ledger, 0).id
    assert alerts(ledger) == [("a-0", old, "first", "open")]
    take_in(p, 2, regrouped(p, 2, takes=0))
    assert alerts(ledger) == [("a-0", "s-apart", "first", "open"), ("a-1", old, "first", "open")]
    assert [m.article_id for m in story_of(ledger, 2).members] == ["a-0", "a-2"]
    decision = tables.decision.c
    with ledger.read() as t:
        rows = t.execute(select(decision.article_id, decision.reason, decision.alert_key).order_by(decision.at)).all()
        of = {row.article_id: row.key for row in t.execute(select(tables.alert.c.article_id, tables.alert.c.key))}
    # The key of the story's first alert has gone with that: receivers know it by its key.
    assert of["a-0"] == alert_key(topic_id="alarm", story_id=old, channel_id="screen", kind="first")
    assert ("a-1", Reason.QUEUED, of["a-1"]) in [tuple(row) for row in rows]


def test_an_article_that_leaves_with_its_own_alert_leaves_nobody_untold(ledger: Ledger) -> None:
    """What remains has been told, and nothing is told again."""
    p = bursts.pipeline(ledger)
    # Reports made of the same frames are no copies here.
    p = replace(p, story_model=replace(p.story_model, copy=2.0))
    take_in(p, 0)
    with ledger.write() as t:
        t.execute(tables.alert.update().values(work=tables.DONE, sent_at=NOON, remote_id="1"))
    take_in(p, 1)
    before = alerts(ledger)
    take_in(p, 2, regrouped(p, 2, takes=1))
    # Its alert still waits: it is about the new story now, and counts the article that came last.
    assert alerts(ledger) == [before[0], ("a-1", "s-apart", "report", "open")]
    with ledger.read() as t:
        assert list(decided.last_reasons(t, "a-2").values()) == [Reason.FOLDED]
    assert before[0] in alerts(ledger)


def test_stories_that_are_one_are_told_of_once(ledger: Ledger) -> None:
    """What waits of the one that is gone is turned off, and the new article is counted in what is told."""
    p = bursts.pipeline(ledger)
    ready = [prepare(p, report(number)) for number in (0, 1)]
    for number, prepared in enumerate(ready):
        assert prepared is not None
        with p.ledger.write() as t:
            # As if neither had known of the other.
            turn = stories.take_turn(t)
        take_in(p, number, replace(prepared, seen=turn))
    kept, gone = (story_of(ledger, number) for number in (0, 1))
    assert kept.id != gone.id
    third = prepare(p, report(2))
    assert third is not None
    own = replace(kept, members=(*kept.members, *gone.members, replace(third.joined.member, role=Role.REPORT)))
    joined = replace(third.joined, story=own, member=own.members[-1], merges=(gone.id,), changed=())
    take_in(p, 2, replace(third, joined=joined, near=[kept, gone]))
    assert [one[1:] for one in alerts(ledger)] == [(kept.id, "first", "open"), (kept.id, "first", "off")]
    with ledger.read() as t:
        assert stories.current(t, gone.id) == kept.id

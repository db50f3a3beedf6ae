"""Who is told what, when, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, alert, article, at, match, topic
from worker.alerts.decisions import Decision, Told, channels_for, decide
from worker.alerts.policy import Policy, Route
from worker.alerts.quiet import end_of_quiet, parse_quiet_hours
from worker.model import Reason, Role, Story, Topic

STORY = Story(id="s-1", first_at=NOON, newest_at=NOON, members=())
TO_SCREEN = (Route(channels=("screen",)),)


def decisions(
    *,
    role: Role = Role.FIRST,
    told: Sequence[Told] = (),
    policy: Policy | None = None,
    routes: Sequence[Route] = TO_SCREEN,
    times: Sequence[datetime] = (),
    asked: Topic | None = None,
    stance: str = "states",
) -> list[Decision]:
    """Return the decisions about one match at noon."""
    return decide(
        match=match(stance=stance),
        article=article(),
        topic=asked or topic(),
        story=STORY,
        role=role,
        told=told,
        routes=routes,
        policy=policy or Policy(),
        due_times=lambda _: times,
        now=NOON,
    )


def one(**given_: Any) -> Decision:
    """Return the only decision."""
    (decision,) = decisions(**given_)
    return decision


def sent(minutes: float = -60, **changes: Any) -> Told:
    """Return an alert that was told some minutes before noon."""
    return Told(alert=alert(due_at=at(minutes), **changes), waits=False)


def waiting(**changes: Any) -> Told:
    """Return an alert that nobody has taken up yet."""
    return Told(alert=alert(due_at=at(0.5), **changes), waits=True)


def test_the_first_match_waits_for_others_to_join() -> None:
    """A first alert is due after group_wait."""
    decision = one()
    assert decision.alert is not None
    assert (decision.alert.role, decision.alert.due_at) == (Role.FIRST, NOON + timedelta(seconds=30))


def test_an_urgent_topic_waits_for_nothing() -> None:
    """Neither group_wait nor quiet hours nor the budget hold it."""
    decision = one(
        asked=topic(urgent=True), policy=Policy(quiet_hours="00:00-23:59", per_hour=1), times=[at(-1), at(-2)]
    )
    assert decision.alert is not None
    assert decision.alert.due_at == NOON


def test_an_article_that_joins_a_story_already_told_is_an_update() -> None:
    """The same story is never told twice as new."""
    decision = one(role=Role.REPORT, told=[sent()])
    assert decision.alert is not None
    assert (decision.alert.role, decision.reason) == (Role.REPORT, Reason.QUEUED)


def test_a_topic_that_meets_a_known_story_for_the_first_time_is_told_first() -> None:
    """What the article is to the story does not matter to those who have heard nothing of it."""
    decision = one(role=Role.COPY)
    assert decision.alert is not None
    assert decision.alert.role is Role.FIRST


@pytest.mark.parametrize(
    ("role", "told", "policy", "reason"),
    [
        (Role.COPY, [sent()], Policy(), Reason.COPY),
        (Role.REPORT, [sent()], Policy(follow_up="never"), Reason.FOLLOW_UP_OFF),
        (Role.REPORT, [waiting()], Policy(), Reason.FOLDED),
        (Role.DEVELOPMENT, [waiting()], Policy(), Reason.FOLDED),
        (Role.REPORT, [sent(), waiting(role=Role.REPORT)], Policy(), Reason.FOLDED),
    ],
    ids=["copy", "follow-ups-off", "first-waits", "first-waits-development", "report-waits"],
)
def test_what_is_not_told_has_its_reason(role: Role, told: list[Told], policy: Policy, reason: Reason) -> None:
    """Every silence has a name."""
    assert one(role=role, told=told, policy=policy) == Decision(channel_id="screen", reason=reason)


def test_a_development_is_told_beside_a_report_that_waits() -> None:
    """A development is a message of its own."""
    decision = one(role=Role.DEVELOPMENT, told=[sent(), waiting(role=Role.REPORT)])
    assert decision.alert is not None


def test_updates_keep_their_distance() -> None:
    """The next alert of a story waits until min_gap after the last."""
    decision = one(role=Role.REPORT, told=[sent(minutes=-10)])
    assert decision.alert is not None
    assert (decision.reason, decision.alert.due_at) == (Reason.MIN_GAP, at(20))


def test_other_channels_do_not_count() -> None:
    """What one channel was told says nothing about another."""
    decision = one(role=Role.REPORT, told=[sent(channel_id="other")])
    assert decision.alert is not None
    assert decision.alert.role is Role.FIRST


def test_without_a_route_the_decision_says_so() -> None:
    """A match that nobody hears of is visible."""
    assert decisions(routes=()) == [Decision(channel_id="", reason=Reason.NO_ROUTE)]


def test_the_budget_moves_an_alert_and_never_drops_it() -> None:
    """With the budget of the hour spent, the alert waits until the oldest of it is an hour old."""
    decision = one(policy=Policy(per_hour=2, group_wait=timedelta(0)), times=[at(-50), at(-20)])
    assert decision.alert is not None
    assert (decision.reason, decision.alert.due_at) == (Reason.BUDGET, at(10))


@given(st.lists(st.integers(-60, 120), max_size=30), st.integers(1, 5))
def test_no_hour_ever_holds_more_messages_than_the_budget(minutes: list[int], per_hour: int) -> None:
    """Alerts decided one after the other never exceed the budget by the new one."""
    times = sorted(at(m) for m in minutes)
    decision = one(policy=Policy(per_hour=per_hour), times=times)
    assert decision.alert is not None
    due = decision.alert.due_at
    assert len([t for t in times if due - timedelta(hours=1) < t <= due]) < per_hour


def test_a_topics_own_channels_replace_the_routes() -> None:
    """Channels named by the topic win."""
    assert channels_for(topic(channels=("desk",)), article(), TO_SCREEN) == ("desk",)


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        (Route(topics=("miss*",), channels=("x",)), True),
        (Route(topics=("other",), channels=("x",)), False),
        (Route(outlets=("wire",), channels=("x",)), True),
        (Route(outlets=("Times",), channels=("x",)), False),
        (Route(languages=("fr",), channels=("x",)), False),
        (Route(languages=("en",), channels=("x",)), True),
    ],
    ids=["wild-card", "other-topic", "outlet-caseless", "other-outlet", "other-language", "language"],
)
def test_routes_choose_by_topic_outlet_and_language(route: Route, fits: bool) -> None:
    """All conditions of a route must hold."""
    assert bool(channels_for(topic(), article(language="en"), [route])) is fits


def test_the_key_of_an_alert_is_the_same_whenever_it_is_decided() -> None:
    """A crash between deciding and recording leads to the same key."""
    first, again = one(), one()
    assert first.alert is not None
    assert again.alert is not None
    assert first.alert.key == again.alert.key


@pytest.mark.parametrize(
    ("hours", "asked", "end"),
    [
        ("22:00-07:00", "2026-02-11T23:00:00", "2026-02-12T07:00:00"),
        ("22:00-07:00", "2026-02-11T06:59:59", "2026-02-11T07:00:00"),
        ("22:00-07:00", "2026-02-11T07:00:00", "2026-02-11T07:00:00"),
        ("09:00-17:00", "2026-02-11T12:00:00", "2026-02-11T17:00:00"),
        ("22:00-07:00 Asia/Tehran", "2026-02-11T20:00:00", "2026-02-12T03:30:00"),
        ("", "2026-02-11T23:00:00", "2026-02-11T23:00:00"),
    ],
    ids=["evening", "morning", "just-over", "by-day", "elsewhere", "never"],
)
def test_quiet_hours_end_in_the_readers_own_time(hours: str, asked: str, end: str) -> None:
    """Times outside the quiet hours come back as they are."""
    moment = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    assert end_of_quiet(hours, moment) == datetime.fromisoformat(end).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["22-7", "25:00-07:00", "22:00-07:00 Nowhere/Atall", "07:00-07:00"])
def test_quiet_hours_of_another_form_are_refused(text: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match=r"expected|hour|zone|same time"):
        parse_quiet_hours(text)


@pytest.mark.parametrize("told", [[sent()], [waiting()]], ids=["told", "waiting"])
def test_a_stance_flip_is_a_development_that_nothing_takes_in(told: list[Told]) -> None:
    """A report of the opposite is told for itself, also where another report would be counted only."""
    decision = one(role=Role.REPORT, told=told, stance="opposes")
    assert decision.alert is not None
    assert decision.alert.role is Role.DEVELOPMENT


def test_a_copy_of_the_opposite_is_told_to_nobody() -> None:
    """Who has heard of a flip does not hear of it again."""
    assert one(role=Role.COPY, told=[sent()], stance="opposes").reason is Reason.COPY

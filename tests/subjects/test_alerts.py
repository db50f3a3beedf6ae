"""Who is told what, when, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.builders import NOON, alert, article, at, match, topic
from worker.alerts.decisions import Case, Decision, Rules, Told, decide
from worker.alerts.digests import Slot
from worker.alerts.policy import Policy, Recipient, Route
from worker.alerts.refining import narrowest_first
from worker.alerts.routing import channels_for
from worker.model import Article, Match, Reason, Role, Silence, Topic

TO_SCREEN = (Route(channels=("screen",)),)


def decisions(
    *,
    role: Role = Role.FIRST,
    told: Sequence[Told] = (),
    policy: Policy | None = None,
    gathers: bool = False,
    routes: Sequence[Route] = TO_SCREEN,
    times: Sequence[datetime] = (),
    digests: Sequence[Slot] = (),
    asked: Topic | None = None,
    topics: Sequence[Topic] = (),
    silences: Sequence[Silence] = (),
    stance: str = "states",
    about: Article | None = None,
    why: str = "",
) -> list[Decision]:
    """Return the decisions about one match at noon."""
    asked = asked or topic()
    case = Case(
        match=match(stance=stance, topic_id=asked.id),
        article=about or article(),
        story_id="s-1",
        role=role,
        why=why,
        told=told,
        now=NOON,
    )
    rules = Rules(
        topics={one.id: one for one in (asked, *topics)},
        routes=routes,
        recipient=lambda channel: Recipient(id=channel, policy=policy or Policy(), gathers=gathers),
        silences=silences,
        due_times=lambda _: times,
        digests=lambda _: digests,
    )
    return decide(case, rules)


def one(**given_: Any) -> Decision:
    """Return the only decision."""
    (decision,) = decisions(**given_)
    return decision


def sent(minutes: float = -60, **changes: Any) -> Told:
    """Return an alert that was told some minutes before noon."""
    return Told(alert=alert(due_at=at(minutes), **changes), waits=False)


def waiting(**changes: Any) -> Told:
    """Return an alert that nobody has taken up yet."""
    return Told(alert=alert(**{"due_at": at(0.5)} | changes), waits=True)


def in_digest(**changes: Any) -> Told:
    """Return an alert that waits in the digest of the evening."""
    return waiting(digest="digest-1", due_at=at(360), reason=Reason.DIGEST, **changes)


def off(**changes: Any) -> Told:
    """Return an alert that was not told after all."""
    return Told(alert=alert(**changes), waits=False, off=True)


def silence(**changes: Any) -> Silence:
    """Return a silence that holds at noon."""
    base: dict[str, Any] = {"id": 3, "author": "anna", "comment": "an exercise", "created_at": at(-60)}
    return Silence(**base | {"starts_at": at(-60), "ends_at": at(60)} | changes)


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
    assert (decision.alert.role, decision.reason, decision.detail) == (Role.REPORT, Reason.QUEUED, "told at once")


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
    decision = one(role=role, told=told, policy=policy, why="0.62 of a member's text")
    assert (decision.reason, decision.alert) == (reason, None)
    assert decision.detail


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
    decision = one(routes=())
    assert (decision.channel_id, decision.reason, decision.alert) == ("", Reason.NO_ROUTE, None)


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


@pytest.mark.parametrize("told", [[sent()], [waiting()]], ids=["told", "waiting"])
def test_a_stance_flip_is_a_development_that_nothing_takes_in(told: list[Told]) -> None:
    """A report of the opposite is told for itself, also where another report would be counted only."""
    decision = one(role=Role.REPORT, told=told, stance="opposes")
    assert decision.alert is not None
    assert decision.alert.role is Role.DEVELOPMENT


def test_a_copy_of_the_opposite_is_told_to_nobody() -> None:
    """Who has heard of a flip does not hear of it again."""
    assert one(role=Role.COPY, told=[sent()], stance="opposes").reason is Reason.COPY


# digests


def test_with_times_of_a_digest_nothing_that_is_not_urgent_is_told_by_itself() -> None:
    """A first alert waits for the evening."""
    decision = one(policy=Policy(digest="08:00 18:00"))
    assert decision.alert is not None
    assert (decision.reason, decision.alert.due_at) == (Reason.DIGEST, at(360))
    assert decision.slot == Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(360))
    assert decision.detail == "told in the digest of 18:00 UTC"


@pytest.mark.parametrize("gathers", [False, True], ids=["threads", "gathers"])
@pytest.mark.parametrize("role", [Role.FIRST, Role.DEVELOPMENT])
def test_first_alerts_and_developments_of_urgent_topics_are_never_gathered(role: Role, gathers: bool) -> None:
    """Not for a digest, not in quiet hours, not over the budget, and not where follow-ups are gathered."""
    strict = Policy(digest="18:00", quiet_hours="00:00-23:59", per_hour=1)
    told = [] if role is Role.FIRST else [sent()]
    decision = one(
        role=role, told=told, asked=topic(urgent=True), policy=strict, gathers=gathers, times=[at(-1), at(-2)]
    )
    assert decision.alert is not None
    assert (decision.slot, decision.alert.due_at) == (None, NOON)


def test_a_report_folds_into_an_alert_that_waits_in_a_digest() -> None:
    """It is counted there, as by a first alert that waits by itself; the decision names the alert."""
    decision = one(role=Role.REPORT, told=[in_digest()], policy=Policy(digest="18:00"))
    assert (decision.reason, decision.alert, decision.into) == (Reason.FOLDED, None, in_digest().alert)
    assert "waits until 18:00 UTC" in decision.detail


def test_a_development_joins_the_digest_in_which_its_story_waits() -> None:
    """It is an item of its own, since it is news after hours of waiting, and it does not overtake what it follows."""
    decision = one(role=Role.DEVELOPMENT, told=[in_digest()], why="31 killed where 12 were said")
    assert decision.alert is not None
    assert decision.slot == Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(360))
    assert decision.alert.detail == "31 killed where 12 were said"


def test_what_waits_for_the_end_of_quiet_hours_is_gathered() -> None:
    """All of it is told in one message in the morning."""
    decision = one(policy=Policy(quiet_hours="11:00-13:00"))
    assert decision.slot == Slot(channel_id="screen", reason=Reason.QUIET_HOURS, due_at=at(60))
    assert decision.detail == "11:00-13:00; told with the rest at 13:00 UTC"


def test_what_is_over_the_budget_is_gathered_and_never_dropped() -> None:
    """The message with the rest is due when the oldest of the hour is an hour old."""
    decision = one(policy=Policy(per_hour=2, group_wait=timedelta(0)), times=[at(-50), at(-20)])
    assert decision.alert is not None
    assert decision.slot == Slot(channel_id="screen", reason=Reason.BUDGET, due_at=at(10))
    assert (decision.reason, decision.alert.due_at) == (Reason.BUDGET, at(10))
    assert decision.detail == "2 in the last hour; told with the rest at 12:10 UTC"


def test_the_rest_of_a_burst_is_one_message() -> None:
    """What comes when a message with the rest waits already goes into it."""
    rest = Slot(channel_id="screen", reason=Reason.BUDGET, due_at=at(10))
    decision = one(policy=Policy(per_hour=2), times=[at(-50), at(-20), at(10)], digests=[rest])
    assert decision.slot == rest


def test_a_quiet_update_does_not_count_against_the_budget() -> None:
    """A report that changes a message is none."""
    decision = one(role=Role.REPORT, told=[sent()], policy=Policy(per_hour=1), times=[at(-1)])
    assert (decision.reason, decision.slot) == (Reason.QUEUED, None)


@pytest.mark.parametrize(
    ("role", "follow_up"), [(Role.DEVELOPMENT, "development"), (Role.DEVELOPMENT, "every"), (Role.REPORT, "every")]
)
def test_a_channel_that_cannot_thread_hears_what_follows_in_a_digest(role: Role, follow_up: str) -> None:
    """The first of the follow-ups waits for min_gap, and all that come meanwhile are told with it."""
    decision = one(role=role, told=[sent()], policy=Policy(follow_up=follow_up), gathers=True)
    slot = Slot(channel_id="screen", reason=Reason.MIN_GAP, due_at=at(30))
    assert (decision.reason, decision.slot) == (Reason.MIN_GAP, slot)
    sooner = Slot(channel_id="screen", reason=Reason.MIN_GAP, due_at=at(5))
    assert one(role=role, told=[sent()], policy=Policy(follow_up=follow_up), gathers=True, digests=[sooner]).slot == (
        sooner
    )


def test_a_channel_that_cannot_thread_hears_first_alerts_one_by_one() -> None:
    """They are what it is there for."""
    decision = one(gathers=True)
    assert (decision.reason, decision.slot) == (Reason.QUEUED, None)


def test_a_quiet_report_is_no_message_where_nothing_can_be_changed() -> None:
    """It is recorded and told to nobody."""
    decision = one(role=Role.REPORT, told=[sent()], gathers=True)
    assert (decision.reason, decision.alert) == (Reason.REPORT, None)


def test_a_follow_up_over_the_budget_goes_with_the_rest() -> None:
    """A digest of follow-ups is a message, too."""
    decision = one(role=Role.DEVELOPMENT, told=[sent()], gathers=True, policy=Policy(per_hour=1), times=[at(-10)])
    assert decision.slot == Slot(channel_id="screen", reason=Reason.BUDGET, due_at=at(50))


# silences


@pytest.mark.parametrize(
    ("patterns", "silent"),
    [
        ({"topic": "miss*"}, True),
        ({"topic": "other"}, False),
        ({"outlet": "wire"}, True),
        ({"channel": "screen", "topic": "missiles"}, True),
        ({"channel": "desk", "topic": "missiles"}, False),
        ({"story": "s-1"}, True),
        ({"story": "s-2"}, False),
    ],
    ids=str,
)
def test_a_silence_keeps_what_fits_all_its_patterns_from_being_told(patterns: dict[str, str], silent: bool) -> None:
    """Patterns are as in routes; the decision says whose silence it is, until when, and why."""
    decision = one(silences=[silence(**patterns)])
    assert (decision.reason is Reason.SILENCED) is silent
    assert (decision.alert is None) is silent
    assert not silent or decision.detail == "silence 3 by anna until 13:00 UTC: an exercise"


def test_of_several_silences_the_one_that_ends_last_is_named() -> None:
    """That is when to listen again."""
    decision = one(
        silences=[silence(topic="*"), silence(id=4, story="s-1", ends_at=at(1500)), silence(id=5, topic="*")]
    )
    assert decision.detail.startswith("silence 4 by anna until 12 Feb 13:00 UTC")


def test_urgent_topics_can_be_silenced() -> None:
    """A person has said so."""
    assert one(asked=topic(urgent=True), silences=[silence(topic="*")]).reason is Reason.SILENCED


@pytest.mark.parametrize("role", [Role.REPORT, Role.COPY, Role.DEVELOPMENT])
def test_after_a_silence_a_story_is_told_as_if_it_were_new(role: Role) -> None:
    """What was turned off meanwhile does not count as told, and its key is not used again."""
    before = one().alert
    decision = one(role=role, told=[off()])
    assert decision.alert is not None
    assert decision.alert.role is Role.FIRST
    assert before is not None
    assert decision.alert.key != before.key
    again = one(role=role, told=[off(), off()]).alert
    assert again is not None
    assert again.key not in {before.key, decision.alert.key}


# topics that refine others


NARROW, BROAD = topic(id="narrow", refines=("missiles",)), topic()
NARROWER = topic(id="narrower", refines=("narrow",))


def told_of(name: str, **changes: Any) -> Told:
    """Return that the channel was told of the story for a topic."""
    return sent(topic_id=name, **changes)


@pytest.mark.parametrize(
    "told", [told_of("narrow"), waiting(topic_id="narrow"), told_of("narrower")], ids=["told", "waits", "two-steps"]
)
def test_a_channel_that_hears_of_the_narrower_topic_does_not_hear_of_the_broader(told: Told) -> None:
    """Also by way of a topic between the two, and when the alert still waits."""
    decision = one(told=[told], topics=[NARROW, NARROWER])
    assert (decision.reason, decision.alert) == (Reason.INHIBITED, None)
    assert decision.detail.startswith(f"{told.alert.topic_id}, which refines it")


@pytest.mark.parametrize(
    ("told", "silences"),
    [
        ([told_of("narrow", channel_id="desk")], []),
        ([off(topic_id="narrow")], []),
        ([told_of("narrow")], [silence(topic="narrow")]),
        ([told_of("gone")], []),
        ([], []),
    ],
    ids=["other-channel", "turned-off", "silenced", "not-configured", "not-told"],
)
def test_a_narrower_topic_that_is_not_told_keeps_nothing_back(told: list[Told], silences: list[Silence]) -> None:
    """Nobody is to hear less because a topic is there that tells nothing."""
    assert one(told=told, topics=[NARROW, NARROWER], silences=silences).alert is not None


def test_the_broader_topic_does_not_keep_the_narrower_back() -> None:
    """It says less."""
    assert one(asked=NARROW, topics=[BROAD], told=[told_of("missiles")]).alert is not None


def test_matches_are_decided_from_the_narrowest_topic_on() -> None:
    """Others stay in their order."""
    topics = {one.id: one for one in (BROAD, NARROW, NARROWER, topic(id="else"))}
    found: list[Match] = [match(topic_id=name) for name in ("else", "missiles", "narrow", "narrower")]
    assert [m.topic_id for m in narrowest_first(found, topics)] == ["narrower", "narrow", "else", "missiles"]

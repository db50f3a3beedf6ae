"""What an answer of a feed means and when it is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.builders import NOON, at, entry, feed, feed_state
from worker.errors import Retryable, Unusable
from worker.feeds.decisions import (
    Poll,
    challenge,
    failed,
    fault_of_answer,
    fault_of_error,
    is_conditional,
    is_news,
    request_headers,
    retry_after,
    succeeded,
)
from worker.feeds.polling import Polling
from worker.feeds.rhythm import learn
from worker.feeds.waits import after_skipped, fresh_for
from worker.model import FeedState, Hints, Reason

POLLING = Polling()
URL = "https://wire.example/feed.xml"
#: Where feeds move to.
MOVED = "https://new.example/feed.xml"


def good(headers: dict[str, str] | None = None, *, state: FeedState | None = None, **changes: Any) -> Poll:
    """Return what a good answer at noon teaches."""
    base: dict[str, Any] = {
        "headers": headers or {},
        "reason": Reason.NEW_ENTRIES,
        "body_hash": "h",
        "url": URL,
        "moved": False,
        "conditional": True,
        "now": NOON,
        "jitter": 0.0,
    }
    settled = base | changes
    configured, polling = settled.pop("feed", feed()), settled.pop("polling", POLLING)
    return succeeded(configured, state or feed_state(), polling, **settled)


def unmodified(headers: dict[str, str] | None = None, *, state: FeedState | None = None, **changes: Any) -> Poll:
    """Return what a 304 at noon teaches."""
    return good(headers, state=state, **{"reason": Reason.NOT_MODIFIED, "body_hash": None} | changes)


def bad(state: FeedState | None = None, *, status: int | None = 500, **changes: Any) -> Poll:
    """Return what a failed poll at noon teaches."""
    base: dict[str, Any] = {"error": "boom", "now": NOON, "jitter": 0.0, "status": status}
    base["reason"] = Reason.TIMED_OUT if status is None else fault_of_answer(status, {}, b"")
    settled = base | changes
    configured, polling = settled.pop("feed", feed()), settled.pop("polling", POLLING)
    return failed(configured, state or feed_state(), polling, **settled)


def busy(entries: int, *, polls: int = 100) -> dict[str, Any]:
    """Return the rhythm of a feed that has published so many entries every ten minutes until noon."""
    learned: dict[str, Any] = {}
    for number in range(-polls, 1):
        before = at((number - 1) * 10) if number > -polls else None
        learned = learn(
            learned, new=entries, shown=True, now=at(number * 10), polled_at=before, base=timedelta(minutes=10)
        )
    return learned


# ---------------------------------------------------------------- validators


def test_validators_go_back_byte_for_byte() -> None:
    """Quotes, weakness marks and odd dates are the server's business."""
    state = good({"etag": 'W/"x y"', "last-modified": "yesterday-ish"}).state
    headers = request_headers(feed(), state, now=NOON)
    assert headers["if-none-match"] == 'W/"x y"'
    assert headers["if-modified-since"] == "yesterday-ish"


@pytest.mark.parametrize(
    ("conditional", "changes"),
    [(False, {}), (True, {"validators": "broken"}), (True, {"full_at": NOON - timedelta(hours=24)})],
    ids=["not-configured", "broken", "daily-check"],
)
def test_validators_are_not_sent_where_they_are_not_trusted(conditional: bool, changes: dict[str, Any]) -> None:
    """The whole document is asked for when validators are off, have lied, or were not checked for a day."""
    state = feed_state(etag='"1"', last_modified="x", **changes)
    headers = request_headers(feed(conditional=conditional), state, now=NOON)
    assert not {"if-none-match", "if-modified-since"} & set(headers)
    assert not is_conditional(feed(conditional=conditional), state, NOON)


def test_validators_are_checked_once_a_day_and_no_more() -> None:
    """The day begins with the last answer to an unconditional request; a 304 does not begin it anew."""
    state = good({"etag": '"1"'}, conditional=False).state
    assert state.full_at == NOON
    later = unmodified(state=state, now=at(60 * 23)).state
    assert later.full_at == NOON
    assert is_conditional(feed(), later, at(60 * 23))
    assert not is_conditional(feed(), later, at(60 * 24))
    checked = good({"etag": '"1"'}, state=later, conditional=False, reason=Reason.UNCHANGED, now=at(60 * 24)).state
    assert is_conditional(feed(), checked, at(60 * 25))


def test_a_state_that_knows_of_no_check_begins_its_day_with_the_next_good_answer() -> None:
    """An upgrade makes nobody's feeds come whole all at once."""
    state = feed_state(etag='"1"', last_success_at=at(-10), polled_at=at(-10))
    assert is_conditional(feed(), state, NOON)
    assert unmodified(state=state).state.full_at == NOON


def test_headers_of_the_configuration_replace_ours_whatever_their_case() -> None:
    """No header is sent twice."""
    headers = request_headers(feed(headers={"Accept": "text/xml", "X-Key": "k"}), feed_state(), now=NOON)
    assert headers == {"accept": "text/xml", "x-key": "k"}


@pytest.mark.parametrize("kind", ["rss+xml", "atom+xml", "rdf+xml", "feed+json", "xml", "json"])
def test_every_format_is_accepted(kind: str) -> None:
    """A server that chooses by Accept finds each of the formats that are read."""
    assert f"application/{kind}" in request_headers(feed(), feed_state(), now=NOON)["accept"]


def test_a_200_without_validators_drops_the_old_ones() -> None:
    """What the server no longer says is not sent back."""
    state = good({}, state=feed_state(etag='"1"', last_modified="x")).state
    assert (state.etag, state.last_modified) == (None, None)


def test_an_unchanged_200_brings_its_own_validators() -> None:
    """A document may be touched without being changed."""
    old = feed_state(etag='"1"', body_hash="h")
    assert good({"etag": '"2"'}, state=old, reason=Reason.UNCHANGED).state.etag == '"2"'


def test_a_304_keeps_validators_and_takes_new_ones() -> None:
    """A 304 may carry a new tag; without one the old tag stands."""
    old = feed_state(etag='"1"', last_modified="x", body_hash="h")
    kept = unmodified(state=old).state
    renewed = unmodified({"etag": '"2"'}, state=old).state
    assert (kept.etag, kept.last_modified, kept.body_hash) == ('"1"', "x", "h")
    assert (renewed.etag, renewed.last_modified) == ('"2"', "x")


LYING = [
    pytest.param('"1"', "x", {"etag": '"1"'}, 0, "broken", id="tag-stays"),
    pytest.param('"1"', "x", {"etag": '"2"', "last-modified": "x"}, 1, "", id="tag-changes"),
    pytest.param(None, "x", {"last-modified": "x"}, 0, "broken", id="date-stays"),
    pytest.param(None, "x", {"last-modified": "y"}, 1, "", id="date-changes"),
    pytest.param(None, "x", {"etag": '"1"', "last-modified": "x"}, 1, "", id="tag-is-new"),
    pytest.param('W/"1"', None, {"etag": 'W/"1"'}, 0, "", id="weak-and-nothing-new"),
    pytest.param('W/"1"', None, {"etag": 'W/"1"'}, 1, "broken", id="weak-and-something-new"),
    pytest.param(None, None, {}, 1, "", id="none"),
]


@pytest.mark.parametrize(("etag", "last_modified", "headers", "new", "verdict"), LYING)
def test_validators_that_stay_while_the_document_changes_are_broken(
    etag: str | None, last_modified: str | None, headers: dict[str, str], new: int, verdict: str
) -> None:
    """The daily check unmasks servers that would answer 304 for ever."""
    state = feed_state(etag=etag, last_modified=last_modified, body_hash="old", full_at=at(-1440))
    news = tuple(entry(n) for n in range(new))
    assert good(headers, state=state, conditional=False, new=news, known=3).state.validators == verdict
    same = good(headers, state=replace(state, body_hash="h"), conditional=False, reason=Reason.UNCHANGED)
    assert same.state.validators == ""


def test_broken_validators_stay_broken_and_are_not_looked_for_where_they_are_off() -> None:
    """Whoever has lied once is asked for the whole document from then on."""
    broken = feed_state(etag='"1"', body_hash="old", validators="broken")
    assert good({"etag": '"2"'}, state=broken, conditional=False).state.validators == "broken"
    off = feed(conditional=False)
    state = replace(broken, validators="")
    assert good({"etag": '"1"'}, state=state, conditional=False, feed=off).state.validators == ""


def hidden_state(**changes: Any) -> FeedState:
    """Return the state of a feed whose last poll, ten minutes ago, was answered 304."""
    base: dict[str, Any] = {
        "outcome": Reason.NOT_MODIFIED,
        "etag": '"1"',
        "polled_at": at(-10),
        "last_success_at": at(-10),
        "full_at": at(-600),
    }
    return feed_state(**base | changes)


def test_entries_behind_a_304_are_doubtful_once_and_broken_twice() -> None:
    """An entry of an hour ago was hidden by the 304 of ten minutes ago."""
    late = (entry(published_at=at(-60)),)
    once = good({"etag": '"2"'}, state=hidden_state(), new=late, known=5).state
    assert once.validators == "doubtful"
    again = replace(once, outcome=Reason.NOT_MODIFIED, polled_at=at(-10))
    assert good({"etag": '"3"'}, state=again, new=late, known=5).state.validators == "broken"
    cleared = good({"etag": '"3"'}, state=again, conditional=False, new=(), known=5).state
    assert cleared.validators == ""


@pytest.mark.parametrize(
    ("minutes", "outcome"),
    [(-5, Reason.NOT_MODIFIED), (-15, Reason.NOT_MODIFIED), (-700, Reason.NOT_MODIFIED), (-60, Reason.NEW_ENTRIES)],
    ids=["after-the-304", "on-its-way", "dated-back", "no-304"],
)
def test_entries_that_no_304_can_have_hidden_raise_no_doubt(minutes: int, outcome: Reason) -> None:
    """Publishers date back, and caches take their time."""
    poll = good(state=hidden_state(outcome=outcome), new=(entry(published_at=at(minutes)),), known=5)
    assert poll.state.validators == ""


# ---------------------------------------------------------------- when to poll again


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({"cache-control": "max-age=3600"}, 60),
        ({"cache-control": "public, Max-Age=1200"}, 20),
        ({"cache-control": 'max-age="1200"'}, 20),
        ({"cache-control": "max-age=1200, max-age=60"}, 20),
        ({"cache-control": "max-age=1"}, 10),
        ({"cache-control": "max-age=0"}, 10),
        ({"cache-control": "no-cache"}, 10),
        ({"cache-control": "no-cache, max-age=3600"}, 10),
        ({"cache-control": "s-maxage=3600"}, 10),
        ({"cache-control": "max-age=3600", "age": "600"}, 50),
        ({"cache-control": "max-age=3600", "age": "99999"}, 10),
        ({"cache-control": "max-age=999999999"}, 1440),
        ({"cache-control": "max-age=" + "9" * 5000}, 1440),
        ({"cache-control": "max-age=soon"}, 10),
        ({"expires": "Wed, 11 Feb 2026 12:40:00 GMT"}, 40),
        ({"expires": "Wed, 11 Feb 2026 12:40:00 GMT", "date": "Wed, 11 Feb 2026 12:10:00 GMT"}, 30),
        ({"expires": "Wed, 11 Feb 2026 12:40:00 GMT", "age": "600"}, 30),
        ({"expires": "Wed, 11 Feb 2026 12:40:00 GMT", "cache-control": "max-age=1200"}, 20),
        ({"expires": "Wed Feb 11 12:40:00 2026"}, 40),
        ({"expires": "0"}, 10),
        ({"expires": "-1"}, 10),
    ],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.parametrize("answer", [good, unmodified], ids=["200", "304"])
def test_the_next_poll_waits_as_long_as_the_answer_is_fresh(answer: Any, headers: dict[str, str], minutes: int) -> None:
    """What the publisher says is a floor for our interval, and max_interval is a ceiling for the publisher."""
    assert answer(headers).next_poll_at - NOON == timedelta(minutes=minutes)


@given(st.dictionaries(st.sampled_from(["cache-control", "expires", "date", "age", "retry-after"]), st.text()))
def test_no_header_can_stop_a_poll(headers: dict[str, str]) -> None:
    """Whatever a server writes into its headers, the wait stays within the limits."""
    assert fresh_for(headers, now=NOON) >= timedelta(0)
    assert retry_after(headers, now=NOON) >= timedelta(0)
    assert timedelta(minutes=10) <= good(headers).next_poll_at - NOON <= POLLING.max_interval
    assert timedelta(minutes=10) <= bad(headers=headers).next_poll_at - NOON <= timedelta(hours=24)


@pytest.mark.parametrize(("hours", "minutes"), [(0, 10), (0.5, 30), (24, 60)], ids=["none", "believed", "capped"])
def test_the_interval_that_a_document_hints_at_counts_up_to_an_hour(hours: float, minutes: int) -> None:
    """Many write a day and publish every hour."""
    poll = good(hints=Hints(update_interval=timedelta(hours=hours)))
    assert poll.next_poll_at - NOON == timedelta(minutes=minutes)


def test_hints_are_remembered_while_nothing_new_is_parsed() -> None:
    """A 304 brings no document, and so the last one's hints hold."""
    state = good(hints=Hints(update_interval=timedelta(minutes=30))).state
    assert unmodified(state=state).next_poll_at - NOON == timedelta(minutes=30)
    assert good(hints=Hints(), state=state).next_poll_at - NOON == timedelta(minutes=10)


SKIPPED = [
    pytest.param({"skip_hours": (12,)}, 60, id="this-hour"),
    pytest.param({"skip_hours": (12, 13, 14)}, 180, id="three-hours"),
    pytest.param({"skip_hours": (20,)}, 10, id="another-hour"),
    pytest.param({"skip_hours": tuple(range(24))}, 10, id="all-hours"),
    pytest.param({"skip_days": (2,)}, 720, id="this-day"),
    pytest.param({"skip_days": (2, 3)}, 1440, id="longer-than-max-interval"),
    pytest.param({"skip_days": tuple(range(7))}, 10, id="all-days"),
    pytest.param({"skip_days": (2,), "skip_hours": (0, 1)}, 840, id="day-and-hours"),
]


@pytest.mark.parametrize(("hints", "minutes"), SKIPPED)
def test_hours_and_days_that_a_feed_asks_to_skip_are_skipped(hints: dict[str, Any], minutes: int) -> None:
    """A poll that would fall into them comes at their end, on a Wednesday noon as well, and within max_interval."""
    assert good(hints=Hints(**hints)).next_poll_at - NOON == timedelta(minutes=minutes)


@given(
    st.frozensets(st.integers(0, 23), max_size=23), st.frozensets(st.integers(0, 6), max_size=6), st.integers(0, 10080)
)
def test_what_is_skipped_ends(hours: frozenset[int], days: frozenset[int], minutes: int) -> None:
    """Some hour of the week is always open, and the poll is never moved to before its time."""
    due = at(minutes)
    found = after_skipped(Hints(skip_hours=tuple(hours), skip_days=tuple(days)), due)
    assert found >= due
    assert found.hour not in hours
    assert found.weekday() not in days


@given(
    jitter=st.floats(0, 1),
    entries=st.integers(0, 3),
    max_age=st.integers(0, 200_000),
    hint=st.integers(0, 100_000),
    skip=st.frozensets(st.integers(0, 23)),
    gap=st.booleans(),
    adaptive=st.booleans(),
    limits=st.tuples(st.integers(1, 3600), st.integers(1, 86400)),
)
def test_the_wait_keeps_the_limits_and_the_publishers_wishes(
    *,
    jitter: float,
    entries: int,
    max_age: int,
    hint: int,
    skip: frozenset[int],
    gap: bool,
    adaptive: bool,
    limits: tuple[int, int],
) -> None:
    """Never before min_interval or what the publisher asks, never after max_interval; jitter only ever adds."""
    least, most = timedelta(seconds=limits[0]), timedelta(seconds=limits[0] + limits[1])
    polling = Polling(min_interval=least, max_interval=most, adaptive=adaptive)
    state = feed_state(rhythm=RHYTHMS[entries], last_success_at=at(-10), polled_at=at(-10))
    changes: dict[str, Any] = {
        "state": state,
        "polling": polling,
        "hints": Hints(update_interval=timedelta(seconds=hint), skip_hours=tuple(skip)),
        "new": (entry(),),
        "known": 0 if gap else 1,
    }
    headers = {"cache-control": f"max-age={max_age}"}
    wait = good(headers, **changes, jitter=jitter).next_poll_at - NOON
    asked = max(timedelta(seconds=max_age), timedelta(seconds=min(hint, 3600)))
    assert max(least, min(asked, most)) <= wait <= most
    plain = good(headers, **changes).next_poll_at - NOON
    if not skip:
        assert plain <= wait <= plain * 1.1 + timedelta(microseconds=1)


RHYTHMS = [busy(entries) for entries in range(4)]


def test_the_interval_adapts_unless_it_is_told_not_to() -> None:
    """A busy feed is asked more often than configured, a quiet one less, and neither when adaptive is off."""
    states = [feed_state(rhythm=r, last_success_at=at(-10), polled_at=at(-10)) for r in (RHYTHMS[3], RHYTHMS[0])]
    often, seldom = (unmodified(state=state).next_poll_at - NOON for state in states)
    assert often < timedelta(minutes=5)
    assert seldom > timedelta(minutes=15)
    still = Polling(adaptive=False)
    assert {unmodified(state=s, polling=still).next_poll_at - NOON for s in states} == {timedelta(minutes=10)}


def test_a_late_poll_teaches_nothing_about_the_rate() -> None:
    """What came and went while the service was down cannot be counted."""
    state = feed_state(last_success_at=at(-300), polled_at=at(-300), rhythm=RHYTHMS[1])
    late = good(state=state, new=(entry(),), known=9).state.rhythm
    assert late["seconds"] == RHYTHMS[1]["seconds"]
    on_time = good(state=replace(state, last_success_at=at(-10)), new=(entry(),), known=9).state.rhythm
    assert sum(on_time["seconds"]) == pytest.approx(sum(RHYTHMS[1]["seconds"]) + 600)


def test_a_poll_without_any_known_entry_is_a_gap_and_the_next_one_comes_sooner() -> None:
    """Entries may have come and gone unseen."""
    first = good(new=(entry(1), entry(2)), reason=Reason.BASELINE)
    assert not first.gap
    state = replace(first.state, polled_at=at(-10), last_success_at=at(-10))
    gap = good(state=state, new=(entry(3),), known=0)
    assert (gap.gap, gap.state.gaps) == (True, 1)
    assert gap.next_poll_at - NOON == timedelta(minutes=5)
    assert good(state=state, new=(entry(3),), known=1).next_poll_at - NOON == timedelta(minutes=10)
    for polling, minutes in ((Polling(min_interval=timedelta(minutes=8)), 8), (Polling(adaptive=False), 10)):
        poll = good(state=state, new=(entry(3),), known=0, polling=polling)
        assert (poll.gap, poll.next_poll_at - NOON) == (True, timedelta(minutes=minutes))


def test_the_first_entry_of_a_feed_that_was_empty_is_no_gap() -> None:
    """Nothing can be missing where nothing was."""
    empty = good(reason=Reason.BASELINE).state
    assert not good(state=empty, new=(entry(),), known=0).gap


# ---------------------------------------------------------------- moves


def polled(state: FeedState, url: str, *, moved: bool) -> FeedState:
    """Return the state after one more good poll."""
    return good(state=state, url=url, moved=moved).state


def test_a_move_is_believed_after_as_many_polls_as_configured() -> None:
    """Three answers in a row from one place, by permanent redirects alone, and then its address is polled."""
    state = feed_state()
    for count in (1, 2):
        state = polled(state, MOVED, moved=True)
        assert (state.moved_to, state.moved_count, state.address) == (MOVED, count, None)
    state = polled(state, MOVED, moved=True)
    assert (state.moved_to, state.moved_count, state.address) == (None, 0, MOVED)
    assert polled(state, MOVED, moved=False).address == MOVED


@pytest.mark.parametrize(
    ("url", "moved"), [(URL, False), (MOVED, False), ("https://third.example/", True)], ids=["none", "302", "elsewhere"]
)
def test_a_poll_that_says_otherwise_begins_the_count_anew(url: str, moved: bool) -> None:
    """A temporary hop, no redirect or another place, and the publisher is not believed yet."""
    state = polled(polled(feed_state(), MOVED, moved=True), MOVED, moved=True)
    assert polled(polled(state, url, moved=moved), MOVED, moved=True).address is None


def test_a_move_from_a_new_address_works_the_same_way() -> None:
    """Further, and back to where the configuration has it."""
    state = feed_state(address=MOVED)
    for _ in range(3):
        state = polled(state, "https://third.example/", moved=True)
    assert state.address == "https://third.example/"
    for _ in range(3):
        state = polled(state, URL, moved=True)
    assert state.address is None


@pytest.mark.parametrize("status", [404, 410, 403], ids=str)
def test_a_new_address_that_fails_for_good_is_given_up_for_the_configured_one(status: int) -> None:
    """The feed is not stopped by a move that was a mistake."""
    state = bad(feed_state(address=MOVED, etag='"1"', body_hash="h", failures=29.9, full_at=NOON), status=status).state
    assert (state.state, state.address, state.etag, state.body_hash, state.full_at) == (
        "failing",
        None,
        None,
        None,
        None,
    )


def test_a_new_address_that_fails_for_a_while_is_kept() -> None:
    """A server that is down is no mistake."""
    assert bad(feed_state(address=MOVED), status=503).state.address == MOVED


# ---------------------------------------------------------------- failures


def test_failures_in_a_row_wait_longer_and_keep_the_validators() -> None:
    """The wait grows with the weight of failures and is capped; a success starts anew."""
    state, waits = feed_state(etag='"1"', state="ok"), []
    for _ in range(60):
        poll = bad(state)
        waits.append(poll.next_poll_at - NOON)
        state = poll.state
        assert (state.state == "disabled") is (state.failures >= 30)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=5)
    assert state.etag == '"1"'
    assert state.state == "disabled"
    again = good({}, state=state).state
    assert (again.state, again.failures, again.error) == ("ok", 0, None)


@given(
    faults=st.lists(st.tuples(st.sampled_from([None, 400, 404, 429, 500, 503]), st.floats(0, 1)), max_size=40),
    seconds=st.integers(1, 100_000),
)
def test_the_back_off_grows_within_its_limit(faults: list[tuple[int | None, float]], seconds: int) -> None:
    """Linear in the weight of failures in a row, never under the interval, never over a day or max_interval."""
    configured = feed(interval=timedelta(seconds=seconds))
    state, polling = feed_state(state="ok"), Polling(max_interval=timedelta(hours=12))
    for status, jitter in faults:
        before, state = state, bad(state, status=status, jitter=jitter, feed=configured, polling=polling).state
        plain = bad(before, status=status, feed=configured, polling=polling).state
        assert before.failures < state.failures
        least = min(max(configured.interval, polling.min_interval) * max(state.failures, 1), polling.max_interval)
        assert least <= plain.interval <= state.interval <= polling.max_interval


def test_a_feed_that_is_seldom_asked_is_not_asked_more_often_because_it_fails() -> None:
    """A failure never brings the next poll sooner than a success would have done."""
    state = feed_state(rhythm=RHYTHMS[0], last_success_at=at(-10), polled_at=at(-10))
    assert bad(state).next_poll_at >= unmodified(state=state).next_poll_at - timedelta(minutes=1)
    assert bad(state).next_poll_at - NOON > timedelta(minutes=15)


WEIGHTS = [
    *((status, Reason.HTTP_ERROR, 1.0) for status in (400, 401, 403, 406, 451)),
    *((status, Reason.HTTP_ERROR, 0.5) for status in (404, 408, 425, 500, 502, 503, 504, 302, 204)),
    (429, Reason.RATE_LIMITED, 0.5),
    (403, Reason.CHALLENGED, 1.0),
    (503, Reason.CHALLENGED, 1.0),
    *((200, reason, 1.0) for reason in (Reason.NOT_A_FEED, Reason.OVERRAN)),
    (200, Reason.HTML_PAGE, 0.5),
    *((None, reason, 1.0) for reason in (Reason.FORBIDDEN, Reason.TOO_LARGE, Reason.OVERRAN)),
    *((None, reason, 0.5) for reason in (Reason.TIMED_OUT, Reason.FETCH_FAILED)),
    (None, Reason.DNS_FAILED, 0.25),
]


@pytest.mark.parametrize(("status", "reason", "weight"), WEIGHTS)
def test_failures_weigh_by_how_likely_a_person_must_act(status: int | None, reason: Reason, weight: float) -> None:
    """Hard 1, soft a half, names that do not resolve a quarter."""
    poll = bad(status=status, reason=reason)
    assert (poll.state.failures, poll.reason, poll.state.outcome, poll.state.state) == (
        weight,
        reason,
        reason,
        "failing",
    )


def test_a_410_stops_the_feed_visibly() -> None:
    """Gone is gone, and said so."""
    poll = bad(status=410)
    assert (poll.state.state, poll.reason, poll.state.error) == ("gone", Reason.GONE, "boom")


def test_too_many_requests_make_the_wait_grow_from_the_first_time_on() -> None:
    """The usual interval was too short, even when the server does not say how long to wait."""
    state, waits = feed_state(), [timedelta(minutes=10)]
    for jitter in (1.0, 0.0, 1.0, 0.0):
        state = bad(state, status=429, jitter=jitter).state
        waits.append(state.interval)
    assert all(longer > shorter for shorter, longer in pairwise(waits))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Wed, 11 Feb 2026 12:05:00 GMT", 300),
        ("Wednesday, 11-Feb-26 12:05:00 GMT", 300),
        ("Wed Feb 11 12:05:00 2026", 300),
        ("Wed, 11 Feb 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("²", 0),
        ("", 0),
        ("9" * 5000, 10**9),
    ],
    ids=lambda value: str(value)[:30],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: int) -> None:
    """RFC 9110 allows seconds and a date, in three ways to write it."""
    assert retry_after({"retry-after": value}, now=NOON) == timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503], ids=str)
@pytest.mark.parametrize(
    ("asked", "hours"), [("3600", 1), ("21600", 6), ("999999", 24)], ids=["an-hour", "past-max-interval", "past-a-day"]
)
def test_retry_after_is_a_floor_whatever_the_status(status: int, asked: str, hours: int) -> None:
    """A server that asks to be left alone is left alone, up to a day, even beyond max_interval."""
    polling = Polling(max_interval=timedelta(hours=2))
    poll = bad(status=status, headers={"retry-after": asked}, polling=polling)
    assert poll.next_poll_at - NOON == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (403, {"cf-mitigated": "challenge"}, b"", Reason.CHALLENGED),
        (429, {"cf-mitigated": "challenge"}, b"", Reason.CHALLENGED),
        (202, {"x-amzn-waf-action": "challenge"}, b"", Reason.CHALLENGED),
        (503, {}, b"<html><title>Just a moment...</title>", Reason.CHALLENGED),
        (403, {}, b"<title>Attention Required! | Cloudflare</title>", Reason.CHALLENGED),
        (403, {}, b"<p>Checking your browser before accessing</p>", Reason.CHALLENGED),
        (401, {}, b"<div class='g-reCAPTCHA'></div>", Reason.CHALLENGED),
        (403, {}, b" " * 20_000 + b"captcha", Reason.HTTP_ERROR),
        (403, {}, b"Forbidden \xff\xfe", Reason.HTTP_ERROR),
        (500, {}, b"just a moment", Reason.HTTP_ERROR),
        (404, {"cf-mitigated": "no"}, b"", Reason.HTTP_ERROR),
        (429, {}, b"", Reason.RATE_LIMITED),
        (410, {}, b"", Reason.GONE),
    ],
    ids=str,
)
def test_an_answer_that_is_no_document_has_a_reason(
    status: int, headers: dict[str, str], body: bytes, reason: Reason
) -> None:
    """Challenges are named, and so are gone feeds and hosts that have enough."""
    assert fault_of_answer(status, headers, body) is reason
    assert challenge(headers, status, body) is (reason is Reason.CHALLENGED)


def test_an_error_has_the_reason_that_it_names() -> None:
    """What the web calls it is what the feed shows."""
    assert fault_of_error(Retryable("x", name="timed-out")) is Reason.TIMED_OUT
    assert fault_of_error(Unusable("x", name="too-large")) is Reason.TOO_LARGE
    assert fault_of_error(Retryable("x")) is Reason.FETCH_FAILED


# ---------------------------------------------------------------- first polls


@pytest.mark.parametrize(
    ("first_poll", "known_feed", "news"),
    [("baseline", False, False), ("baseline", True, True), ("all", False, True), (timedelta(hours=1), False, True)],
    ids=["past-of-a-new-feed", "known-feed", "all", "within-the-span"],
)
def test_what_a_feed_holds_at_its_first_poll(first_poll: str | timedelta, known_feed: bool, news: bool) -> None:
    """The past of a new feed is no news unless the configuration says so."""
    polling = Polling(first_poll=first_poll)
    assert is_news(entry(), first_poll=not known_feed, polling=polling, now=NOON) is news


@given(st.integers(-10_000, 10_000))
def test_an_entry_within_the_span_is_news_and_the_future_is_now(minutes: int) -> None:
    """Only what is older than the span is past."""
    assume(minutes != -60)
    polling = Polling(first_poll=timedelta(hours=1))
    found = is_news(entry(published_at=at(minutes)), first_poll=True, polling=polling, now=NOON)
    assert found is (minutes > -60)


def test_an_undated_entry_is_not_within_a_span() -> None:
    """Nobody knows how old it is, so at a first poll it is past."""
    polling = Polling(first_poll=timedelta(hours=1))
    assert not is_news(entry(published_at=None), first_poll=True, polling=polling, now=NOON)

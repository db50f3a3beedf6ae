"""What an answer of a feed means and when it is asked again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, entry, feed, feed_state
from worker.feeds.decisions import Poll, failed, is_news, request_headers, retry_after, succeeded
from worker.feeds.polling import Polling
from worker.model import FeedState, Reason

POLLING = Polling()


def good(headers: dict[str, str], *, state: FeedState | None = None, reason: Reason = Reason.NEW_ENTRIES) -> Poll:
    """Return what a good answer teaches."""
    return succeeded(
        feed(), state or feed_state(), POLLING, headers=headers, reason=reason, body_hash="h", now=NOON, jitter=0.0
    )


def bad(state: FeedState | None = None, *, status: int | None = 500, headers: dict[str, str] | None = None) -> Poll:
    """Return what a failed poll teaches."""
    return failed(
        feed(), state or feed_state(), POLLING, error="boom", now=NOON, jitter=0.0, status=status, headers=headers
    )


def test_validators_go_back_byte_for_byte() -> None:
    """Quotes, weakness marks and odd dates are the server's business."""
    state = good({"etag": 'W/"x y"', "last-modified": "yesterday-ish"}).state
    headers = request_headers(feed(), state)
    assert headers["if-none-match"] == 'W/"x y"'
    assert headers["if-modified-since"] == "yesterday-ish"


def test_validators_are_not_sent_where_they_are_not_trusted() -> None:
    """``conditional: false`` asks for the whole document every time."""
    headers = request_headers(feed(conditional=False), feed_state(etag='"1"', last_modified="x"))
    assert "if-none-match" not in headers
    assert "if-modified-since" not in headers


def test_a_200_without_validators_drops_the_old_ones() -> None:
    """What the server no longer says is not sent back."""
    state = good({}, state=feed_state(etag='"1"', last_modified="x")).state
    assert (state.etag, state.last_modified) == (None, None)


def test_a_304_keeps_validators_and_takes_new_ones() -> None:
    """A 304 may carry a new tag; without one the old tag stands."""
    old = feed_state(etag='"1"', last_modified="x")
    kept = good({}, state=old, reason=Reason.NOT_MODIFIED).state
    renewed = good({"etag": '"2"'}, state=old, reason=Reason.NOT_MODIFIED).state
    assert (kept.etag, kept.last_modified) == ('"1"', "x")
    assert (renewed.etag, renewed.last_modified) == ('"2"', "x")


@pytest.mark.parametrize(
    ("cache_control", "minutes"),
    [
        ("max-age=3600", 60),
        ("public, Max-Age=1200", 20),
        ("max-age=1", 10),
        ("no-cache", 10),
        ("max-age=999999999", 1440),
    ],
    ids=["an-hour", "case", "shorter-than-ours", "no-cache", "capped"],
)
def test_the_next_poll_waits_as_long_as_the_answer_is_fresh(cache_control: str, minutes: int) -> None:
    """max-age is a floor for our interval, and max_interval is a ceiling for max-age."""
    poll = good({"cache-control": cache_control})
    assert poll.next_poll_at - NOON == timedelta(minutes=minutes)


@given(st.floats(0, 1))
def test_jitter_never_makes_a_poll_early(jitter: float) -> None:
    """No publisher sees us before the interval is over."""
    poll = succeeded(
        feed(), feed_state(), POLLING, headers={}, reason=Reason.NEW_ENTRIES, body_hash=None, now=NOON, jitter=jitter
    )
    assert timedelta(minutes=10) <= poll.next_poll_at - NOON <= timedelta(minutes=11)


def test_failures_in_a_row_wait_longer_and_keep_the_validators() -> None:
    """The wait grows with the weight of failures and is capped; a success starts anew."""
    state, waits = feed_state(etag='"1"', state="ok"), []
    for _ in range(60):
        poll = bad(state)
        waits.append(poll.next_poll_at - NOON)
        state = poll.state
    assert waits == sorted(waits)
    assert waits[-1] <= POLLING.max_interval
    assert state.etag == '"1"'
    assert state.state == "disabled"
    assert good({}, state=state).state.failures == 0


def test_a_client_error_weighs_more_than_a_server_error() -> None:
    """A 404 is more likely to need a person than a 503."""
    assert bad(status=404).state.failures > bad(status=503).state.failures


def test_a_410_stops_the_feed_visibly() -> None:
    """Gone is gone, and said so."""
    poll = bad(status=410)
    assert (poll.state.state, poll.reason, poll.state.error) == ("gone", Reason.GONE, "boom")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("Wed, 11 Feb 2026 12:05:00 GMT", 300), ("Wed, 11 Feb 2026 11:00:00 GMT", 0), ("soon", 0), ("", 0)],
    ids=["seconds", "date", "past", "nonsense", "absent"],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: int) -> None:
    """RFC 9110 allows seconds and a date."""
    assert retry_after({"retry-after": value}, now=NOON) == timedelta(seconds=seconds)


def test_retry_after_is_a_floor_for_the_next_poll() -> None:
    """A server that asks for an hour is left alone for an hour."""
    assert bad(status=429, headers={"retry-after": "3600"}).next_poll_at - NOON == timedelta(hours=1)


@pytest.mark.parametrize(
    ("first_poll", "known_feed", "news"),
    [("baseline", False, False), ("baseline", True, True), ("all", False, True), (timedelta(hours=1), False, True)],
    ids=["past-of-a-new-feed", "known-feed", "all", "within-the-span"],
)
def test_what_a_feed_holds_at_its_first_poll(first_poll: str | timedelta, known_feed: bool, news: bool) -> None:
    """The past of a new feed is no news unless the configuration says so."""
    polling = Polling(first_poll=first_poll)
    assert is_news(entry(), first_poll=not known_feed, polling=polling, now=NOON) is news


def test_an_undated_entry_is_not_within_a_span() -> None:
    """Nobody knows how old it is, so at a first poll it is past."""
    polling = Polling(first_poll=timedelta(hours=1))
    assert not is_news(entry(published_at=None), first_poll=True, polling=polling, now=NOON)

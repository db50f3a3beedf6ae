"""What a strict publisher sees of our validators: behaviours 1 to 10."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import Watch, item, reasons, rss, wire
from tests.polling.publisher import Publisher, Reply, strict

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]

VALIDATORS = ("if-none-match", "if-modified-since")


def asked_with(press: Publisher) -> list[tuple[str | None, str | None]]:
    """Return the validators of every request for the feed."""
    return [(seen.headers.get(VALIDATORS[0]), seen.headers.get(VALIDATORS[1])) for seen in press.asked()]


def test_01_the_first_request_is_unconditional_and_only_one(watch: Watch, press: Publisher) -> None:
    """Nothing is known yet, and nothing is asked twice."""
    press.say("/feed.xml", Reply(rss(item(1)), headers=(("ETag", '"1"'),)))
    watch.start(wire(press))
    watch.poll()
    watch.poll()
    assert asked_with(press) == [(None, None)]


def test_02_the_second_request_sends_the_exact_etag(watch: Watch, press: Publisher) -> None:
    """Quotes included; and the strict publisher answers 304."""
    press.say("/feed.xml", strict(Reply(rss(item(1)), headers=(("ETag", '"a b,c"'),))))
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["baseline"]
    assert reasons(watch.poll(at(10))) == ["not-modified"]
    assert asked_with(press)[1] == ('"a b,c"', None)


@pytest.mark.parametrize("etag", ['W/"x"', "unquoted", '"caf\xe9"', 'W/"x";v=2', '""'])
def test_03_a_weak_or_odd_etag_comes_back_untouched(watch: Watch, press: Publisher, etag: str) -> None:
    """Byte for byte, whatever RFC 9110 would say of it."""
    press.say("/feed.xml", strict(Reply(rss(item(1)), headers=(("ETag", etag),))))
    watch.start(wire(press))
    watch.poll()
    assert reasons(watch.poll(at(10))) == ["not-modified"]
    assert asked_with(press)[1] == (etag, None)


@pytest.mark.parametrize(
    "date", ["Wed, 11 Feb 2026 11:00:00 GMT", "Wed, 11 Feb 2026 12:00:00 +0100", "yesterday-ish", "1770807600", "0"]
)
def test_04_last_modified_comes_back_byte_for_byte(watch: Watch, press: Publisher, date: str) -> None:
    """Strict publishers compare texts and not times."""
    press.say("/feed.xml", strict(Reply(rss(item(1)), headers=(("Last-Modified", date),))))
    watch.start(wire(press))
    watch.poll()
    assert reasons(watch.poll(at(10))) == ["not-modified"]
    assert asked_with(press)[1] == (None, date)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ((("ETag", '"1"'),), ('"1"', None)),
        ((("Last-Modified", "then"),), (None, "then")),
        ((("ETag", '"1"'), ("Last-Modified", "then")), ('"1"', "then")),
        ((), (None, None)),
    ],
    ids=["etag", "last-modified", "both", "neither"],
)
def test_05_each_validator_is_sent_that_there_was(
    watch: Watch, press: Publisher, headers: tuple[tuple[str, str], ...], sent: tuple[str | None, str | None]
) -> None:
    """No header is made up for one that was missing."""
    press.say("/feed.xml", Reply(rss(item(1)), headers=headers))
    watch.start(wire(press))
    watch.poll()
    watch.poll(at(10))
    assert asked_with(press)[1] == sent


def test_06_an_unchanged_body_with_a_new_etag_renews_it(watch: Watch, press: Publisher) -> None:
    """The "touch" bug: whoever skips the body must not skip its validators."""
    body = rss(item(1))
    press.say("/feed.xml", *(Reply(body, headers=(("ETag", f'"{n}"'),)) for n in (1, 2, 3)))
    watch.start(wire(press))
    assert [reasons(watch.poll(at(10 * n))) for n in range(3)] == [["baseline"], ["unchanged"], ["unchanged"]]
    assert asked_with(press) == [(None, None), ('"1"', None), ('"2"', None)]


def test_07_a_304_renews_the_validators_that_it_carries(watch: Watch, press: Publisher) -> None:
    """And leaves those that it does not."""
    press.say(
        "/feed.xml",
        Reply(rss(item(1)), headers=(("ETag", '"1"'), ("Last-Modified", "one"))),
        Reply(status=304, headers=(("Last-Modified", "two"),)),
        Reply(status=304, headers=(("ETag", '"3"'),)),
        Reply(status=304),
    )
    watch.start(wire(press))
    for n in range(5):
        watch.poll(at(10 * n))
    assert asked_with(press)[1:] == [('"1"', "one"), ('"1"', "two"), ('"3"', "two"), ('"3"', "two")]


def test_08_a_200_without_validators_drops_the_old_ones(watch: Watch, press: Publisher) -> None:
    """They belong to another document."""
    press.say("/feed.xml", Reply(rss(item(1)), headers=(("ETag", '"1"'),)), Reply(rss(item(2), item(1))))
    watch.start(wire(press))
    for n in range(3):
        watch.poll(at(10 * n))
    assert asked_with(press) == [(None, None), ('"1"', None), (None, None)]


def test_09_the_validators_of_a_document_that_did_not_parse_are_not_used(watch: Watch, press: Publisher) -> None:
    """Otherwise a 304 would hide its entries for ever once it is mended."""
    press.say(
        "/feed.xml",
        Reply(rss(item(1)), headers=(("ETag", '"good"'),)),
        Reply(b"database error", headers=(("ETag", '"bad"'),)),
        Reply(rss(item(2), item(1)), headers=(("ETag", '"mended"'),)),
    )
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["baseline"]
    assert reasons(watch.poll(at(10))) == ["not-a-feed"]
    assert reasons(watch.poll(at(30))) == ["new-entries"]
    watch.poll(at(60))
    assert asked_with(press) == [(None, None), ('"good"', None), ('"good"', None), ('"mended"', None)]


def test_09_the_validators_of_a_document_without_its_end_are_not_used(watch: Watch, press: Publisher) -> None:
    """What could be read is told; and the rest is asked for, not hidden behind a 304."""
    whole = rss(item(3), item(2), item(1))
    press.say(
        "/feed.xml",
        Reply(rss(item(1)), headers=(("ETag", '"old"'),)),
        strict(Reply(whole[: whole.index(b"tag:1")], headers=(("ETag", '"new"'),))),
        strict(Reply(whole, headers=(("ETag", '"new"'),))),
    )
    watch.start(wire(press))
    assert [reasons(watch.poll(at(10 * n))) for n in range(4)] == [
        ["baseline"],
        ["new-entries"],
        ["duplicate"],
        ["not-modified"],
    ]
    assert [sent for sent, _ in asked_with(press)] == [None, '"old"', '"old"', '"new"']


def test_10_a_restart_stays_conditional_and_keeps_the_next_poll(watch: Watch, press: Publisher) -> None:
    """No burst: what was due in nine minutes is due in nine minutes."""
    press.say("/feed.xml", strict(Reply(rss(item(1)), headers=(("ETag", '"1"'),))))
    watch.start(wire(press))
    watch.poll()
    due = watch.next_poll()
    watch.restart(now=at(1))
    assert watch.poll(at(1)) == watch.poll(due - timedelta(seconds=1)) == []
    assert reasons(watch.poll(due)) == ["not-modified"]
    assert asked_with(press) == [(None, None), ('"1"', None)]


def test_once_a_day_the_feed_is_asked_without_validators(watch: Watch, press: Publisher) -> None:
    """A publisher whose validators lie is found out within a day, and bothered no more than that."""
    press.say("/feed.xml", strict(Reply(rss(item(1)), headers=(("ETag", '"1"'),))))
    watch.start(wire(press, interval=timedelta(hours=6)))
    for n in range(0, 49, 6):
        watch.poll(NOON + timedelta(hours=n))
    assert [sent for sent, _ in asked_with(press)] == [None, '"1"', '"1"', '"1"', None, '"1"', '"1"', '"1"', None]


def test_validators_that_lie_are_found_out_and_sent_no_more(watch: Watch, press: Publisher) -> None:
    """The same ETag for another document: the entries are told, and the feed is marked."""
    etag = (("ETag", '"for ever"'),)
    press.say(
        "/feed.xml", Reply(rss(item(1)), headers=etag), Reply(status=304), Reply(rss(item(2), item(1)), headers=etag)
    )
    watch.start(wire(press, interval=timedelta(hours=12)))
    assert reasons(watch.poll()) == ["baseline"]
    assert reasons(watch.poll(NOON + timedelta(hours=12))) == ["not-modified"]
    assert reasons(watch.poll(NOON + timedelta(hours=24))) == ["new-entries"]
    assert watch.state().validators == "broken"
    watch.poll(NOON + timedelta(hours=36))
    assert [sent for sent, _ in asked_with(press)] == [None, '"for ever"', None, None]


def test_a_feed_may_be_configured_never_to_be_asked_conditionally(watch: Watch, press: Publisher) -> None:
    """``conditional: false``, for servers that answer validators wrongly."""
    press.say("/feed.xml", Reply(rss(item(1)), headers=(("ETag", '"1"'),)))
    watch.start(wire(press, conditional=False))
    watch.poll()
    assert reasons(watch.poll(at(10))) == ["unchanged"]
    assert asked_with(press) == [(None, None)] * 2

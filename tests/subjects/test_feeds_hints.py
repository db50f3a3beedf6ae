"""What feeds say about polling is read, however odd; and what changes without news is no change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import feed
from worker.feeds.document import body_hash, parse
from worker.model import Hints

SPACES = (
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def rss(channel: str, items: str = "<item><title>One</title><ttl>5</ttl></item>", after: str = "") -> bytes:
    """Return an RSS document with something in its channel."""
    return f'<rss version="2.0" {SPACES}><channel><title>W</title>{channel}{items}{after}</channel></rss>'.encode()


def hints(body: bytes, **headers: str) -> Hints:
    """Return what a document says about polling."""
    return parse(body, feed=feed(), headers=headers).hints


def sy(period: str, frequency: str = "") -> str:
    """Return elements of the syndication module."""
    often = f"<sy:updateFrequency>{frequency}</sy:updateFrequency>" if frequency else ""
    return f"<sy:updatePeriod> {period} </sy:updatePeriod>{often}<sy:updateBase>2000-01-01T12:00+00:00</sy:updateBase>"


@pytest.mark.parametrize(
    ("channel", "minutes"),
    [
        ("", None),
        ("<ttl>60</ttl>", 60),
        ("<ttl><![CDATA[ 15 ]]></ttl>", 15),
        ("<ttl>1</ttl>", 1),
        ("<ttl>0</ttl>", None),
        ("<ttl>-5</ttl>", None),
        ("<ttl>often</ttl>", None),
        ("<ttl>" + "9" * 400 + "</ttl>", None),
        ("<ttl>999999999</ttl>", 365 * 24 * 60),
        (sy("hourly"), 60),
        (sy("hourly", "4"), 15),
        (sy("daily", "2"), 720),
        (sy("dayly", "1"), 1440),
        (sy("Weekly", "1"), 7 * 1440),
        (sy("always", "1"), None),
        (sy("hourly", "0.1"), 600),
        (sy("hourly", "0"), 60),
        (sy("hourly", "0.000000001"), 365 * 24 * 60),
        (sy("hourly", "nan"), 60),
        ("<ttl>30</ttl>" + sy("hourly"), 60),
        ("<ttl>90</ttl>" + sy("hourly"), 90),
        ("<description>&lt;ttl&gt;7&lt;/ttl&gt;</description>", None),
    ],
)
def test_how_long_a_copy_stays_fresh(channel: str, minutes: float | None) -> None:
    """The longer one of ttl and sy: counts, nonsense does not, and neither does what stands in an item or a text."""
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert hints(rss(channel)).update_interval == expected


def test_hours_and_days_to_skip() -> None:
    """Hours are those of GMT, 24 is midnight, days are names; what is neither is passed over."""
    hours = "".join(f"<hour>{hour}</hour>" for hour in (3, "03", 24, 7, 25, "x"))
    days = "".join(f"<day>{day}</day>" for day in ("Sunday", "monday", "Someday"))
    found = hints(rss(f"<skipHours>{hours}</skipHours><skipDays>{days}</skipDays>"))
    assert (found.skip_hours, found.skip_days) == ((0, 3, 7), (0, 6))


def test_a_feed_that_forbids_every_hour_or_day_forbids_none() -> None:
    """It would never be polled, and nobody publishes for that."""
    hours = "".join(f"<hour>{hour}</hour>" for hour in range(24))
    days = "".join(f"<day>{day}</day>" for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
    found = hints(rss(f"<skipHours>{hours}</skipHours><skipDays>{days}</skipDays>"))
    assert (found.skip_hours, found.skip_days) == ((), ())


def test_hints_after_the_items_count_as_well() -> None:
    """The order of a channel's elements is free."""
    assert hints(rss("", after="<ttl>45</ttl>")).update_interval == timedelta(minutes=45)


@pytest.mark.parametrize(
    ("body", "headers", "hub"),
    [
        (rss('<atom:link rel="hub" href="https://hub.example/?a=1&amp;b=2"/>'), {}, "https://hub.example/?a=1&b=2"),
        (rss("<atom:link href='/hub' rel='self HUB'/>"), {}, "https://wire.example/hub"),
        (rss('<atom:link rel="self" href="https://wire.example/"/>'), {}, None),
        (rss('<atom:link rel="hub" href="file:///etc/passwd"/>'), {}, None),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"><title>W</title><link rel="hub" href="https://hub.example/"/></feed>',
         {}, "https://hub.example/"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": [], "hubs": [{"type": "WebSub", "url": "https://h.example/"}]}',
         {}, "https://h.example/"),
        (rss('<atom:link rel="hub" href="https://hub.example/"/>'),
         {"link": '<https://wire.example/>; rel=self, <https://first.example/,x>; title="a"; rel="hub"'}, "https://first.example/,x"),
        (rss(""), {"link": "<" * 50_000 + "; rel=hub" * 1000}, None),
    ],
    ids=["rss", "several-rels", "no-hub", "no-address", "atom", "json-feed", "header-first", "hostile-header"],
)  # fmt: skip
def test_the_hub_of_a_feed(body: bytes, headers: dict[str, str], hub: str | None) -> None:
    """The Link header is asked first, then the document."""
    assert hints(body, **headers).hub == hub


ITEM = "<item><title>One</title><pubDate>{}</pubDate></item>"
MONDAY, TUESDAY = "Mon, 09 Feb 2026 12:00:00 GMT", "Tue, 10 Feb 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    "volatile",
    [
        "<lastBuildDate>{}</lastBuildDate>",
        "<pubDate><![CDATA[{}]]></pubDate>",
        "<dc:date>{}</dc:date>",
        "<atom:updated>{}</atom:updated>",
        "<generator version='{}'>Press {}</generator>",
        "<ttl>{}</ttl>",
        "<!-- made {} -->",
    ],
)
def test_what_changes_without_news_does_not_change_the_hash(volatile: str) -> None:
    """Dates and makers of the channel do not count; the same dates in an item do."""
    old, new = (rss(volatile.replace("{}", day), ITEM.format(MONDAY)) for day in (MONDAY, TUESDAY))
    assert old != new
    assert body_hash(old) == body_hash(new)
    assert body_hash(old) != body_hash(rss(volatile.replace("{}", MONDAY), ITEM.format(TUESDAY)))


def test_the_date_of_an_atom_feed_does_not_count_and_those_of_its_entries_do() -> None:
    """``updated`` stands in both."""
    text = "<feed><updated>{}</updated><entry><updated>{}</updated></entry></feed>"
    old, rebuilt, edited = (text.format(*days).encode() for days in ((1, 1), (2, 1), (1, 2)))
    assert body_hash(old) == body_hash(rebuilt) != body_hash(edited)


def test_titles_of_the_channel_and_all_of_json_count() -> None:
    """Only what is known to be volatile is left out."""
    assert body_hash(rss("<description>a</description>")) != body_hash(rss("<description>b</description>"))
    assert body_hash(b'{"updated": 1}') != body_hash(b'{"updated": 2}')


def test_only_the_beginning_of_a_document_without_items_is_looked_at() -> None:
    """Past 64 KiB a date of the channel counts like any other byte, so that the cost is bounded."""
    filler = b"<a/>" * 20_000
    dates = [b"<lastBuildDate>%d</lastBuildDate>" % day for day in (1, 2)]
    assert len({body_hash(date + filler) for date in dates}) == 1
    assert len({body_hash(filler + date) for date in dates}) == 2

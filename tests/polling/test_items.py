"""What we make of a feed's entries: behaviours 31 to 36."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import Watch, item, reasons, rss, wire
from tests.polling.publisher import Publisher, Reply
from tests.service import invented
from worker.feeds.document import parse
from worker.ledger import entries, overview
from worker.stages.pipeline import Readers

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]

MISSILE = "A missile was tested"


def say(press: Publisher, *documents: bytes) -> None:
    """Publish documents one after another."""
    press.say("/feed.xml", *(Reply(body) for body in documents))


def titles(watch: Watch) -> list[str]:
    """Return the titles of the alerts that have arrived."""
    return [alert["title"] for alert in watch.told()]


def test_31_the_past_of_a_feed_is_no_news_and_stays_none(watch: Watch, press: Publisher) -> None:
    """Three hundred old entries alert nobody, now or later; the next one does."""
    old = [item(n, title=f"{MISSILE} {n}") for n in range(300)]
    say(press, rss(*old), rss(item("new", title="Another missile"), *old))
    watch.start(wire(press), first_poll="baseline")
    assert reasons(watch.work()) == ["baseline"]
    watch.work(at(10))
    for n in range(2, 5):
        watch.work(at(10 * n))
    assert titles(watch) == ["Another missile"]


def test_31_the_first_entry_of_a_feed_that_was_empty_is_news(watch: Watch, press: Publisher) -> None:
    """Over-correction is a bug as well."""
    say(press, rss(), rss(item(1, title=MISSILE)))
    watch.start(wire(press), first_poll="baseline")
    watch.work()
    watch.work(at(10))
    assert titles(watch) == [MISSILE]


def test_31_a_first_poll_may_take_what_is_young(watch: Watch, press: Publisher) -> None:
    """``first_poll: 2h`` reads what was published within two hours, or is dated in the future, and no undated entry."""
    later = "Tomorrow the rocket called missile"
    say(
        press,
        rss(
            item(1, title="An old missile", date="Wed, 11 Feb 2026 09:00:00 GMT"),
            item(2, title="A young missile", date="Wed, 11 Feb 2026 11:00:00 GMT", text=invented.article(1, 1).text),
            item(3, title="An undated missile", date=""),
            item(4, title=later, date="Thu, 12 Feb 2026 11:00:00 GMT", text=invented.article(1, 2).text),
        ),
    )
    watch.start(wire(press), first_poll=timedelta(hours=2))
    watch.work()
    assert {e["title"] for e in watch.told()} | {"An old missile", "An undated missile"} == {
        "An old missile",
        "A young missile",
        "An undated missile",
        later,
    }


def test_32_a_guid_that_counts_edits_alerts_once(watch: Watch, press: Publisher) -> None:
    """BBC: the same link under ``#0`` and ``#1``."""
    say(press, *(rss(item(1, title=MISSILE, guid=f"https://bbc.example/a#{n}")) for n in range(3)))
    watch.start(wire(press))
    for n in range(3):
        watch.work(at(10 * n))
    assert titles(watch) == [MISSILE]


@pytest.mark.parametrize(
    "link",
    [
        "http://wire.example/story?utm_source=rss&amp;id=7",
        "https://www.wire.example/story?id=7&amp;at_medium=RSS",
        "https://WIRE.example:443/story/?id=7#top",
    ],
)
def test_33_another_guid_and_tracking_alert_once(watch: Watch, press: Publisher, link: str) -> None:
    """One page under two dresses is one page."""
    say(
        press,
        rss(item(1, title=MISSILE, guid="one", link="https://wire.example/story?id=7")),
        rss(item(2, title=MISSILE, guid="two", link=link, date="Wed, 11 Feb 2026 11:30:00 GMT")),
    )
    watch.start(wire(press))
    watch.work()
    watch.work(at(10))
    assert titles(watch) == [MISSILE]


def test_34_a_title_that_is_edited_into_the_topic_alerts_once(watch: Watch, press: Publisher) -> None:
    """An edit is read once more, also one of an entry that was there from the beginning; a second edit adds nothing."""
    say(
        press,
        rss(item(1, title="A launch"), item(2, title="Harvest")),
        rss(item(1, title="A missile launch"), item(2, title="Harvest")),
        rss(item(1, title="A missile launch, officials say"), item(2, title="Harvest")),
    )
    watch.start(wire(press), first_poll="baseline")
    assert [reasons(watch.work(at(10 * n))) for n in range(4)] == [
        ["baseline"],
        ["edited", "feed-text", "delivered"],
        ["edited", "edited", "delivered"],
        ["unchanged"],
    ]
    # Once as news; that its title changed afterwards is a correction.
    assert [(line["role"], line["title"]) for line in watch.told()] == [
        ("first", "A missile launch"),
        ("correction", "A missile launch, officials say"),
    ]


def test_35_an_undated_entry_keeps_the_date_of_its_first_sight(watch: Watch, press: Publisher) -> None:
    """It is not news again at every poll, nor dated anew when it is edited."""
    say(press, *(rss(item(1, title=f"{MISSILE}{'!' * n}", date="", text=f"Text {n}.")) for n in range(3)))
    watch.start(wire(press))
    for n in range(3):
        watch.work(at(10 * n))
    (alert,) = watch.told()
    assert alert["title"] == MISSILE
    with watch.p.ledger.read() as t:
        assert overview.counts(t)["articles"] == 1


def test_35_a_date_in_the_future_is_clamped(watch: Watch, press: Publisher) -> None:
    """Nothing is newer than its first sight, and it hides nothing that comes after it."""
    say(
        press,
        rss(item(1, title="A missile of the year 2030", date="Fri, 11 Feb 2030 11:00:00 GMT")),
        rss(
            item(1, title="A missile of the year 2030", date="Fri, 11 Feb 2030 11:00:00 GMT"),
            item(2, title="A Tuesday missile"),
        ),
    )
    watch.start(wire(press))
    watch.work()
    watch.work(at(10))
    with watch.p.ledger.read() as t:
        (first,), (second,) = (entries.find(t, f"http://pages.invalid/{n}") for n in (1, 2))
        articles = [entries.get_article(t, row.article_id) for row in (first, second)]
    assert [article.published_at for article in articles if article] == [NOON, at(-60)]


def test_35_a_guid_four_times_in_one_document_is_one_entry(watch: Watch, press: Publisher) -> None:
    """Al-Monitor does that."""
    say(press, rss(*(item(1, title=MISSILE, guid="same") for _ in range(4))))
    watch.start(wire(press))
    watch.work()
    with watch.p.ledger.read() as t:
        assert overview.counts(t)["entries"] == 1
    assert titles(watch) == [MISSILE]


def test_36_only_a_channel_date_has_changed_so_nothing_is_parsed(watch: Watch, press: Publisher) -> None:
    """No parse and no write of entries: the hash does not see the dates of the channel."""
    say(
        press,
        *(rss(item(1), head=f"<lastBuildDate>Wed, 11 Feb 2026 12:{n:02}:00 GMT</lastBuildDate>") for n in range(4)),
    )
    watch.start(wire(press))
    parsed: list[int] = []

    def counting(body: bytes, **more: object) -> object:
        parsed.append(len(body))
        return parse(body, **more)  # type: ignore[arg-type]

    watch.p = replace(watch.p, readers=Readers(feed=counting))  # type: ignore[arg-type]
    assert [reasons(watch.poll(at(10 * n))) for n in range(4)] == [["baseline"], *[["unchanged"]] * 3]
    assert len(parsed) == 1


def test_a_publisher_who_changes_every_identity_alerts_nobody(watch: Watch, press: Publisher) -> None:
    """The mass re-key guard: new guids and new addresses, and the titles of before; what is new among them is told."""

    def site(name: str, *numbers: int) -> list[str]:
        return [
            item(n, title=f"{MISSILE} {n}", guid=f"{name}-{n}", link=f"https://{name}.example/{n}", date="")
            for n in numbers
        ]

    old, new = site("old", *range(10)), site("new", *range(10))
    say(press, rss(*old), rss(*site("new", 99), *new), rss(*site("new", 99), *new))
    watch.start(wire(press), first_poll="baseline")
    watch.work()
    (polled, *_) = watch.work(at(10))
    assert (polled.facts["rekeyed"], polled.facts["new"]) == (10, 1)
    assert "gap" not in polled.facts
    watch.work(at(20))
    assert titles(watch) == [f"{MISSILE} 99"]


def test_the_same_article_through_several_feeds_is_read_once(watch: Watch, press: Publisher) -> None:
    """One page, one request, one alert."""
    said = "The army tested a missile at sea. " * 9
    html = f"<html><title>{MISSILE}</title><article><h1>{MISSILE}</h1><p>{said}</p></article>"
    press.say("/robots.txt", Reply(status=404))
    press.say("/story", Reply(html.encode(), headers=(("Content-Type", "text/html"),)))
    for name in "abc":
        press.say(f"/{name}", Reply(rss(item(name, title=MISSILE, link=press.url("/story") + f"?utm_source={name}"))))
        press.say(f"/story?utm_source={name}", Reply(html.encode(), headers=(("Content-Type", "text/html"),)))
    watch.start(*(wire(press, f"/{name}", id=name, full_text=False) for name in "abc"))
    watch.work()
    watch.work(at(1))
    assert sum(seen.path.startswith("/story") for seen in press.seen) == 1
    assert titles(watch) == [MISSILE]

"""The stages: what becomes of feeds, entries and alerts, also when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.builders import NOON, at, feed, topic
from tests.pipeline.conftest import FEED_URL, House, item
from worker.channels.base import NO_GAP, Doubtful, Found
from worker.errors import Retryable, Unusable
from worker.feeds.polling import Polling
from worker.ledger import dead, decided, entries, feeds, outbox, overview
from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, MAX_ATTEMPTS
from worker.ledger.outbox import ATTEMPTS
from worker.model import Outgoing, Reason
from worker.stages.pipeline import Outcome
from worker.web.response import Response

PAGE = (
    "<html lang='en'><head><title>{title}</title></head><body><article><h1>{title}</h1><p>{text}</p>"
    "<p>Further details were not given, and officials declined to answer questions about what comes next.</p>"
    "</article></body></html>"
)
MISSILES = (
    "The ministry of Ostria said on Wednesday that the missile had been tested over the sea off Velmark with success. "
    "Crews had prepared the launch since the beginning of the month, and neighbours were told of it in advance."
)
REWRITE = (
    "A missile flew over the sea for nine minutes on Wednesday off Velmark, the ministry of Ostria announced. "
    "Fishermen along the coast had been told to stay in port, and two airlines changed the routes of their flights. "
    "The ministry counts this test as a success, after a missile was lost over the same sea in the spring."
)
HARVEST = "The ministry said on Wednesday that the harvest had been good, and that prices would fall before long."


def page(house: House, number: int, text: str = MISSILES) -> None:
    """Publish a page."""
    house.web.page(f"https://wire.example/{number}", PAGE.format(title=f"Headline {number}", text=text))


def reasons(outcomes: list[Outcome]) -> list[Reason]:
    """Return the reasons of outcomes."""
    return [outcome.reason for outcome in outcomes]


def test_an_entry_becomes_an_article_a_match_a_story_and_an_alert(house: House) -> None:
    """The whole way, once; every later round does nothing."""
    house.web.feed(item(1), headers={"etag": '"1"'})
    page(house, 1)
    assert reasons(house.poll(NOON)) == [Reason.BASELINE]
    assert reasons(house.read(NOON)) == [Reason.PAGE]
    assert house.deliver(NOON) == []
    assert reasons(house.deliver(at(1))) == [Reason.DELIVERED]
    (alert,) = house.told()
    assert (alert["role"], alert["title"], alert["evidence"][0]["text"]) == ("first", "Headline 1", "missile")
    assert house.poll(at(1)) == house.read(at(1)) == house.deliver(at(2)) == []


def test_an_article_that_meets_no_topic_is_kept_and_tells_nobody(house: House) -> None:
    """Silence, with the article there to be asked about."""
    house.web.feed(item(1))
    page(house, 1, HARVEST)
    house.poll(NOON)
    house.read(NOON)
    assert house.deliver(at(9)) == []
    with house.p.ledger.read() as t:
        assert overview.counts(t) == {"entries": 1, "articles": 1, "stories": 0, "alerts": 0, "matches": 0}


def test_the_past_of_a_new_feed_is_known_and_not_told(house: House) -> None:
    """What a feed holds at its first poll is baseline; what comes later is news."""
    house.change(polling=Polling())
    house.web.feed(item(1))
    page(house, 1)
    house.poll(NOON)
    assert house.read(NOON) == []
    house.web.feed(item(2), item(1))
    page(house, 2)
    assert reasons(house.poll(at(10))) == [Reason.NEW_ENTRIES]
    assert reasons(house.read(at(10))) == [Reason.PAGE]


def test_the_first_entry_of_a_feed_that_was_empty_is_news(house: House) -> None:
    """An empty first poll is a baseline of nothing."""
    house.change(polling=Polling())
    house.web.feed()
    house.poll(NOON)
    house.web.feed(item(1))
    page(house, 1)
    house.poll(at(10))
    assert reasons(house.read(at(10))) == [Reason.PAGE]


def test_a_feed_is_asked_with_its_validators_and_an_unchanged_body_is_not_parsed(house: House) -> None:
    """304 and the same body both cost no parsing, and both have their names."""
    house.web.feed(item(1), headers={"etag": '"1"'})
    house.poll(NOON)
    assert reasons(house.poll(at(10))) == [Reason.UNCHANGED]
    house.web.answers[FEED_URL] = Response(status=304, url=FEED_URL, headers={})
    assert reasons(house.poll(at(20))) == [Reason.NOT_MODIFIED]
    assert [headers.get("if-none-match") for _, headers in house.web.asked] == [None, '"1"', '"1"']


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(status=503, url=FEED_URL), Reason.HTTP_ERROR),
        (Response(status=200, url=FEED_URL, body=b"<html><body>Log in</body></html>"), Reason.HTML_PAGE),
        (Response(status=200, url=FEED_URL, body=b"Log in"), Reason.NOT_A_FEED),
        (Response(status=410, url=FEED_URL), Reason.GONE),
        (Retryable("no route"), Reason.FETCH_FAILED),
        (Unusable("a private address"), Reason.FETCH_FAILED),
    ],
    ids=["503", "login-page", "no-feed", "410", "no-answer", "refused"],
)
def test_a_poll_that_fails_has_a_name_and_is_tried_again_unless_gone(
    house: House, answer: Response | Retryable | Unusable, reason: Reason
) -> None:
    """The error is kept where status shows it; only 410 stops the feed."""
    house.web.answers[FEED_URL] = answer
    assert reasons(house.poll(NOON)) == [reason]
    with house.p.ledger.read() as t:
        state = feeds.states(t)["wire"]
    assert state.error
    assert (state.next_poll_at is None) is (reason is Reason.GONE)


def test_a_feed_that_kills_its_worker_waits_like_one_that_fails(house: House) -> None:
    """After five polls that never came back, the sixth is not tried but counted as a failure."""
    house.web.feed(item(1))
    now = NOON
    for _ in range(MAX_ATTEMPTS):
        with house.p.ledger.write() as t:
            assert len(feeds.claim(t, now=now, limit=1)) == 1
            # Its lease runs out long before it is due again: the publisher may have seen the request.
            assert feeds.claim(t, now=now + LEASE, limit=1) == []
        now += timedelta(minutes=10)
    assert reasons(house.poll(now)) == [Reason.OVERRAN]
    assert house.web.asked == []


def test_a_page_that_cannot_be_had_now_is_tried_again_and_then_the_feed_speaks(house: House) -> None:
    """Four retries with growing waits; at the fifth the feed's own text stands in, and the article says so."""
    house.web.feed(item(1, summary="A missile was tested."))
    house.web.answers["https://wire.example/1"] = Response(status=503, url="https://wire.example/1")
    house.poll(NOON)
    seen = []
    for minute in range(0, 600, 10):
        seen += reasons(house.read(at(minute)))
    assert seen == [Reason.RETRY] * (MAX_ATTEMPTS - 1) + [Reason.FEED_TEXT]
    house.deliver(at(700))
    assert house.told()[0]["evidence"][0]["text"] == "missile"


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_page_that_will_never_be_had_leaves_the_feeds_text(house: House, status: int) -> None:
    """No retries: what the feed says is matched at once, with the reason recorded."""
    house.web.feed(item(1, summary="A missile was tested."))
    house.web.answers["https://wire.example/1"] = Response(status=status, url="https://wire.example/1")
    house.poll(NOON)
    (outcome,) = house.read(NOON)
    assert (outcome.reason, str(status) in outcome.detail) == (Reason.FEED_TEXT, True)


def test_a_page_without_an_article_is_named(house: House) -> None:
    """A consent wall is not an article about consent."""
    house.web.feed(item(1, summary="A missile was tested."))
    house.web.page(
        "https://wire.example/1",
        "<html><body><p>We value your privacy. We and our partners store cookies. Accept all or manage choices.</p>"
        "</body></html>",
    )
    house.poll(NOON)
    (outcome,) = house.read(NOON)
    assert outcome.reason is Reason.FEED_TEXT
    assert outcome.detail


def test_a_full_text_feed_asks_for_no_pages(house: House) -> None:
    """Its entries carry whole articles."""
    house.feeds(feed(full_text=True))
    house.web.feed(item(1, summary="A missile was tested."))
    house.poll(NOON)
    assert reasons(house.read(NOON)) == [Reason.FEED_TEXT]
    assert [url for url, _ in house.web.asked] == [FEED_URL]


def test_one_page_through_two_feeds_is_one_article(house: House) -> None:
    """The second entry is a duplicate, its page is not asked for, and nobody is told again."""
    other = "https://other.example/feed.xml"
    house.feeds(feed(), feed(id="other", url=other, outlet="Other"))
    house.web.feed(item(1))
    house.web.answers[other] = Response(
        status=200,
        url=other,
        body=b'<rss version="2.0"><channel><item><guid>x</guid>'
        b"<link>http://www.wire.example/1?utm_source=other</link><title>Same</title></item></channel></rss>",
    )
    page(house, 1)
    house.web.page("http://www.wire.example/1?utm_source=other", PAGE.format(title="Same", text=MISSILES))
    house.poll(NOON)
    assert reasons(house.read(NOON)) == [Reason.PAGE]
    assert reasons(house.read(at(1))) == [Reason.DUPLICATE]
    house.deliver(at(9))
    assert len(house.told()) == 1


def test_an_entry_that_kills_its_worker_becomes_a_dead_letter_without_hurting_its_neighbours(house: House) -> None:
    """Five claims without an end, then it is buried; the entry claimed beside it at first is read."""
    house.web.feed(item(1), item(2))
    page(house, 1)
    page(house, 2, HARVEST)
    house.poll(NOON)
    with house.p.ledger.write() as t:
        assert len(entries.claim(t, now=NOON, limit=10)) == 2
    now = NOON + LEASE
    with house.p.ledger.write() as t:
        (poison,) = entries.claim(t, now=now, limit=10)
    assert reasons(house.read(now)) == [Reason.PAGE]
    for _ in range(MAX_ATTEMPTS - 2):
        now += LEASE
        with house.p.ledger.write() as t:
            assert [c.id for c in entries.claim(t, now=now, limit=10)] == [poison.id]
    assert reasons(house.read(now + LEASE)) == [Reason.DEAD]
    with house.p.ledger.read() as t:
        (letter,) = dead.letters(t)
    assert (letter.kind, letter.attempts) == ("entry", MAX_ATTEMPTS + 1)


def test_reports_become_updates_and_copies_stay_silent(house: House) -> None:
    """A second report updates what was told; a reprint of it is noted and told to nobody."""
    house.web.feed(item(1))
    page(house, 1)
    page(house, 2, REWRITE)
    page(house, 3, MISSILES)
    for minute in range(0, 120, 10):
        house.poll(at(minute))
        house.read(at(minute))
        house.deliver(at(minute + 1))
        house.web.feed(item(1), item(2), item(3))
    with house.p.ledger.read() as t:
        rows = decided.of_article(t, _article_id(t, 3))
    assert [row["reason"] for row in rows] == [Reason.COPY]
    assert [(alert["role"], alert["articles"]) for alert in house.told()] == [("first", 1), ("report", 3)]


def _article_id(t: Transaction, number: int) -> str:
    (row,) = entries.find(t, f"https://wire.example/{number}")
    return str(row.article_id)


class Moody:
    """A channel that fails as it is told, and then sends."""

    id = "screen"
    gap = NO_GAP

    def __init__(self, *moods: Exception, has: bool | None = None) -> None:
        self.moods = list(moods)
        self.sent: list[str] = []
        self._has = has

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - Channel's signature
        """Fail, or send."""
        if self.moods:
            raise self.moods.pop(0)
        self.sent.append(message.alert.key)
        return "remote-1"

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return what was given."""
        return Found(arrived=self._has)


def ready(house: House, channel: Moody) -> None:
    """Put one alert into the outbox for ``channel``."""
    house.change(channels={"screen": channel}, policy=replace(house.p.policy, group_wait=timedelta(0)))
    house.web.feed(item(1))
    page(house, 1)
    house.poll(NOON)
    house.read(NOON)


def test_a_delivery_that_surely_failed_is_tried_again(house: House) -> None:
    """It waits at least as long as the receiver asked."""
    channel = Moody(Retryable("busy", after=timedelta(minutes=5)))
    ready(house, channel)
    assert reasons(house.deliver(NOON)) == [Reason.RETRY]
    assert house.deliver(at(4)) == []
    assert reasons(house.deliver(at(5))) == [Reason.DELIVERED]
    assert len(channel.sent) == 1


def test_a_delivery_in_doubt_is_held_and_shown(house: House) -> None:
    """Nobody is told twice; the alert is unknown until a person acts."""
    channel = Moody(Doubtful("the answer was lost"))
    ready(house, channel)
    assert reasons(house.deliver(NOON)) == [Reason.UNKNOWN]
    assert house.deliver(at(600)) == []
    with house.p.ledger.read() as t:
        assert overview.channels(t)["screen"]["unknown"] == 1


@pytest.mark.parametrize(
    ("has", "reason", "times"),
    [(True, Reason.DELIVERED, 0), (False, Reason.DELIVERED, 1), (None, Reason.UNKNOWN, 0)],
    ids=["arrived", "not-arrived", "nobody-can-tell"],
)
def test_a_worker_that_died_while_sending_leaves_a_doubt_that_is_resolved(
    house: House,
    has: bool | None,
    reason: Reason,
    times: int,
) -> None:
    """The receiver is asked; without an answer the alert is held."""
    channel = Moody(has=has)
    ready(house, channel)
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON)
    assert reasons(house.deliver(NOON + LEASE)) == [reason]
    assert len(channel.sent) == times


@pytest.mark.parametrize("refused", [True, False], ids=["never", "too-often"])
def test_an_alert_that_cannot_be_delivered_is_a_dead_letter_that_can_be_redriven(house: House, refused: bool) -> None:
    """A refusal buries at once, failures after ten attempts in three days; given back, it is sent."""
    channel = Moody(*[Unusable("no such channel")] if refused else [Retryable("busy")] * ATTEMPTS)
    ready(house, channel)
    for hour in range(80):
        house.deliver(at(60 * hour))
    assert channel.sent == []
    with house.p.ledger.write() as t:
        (letter,) = dead.letters(t)
        assert letter.kind == "alert"
        assert dead.redrive(t, letter, now=at(6000))
    assert reasons(house.deliver(at(6000))) == [Reason.DELIVERED]


def test_an_alert_to_a_channel_that_is_gone_is_a_dead_letter(house: House) -> None:
    """Nothing is dropped silently."""
    ready(house, Moody())
    house.change(channels={})
    assert reasons(house.deliver(NOON)) == [Reason.DEAD]


def test_a_match_without_a_route_is_recorded(house: House) -> None:
    """Why shows that nobody was to hear of it."""
    house.change(routes=())
    house.web.feed(item(1))
    page(house, 1)
    house.poll(NOON)
    house.read(NOON)
    with house.p.ledger.read() as t:
        assert [row["reason"] for row in decided.of_article(t, _article_id(t, 1))] == [Reason.NO_ROUTE]


def test_a_date_in_the_future_is_not_believed(house: House) -> None:
    """Nothing is newer than its first sight."""
    house.web.feed(item(59).replace("11:59", "23:59"))
    page(house, 59)
    house.poll(NOON)
    house.read(NOON)
    with house.p.ledger.read() as t:
        article = entries.get_article(t, _article_id(t, 59))
    assert article is not None
    assert article.published_at == NOON


def test_several_topics_tell_their_stories_apart(house: House) -> None:
    """One article may be news for two topics; each is told once."""
    house.watch(topic(), topic(id="ministry", any=("ministry",)))
    house.web.feed(item(1))
    page(house, 1)
    house.poll(NOON)
    house.read(NOON)
    house.deliver(at(1))
    assert sorted(alert["topic"] for alert in house.told()) == ["ministry", "missiles"]

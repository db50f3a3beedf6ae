"""The metrics say what the ledger says, within bounds."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.builders import NOON, alert, at, match
from tests.monitoring import filled, programs
from tests.monitoring.scraped import Beside, names, page, series, value
from worker.console import exposition
from worker.console.exposition import Exporter
from worker.console.readings import Reader, Readings
from worker.errors import LedgerAway
from worker.ledger import channels, decided, entries, feeds, outbox, progress, tables, tallies
from worker.ledger.engine import Ledger, open_file
from worker.model import Alarm, Delivery, Feed, Reason
from worker.settings import Heartbeat, Service, Settings

#: Series for a thousand feeds, twenty topics, three channels and as many hosts as are told apart.
MOST = 8000


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Ledger:
    """Give an empty ledger in a file, and then one in PostgreSQL."""
    found: Ledger = request.getfixturevalue("ledger" if request.param == "sqlite" else "postgres_ledger")
    return found


def state(ledger: Ledger, feed_id: str, **values: Any) -> None:
    """Change what the ledger has of a feed."""
    with ledger.write() as t:
        t.execute(update(tables.feed).where(tables.feed.c.id == feed_id).values(values))


def test_the_page_is_what_promtool_finds_well_formed_and_well_named(ledger: Ledger) -> None:
    """Names, types, help texts and values, by Prometheus' own linter."""
    made = filled.settings()
    filled.fill(ledger, made, articles=200)
    state(ledger, "feed-0001", state="gone", failures=3.0, last_success_at=NOON)
    alarm = Alarm(kind="feed-quiet", subject="feed-0002", detail="", since=NOON)
    assert programs.run("promtool", "check", "metrics", stdin=page(ledger, made, Beside(found=[alarm]))) == ""


def test_promtool_would_say_what_is_badly_named() -> None:
    """The test before this one can fail."""
    with pytest.raises(AssertionError, match="total"):
        programs.run("promtool", "check", "metrics", stdin=b"# HELP a x\n# TYPE a counter\na 1\n")


def test_counters_are_those_of_the_ledger(either: Ledger) -> None:
    """Every tally of the ledger is a series, with the same number."""
    made = filled.settings()
    filled.fill(either, made)
    found = series(page(either, made))
    assert value(found, "feed_entries_total", feed="feed-0002") == 100
    assert value(found, "polls_total", outcome="not-modified") == 1000
    assert value(found, "fetches_total", kind="page", host="host-7.example", outcome="robots") == 10
    assert value(found, "matches_total", topic="topic-01", by="both") == 1
    assert value(found, "decisions_total", topic="topic-00", reason="min-gap") == 1
    assert value(found, "alerts_total", topic="topic-00", role="development") == 1
    with either.write() as t:
        tallies.count(t, tallies.READS, Reason.PAGE, now=NOON, n=5)
        tallies.count(t, tallies.DELIVERIES, "desk", Reason.UNKNOWN, now=NOON)
        tallies.count(t, tallies.DEAD_LETTERS, "alert", now=NOON, n=2)
        tallies.count(t, tallies.REVIVED, "entry", now=NOON)
    found = series(page(either, made))
    assert value(found, "reads_total", outcome="page") == 5
    assert value(found, "deliveries_total", channel="desk", outcome="unknown") == 1
    assert value(found, "dead_letters_total", kind="alert") == 2
    assert value(found, "dead_letters_revived_total", kind="entry") == 1


def test_what_rules_ask_an_increase_of_is_there_before_it_happens(ledger: Ledger) -> None:
    """Prometheus sees no increase in a series that is born with its first event."""
    made = filled.settings()
    with ledger.write() as t:
        feeds.sync(t, made.feeds, now=NOON)
    found = series(page(ledger, made))
    for channel in filled.CHANNELS:
        assert value(found, "deliveries_total", channel=channel, outcome="unknown") == 0
    assert value(found, "dead_letters_total", kind="entry") == 0
    assert value(found, "reads_total", outcome="no-text") == 0
    assert value(found, "feed_entries_total", feed="feed-0000") == 0


def test_a_histogram_has_each_value_once_in_buckets_that_grow(either: Ledger) -> None:
    """The last bucket is the count."""
    made = filled.settings()
    filled.fill(either, made)
    found = series(page(either, made))
    name = "wirewatch_publish_to_alert_seconds"
    buckets = {dict(labels)["le"]: n for (series_name, labels), n in found.items() if series_name == f"{name}_bucket"}
    assert [buckets[le] for le in ("1.0", "2.5", "5.0", "60.0", "3600.0", "10800.0", "86400.0", "+Inf")] == [
        *(1, 1, 2, 3, 3, 4, 4, 5)
    ]
    assert found[f"{name}_count", frozenset()] == 5
    assert found[f"{name}_sum", frozenset()] == pytest.approx(1_004_043.5)


def test_feeds_are_shown_as_the_ledger_has_them(either: Ledger) -> None:
    """Success, next poll, failures and state; nothing that never was."""
    made = filled.settings()
    with either.write() as t:
        feeds.sync(t, made.feeds, now=NOON)
    state(either, "feed-0001", state="ok", last_success_at=at(5), due_at=at(15), interval=timedelta(minutes=10))
    state(either, "feed-0002", state="gone", failures=7.5, work=tables.OFF)
    found = series(page(either, made))
    assert value(found, "feed_last_success_timestamp_seconds", feed="feed-0001") == at(5).timestamp()
    assert value(found, "feed_next_poll_timestamp_seconds", feed="feed-0001") == at(15).timestamp()
    assert value(found, "feed_interval_seconds", feed="feed-0001") == 600
    assert value(found, "feed_last_success_timestamp_seconds", feed="feed-0000") is None
    assert value(found, "feed_next_poll_timestamp_seconds", feed="feed-0002") is None
    assert value(found, "feed_consecutive_failures", feed="feed-0002") == 7.5
    assert value(found, "feed_stopped", feed="feed-0002", state="gone") == 1
    assert [value(found, "feeds", state=name) for name in ("new", "ok", "failing", "gone")] == [1, 1, 0, 1]


def test_the_interval_of_a_failing_feed_does_not_grow_with_its_failures(ledger: Ledger) -> None:
    """It is made to wait a day; stale is what was not read for three intervals of its own."""
    made = filled.settings()
    with ledger.write() as t:
        feeds.sync(t, made.feeds, now=NOON)
    state(ledger, "feed-0000", state="failing", failures=20.0, interval=timedelta(days=1))
    found = series(page(ledger, made))
    assert value(found, "feed_interval_seconds", feed="feed-0000") == made.feeds[0].interval.total_seconds()


def test_what_is_configured_no_longer_is_left_out(ledger: Ledger) -> None:
    """Years of renamed feeds and topics do not pile up in Prometheus."""
    made = filled.settings(feeds=5, topics=4)
    filled.fill(ledger, made, articles=200)
    fewer = filled.settings(feeds=2, topics=1)
    with ledger.write() as t:
        feeds.sync(t, fewer.feeds, now=NOON)
    found = series(page(ledger, fewer))
    labels = {label for _, pairs in found for label in pairs}
    assert {text for name, text in labels if name == "feed"} == {"feed-0000", "feed-0001"}
    assert {text for name, text in labels if name == "topic"} == {"topic-00"}


def test_a_feed_that_is_switched_off_is_left_out(ledger: Ledger) -> None:
    """Nobody wants to be told that it is stale."""
    off = Feed(id="off", url="https://wire.example/off.xml", outlet="Wire", enabled=False)
    with ledger.write() as t:
        feeds.sync(t, [off], now=NOON)
    found = series(page(ledger, Settings(feeds=(off,))))
    assert value(found, "feed_interval_seconds", feed="off") is None
    assert value(found, "feeds", state="new") == 0


def test_a_thousand_feeds_are_less_than_eight_thousand_series(ledger: Ledger) -> None:
    """With everything that a feed can show, and more hosts than are told apart."""
    made = filled.settings(feeds=1000, topics=20)
    filled.fill(ledger, made, articles=2000)
    with ledger.write() as t:
        values = {"state": "failing", "failures": 2.0, "last_success_at": NOON}
        t.execute(update(tables.feed).values(values))
        t.execute(update(tables.feed).where(tables.feed.c.id < "feed-0100").values(state="gone"))
    alarms = [Alarm(kind="feed-quiet", subject=feed.id, detail="", since=NOON) for feed in made.feeds[:200]]
    found = series(page(ledger, made, Beside(found=alarms)))
    assert sum(name.startswith("wirewatch_feed") for name, _ in found) > 5000
    assert len(found) < MOST
    hosts = {dict(labels)["host"] for name, labels in found if name == "wirewatch_fetches_total"}
    assert len(hosts) == tallies.HOSTS + 1
    assert tallies.OTHER in hosts


def test_more_articles_make_no_more_series(ledger: Ledger) -> None:
    """What grows with time is no label."""
    made = filled.settings()
    filled.fill(ledger, made, articles=200)
    before = set(series(page(ledger, made)))
    filled.fill(ledger, filled.settings(), articles=0)
    with ledger.write() as t:
        for number in range(20):
            decided.add(t, alert(number, key=f"new-{number}", channel_id="desk", topic_id="topic-00"))
    assert set(series(page(ledger, made))) == before


def test_channels_show_what_waits_and_which_are_disabled(either: Ledger) -> None:
    """The oldest alert that could not be delivered, through all retries."""
    made = filled.settings()
    with either.write() as t:
        decided.add(t, alert(channel_id="desk"))
        outbox.add_delivery(t, Delivery(alert_key=alert().key, at=NOON, attempt=1, outcome=Reason.RETRY))
        channels.disable(t, "siem", reason="410", config="c", now=NOON)
    found = series(page(either, made))
    waited = (either.clock() - NOON).total_seconds()
    assert value(found, "delivery_oldest_pending_seconds", channel="desk") == pytest.approx(waited, rel=1e-3)
    assert value(found, "delivery_oldest_pending_seconds", channel="screen") == 0
    assert [value(found, "channel_disabled", channel=name) for name in ("siem", "desk")] == [1, 0]


def test_parts_are_shown_by_when_they_came_round_last(ledger: Ledger) -> None:
    """One that never did has the time 0, so that it is missing to every rule."""
    with ledger.write() as t:
        progress.note(t, "read", now=NOON)
        progress.note(t, "sweep", now=NOON)
    found = series(page(ledger, Settings()))
    assert value(found, "part_last_seen_timestamp_seconds", part="read") == NOON.timestamp()
    assert value(found, "part_last_seen_timestamp_seconds", part="deliver") == 0
    assert value(found, "part_last_seen_timestamp_seconds", part="sweep") is None
    assert value(found, "ready") == 0


def test_a_reload_that_was_refused_shows_until_one_is_taken(ledger: Ledger) -> None:
    """A detail says why it was refused."""
    for detail, expected in (("feeds.yaml:3:1: unknown key", 0), ("", 1)):
        with ledger.write() as t:
            progress.note(t, "reload", now=NOON, detail=detail)
        assert value(series(page(ledger, Settings())), "configuration_reload_success") == expected


def test_the_canary_shows_only_where_there_is_a_heartbeat(ledger: Ledger) -> None:
    """Without one nobody sends it."""
    assert value(series(page(ledger, Settings())), "canary_interval_seconds") is None
    service = Service(heartbeat=Heartbeat(url="https://hc.example/secret", every=timedelta(minutes=7)))
    assert value(series(page(ledger, Settings(service=service))), "canary_interval_seconds") == 420


def test_the_page_tells_no_secret(ledger: Ledger) -> None:
    """Neither the address of the heartbeat nor those of feeds."""
    service = Service(heartbeat=Heartbeat(url="https://hc.example/secret"))
    feed = Feed(id="wire", url="https://wire.example/feed?token=secret", outlet="Wire")
    with ledger.write() as t:
        feeds.sync(t, [feed], now=NOON)
    assert b"secret" not in page(ledger, Settings(service=service, feeds=(feed,)))


def test_alarms_are_looked_for_once_in_a_while(ledger: Ledger) -> None:
    """They are dear to find, and do not come and go within seconds."""
    alarm = Alarm(kind="topic-quiet", subject="topic-00", detail="", since=NOON)
    beside = Beside(found=[alarm, alarm])
    reader = Reader(beside, keep=1000)
    for _ in range(3):
        body, _ = exposition.exposition(lambda: reader.take(ledger, Settings()))
        assert value(series(body), "alarm", kind="topic-quiet", subject="topic-00") == 1
    assert beside.asked == 1


def test_a_broker_that_is_away_is_shown(ledger: Ledger) -> None:
    """And its messages are not."""
    found = series(page(ledger, Settings(), Beside(up=False)))
    assert value(found, "broker_up") == 0
    assert "wirewatch_broker_messages" not in names(found)


def test_a_ledger_that_is_away_is_worth_an_answer() -> None:
    """It says so, and that the service is not ready; an error page would say less."""

    def away() -> Readings:
        raise LedgerAway("the ledger is away")

    body, kind = exposition.exposition(away)
    found = series(body)
    assert kind.startswith("text/plain; version=0.0.4")
    assert (value(found, "ledger_up"), value(found, "ready")) == (0, 0)
    assert names(found) == {"wirewatch_build_info", "wirewatch_ledger_up", "wirewatch_ready"}


def test_an_error_that_nobody_expects_is_an_error() -> None:
    """It must not look like a ledger that is away."""

    def broken() -> Readings:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exposition.exposition(broken)
    exporter = Exporter(broken)
    for _ in range(2):  # and leaves no lock behind
        with pytest.raises(ZeroDivisionError):
            exporter()


def test_two_who_scrape_at_once_cost_one(ledger: Ledger) -> None:
    """An answer is given again while it is fresh, and made anew after that."""
    reader, taken = Reader(Beside()), []

    def read() -> Readings:
        taken.append(1)
        return reader.take(ledger, Settings())

    fresh, stale = Exporter(read, keep=1000), Exporter(read, keep=0)
    assert fresh() == fresh()
    assert len(taken) == 1
    stale()
    stale()
    assert len(taken) == 3


def test_a_scrape_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes meanwhile is told that the ledger cannot be read."""
    monkeypatch.setattr(exposition, "_PATIENCE", 0.01)
    begun, ended = threading.Event(), threading.Event()

    def hang() -> Readings:
        begun.set()
        ended.wait(60)
        raise LedgerAway("after all")

    exporter = Exporter(hang)
    first = threading.Thread(target=exporter)
    first.start()
    assert begun.wait(60)
    assert value(series(exporter()[0]), "ledger_up") == 0
    assert first.is_alive()
    ended.set()
    first.join(60)
    assert not first.is_alive()


@given(st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1))
def test_whatever_is_counted_is_read_back_as_it_was(text: str) -> None:
    """Quotes, backslashes and line ends in a label stay in that label."""
    with_text = _taken({("polls", (text,)): 3.0})
    found = series(exposition.exposition(lambda: with_text)[0])
    assert value(found, "polls_total", outcome=text) == 3


def _taken(totals: dict[tuple[str, tuple[str, ...]], float]) -> Readings:
    empty = tallies.Histogram(buckets=((float("inf"), 0.0),), count=0, sum=0)
    return Readings(
        at=NOON,
        settings=Settings(),
        ready=True,
        broker_up=None,
        messages={},
        alarms=(),
        feeds=(),
        queues={},
        pending={},
        disabled=frozenset(),
        last_matches={},
        dead_letters={},
        progress={},
        canary_at=None,
        generation=1,
        taken_at=None,
        totals=totals,
        histograms={tallies.PUBLISH_TO_ALERT: empty, tallies.DETECT_TO_DELIVERY: empty},
        seconds=0.0,
    )


def test_a_transaction_that_is_rolled_back_has_counted_nothing(tmp_path: Path) -> None:
    """What is seen by metrics has happened."""
    ledger = open_file(tmp_path / "ledger.sqlite", durable=False)
    made = filled.settings()
    with pytest.raises(ZeroDivisionError), ledger.write() as t:
        entries.add_match(t, match(topic_id="topic-00"), now=NOON)
        raise ZeroDivisionError
    assert value(series(page(ledger, made)), "matches_total", topic="topic-00", by="rule") is None
    with ledger.write() as t:
        entries.add_match(t, match(topic_id="topic-00"), now=NOON)
    assert value(series(page(ledger, made)), "matches_total", topic="topic-00", by="rule") == 1
    ledger.close()

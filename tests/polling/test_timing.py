"""What a strict publisher sees of our clock: behaviours 11 to 20."""

from __future__ import annotations

import os
import signal
import socket
import time
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import Watch, item, reasons, rss, wire
from tests.polling.publisher import Publisher, Reply, Seen, publisher
from tests.processes import DEADLINE, begin, ended

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]

GOOD = rss(item(1))
TEN = timedelta(minutes=10)


def first_wait(watch: Watch, press: Publisher, *headers: tuple[str, str], status: int = 200) -> timedelta:
    """Return how long a feed is left alone after such an answer."""
    press.say("/feed.xml", Reply(GOOD if status == 200 else b"", status=status, headers=headers))
    watch.start(wire(press))
    watch.poll()
    return watch.next_poll() - NOON


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_11_no_poll_comes_before_the_interval(watch: Watch, press: Publisher, jitter: float) -> None:
    """Not after a 200, not after a 304, not after a restart, whatever the jitter; and never much later."""
    press.say("/feed.xml", Reply(GOOD, headers=(("ETag", '"1"'),)), Reply(status=304))
    watch.jitter = jitter
    watch.start(wire(press))
    times: list[datetime] = []
    for second in range(0, 3600, 10):
        now = NOON + timedelta(seconds=second)
        if second == 1500:
            watch.restart(now=now)
        if watch.poll(now):
            times.append(now)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(TEN <= wait <= TEN * 1.2 for wait in waits), waits
    assert len(press.asked()) == len(times) == len(waits) + 1 >= 5


def test_12_max_age_is_honoured_on_200(watch: Watch, press: Publisher) -> None:
    """The publisher knows how long its answer is fresh."""
    assert first_wait(watch, press, ("Cache-Control", "public, max-age=2400")) == timedelta(minutes=40)


def test_12_expires_counts_where_there_is_no_max_age(watch: Watch, press: Publisher) -> None:
    """RFC 9111 section 4.2.1: Expires less Date."""
    date = ("Date", format_datetime(NOON - timedelta(hours=5), usegmt=True))
    expires = ("Expires", format_datetime(NOON - timedelta(hours=5) + timedelta(minutes=40), usegmt=True))
    assert first_wait(watch, press, date, expires) == timedelta(minutes=40)


def test_13_max_age_is_honoured_on_304(watch: Watch, press: Publisher) -> None:
    """Also when nothing has changed."""
    press.say(
        "/feed.xml",
        Reply(GOOD, headers=(("ETag", '"1"'),)),
        Reply(status=304, headers=(("Cache-Control", "max-age=3600"),)),
    )
    watch.start(wire(press))
    watch.poll()
    watch.poll(at(10))
    assert watch.next_poll() == at(70)


def test_13_a_304_that_does_not_say_is_fresh_as_long_as_the_answer_before(watch: Watch, press: Publisher) -> None:
    """RFC 9111 section 4.3.4: what a 304 leaves out stays as it was stored; also over a restart."""
    headers = (("ETag", '"1"'), ("Cache-Control", "max-age=3600"))
    press.say("/feed.xml", Reply(GOOD, headers=headers), Reply(status=304))
    watch.start(wire(press))
    watch.poll()
    watch.restart(now=at(30))
    watch.poll(at(60))
    assert watch.next_poll() == at(120)


@pytest.mark.parametrize(
    "header",
    [
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "max-age=0"),
        ("Cache-Control", "no-store, must-revalidate"),
        ("Expires", "0"),
        ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Cache-Control", "max-age=-5"),
        ("Retry-After", "0"),
    ],
    ids=lambda header: f"{header[0]}-{header[1]}",
)
def test_14_nothing_makes_a_hot_loop(watch: Watch, press: Publisher, header: tuple[str, str]) -> None:
    """Our own interval is the floor."""
    assert first_wait(watch, press, header) == TEN


@pytest.mark.parametrize(
    "header", [("Cache-Control", "max-age=315360000"), ("Expires", "Fri, 01 Jan 2038 00:00:00 GMT")]
)
def test_15_a_max_age_of_ten_years_is_capped(watch: Watch, press: Publisher, header: tuple[str, str]) -> None:
    """Somebody's mistake must not silence a feed for ever."""
    assert first_wait(watch, press, header) == watch.polling.max_interval


def test_16_retry_after_in_seconds_is_honoured_on_429(watch: Watch, press: Publisher) -> None:
    """Two hours are asked for, and two hours it is."""
    assert first_wait(watch, press, ("Retry-After", "7200"), status=429) == timedelta(hours=2)
    assert watch.state().outcome == "rate-limited"


def test_17_retry_after_as_a_date_is_honoured(watch: Watch, press: Publisher) -> None:
    """RFC 9110 allows both forms."""
    date = format_datetime(NOON + timedelta(hours=3), usegmt=True)
    assert first_wait(watch, press, ("Retry-After", date), status=429) == timedelta(hours=3)


def test_18_retry_after_is_honoured_on_503(watch: Watch, press: Publisher) -> None:
    """And longer than max_interval if need be, but never longer than a day."""
    watch.polling = watch.polling.__class__(max_interval=timedelta(minutes=30))
    assert first_wait(watch, press, ("Retry-After", "7200"), status=503) == timedelta(hours=2)
    watch.close()
    assert first_wait_of_another(watch, press, "999999999") == timedelta(hours=24)


def first_wait_of_another(watch: Watch, press: Publisher, seconds: str) -> timedelta:
    """Return how long another feed is left alone after a 503."""
    press.say("/other.xml", Reply(status=503, headers=(("Retry-After", seconds),)))
    watch.start(wire(press, "/other.xml", id="other"))
    watch.poll()
    return watch.next_poll("other") - NOON


def test_19_without_retry_after_the_wait_grows_and_is_jittered(watch: Watch, press: Publisher) -> None:
    """Each 429 makes us wait longer than the one before."""
    press.say("/feed.xml", Reply(status=429))
    watch.start(wire(press))
    now, waits = NOON, []
    for number in range(6):
        watch.jitter = number % 2
        watch.poll(now)
        waits.append(watch.next_poll() - now)
        now = watch.next_poll()
    plain = waits[::2]
    assert plain == sorted(set(plain))
    assert waits[0] > TEN
    assert waits[1] > plain[0]
    assert len(press.asked()) == 6


def test_20_retry_after_holds_for_the_other_feeds_of_the_host(watch: Watch, press: Publisher) -> None:
    """Also after a restart; and another host is asked as ever."""
    press.say("/feed.xml", Reply(status=429, headers=(("Retry-After", "3600"),)))
    press.say("/other.xml", Reply(GOOD))
    watch.start(wire(press), wire(press, "/other.xml", id="other", interval=timedelta(minutes=11)))
    watch.poll()
    asked = len(press.asked("/other.xml"))
    assert watch.next_poll("other") == at(60)
    watch.restart(now=at(1))
    for minute in range(1, 60, 5):
        watch.poll(at(minute))
    assert len(press.asked("/other.xml")) == asked
    watch.poll(at(60))
    assert len(press.asked("/other.xml")) == asked + 1


def test_a_feed_that_says_how_often_it_changes_is_heard_within_bounds(watch: Watch, press: Publisher) -> None:
    """``ttl`` of 45 minutes counts; one of a month counts an hour."""
    for name, minutes, wait in (("a", 45, 45), ("b", 43200, 60), ("c", 1, 10)):
        press.say(f"/{name}", Reply(rss(item(1), head=f"<ttl>{minutes}</ttl>")))
        watch.start(wire(press, f"/{name}", id=name))
        watch.poll()
        assert watch.next_poll(name) == at(wait), name
        watch.close()


def test_the_hours_and_days_that_a_feed_wants_to_rest_are_left_out(watch: Watch, press: Publisher) -> None:
    """Hours in GMT, days by name: noon of Wednesday is followed by 14 o'clock, or by Thursday."""
    skip = "<skipHours><hour>12</hour><hour>13</hour></skipHours>"
    press.say("/feed.xml", Reply(rss(item(1), head=skip)))
    press.say("/day.xml", Reply(rss(item(1), head="<skipDays><day>Wednesday</day></skipDays>")))
    watch.start(wire(press), wire(press, "/day.xml", id="day"))
    watch.poll()
    assert watch.next_poll() == at(120)
    assert watch.next_poll("day") == at(720)


def test_a_poll_that_shows_nothing_known_is_a_gap_and_the_next_comes_sooner(watch: Watch, press: Publisher) -> None:
    """Entries may have come and gone between two polls: say so, and look sooner."""
    press.say("/feed.xml", Reply(rss(*(item(n) for n in range(5)))), Reply(rss(*(item(n) for n in range(10, 15)))))
    watch.start(wire(press))
    watch.poll()
    (outcome,) = watch.poll(at(10))
    assert outcome.facts["gap"] is True
    assert watch.next_poll() == at(15)
    assert watch.state().gaps == 1


def test_the_next_poll_is_written_down_before_the_request(watch: Watch, press: Publisher) -> None:
    """A worker that dies in the middle of a poll does not make us ask twice."""
    seen: list[datetime] = []

    def look(connection: socket.socket, _: Seen) -> None:
        seen.append(watch.next_poll())
        connection.sendall(Reply(GOOD).raw())

    press.say("/feed.xml", look)
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["baseline"]
    assert seen == [at(10)]


def test_20_the_service_itself_leaves_a_host_alone_that_asks_for_it(tmp_path: Path) -> None:
    """`wirewatch run`, killed in the middle and started again: nothing of that host is asked for six seconds."""
    with publisher() as press:
        press.say("/feed.xml", Reply(GOOD), Reply(status=429, headers=(("Retry-After", "6"),)), Reply(GOOD))
        press.say("/other.xml", Reply(GOOD))
        config = tmp_path / "config"
        config.mkdir()
        feeds = f"[{{id: a, url: '{press.url()}'}}, {{id: b, url: '{press.url('/other.xml')}'}}]"
        (config / "feeds.yaml").write_text(f"defaults: {{interval: 1s}}\nfeeds: {feeds}\n")
        (config / "service.yaml").write_text(
            f"network: {{allow_private: ['127.77.0.0/16'], allow_ports: [{press.port}], per_host_gap: 0s}}\n"
            "polling: {min_interval: 1s}\n"
        )
        (config / "alerts.yaml").write_text("channels: {}\nroutes: []\n")
        (config / "topics.yaml").write_text("topics: [{id: missiles, any: [missile]}]\n")
        for asked, number in ((2, signal.SIGKILL), (3, signal.SIGTERM)):
            process = begin("run", cwd=tmp_path)
            until = time.monotonic() + DEADLINE
            while len(press.asked()) < asked and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(1)  # the answer is written down, and the other feed would be due
            os.kill(process.pid or 0, number)
            ended(process, tmp_path)
        _, busy, after = press.asked()[:3]
    # What was under way when the answer came is not counted.
    assert [round(seen.at - busy.at, 1) for seen in press.seen if busy.at + 0.5 < seen.at < busy.at + 6] == []
    assert after.at - busy.at >= 6

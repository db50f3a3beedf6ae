"""A configuration that changes while the service runs: a command, a signal, or the file itself."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON
from tests.faults.flowing import console
from tests.long import long_only
from tests.processes import Ended, wirewatch
from tests.service.beside import wait_for
from tests.service.house import House
from tests.service.invented import TOPIC, article
from tests.service.press import Press, press
from worker.errors import ConfigError
from worker.ledger import progress, snapshots
from worker.ledger.engine import Ledger, open_file
from worker.ledger.retention import Retention
from worker.live.cage import Cage
from worker.live.place import Place
from worker.live.service import in_force, live_pipeline, put_in_force
from worker.live.station import Housekeeping, Plan, Station
from worker.settings import Settings
from worker.web.gates import LocalGates
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

#: A page about each of these is published.
FIRST, SECOND, THIRD = "zeppelin", "yodel", "xylophone"


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers with three feeds."""
    with press(feeds=3) as running:
        yield running


def about(word: str) -> dict[str, Any]:
    """Return a topics.yaml with one topic more than there was."""
    return {"topics": [{"id": TOPIC, "any": [TOPIC]}, {"id": word, "any": [word]}]}


def publish_about(publishers: Press, word: str, number: int) -> str:
    """Publish an article in which a word stands; return its address."""
    made = article(7, number)
    page = made.page().replace(
        b"</article>", f"<p>Nobody had expected a {word} there, said two.</p></article>".encode()
    )
    return publishers.publish_page(made.title, page)


def told(house: House) -> set[tuple[str, str]]:
    """Return topic and address of all alerts."""
    lines = house.alerts.read_text().splitlines() if house.alerts.exists() else []
    return {(alert["topic"], alert["url"]) for alert in map(json.loads, lines)}


def generation(house: House) -> int:
    """Return the generation that the ledger has."""
    with closing(Ledger(house.ledger_url)) as ledger, ledger.read() as t:
        return snapshots.generation(t)


def reload(house: House, cwd: Path) -> Ended:
    """Run ``wirewatch reload``."""
    return wirewatch("reload", *house.options, cwd=cwd)


def test_a_running_service_takes_up_what_is_reloaded_and_refuses_mistakes(tmp_path: Path, publishers: Press) -> None:
    """By command and by SIGHUP; topics match from then on, feeds come and go, and a mistake changes nothing."""
    asked = tmp_path / "asked"
    with House(tmp_path / "house", publishers, service={"console": console()}) as house:
        all_feeds = json.loads((house.config / "feeds.yaml").read_text())
        two = {"defaults": all_feeds["defaults"], "feeds": all_feeds["feeds"][:2]}
        house.write("feeds.yaml", two)
        house.start()
        house.wait_until_said("Ctrl-C stops")
        urls = [publish_about(publishers, FIRST, 1)]
        wait_for(lambda: (TOPIC, urls[0]) in told(house), "the first alert")
        assert generation(house) == 1

        house.write("topics.yaml", about(FIRST))
        done = reload(house, asked)
        assert (done.code, done.out) == (0, "generation 2 is in force\n"), done.err
        shown = json.loads(wirewatch("status", "--json", *house.options, cwd=asked).out)
        assert shown["configuration"]["generation"] == generation(house) == 2
        urls.append(publish_about(publishers, FIRST, 2))
        wait_for(lambda: (FIRST, urls[1]) in told(house), "an alert of the new topic")
        # What was read before it was watched for stays as it was.
        assert (FIRST, urls[0]) not in told(house)

        (house.config / "topics.yaml").write_text("topics:\n  - {id: good, any: [word]}\n  - {id: bad, ani: [word]}\n")
        done = reload(house, asked)
        assert done.code == 2
        assert f"{house.config}/topics.yaml:3:" in done.err
        assert "ani" in done.err
        house.kill(house.pid, signal.SIGHUP)
        house.wait_until_said("the configuration was not reloaded, the last one stays in force:\n")
        assert "topics.yaml:3:" in house.said()
        assert generation(house) == 2
        urls.append(publish_about(publishers, FIRST, 3))
        wait_for(lambda: (FIRST, urls[2]) in told(house), "an alert after a mistake")

        house.write("topics.yaml", about(SECOND))
        house.write("feeds.yaml", {"defaults": two["defaults"], "feeds": all_feeds["feeds"][1:]})
        house.kill(house.pid, signal.SIGHUP)
        house.wait_until_said("generation 3: 2 feeds, 2 topics")
        unread = publish_about(publishers, SECOND, 4)
        more = publishers.publish(3)
        wait_for(lambda: {(TOPIC, more[1]), (TOPIC, more[2])} <= told(house), "alerts from both feeds")
        # It was published before these, in the feed that was removed.
        assert not {url for _, url in told(house)} & {unread, more[0]}
        assert house.stop() == 0


@long_only
def test_a_file_that_changes_is_taken_up_when_the_service_watches_them(tmp_path: Path, publishers: Press) -> None:
    """Without a command; a mistake is said and changes nothing, and its correction is taken up as well."""
    own: dict[str, Any] = {"service": {"console": console()}, "args": ("--watch",)}
    with House(tmp_path / "house", publishers, **own) as house:
        house.start()
        house.wait_until_said("Ctrl-C stops")
        (house.config / "topics.yaml").write_text("topics: [{id: bad, ani: [word]}]\n")
        house.wait_until_said("the configuration was not reloaded, the last one stays in force:\n")
        house.write("topics.yaml", about(THIRD))
        house.wait_until_said("generation 2: 3 feeds, 2 topics")
        url = publish_about(publishers, THIRD, 1)
        wait_for(lambda: (THIRD, url) in told(house), "an alert of the new topic")
        assert house.stop() == 0


# One worker


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Give a place whose channel needs a variable, which is there."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "topics.yaml").write_text("topics: [{id: one, any: [word]}]\n")
    (config / "service.yaml").write_text("user_agent: wirewatch\n")
    monkeypatch.setenv("WIREWATCH_TEST_OTHER", "two")
    return Place(config=config, state=tmp_path / "state", named=True)


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """Give a ledger in which the configuration of the place is in force."""
    opened = open_file(place.state / "ledger.sqlite", durable=False)
    put_in_force(opened, place, now=NOON)
    yield opened
    opened.close()


@pytest.fixture
def station(place: Place) -> Iterator[Station]:
    """Give the stages of a worker at noon."""

    def gates() -> LocalGates:
        return LocalGates(Network())

    made = Station(
        Plan(
            open_ledger=lambda: open_file(place.state / "ledger.sqlite", durable=False),
            settings=lambda opened: in_force(opened, place),
            pipeline=lambda settings, opened, number, stack: live_pipeline(
                settings,
                place,
                ledger=opened,
                generation=number,
                stack=stack,
                screen=io.StringIO(),
                gates=gates(),
                cage=Cage(1),
            ),
            clock=lambda _: lambda: NOON,
            rooms={"poll": 1, "read": 1, "deliver": 1},
        ),
        ring=lambda _: None,
        stopping=lambda: False,
    )
    yield made
    made.close()


def worked_by(ledger: Ledger, station: Station) -> tuple[int | None, str, list[str]]:
    """Return what the worker works by: generation, user agent and topics; it has noted the same as its progress."""
    with ledger.read() as t:
        noted = {one.detail for name, one in progress.read(t).items() if name == "read"}
    assert noted == {f"generation {station._generation}"}
    settings = station._settings
    return station._generation, settings.service.user_agent, [topic.id for topic in settings.topics]


def test_a_worker_that_lacks_a_variable_keeps_what_it_had(
    place: Place,
    ledger: Ledger,
    station: Station,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so once and works on by the last configuration; one that it can use is taken up again."""
    station.shift("read")
    assert worked_by(ledger, station) == (1, "wirewatch", ["one"])
    (place.config / "service.yaml").write_text("user_agent: 'w ${WIREWATCH_TEST_OTHER}'\n")
    put_in_force(ledger, place, now=NOON)
    monkeypatch.delenv("WIREWATCH_TEST_OTHER")
    for _ in range(3):
        station.shift("read")
    assert worked_by(ledger, station) == (2, "wirewatch", ["one"])
    said = [record.message for record in caplog.records if "WIREWATCH_TEST_OTHER" in record.message]
    assert len(said) == 1
    assert said[0].startswith("generation 2 cannot be used here, the last one stays in force")
    (place.config / "service.yaml").write_text("user_agent: again\n")
    (place.config / "topics.yaml").write_text("topics: [{id: two, any: [word]}]\n")
    put_in_force(ledger, place, now=NOON)
    station.shift("read")
    station.shift("read")
    assert worked_by(ledger, station) == (3, "again", ["two"])


def test_a_worker_that_has_only_ticks_reads_each_configuration_once(
    place: Place, ledger: Ledger, station: Station
) -> None:
    """To read a large one takes seconds, and ticks come every few."""
    read: list[int] = []

    def settings(opened: Ledger) -> tuple[Settings, int]:
        found = in_force(opened, place)
        read.append(found[1])
        return found

    station._plan = replace(station._plan, settings=settings)
    station.tick()
    station.tick()
    assert read == [1]
    (place.config / "service.yaml").write_text("user_agent: again\n")
    put_in_force(ledger, place, now=NOON)
    station.tick()
    station.tick()
    assert read == [1, 2]
    assert station._seen[0].service.user_agent == "again"


def test_what_is_old_is_erased_every_six_hours_whoever_ticks(ledger: Ledger) -> None:
    """Who has seen when it was done last need not ask before it is due again, and then asks whether it still is."""
    clock = [NOON]
    one, other = (Housekeeping(ledger, lambda: clock[0]) for _ in range(2))
    done: list[datetime] = []
    for hours, first, second in ((0, one, other), (5, one, other), (6, other, one), (11, one, other), (12, one, other)):
        clock[0] = NOON + timedelta(hours=hours)
        first.sweep(Retention())
        second.sweep(Retention())
        with ledger.read() as t:
            done.append(progress.read(t)["sweep"].at)
    assert done == [NOON + timedelta(hours=hours) for hours in (0, 0, 6, 6, 12)]


def test_a_worker_that_never_had_a_configuration_says_what_is_missing(
    place: Place, ledger: Ledger, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing that it could work by."""
    (place.config / "service.yaml").write_text("user_agent: 'w ${WIREWATCH_TEST_OTHER}'\n")
    put_in_force(ledger, place, now=NOON)
    monkeypatch.delenv("WIREWATCH_TEST_OTHER")
    with pytest.raises(ConfigError, match="WIREWATCH_TEST_OTHER"):
        station.shift("read")

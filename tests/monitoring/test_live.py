"""A real service, scraped by a real Prometheus whose alerts reach a webhook through a real Alertmanager."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from tests.edges.servers import Site, plain, serve
from tests.monitoring import programs, shipped
from tests.monitoring.programs import Prometheus
from tests.monitoring.scraped import Series, series, value
from tests.service.beside import Beside
from tests.service.beside import wait_for as wait_in_time
from tests.service.house import CHANNEL, House
from tests.service.invented import TOPIC
from tests.service.press import Press, press
from worker.ledger import tables
from worker.model import Reason

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

FEEDS = 6
#: Shifts, rounds and leases that are short: what is missing is missed soon, and what was killed is done again soon.
QUICK = {
    "worker.live.station.SHIFT": 2.0,
    "worker.live.station.ROUND": 2.0,
    "worker.ledger.leases.LEASE": 12.0,
    "worker.ledger.leases.BASE": 1.0,
}
#: How the shipped rules are made impatient: nothing else of them is changed.
IMPATIENT = {
    r"for: \d+m": "for: 1s",
    r"> 75\b": "> 15",
    # Longer than it takes until the page: a busy machine may keep feeds waiting for ten seconds or so.
    r"\+ 600\b": "+ 40",
    r"\+ 60\b": "+ 5",
    r"\[1h\]": "[30s]",
}
#: Where the webhooks of the shipped Alertmanager go, and where the heartbeat of the service does.
_ROUTE, _HEART = "/wirewatch/", "/heart"
#: Starts, alerts and their ends, on a machine that others use as well.
wait_for = partial(wait_in_time, seconds=120.0)


@dataclass(frozen=True, slots=True)
class Pager:
    """What the webhook of the test has been told."""

    site: Site

    def told(self, name: str, status: str = "firing") -> list[dict[str, str]]:
        """Return the labels of the alerts of a name that have come, with the path that they came to as ``path``."""
        return [
            {**alert["labels"], "path": asked.path, "token": asked.headers.get("authorization", "")}
            for asked in self.site.asked
            if asked.path.startswith(_ROUTE)
            for alert in json.loads(asked.body)["alerts"]
            if (alert["labels"]["alertname"], alert["status"]) == (name, status)
        ]


@pytest.fixture
def pager() -> Iterator[Pager]:
    """Give a webhook."""
    with serve() as site:
        site.answers = {path: plain(b"ok") for path in (f"{_ROUTE}page", f"{_ROUTE}ticket", _HEART)}
        yield Pager(site)


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers."""
    with press(feeds=FEEDS) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, publishers: Press) -> Iterator[House]:
    """Give a service that is not started yet."""
    with House(tmp_path / "house", publishers, constants=QUICK) as made:
        yield made


@pytest.fixture
def beating(tmp_path: Path, publishers: Press, pager: Pager) -> Iterator[House]:
    """Give a service with a heartbeat that is not started yet."""
    service = {"heartbeat": {"url": pager.site.url(_HEART), "every": "30s"}}
    with House(tmp_path / "house", publishers, constants=QUICK, service=service) as made:
        yield made


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Beside]:
    """Give a keeper of Prometheus and Alertmanager."""
    with programs.running(tmp_path / "watch") as running:
        yield running


def impatient() -> str:
    """Return the shipped rules with shorter times."""
    text = shipped.RULES.read_text("utf-8")
    for pattern, quicker in IMPATIENT.items():
        text, count = re.subn(pattern, quicker, text)
        assert count, f"{pattern} is not in the rules any more"
    return text


def scrape(house: House) -> Series:
    """Return what the console of a service gives."""
    return series(programs.get(int(house.console.rpartition(":")[2]), "/metrics"))


@pytest.mark.monitoring
def test_a_worker_that_hangs_and_publishers_that_are_gone_reach_the_webhook(
    tmp_path: Path, keeper: Beside, beating: House, publishers: Press, pager: Pager
) -> None:
    """By the shipped rules and the shipped routes; what is well again is told as well."""
    place, house = tmp_path / "watch", beating
    router = programs.alertmanager(keeper, place, told=pager.site.port)
    house.start()
    articles = publishers.publish(6)
    house.wait_until_said("Ctrl-C")
    watch = programs.prometheus(keeper, place, scraped=house.console, rules=impatient(), alertmanager=router)
    house.settled(articles)
    wait_for(lambda: _is_well(watch), "a service that is well, to Prometheus")
    delivered = f'wirewatch_deliveries_total{{channel="{CHANNEL}", outcome="delivered"}}'
    wait_for(lambda: watch.value(delivered) == len(articles), "all deliveries")
    assert watch.value(f'wirewatch_matches_total{{topic="{TOPIC}", by="rule"}}') == len(articles)
    wait_for(lambda: watch.value("time() - wirewatch_canary_last_success_timestamp_seconds"), "a canary")
    wait_for(lambda: _HEART in {asked.path for asked in pager.site.asked}, "a heartbeat")

    _a_worker_hangs(house, watch, pager)
    publishers.close()
    wait_for(lambda: pager.told("ManyFeedsFailing"), "the page that feeds fail")
    (many, *_) = pager.told("ManyFeedsFailing")
    assert (many["path"], many["severity"]) == ("/wirewatch/page", "page")
    # They have one cause, which was told.
    wait_for(lambda: _states(router, "FeedStale") == {"suppressed"}, "stale feeds that nobody is told of")
    assert pager.told("FeedStale") == []


def _states(router: int, name: str) -> set[str]:
    """Return the states of the alerts of a name in the Alertmanager on a port."""
    alerts = json.loads(programs.get(router, "/api/v2/alerts"))
    return {alert["status"]["state"] for alert in alerts if alert["labels"]["alertname"] == name}


def _is_well(watch: Prometheus) -> bool:
    every = [watch.value(name) == 1 for name in ('up{job="wirewatch"}', "wirewatch_ready", "wirewatch_broker_up")]
    return all(every) and not watch.firing()


def _a_worker_hangs(house: House, watch: Prometheus, pager: Pager) -> None:
    hanging = house.of_role("worker deliver( child)?")
    assert hanging
    for one in hanging:
        house.kill(one, signal.SIGSTOP)
    wait_for(lambda: pager.told("WorkerMissing"), "the page that a worker is missing")
    (missing, *_) = pager.told("WorkerMissing")
    assert (missing["part"], missing["path"]) == ("deliver", "/wirewatch/page")
    assert missing["token"] == "Bearer for the pager alone"
    for one in hanging:
        house.kill(one, signal.SIGCONT)
    wait_for(lambda: pager.told("WorkerMissing", "resolved"), "the end of it")
    wait_for(lambda: not watch.firing(), "a service that is well again")


def test_counters_are_true_after_kills_and_a_restart(house: House, publishers: Press) -> None:
    """Readers are killed in the middle of their work, then everything at once: what was done is counted once."""
    house.start()
    house.wait_until_said("Ctrl-C")
    articles = publishers.publish(60, rate=15)
    for _ in range(2):
        before = _done(house)
        wait_for(lambda seen=before: _done(house) > seen, "more articles that were read")  # type: ignore[misc]
        for one in house.of_role("worker read child"):
            house.kill(one)
    house.kill_all()
    first = _counted(house)
    house.start()
    counted = house.settled(articles, seconds=180)
    assert (counted.lost, counted.open) == (0, 0)
    wait_for(lambda: _answers(house), "the console")
    found, facts = scrape(house), _counted(house)
    assert facts["reads"] == len(articles)
    assert facts["reads"] >= first["reads"] > 0
    finished = sum(value(found, "reads_total", outcome=name) or 0 for name in ("page", "feed-text", "no-text", "dead"))
    assert finished == facts["reads"]
    assert sum(n for (name, _), n in found.items() if name == "wirewatch_feed_entries_total") == facts["entries"]
    assert value(found, "matches_total", topic=TOPIC, by="rule") == facts["matches"]
    assert sum(n for (name, _), n in found.items() if name == "wirewatch_alerts_total") == facts["alerts"]
    by_outcome = Counter({o: value(found, "deliveries_total", channel=CHANNEL, outcome=o) for o in _OUTCOMES})
    assert {name: n for name, n in by_outcome.items() if n} == facts["deliveries"]


_OUTCOMES = (Reason.DELIVERED, Reason.RETRY, Reason.UNKNOWN, Reason.DEAD)


def _answers(house: House) -> bool:
    try:
        return bool(value(scrape(house), "ledger_up"))
    except OSError:
        return False


def _done(house: House) -> int:
    found: int = _counted(house)["reads"]
    return found


def _counted(house: House) -> dict[str, Any]:
    """Return what the rows of the ledger say, whatever was counted beside them."""
    engine = create_engine(house.ledger_url)

    def number(table: Any, *where: Any) -> int:
        with engine.connect() as t:
            return int(t.execute(select(func.count()).select_from(table).where(*where)).scalar_one())

    with engine.connect() as t:
        delivery = tables.delivery
        rows = t.execute(select(delivery.c.outcome, func.count()).group_by(delivery.c.outcome)).all()
    facts = {
        "reads": number(tables.entry, tables.entry.c.work != tables.OPEN),
        "entries": number(tables.entry),
        "matches": number(tables.match),
        "alerts": number(tables.alert),
        "deliveries": {row[0]: row[1] for row in rows},
    }
    engine.dispose()
    return facts

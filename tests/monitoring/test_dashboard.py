"""The shipped dashboard, without Grafana: its form, the metrics it names, and what a real Prometheus answers it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from tests.edges.servers import plain, serve
from tests.monitoring import filled, programs, shipped
from tests.monitoring.programs import Prometheus
from tests.monitoring.scraped import Beside, names, page, series
from tests.service.beside import wait_for
from worker.console.exposition import CONTENT_TYPE
from worker.ledger.engine import Ledger

#: Metrics that neither a rule nor the dashboard asks for, each with the reason.
UNUSED: dict[str, str] = {}
_WIDTH = 24


def test_panels_have_their_own_numbers_and_places() -> None:
    """None lies upon another or reaches beyond the edge."""
    every = shipped.dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= _WIDTH, panel["title"]
    for one, other in combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, f"{one['title']} and {other['title']}"


def test_the_rows_stand_in_the_order_in_which_people_ask() -> None:
    """First whether it is well."""
    rows = [panel for panel in shipped.dashboard()["panels"] if panel["type"] == "row"]
    assert [row["title"] for row in rows] == [
        *("Is it well?", "What it sees", "What it tells", "Delays", "Feeds", "Delivery")
    ]
    assert all(above["gridPos"]["y"] < below["gridPos"]["y"] for above, below in pairwise(rows))


def test_every_question_goes_to_the_prometheus_that_was_chosen() -> None:
    """A panel bound to a data source of somebody else's Grafana shows nothing."""
    assert all(
        target["datasource"]["uid"] == "${datasource}" for panel in shipped.panels() for target in panel["targets"]
    )
    (chosen,) = (one for one in shipped.dashboard()["templating"]["list"] if one["name"] == "datasource")
    assert (chosen["type"], chosen["query"]) == ("datasource", "prometheus")


def test_no_variable_is_left_when_all_have_been_put_in() -> None:
    """The expressions that are tried below are whole."""
    assert [expression for expression in shipped.expressions().values() if "$" in expression] == []


def test_grafana_is_told_where_prometheus_and_the_dashboard_are() -> None:
    """The files that provision it."""
    (source,) = shipped.load(shipped.PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    (provider,) = shipped.load(shipped.PROVISIONING / "dashboards" / "provider.yml")["providers"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    # It stands beside the provider, below the folder that Grafana's image reads.
    assert (provider["type"], provider["options"]["path"]) == ("file", "/etc/grafana/provisioning/dashboards")
    assert shipped.DASHBOARD.exists()


def test_every_metric_is_used_and_every_metric_that_is_used_exists(ledger: Ledger) -> None:
    """By a rule or by the dashboard; what is exported and asked for by nobody has a reason here."""
    made = filled.everything(ledger)
    exported = names(series(page(ledger, made, Beside(found=filled.ALARMS))))
    asked = {name for text in _expressions() for name in shipped.metrics(text)}
    assert asked <= exported, asked - exported
    of_histograms = {f"{name.removesuffix('_bucket')}_{end}" for name in exported for end in ("sum", "count")}
    assert exported - asked - of_histograms == set(UNUSED)


def _expressions() -> list[str]:
    return [*(rule.expr for rule in shipped.rules()), *shipped.expressions().values()]


@pytest.fixture
def watching(tmp_path: Path, ledger: Ledger) -> Iterator[Prometheus]:
    """Give a Prometheus that scrapes a ledger in which a bit of everything happens between two scrapes."""
    made = filled.everything(ledger)
    beside = Beside(found=filled.ALARMS)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with ledger.write() as t:
            filled.work(t, made)
        plain(page(ledger, made, beside), Content_Type=CONTENT_TYPE)(handler)

    with serve() as site, programs.running(tmp_path) as keeper:
        site.answers["/metrics"] = answer
        rules = shipped.RULES.read_text("utf-8")
        yield programs.prometheus(keeper, tmp_path, scraped=f"127.0.0.1:{site.port}", rules=rules)


@pytest.mark.monitoring
@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_everything_that_is_asked_of_prometheus_has_an_answer(watching: Prometheus) -> None:
    """Each expression of the dashboard, and each part of a rule: a real Prometheus gives numbers for it."""
    wait_for(lambda: _scrapes(watching) >= 4, "four scrapes")
    for place, expression in shipped.expressions().items():
        assert _numbers(watching, expression), f"{place}: {expression}"
    for rule in shipped.rules():
        for selector in shipped.selectors(rule.expr):
            assert _numbers(watching, selector), f"{rule.alert}: {selector}"


def _scrapes(prometheus: Prometheus) -> float:
    return prometheus.value('count_over_time(wirewatch_ready{job="wirewatch"}[1m])') or 0.0


def _numbers(prometheus: Prometheus, expression: str) -> list[float]:
    found = [float(sample["value"][1]) for sample in prometheus.query(expression)]
    return [number for number in found if not math.isnan(number)]

"""What ``config/`` ships for monitoring, as values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.monitoring.programs import CONFIG

RULES = CONFIG / "prometheus" / "rules.yml"
RULE_TESTS = CONFIG / "prometheus" / "rules.test.yml"
PROMETHEUS = CONFIG / "prometheus" / "prometheus.yml"
ALERTMANAGER = CONFIG / "alertmanager" / "alertmanager.yml"
PROVISIONING = CONFIG / "grafana" / "provisioning"
DASHBOARD = PROVISIONING / "dashboards" / "wirewatch.json"
_METRIC = re.compile(r"\bwirewatch_[a-z_]+")
#: A metric with what is asked of its labels.
_SELECTOR = re.compile(r"\bwirewatch_[a-z_]+(?:\{[^}]*\})?")
#: What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "10s", "$__range": "1m", "$feed": ".*", "$topic": ".*", "$channel": ".*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def rules(text: str = "") -> list[Rule]:
    """Return the shipped rules, or those of ``text``."""
    found = load(RULES) if not text else YAML(typ="safe").load(text)
    return [
        Rule(alert=one["alert"], expr=one["expr"], labels=one["labels"], annotations=one["annotations"])
        for group in found["groups"]
        for one in group["rules"]
    ]


def load(path: Path) -> Any:
    """Return what a YAML file says."""
    return YAML(typ="safe").load(path.read_text("utf-8"))


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Yield the panels of the dashboard that show something."""
    yield from (panel for panel in dashboard()["panels"] if panel["type"] != "row")


def expressions() -> dict[str, str]:
    """Return every expression of the dashboard as Prometheus is asked it, by its panel and letter."""
    found = {}
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, text in VARIABLES.items():
                expression = expression.replace(name, text)
            found[f"{panel['title']} {panel['id']}{target['refId']}"] = expression
    return found


def metrics(expression: str) -> set[str]:
    """Return the names of our metrics in an expression."""
    return set(_METRIC.findall(expression))


def selectors(expression: str) -> set[str]:
    """Return our metrics in an expression with what it asks of their labels."""
    return set(_SELECTOR.findall(expression))

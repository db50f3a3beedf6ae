"""The shipped rules and the example of an Alertmanager: well-formed, tested, and about what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.monitoring import filled, shipped
from tests.monitoring.programs import replaced, run
from tests.monitoring.scraped import Beside, names, page, series
from tests.processes import ROOT
from worker.ledger.engine import Ledger
from worker.model import Reason

_SEVERITIES = {"page", "ticket"}
_MATCHED_NAMES = re.compile(r'alertname (?:=|!=|=~|!~) "([^"]+)"')


def test_prometheus_takes_the_rules() -> None:
    """By its own checker, which also warns of rules that are there twice."""
    assert "rules found" in run("promtool", "check", "rules", shipped.RULES)


def test_each_rule_fires_when_it_should_and_keeps_still_when_it_should_not() -> None:
    """The unit tests that are shipped beside them."""
    assert "SUCCESS" in run("promtool", "test", "rules", shipped.RULE_TESTS.name, cwd=shipped.RULE_TESTS.parent)


@pytest.mark.parametrize("expression", ["vector(0) > 1", "vector(1)"], ids=["never", "always"])
def test_the_unit_tests_notice_rules_that_never_fire_and_rules_that_always_do(expression: str, tmp_path: Path) -> None:
    """Each alert is expected to fire at some time, and not to at another."""
    text = shipped.RULES.read_text("utf-8")
    changed, count = re.subn(
        r"(?m)^        expr: (?:>-\n(?:          .*\n)+|.*\n)", f"        expr: {expression}\n", text
    )
    alerts = {rule.alert for rule in shipped.rules()}
    assert count == len(alerts)
    (tmp_path / "rules.yml").write_text(changed, "utf-8")
    (tmp_path / "rules.test.yml").write_text(shipped.RULE_TESTS.read_text("utf-8"), "utf-8")
    with pytest.raises(AssertionError) as failed:
        run("promtool", "test", "rules", "rules.test.yml", cwd=tmp_path)
    assert set(re.findall(r"alertname: (\w+)", str(failed.value))) == alerts


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """With the token in its file, and the rules beside it."""
    token = tmp_path / "token"
    token.write_text("secret", "utf-8")
    text = replaced(shipped.PROMETHEUS.read_text("utf-8"), {"/run/secrets/wirewatch_token": str(token)})
    (tmp_path / "prometheus.yml").write_text(text, "utf-8")
    (tmp_path / "rules.yml").write_text(shipped.RULES.read_text("utf-8"), "utf-8")
    said = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert "1 rule files found" in said
    assert "FAILED" not in said


def test_the_rules_ask_for_the_job_that_is_configured() -> None:
    """A job of another name would leave them all without anything to see."""
    jobs = {job["job_name"] for job in shipped.load(shipped.PROMETHEUS)["scrape_configs"]}
    asked = {job for rule in shipped.rules() for job in re.findall(r'job="([^"]+)"', rule.expr)}
    assert asked == {"wirewatch"}
    assert asked <= jobs


def test_the_alertmanager_takes_its_configuration(tmp_path: Path) -> None:
    """By its own checker."""
    assert "SUCCESS" in run("amtool", "check-config", shipped.ALERTMANAGER)
    broken = tmp_path / "alertmanager.yml"
    broken.write_text(replaced(shipped.ALERTMANAGER.read_text("utf-8"), {"receiver: pages": "receiver: nobody"}))
    with pytest.raises(AssertionError, match="nobody"):
        run("amtool", "check-config", broken)


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pages"), ("ticket", "tickets"), ("", "tickets")])
def test_alerts_go_where_their_severity_says(severity: str, receiver: str) -> None:
    """One without any is still told to somebody."""
    args = [f"--config.file={shipped.ALERTMANAGER}", f"--verify.receivers={receiver}"]
    run(
        "amtool", "config", "routes", "test", *args, "alertname=NoTick", *([f"severity={severity}"] if severity else [])
    )


def test_inhibitions_are_about_alerts_that_there_are() -> None:
    """A name that nobody has would inhibit nothing, or nobody."""
    known = {rule.alert for rule in shipped.rules()}
    for one in shipped.load(shipped.ALERTMANAGER)["inhibit_rules"]:
        for matcher in (*one["source_matchers"], *one["target_matchers"]):
            assert {name for text in _MATCHED_NAMES.findall(matcher) for name in text.split("|")} <= known, matcher


def test_no_alert_inhibits_itself() -> None:
    """Else neither of two with one cause would be told."""
    for one in shipped.load(shipped.ALERTMANAGER)["inhibit_rules"]:
        source, target = (
            {name for matcher in one[key] for text in _MATCHED_NAMES.findall(matcher) for name in text.split("|")}
            for key in ("source_matchers", "target_matchers")
        )
        excluded = any("alertname !~" in matcher for matcher in one["target_matchers"])
        assert source == target if excluded else not source & target


@pytest.mark.parametrize("rule", shipped.rules(), ids=lambda rule: rule.alert)
def test_each_rule_says_what_it_means_and_what_to_do(rule: shipped.Rule) -> None:
    """Severity, summary, description, and where the README says more."""
    assert rule.labels["severity"] in _SEVERITIES
    assert set(rule.annotations) == {"summary", "description", "runbook"}
    assert rule.annotations["runbook"] == f"README.md#{rule.alert.lower()}"


def test_the_readme_says_what_each_alert_means() -> None:
    """A heading of its own for each, which is what the runbook points to, and none for an alert that is gone."""
    text = (ROOT / "README.md").read_text("utf-8")
    _, _, section = text.partition("What each alert means")
    headings = set(re.findall(r"^#{3,5} ([A-Z]\w+)$", section.split("\n## ", 1)[0], re.MULTILINE))
    assert headings == {rule.alert for rule in shipped.rules()}


def test_outcomes_that_rules_name_are_reasons_that_there_are() -> None:
    """A misspelt one would count as a failure, or as none."""
    known = {reason.value for reason in Reason}
    named = {
        word
        for rule in shipped.rules()
        for text in re.findall(r'outcome(?:=|!=|=~|!~)"([^"]+)"', rule.expr)
        for word in text.split("|")
    }
    assert len(named) > 10
    assert named <= known


def test_rules_are_about_metrics_that_there_are(ledger: Ledger) -> None:
    """Every name in a rule is a series of a service that has a bit of everything."""
    made = filled.everything(ledger)
    found = names(series(page(ledger, made, Beside(found=filled.ALARMS))))
    for rule in shipped.rules():
        assert shipped.metrics(rule.expr) <= found, rule.alert

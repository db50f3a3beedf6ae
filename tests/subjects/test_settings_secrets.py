from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.settings import check, render
from worker.settings.alerts_file import read_alerts
from worker.settings.document import parse
from worker.settings.feeds_file import read_feeds
from worker.settings.part import Part
from worker.settings.service_file import read_service
from worker.settings.topics_file import read_topics

_SECRET = "Zq7hunter2"

#: Every scalar of these files is wrong once its value is a secret that somebody put in the wrong place.
_ALERTS = """
channels:
  a: {type: X}
  b: {type: slack, token: [X], channel: c}
  c: {type: slack, webhook_url: "ftp://X"}
  d: {type: webhook, url: "https://user:X@", secret: [X], format: X, allow_private: [X]}
  e: {type: webhook, url: "https://X X/", allow_private: X}
  f: {type: webhook, url: "https://x/", read_back: "https://X:X@h/X"}
routes: [{topics: [X], channels: [X], languages: [X]}]
policy: {group_wait: X, follow_up: X, min_gap: X, per_hour: X, quiet_hours: "X", digest: [X]}
"""
_SERVICE = """
broker: "amqp://user:X@h"
ledger: "mysql://user:X@h"
workers: X
network: {allow_private: [X], allow_ports: [X], max_body: X, deadline: X}
polling: {adaptive: X, first_poll: X}
meaning: {model: "X", verifier: "hub:X", judge: {url: "X", key: [X], budget_per_hour: X, timeout: X}}
console: {listen: X, token: [X]}
heartbeat: {url: "X"}
"""
_FEEDS = """
feeds:
  - {id: "X*", url: "ftp://user:X@h", interval: X, language: X, enabled: X, headers: {Authorization: "X\\n"}}
  - {id: a, url: "https://user:X@h:X/"}
"""
_TOPICS = """
- {id: "X*", threshold: X, require: X, urgent: X, languages: [X], near: {groups: X, within: X}}
- {id: a, query: "(X", channels: [X], any: ["X*X", "*X"], near: {groups: [["=X X*"]]}}
- {id: "X", any: y1}
- {id: "X", any: y1}
"""


@pytest.mark.parametrize(
    ("text", "least"),
    [(_ALERTS, 15), (_SERVICE, 17), (_FEEDS, 6), (_TOPICS, 8)],
    ids=["alerts", "service", "feeds", "topics"],
)
def test_what_came_from_the_environment_is_in_no_message(text: str, least: int) -> None:
    """However wrong the place is in which a variable was put, its value is not repeated."""
    env = {"S": _SECRET}
    document = parse(
        "f.yaml", text.replace("X", "${S}").replace(": ${S}", ': "${S}"').replace("[${S}]", '["${S}"]'), env
    )
    read = {_ALERTS: read_alerts, _SERVICE: partial(read_service, env=env), _FEEDS: read_feeds, _TOPICS: read_topics}
    part: Part[Any] = read[text](document)  # type: ignore[operator]
    assert len(part.problems) >= least
    assert not [p for p in (*part.problems, *part.warnings) if _SECRET in p.message or "hunter" in p.message]


@pytest.mark.parametrize(
    "text",
    [
        f"channels: {{a: {{type: slack, token: [{_SECRET}], channel: c}}}}",
        f"channels: {{a: {{type: slack, tokn: {_SECRET}, channel: c}}}}",
        f"channels: {{a: {{type: slack, webhook_url: 'ftp://{_SECRET}'}}}}",
        f"channels: {{a: {{type: webhook, url: 'https://u:{_SECRET}@'}}}}",
        f"channels: {{a: {{type: webhook, url: https://x, secret: {{{_SECRET}: 1}}}}}}",
        f"channels: {{a: {{type: webhook, url: https://x, secret: {_SECRET}}}}}",
        f"channels: {{a: {{type: slack, token: *{_SECRET}",
        f"channels: {{a: {{type: slack, token: '{_SECRET}",
        f"channels: {{a: {{type: slack, token: @{_SECRET}",
        f"channels:\n  a: token: {_SECRET}",
        f"channels:\n  a:\n    token: !{_SECRET} x",
        f"channels:\n  a:\n    token: |{_SECRET}",
        f"channels: {{a: {{type: webhook, url: https://x, read_back: 'https://u:{_SECRET}@h/{_SECRET}'}}}}",
        f"%TAG ! {_SECRET}\n---\na: 1",
    ],
)
def test_a_secret_written_into_the_file_is_in_no_message(tmp_path: Path, text: str) -> None:
    """Whether a value has the wrong type or the file is no YAML, the secret stays in the file."""
    (tmp_path / "alerts.yaml").write_text(text, encoding="utf-8")
    report = check(tmp_path, {})
    assert report.problems or report.warnings
    assert _SECRET not in render(report)


def test_a_remark_on_a_rule_from_the_environment_does_not_quote_it(tmp_path: Path) -> None:
    """Lints quote the terms they speak of, unless they may be secret."""
    topic = "- {id: a, any: [rocket, TERM, TERM]}\n"
    (tmp_path / "topics.yaml").write_text(topic.replace("TERM", _SECRET), encoding="utf-8")
    assert _SECRET in render(check(tmp_path, {}))
    (tmp_path / "topics.yaml").write_text(topic.replace("TERM", '"${S}"'), encoding="utf-8")
    report = check(tmp_path, {"S": _SECRET})
    assert report.warnings
    assert _SECRET not in render(report)


@settings(deadline=None)  # other processes may share the machine
@given(
    st.text(alphabet=st.sampled_from("\"'{}[]:,#&*!|>%@\\ \n"), max_size=6),
    st.text(alphabet="\"'{}[]:,#\n ", max_size=6),
)
def test_no_broken_yaml_around_a_secret_repeats_it(before: str, after: str) -> None:
    """The words of the YAML library are replaced by our own."""
    document = parse("f.yaml", f"a: {before}{_SECRET}{after}", {})
    problems = [p.message for p in document.problems if "this key stands here already" not in p.message]
    assert not [message for message in problems if _SECRET in message]

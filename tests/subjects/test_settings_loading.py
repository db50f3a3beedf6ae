from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.errors import ConfigError
from worker.model import Article
from worker.settings import Settings, check, load, load_topics, render
from worker.topics import compile_topics

_FILES = ("feeds.yaml", "service.yaml", "alerts.yaml", "topics.yaml")
_ROOT = Path(__file__).parents[2]


def _write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text, encoding="utf-8")
    return directory


def _messages(directory: Path, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(directory, env or {})
    return [str(problem).removeprefix(f"{directory}{os.sep}") for problem in caught.value.problems]


def _warnings(directory: Path) -> list[str]:
    return [str(warning).removeprefix(f"{directory}{os.sep}") for warning in load(directory, {}).warnings]


def test_the_files_of_the_design_are_accepted_as_they_stand() -> None:
    """Each key of the published format loads."""
    design = _ROOT / "tests" / "data" / "config" / "design"
    settings = load(design, {"SLACK_BOT_TOKEN": "xoxb", "WEBHOOK_SECRET": "s"})
    assert [feed.id for feed in settings.feeds] == ["bbc-world", "post.example/world.xml"]
    assert set(settings.channels) == {"ops-slack", "siem", "screen"}
    assert [topic.id for topic in settings.topics] == ["missile-stance"]
    assert settings.topics[0].channels == ("ops-slack",)
    assert {Path(file).name for file in settings.files} == {*_FILES, "subscriptions.opml"}
    assert not any("ops-slack" in w.message for w in settings.warnings)
    assert settings.recipients["ops-slack"].policy == settings.policy


def test_the_shipped_configuration_is_right_and_needs_no_environment() -> None:
    """A newcomer sees no problem and no warning."""
    settings = load(_ROOT / "config", {}, required=True)
    assert settings.warnings == ()
    assert 40 <= sum(feed.enabled for feed in settings.feeds) <= 70
    assert all(feed.url.startswith("https://") and feed.outlet and feed.language for feed in settings.feeds)
    assert sum(feed.language != "en" for feed in settings.feeds) >= 10
    assert {feed.id for feed in settings.feeds if not feed.enabled} >= {"reuters-world", "ap-top"}
    assert [route.channels for route in settings.routes] == [("screen",)]
    assert settings.service == Settings().service
    assert settings.policy == Settings().policy
    (topic,) = settings.topics
    assert topic.has_rule
    assert topic.examples_match
    assert topic.examples_ignore


def test_a_missing_directory_is_a_warning_unless_it_was_named(tmp_path: Path) -> None:
    """The default directory may be absent; one that somebody typed may not."""
    missing = tmp_path / "nowhere"
    settings = load(missing, {})
    assert (settings.feeds, settings.topics, settings.files) == ((), (), ())
    assert [w.file for w in settings.warnings] == [str(missing)]
    with pytest.raises(ConfigError, match="there is no such directory"):
        load(missing, {}, required=True)


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    """Somebody named a file instead of the directory that holds it."""
    path = _write(tmp_path, feeds="") / "feeds.yaml"
    with pytest.raises(ConfigError, match="is not a directory"):
        load(path, {})


def test_missing_files_are_their_defaults(tmp_path: Path) -> None:
    """Each of the four files may be absent."""
    settings = load(_write(tmp_path, topics="[{id: x, any: rocket}]"), {})
    assert [topic.id for topic in settings.topics] == ["x"]
    assert list(settings.channels) == ["screen"]
    assert settings.files == (str(tmp_path / "topics.yaml"),)


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    """Nothing stops at the first file, not even one that is no YAML."""
    _write(
        tmp_path,
        feeds="feeds:\n  - {id: a, url: ftp://x}\n  - {id: a, url: https://x.example}\n",
        service="workers: 0\nworkers: 1\n",
        alerts="channels: [\n",
        topics="topics:\n  - {id: t, query: 5}\n",
    )
    assert [message.partition(": ")[0] for message in _messages(tmp_path)] == [
        "alerts.yaml:2:1",
        "feeds.yaml:2:18",
        "service.yaml:1:10",
        "service.yaml:2:1",
        "topics.yaml:2:20",
    ]


def test_routes_and_topics_name_what_exists(tmp_path: Path) -> None:
    """A misspelt channel or topic would send alerts nowhere."""
    _write(
        tmp_path,
        alerts="channels: {screen: {type: terminal}, wrong: {type: terminl}}\n"
        "routes:\n  - {topics: [missle, 'mis*', 'zz*', '*'], channels: [scren, wrong]}\n",
        topics="- {id: missile, any: rocket, channels: [nobody, wrong]}\n- {id: bad, query: 5}\n",
    )
    found = [message for message in _messages(tmp_path) if "is called" in message]
    assert found == [
        'alerts.yaml:3:15: topics[0]: no topic is called "missle"; did you mean "missile"?',
        'alerts.yaml:3:31: topics[2]: no topic is called "zz*"',
        'alerts.yaml:3:55: channels[0]: no channel is called "scren"; did you mean "screen"?',
        'topics.yaml:1:41: channels[0]: no channel is called "nobody"; alerts.yaml defines screen and wrong',
    ]


def test_a_topic_that_nobody_hears_of_is_a_warning(tmp_path: Path) -> None:
    """Routes may take some topics only, and a topic may go nowhere."""
    _write(
        tmp_path,
        alerts="channels: {screen: {type: terminal}}\nroutes: [{topics: ['A*'], channels: [screen]}]",
        topics="- {id: about, any: rocket}\n- {id: own, any: rocket, channels: screen}\n- {id: lost, any: rocket}\n",
    )
    assert _warnings(tmp_path) == [
        "topics.yaml:3:3: topic lost has no channels, and no route of alerts.yaml takes it: nobody is told"
    ]


def test_a_file_that_is_not_read_is_a_warning(tmp_path: Path) -> None:
    """feeds.yml would be passed over, and its feeds with it."""
    for name in ("feeds.yml", "topic.yaml", "notes.yaml", "readme.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert _warnings(tmp_path) == [
        'feeds.yml: a file of this name is not read; did you mean "feeds.yaml"?',
        f"notes.yaml: a file of this name is not read; the files here are {', '.join(_FILES[:3])} and topics.yaml",
        'topic.yaml: a file of this name is not read; did you mean "topics.yaml"?',
    ]


def test_a_feed_in_a_greater_hurry_than_the_service_is_a_warning(tmp_path: Path) -> None:
    """The service's shortest interval holds."""
    _write(tmp_path, feeds="feeds:\n  - {id: a, url: https://x.example, interval: 30s}\n")
    assert _warnings(tmp_path) == [
        "feeds.yaml:2:47: interval: is shorter than polling.min_interval (60s), which holds instead"
    ]


def test_servers_are_acted_on(tmp_path: Path) -> None:
    """A broker and a ledger of one's own are used, so nothing is said about them."""
    assert _warnings(_write(tmp_path, service="broker: redis://h\nledger: postgresql+psycopg://h/d")) == []


def test_every_key_of_polling_is_acted_on(tmp_path: Path) -> None:
    """Nothing is said about them."""
    assert _warnings(_write(tmp_path, service="polling: {adaptive: false, permanent_after: 5}")) == []


def test_every_key_of_the_heartbeat_is_acted_on(tmp_path: Path) -> None:
    """Nothing is said about them."""
    assert _warnings(_write(tmp_path, service="heartbeat: {url: https://x.example, every: 1m}")) == []


def test_every_key_of_meaning_is_acted_on(tmp_path: Path) -> None:
    """Models and a judge are used, so nothing is said about them."""
    commit = "0123456789abcdef" * 2 + "01234567"
    judge = "{url: https://x.example, budget_per_hour: 5, timeout: 9s}"
    text = f"meaning: {{model: off, verifier: hub:a/b@{commit}, judge: {judge}}}"
    assert _warnings(_write(tmp_path, service=text)) == []


def test_a_file_of_topics_can_stand_in_for_the_configured_one(tmp_path: Path) -> None:
    """Routes and channels of other topics are odd then, and no mistake."""
    _write(
        tmp_path,
        alerts="channels: {screen: {type: terminal}}\nroutes: [{topics: [other], channels: [screen]}]",
        topics="- {id: other, any: rocket}\n",
    )
    (tmp_path / "mine.json").write_text('[{"id": "mine", "any": ["rocket"], "channels": ["ops"]}]', encoding="utf-8")
    settings = load(tmp_path, {}, topics_file=tmp_path / "mine.json")
    assert [topic.id for topic in settings.topics] == ["mine"]
    assert [w.message.partition(";")[0] for w in settings.warnings] == [
        'topics[0]: no topic is called "other"',
        'channels[0]: no channel is called "ops"',
    ]


def test_topics_alone_are_loaded_with_the_same_checks(tmp_path: Path) -> None:
    """The file of --topics needs no configuration around it."""
    path = tmp_path / "t.yaml"
    path.write_text("topics:\n  - {id: '${ID}', any: rocket, channels: [wherever]}\n", encoding="utf-8")
    assert [topic.id for topic in load_topics(path, {"ID": "x"})] == ["x"]
    with pytest.raises(ConfigError, match=r"t\.yaml:2:10: the environment variable ID is not set"):
        load_topics(path, {})
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file"):
        load_topics(tmp_path / "no.yaml", {})


def test_a_report_counts_what_is_right_and_lists_what_is_wrong(tmp_path: Path) -> None:
    """Places come first, warnings are called warnings, and the last line sums up."""
    _write(
        tmp_path,
        feeds="feeds: [{url: https://x.example, interval: 30s}, {url: x}]",
        topics="- {id: x, any: rocket}\n",
    )
    report = check(tmp_path, {})
    assert not report.ok
    assert dict(report.counts) == {"feeds": 1, "topics": 1, "channels": 1, "routes": 1}
    assert render(report).replace(f"{tmp_path}{os.sep}", "").splitlines() == [
        "feeds.yaml:1:56: url: expected a URL with a host, such as https://example.org/feed.xml",
        "feeds.yaml:1:44: warning: interval: is shorter than polling.min_interval (60s), which holds instead",
        "1 problem, 1 warning; 2 files read: 1 feed, 1 topic, 1 channel, 1 route",
    ]


def test_a_report_raises_nothing_whatever_is_wrong(tmp_path: Path) -> None:
    """A missing directory, a missing topics file and broken YAML are lines of the report."""
    report = check(tmp_path / "nowhere", {}, tmp_path / "no.yaml", required=True)
    assert len(report.problems) == 2
    assert check(_write(tmp_path, alerts="\t@"), {}).problems


def test_the_shipped_topic_passes_its_own_examples() -> None:
    """What the shipped file says about itself holds for its rule; `wirewatch test` runs them with the models too."""
    (topic,) = load(_ROOT / "config", {}).topics
    percolator = compile_topics([replace(topic, require="either")])
    assert all(percolator.match(_article(text)) for text in topic.examples_match)
    assert not any(percolator.match(_article(text)) for text in topic.examples_ignore)


def test_the_tests_of_commands_watch_for_the_shipped_topic_by_its_rule_alone() -> None:
    """Their configuration is what ships, without what needs models, and without the examples."""
    shipped, ours = load(_ROOT / "config", {}), load(_ROOT / "tests" / "data" / "config" / "rules", {}, required=True)
    (topic,) = shipped.topics
    alone = replace(topic, topic="", meaning=(), unlike=(), require="either", examples_match=(), examples_ignore=())
    assert ours.topics == (alone,)
    assert (ours.feeds, ours.service) == (shipped.feeds, shipped.service)
    assert (ours.channels, ours.routes, ours.policy) == (shipped.channels, shipped.routes, shipped.policy)


def _article(text: str) -> Article:
    return Article(
        id="a", url="https://x.example/", title="", text=text, outlet="x", published_at=datetime(2026, 1, 1, tzinfo=UTC)
    )

"""``wirewatch replay``: the seeds, what is expected of them, and the same answer wherever and however often."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.shells import CONFIG, SEEDS, alerts, both, ends_well, real, summary, told
from tests.processes import ROOT, SHIPPED, wirewatch

EXPECTED = SEEDS / "expected.yaml"
#: What is told when rules decide alone: the same, but for the evidence.
BY_RULE_EXPECTED = ROOT / "tests" / "data" / "expected-by-rule.yaml"
_FIRST = "https://meridian-dispatch.example/2025/12/22/iran-missile-programme-defensive"
_SUMS = "5 articles, 5 matches, 2 stories, 2 alerts, 3 updates"


def test_the_seeds_are_two_stories_with_one_alert_and_its_updates_each(tmp_path: Path) -> None:
    """The table shows the headlines with their evidence marked, and the sums at its end."""
    found = ends_well(wirewatch("replay", SEEDS, "--expect", EXPECTED, cwd=tmp_path, config=SHIPPED), 0)
    assert found.out.splitlines()[-1] == _SUMS
    assert found.out.count("ALERT") == 2
    assert found.out.count("update ") == 3
    assert "»" in found.out
    assert found.err == f"{EXPECTED}: met\n"


def test_json_is_a_line_for_each_alert_and_a_summary(tmp_path: Path) -> None:
    """The lines have the fields that the design names, and the evidence stands where it says."""
    found = ends_well(wirewatch("replay", SEEDS, "--json", cwd=tmp_path, config=SHIPPED), 0)
    lines = alerts(found.out)
    assert [(line["article"], line["role"]) for line in lines] == [
        ("000", "first"),
        ("001", "report"),
        ("002", "report"),
        ("004", "first"),
        ("003", "report"),
    ]
    needed = "alert topic story role channel at article title outlet url score by evidence articles outlets origins"
    assert all(set(needed.split()) <= line.keys() for line in lines)
    assert all(
        line["title"][e["start"] : e["end"]] == e["text"]
        for line in lines
        for e in line["evidence"]
        if e["field"] == "title"
    )
    assert {name: summary(found.out)[name] for name in ("articles", "matches", "stories", "first", "dead")} == {
        "articles": 5,
        "matches": 5,
        "stories": 2,
        "first": 2,
        "dead": 0,
    }


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LANG": "C", "PYTHONUTF8": "0"},
        {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LANG": "tr_TR.UTF-8", "COLUMNS": "40"},
    ],
    ids=["east", "west"],
)
def test_two_runs_are_byte_identical_whatever_surrounds_them(tmp_path: Path, env: dict[str, str]) -> None:
    """Hash seed, time zone, language and directory leave no trace."""
    here = wirewatch("replay", SEEDS, "--json", cwd=tmp_path / "here", config=SHIPPED)
    there = real("replay", SEEDS, "--json", "--config", SHIPPED, cwd=tmp_path, env=env)
    assert ends_well(there, 0).out == ends_well(here, 0).out


def test_a_second_run_into_one_state_alerts_nothing(tmp_path: Path) -> None:
    """What was told is told, and the expectation still holds of all that was told."""
    args = ("replay", SEEDS, "--state", "state", "--json", "--expect", BY_RULE_EXPECTED)
    assert len(alerts(ends_well(wirewatch(*args, cwd=tmp_path), 0).out)) == 5
    again = ends_well(wirewatch(*args, cwd=tmp_path), 0)
    assert (alerts(again.out), summary(again.out)["alerts"]) == ([], 0)
    assert sorted(told(tmp_path / "state").values()) == [1] * 5


def test_two_replays_at_the_same_time_into_one_state_tell_each_alert_once(tmp_path: Path) -> None:
    """Each has a clock of its own that jumps over the other's leases, so the second waits for the first."""
    args = ("replay", SEEDS, "--state", tmp_path / "state", "--json", "--expect", BY_RULE_EXPECTED)
    found = [ends_well(one, 0) for one in both(*args, cwd=tmp_path)]
    assert sorted(len(alerts(one.out)) for one in found) == [0, 5]
    assert sorted(told(tmp_path / "state").values()) == [1] * 5


def test_without_state_every_replay_begins_anew_and_the_last_one_answers_why(tmp_path: Path) -> None:
    """Two runs tell the same, and ``why`` finds the second."""
    first, second = (wirewatch("replay", SEEDS, "--json", cwd=tmp_path) for _ in range(2))
    assert ends_well(first, 0).out == ends_well(second, 0).out
    assert "matched, score" in ends_well(wirewatch("why", _FIRST, cwd=tmp_path), 0).out


def test_an_expectation_that_is_not_met_shows_a_readable_difference(tmp_path: Path) -> None:
    """A line for what was expected, a line for what was told, and nothing about what agrees; exit code 1."""
    wrong = BY_RULE_EXPECTED.read_text("utf-8").replace("2025-12-22T12:15:00Z", "2025-12-22T12:16:00Z")
    (tmp_path / "e.yaml").write_text(wrong, "utf-8")
    err = ends_well(wirewatch("replay", SEEDS, "--expect", "e.yaml", cwd=tmp_path), 1).err
    assert err.startswith("e.yaml: not met\n--- expected\n+++ told\n")
    assert [line for line in err.splitlines()[3:] if line[0] in "+-"] == [
        "-        at: '2025-12-22T12:16:00Z'",
        "+        at: '2025-12-22T12:15:00Z'",
    ]


@pytest.mark.parametrize(
    ("expectation", "code"),
    [
        ("stories: []\n", 1),
        ("silent: ['000']\n", 1),
        ("stories: all\n", 1),
        ("silent: []\n", 0),
        ("stories: [{topic: missile-stance}, {topic: missile-stance}]\n", 0),
        ("stories: [{topic: missile-stance, evidnce: x}, {}]\n", 1),
    ],
    ids=["no-stories", "silent", "of-another-shape", "part", "few-keys", "unknown-key"],
)
def test_an_expectation_says_no_more_than_it_says(tmp_path: Path, expectation: str, code: int) -> None:
    """What is left out is not compared; what is there must be so, a key that nothing has included."""
    (tmp_path / "e.yaml").write_text(expectation)
    ends_well(wirewatch("replay", SEEDS, "--json", "--expect", "e.yaml", cwd=tmp_path), code)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "e.yaml: cannot be read: No such file or directory; make it with --update"),
        (b"a: [b\n c: d", "e.yaml:2:3: is no YAML"),
        (b"", 'e.yaml: an expectation is a mapping with "stories" and "silent"'),
        (b"stroies: []\n", 'e.yaml: an expectation is a mapping with "stories" and "silent"'),
        (b"\xff\xfe\xfa", "e.yaml: is no YAML"),
    ],
    ids=["missing", "not-yaml", "empty", "misspelt", "not-text"],
)
def test_an_expectation_that_cannot_be_used_is_an_error_before_the_replay(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    """Nothing is replayed for a comparison that cannot be made."""
    if content is not None:
        (tmp_path / "e.yaml").write_bytes(content)
    found = ends_well(wirewatch("replay", SEEDS, "--expect", "e.yaml", cwd=tmp_path), 2)
    assert said in found.err
    assert not found.out


def test_update_writes_what_was_told(tmp_path: Path) -> None:
    """The file that comes out is the one that is kept beside the seeds, and nothing else is left."""
    before = {place.name for place in tmp_path.iterdir()}
    found = ends_well(wirewatch("replay", SEEDS, "--expect", "e.yaml", "--update", cwd=tmp_path, config=SHIPPED), 0)
    assert "e.yaml: written" in found.err
    assert (tmp_path / "e.yaml").read_bytes() == EXPECTED.read_bytes()
    made = {place.name for place in tmp_path.iterdir()} - before
    assert made == {"e.yaml", "config", ".wirewatch", "stdin", "stdout", "stderr"}


@pytest.mark.parametrize("place", ["no/such/e.yaml", "/proc/e.yaml"])
def test_update_says_when_it_cannot_write(tmp_path: Path, place: str) -> None:
    """The file is named, and no part of it is left."""
    found = ends_well(wirewatch("replay", SEEDS, "--expect", place, "--update", cwd=tmp_path), 2)
    assert f"{place}: cannot be written" in found.err
    assert not list(tmp_path.rglob("*.new"))


def test_update_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """Written whole or not at all: the place of the new file is taken by a directory here."""
    (tmp_path / "e.yaml").write_text("silent: [old]\n")
    (tmp_path / "e.yaml.new").mkdir()
    found = ends_well(wirewatch("replay", SEEDS, "--expect", "e.yaml", "--update", cwd=tmp_path), 2)
    assert "e.yaml: cannot be written" in found.err
    assert (tmp_path / "e.yaml").read_text() == "silent: [old]\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((SEEDS, "--update"), "--update needs --expect FILE"),
        ((), "Missing argument 'PATH'"),
        ((SEEDS, SEEDS), "unexpected extra argument"),
        ((SEEDS, "--jsno"), "Did you mean '--json'?"),
        ((SEEDS, "--config", "no/such"), "no/such: there is no such directory"),
        ((SEEDS, "--topics", "no.yaml"), "no.yaml: cannot be read: No such file"),
    ],
    ids=["update", "no-path", "two-paths", "misspelt", "no-config", "no-topics"],
)
def test_wrong_usage_is_said_with_exit_code_2(tmp_path: Path, args: tuple[str | Path, ...], said: str) -> None:
    """Before anything is done."""
    found = ends_well(wirewatch("replay", *args, cwd=tmp_path), 2)
    assert said in found.err
    assert not found.out


def test_options_may_stand_before_and_after_the_name_of_the_command(tmp_path: Path) -> None:
    """Both places mean the same, and the later one wins."""
    shutil.copytree(CONFIG, tmp_path / "elsewhere")
    before = wirewatch("--config", "elsewhere", "--state", "a", "replay", SEEDS, "--json", cwd=tmp_path)
    after = wirewatch("--state", "c", "replay", SEEDS, "--json", "--state", "b", "--config", "elsewhere", cwd=tmp_path)
    assert ends_well(before, 0).out == ends_well(after, 0).out
    assert {name for name in "abc" if (tmp_path / name / "replay.sqlite").exists()} == {"a", "b"}


def test_topics_about_something_else_alert_nothing_and_say_so(tmp_path: Path) -> None:
    """Exit code 0, all five silent."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: football, any: [football, goalkeeper]}\n")
    found = ends_well(wirewatch("replay", SEEDS, "--topics", "t.yaml", cwd=tmp_path), 0)
    assert found.out.splitlines() == [
        "Silent: 5 of 5 articles met no topic.",
        "5 articles, 0 matches, 0 stories, 0 alerts, 0 updates",
    ]


_COMMANDS = ["replay", "run", "poll", "extract", "match", "stories", "check", "test", "why", "status"]


@pytest.mark.parametrize("command", [*_COMMANDS, "dead", "dead list", "dead show", "dead redrive"])
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    """A usage line, what it does, and its options; -h is the same."""
    found = ends_well(wirewatch(*command.split(), "--help", cwd=tmp_path), 0)
    assert found.out.startswith(f"Usage: wirewatch {command} ")
    assert len(found.out.splitlines()) > 5
    assert wirewatch(*command.split(), "-h", cwd=tmp_path).out == found.out


def test_the_help_of_the_whole_names_exit_codes_examples_and_every_command(tmp_path: Path) -> None:
    """A newcomer's first page; without a command it is shown as a usage error."""
    found = ends_well(wirewatch("--help", cwd=tmp_path), 0)
    assert "Exit codes: 0 fine; 1 the answer is no" in found.out
    assert "wirewatch replay seeds" in found.out
    assert all(f"\n  {command} " in found.out for command in (*_COMMANDS, "dead"))
    assert "Commands:" in ends_well(wirewatch(cwd=tmp_path), 2).err


def test_an_unknown_command_is_met_with_the_nearest_one(tmp_path: Path) -> None:
    """Exit code 2."""
    assert "Did you mean 'extract'?" in ends_well(wirewatch("extrac", "seeds", cwd=tmp_path), 2).err


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    """One number, in one place."""
    source = (ROOT / "worker" / "__init__.py").read_text("utf-8")
    version = ends_well(wirewatch("--version", cwd=tmp_path), 0).out.split()[-1]
    assert json.dumps(version) in source

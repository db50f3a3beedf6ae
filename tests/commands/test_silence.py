"""``wirewatch silence``: what is not to be told for a time."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import topic
from tests.commands.shells import ends_well
from tests.processes import Ended, wirewatch
from worker.build import SERVICE_LEDGER
from worker.ledger import snapshots
from worker.ledger.engine import open_file


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory with the ledger of a service that watches for missiles."""
    ledger = open_file(tmp_path / "state" / SERVICE_LEDGER, durable=False)
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=ledger.clock())
    ledger.close()
    return tmp_path / "state"


def silence(state: Path, *args: str, code: int = 0) -> Ended:
    """Run the command on that ledger."""
    return ends_well(wirewatch("silence", *args, "--state", state, cwd=state.parent), code)


def add(state: Path, *args: str, code: int = 0) -> Ended:
    """Begin a silence, with a comment."""
    return silence(state, "add", "--comment", "exercise", *args, code=code)


def lines(found: Ended) -> list[dict[str, Any]]:
    """Return the JSON lines of an output."""
    return [json.loads(line) for line in found.out.splitlines()]


def test_a_silence_is_added_listed_and_ended(state: Path) -> None:
    """Its author is whoever is logged in, unless it is said otherwise."""
    added = add(state, "--topic", "miss*", "--for", "24h").out
    assert added.startswith("1  holds  topic miss*  until ")
    assert f"by {getpass.getuser()}: exercise" in added
    add(state, "--outlet", "BBC", "--channel", "desk", "--for", "1h30m", "--author", "anna")
    listed = silence(state, "list").out.splitlines()
    assert [line.split("  ")[2] for line in listed] == ["topic miss*", "outlet BBC, channel desk"]
    assert silence(state, "expire", "1").out == "1: ended\n"
    assert silence(state, "expire", "1", "2").out == "1: had ended already\n2: ended\n"
    assert silence(state, "list").out == "no silences\n"
    assert [line["state"] for line in lines(silence(state, "list", "--all", "--json"))] == ["ended", "ended"]


def test_a_silence_may_begin_later_and_end_at_a_given_time(state: Path) -> None:
    """Times are in UTC unless they bring an offset."""
    (made,) = lines(add(state, "--story", "s-*", "--from", "2999-01-01", "--until", "2999-01-01T08:00+02:00", "--json"))
    assert (made["starts_at"], made["ends_at"]) == ("2999-01-01T00:00:00Z", "2999-01-01T06:00:00Z")
    assert (made["state"], made["story"], made["topic"]) == ("to come", "s-*", "")
    (line,) = silence(state, "list").out.splitlines()
    assert "to come  story s-*  from 2999-01-01 00:00 until 2999-01-01 06:00 UTC" in line


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--for", "1h"), "needs a topic, an outlet, a channel or a story"),
        (("--topic", " ", "--for", "1h"), "needs a topic, an outlet, a channel or a story"),
        (("--topic", "x"), "say how long: either --for 24h or --until TIME"),
        (("--topic", "x", "--for", "1h", "--until", "2999-01-01"), "say how long: either"),
        (("--topic", "x", "--for", "soon"), "--for: write 30s, 10m, 24h, 30d"),
        (("--topic", "x", "--for", "0"), "must end after it begins"),
        (("--topic", "x", "--until", "2020-01-01"), "must end after it begins, and later than now"),
        (("--topic", "x", "--until", "tomorrow"), "--until: write a time such as 2026-02-12T08:00"),
        (("--topic", "x", "--for", "1h", "--from", "8:00"), "--from: write a time such as"),
        (("--topic", "x", "--until", "0001-01-01T00:00+05:00"), "--until: write a time such as"),
        (("--topic", "x", "--from", "9999-12-31", "--for", "36500d"), "--for: ends too late"),
        (("--topic", "x", "--for", "1h", "--author", " "), "needs an author and a comment"),
    ],
    ids=[
        "everything",
        "blank",
        "for-ever",
        "twice",
        "no-duration",
        "no-time",
        "past",
        "words",
        "clock-alone",
        "before-all-time",
        "after-all-time",
        "nobody",
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused(state: Path, args: tuple[str, ...], said: str) -> None:
    """With what to write in its place, and nothing is recorded."""
    assert said in " ".join(add(state, *args, code=2).err.split())
    assert silence(state, "list", "--all").out == "no silences\n"


def test_a_silence_needs_a_comment(state: Path) -> None:
    """Somebody will wonder why it is quiet."""
    assert "Missing option '--comment'" in silence(state, "add", "--topic", "x", "--for", "1h", code=2).err


def test_a_pattern_that_nothing_fits_is_pointed_out(state: Path) -> None:
    """It may be meant for later, so it is recorded all the same."""
    found = add(state, "--topic", "misiles", "--story", "s-1", "--for", "1h")
    assert "note: no topic in force fits misiles; there are missiles" in found.err
    assert "note: no story is called s-1" in found.err
    assert add(state, "--topic", "MISS*", "--for", "1h").err == ""


def test_silences_that_do_not_exist_are_named(state: Path) -> None:
    """And the others stay as they are."""
    add(state, "--topic", "x", "--for", "1h")
    assert (
        "no silence 7, 8; `wirewatch silence list --all` shows them"
        in silence(state, "expire", "1", "7", "8", code=2).err
    )
    assert len(silence(state, "list").out.splitlines()) == 1
    assert "Invalid value" in silence(state, "expire", "0", code=2).err


def test_without_a_ledger_there_is_nothing_to_silence(tmp_path: Path) -> None:
    """Asking makes nothing."""
    found = ends_well(wirewatch("silence", "list", "--state", "none", cwd=tmp_path), 2)
    assert "none: no ledger here" in found.err
    assert not (tmp_path / "none").exists()


def test_what_an_author_writes_does_not_reach_the_terminal_as_an_order(state: Path) -> None:
    """Nor does a comment of several lines become several lines."""
    silence(state, "add", "--topic", "x", "--for", "1h", "--comment", "one\n\x1b[2Jtwo", "--author", "an\x1bna")
    (line,) = silence(state, "list").out.splitlines()
    assert line.endswith("by an na: one  [2Jtwo")

"""A replay killed at any moment tells each alert exactly once, and the test can see it when one does not."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import harness
from tests.processes import finish, kill_when, start

#: How many kills at random moments; `make faults` has its own figure.
KILLS = int(os.environ.get("WIREWATCH_KILLS", "8"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], float]:
    """Give the keys that a replay tells when nobody kills it, and the seconds it takes."""
    state = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    assert finish(start(harness.replay, state)) == 0
    keys = set(harness.told(state))
    assert len(keys) == 5
    return keys, time.monotonic() - began


@pytest.mark.faults
def test_no_alert_is_lost_or_repeated_when_a_replay_is_killed_at_random_moments(
    whole: tuple[set[str], float], tmp_path: Path
) -> None:
    """Half of the kills come at any time, half as soon as a line reaches the receiver; then the replay goes on."""
    keys, seconds = whole
    chance = random.Random(20261122)  # noqa: S311 - chooses moments, guards nothing
    interrupted = 0
    for trial in range(KILLS):
        state = tmp_path / str(trial)
        process = start(harness.replay, state)
        seen = _line(state, chance.randint(1, len(keys))) if trial % 2 else _moment(chance.uniform(0, seconds))
        killed = kill_when(process, seen)
        interrupted += killed
        assert finish(start(harness.replay, state)) == 0
        found = harness.told(state)
        assert found == Counter(keys), f"trial {trial}: {harness.dump(found)}"
    assert interrupted >= KILLS * 0.6, "too few kills met a running replay to prove anything"


def _line(state: Path, number: int) -> Callable[[], bool]:
    return lambda: harness.lines(state) >= number


def _moment(seconds: float) -> Callable[[], bool]:
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() >= moment


@pytest.mark.faults
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("number", [1, 3, 5])
def test_no_alert_is_lost_or_repeated_when_its_worker_dies_around_the_sending(
    whole: tuple[set[str], float], tmp_path: Path, place: str, number: int
) -> None:
    """The two windows that matter: after the intent is recorded, and after the receiver has it."""
    keys, _ = whole
    assert harness.killed_there(tmp_path / "state", place, number, harness.Halting) == Counter(keys)


@pytest.mark.faults
def test_the_count_sees_a_loss(whole: tuple[set[str], float], tmp_path: Path) -> None:
    """Negative control: who takes an alert in doubt for delivered loses it, and this test notices."""
    keys, _ = whole
    found = harness.killed_there(tmp_path / "state", "before", 3, harness.BelievesItWasSent)
    assert len(keys - set(found)) == 1


@pytest.mark.faults
def test_the_count_sees_a_repetition(whole: tuple[set[str], float], tmp_path: Path) -> None:
    """Negative control: who sends an alert in doubt again repeats it, and this test notices."""
    keys, _ = whole
    found = harness.killed_there(tmp_path / "state", "after", 3, harness.BelievesItWasNotSent)
    assert set(found) == keys
    assert sorted(found.values()) == [1, 1, 1, 1, 2]

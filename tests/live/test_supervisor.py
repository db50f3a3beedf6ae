"""The supervisor with real forked parts: what dies is started again, what is hopeless stops all, and nothing stays."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from tests.processes import DEADLINE, finish, start
from worker.errors import ConfigError, Problem, WirewatchError
from worker.live import supervisor
from worker.live.supervisor import HOPELESS, Part, Supervisor


def note(place: Path, name: str, what: str) -> None:
    """Write down what a part does; one line is one write."""
    line = json.dumps({"name": name, "what": what, "pid": os.getpid(), "at": time.monotonic()})
    handle = os.open(place / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


class Notes:
    """What parts have written down, and the supervisor whose they are."""

    def __init__(self, place: Path, process: BaseProcess) -> None:
        self._place, self.process = place, process

    def all(self, what: str = "") -> list[dict[str, object]]:
        """Return the notes, oldest first; ``what`` picks those of a kind."""
        with suppress(FileNotFoundError):
            found = [json.loads(line) for line in (self._place / "notes").read_text().splitlines()]
            return [one for one in found if what in ("", one["what"])]
        return []

    def wait(self, what: str, count: int = 1) -> list[dict[str, object]]:
        """Return the notes of a kind as soon as there are so many."""
        until = time.monotonic() + DEADLINE
        while len(found := self.all(what)) < count:
            assert time.monotonic() < until, self.said()
            time.sleep(0.01)
        return found

    def said(self) -> str:
        """Return what the supervisor and its parts have logged."""
        return (self._place / "stderr").read_text()

    def tell(self, number: int) -> None:
        """Send the supervisor a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def gone(self) -> bool:
        """Return whether every part ends in time."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            if not any(_runs(int(str(one["pid"]))) for one in self.all("began")):
                return True
            time.sleep(0.02)
        return False


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


# Parts. Each takes its place and its name, and runs in a process of its own.

Work = Callable[[Path, str], int]


def dutiful(place: Path, name: str) -> int:
    """Work until told to stop, and take a moment for it."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    note(place, name, "began")
    while not stopped:
        time.sleep(0.01)
    time.sleep(0.05)
    note(place, name, "ended")
    return 0


def deaf(place: Path, name: str) -> int:
    """Ignore being told to stop, and leave a child behind that does so, too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        name = f"{name} child"
    note(place, name, "began")
    while True:
        time.sleep(1)


def dying(place: Path, name: str) -> int:
    """Fail at once."""
    note(place, name, "began")
    return 3


def hopeless(place: Path, name: str) -> int:
    """Find the configuration wrong."""
    note(place, name, "began")
    raise ConfigError(Problem(file="service.yaml", message="nonsense"))


def hopeless_later(place: Path, name: str) -> int:
    """Work at first, and find the configuration wrong when started again."""
    if (place / "notes").exists() and name in (place / "notes").read_text():
        return hopeless(place, name)
    note(place, name, "began")
    time.sleep(0.3)
    return 1


class Served:
    """A helper that is no process of ours."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.pid: int | None = None
        note(place, "helper", "began helper")

    def alive(self) -> bool:
        """Return whether the test lets it live."""
        return not (self._place / "helper-dies").exists()

    def stop(self, timeout: float) -> None:
        """Note that it was stopped."""
        assert timeout > 0
        note(self._place, "helper", "ended")


def _supervise(place: Path, works: list[tuple[Work, str, int]], constants: dict[str, float], helper: str) -> None:
    handle = os.open(place / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 2)
    import logging

    logging.basicConfig(stream=sys.__stderr__, level=logging.INFO, force=True)
    for name, value in constants.items():
        setattr(supervisor, name, value)

    def help_out() -> Served:
        if helper == "fails" and not (place / "helper-tried").exists():
            (place / "helper-tried").touch()
            raise WirewatchError("no server today")
        (place / "helper-dies").unlink(missing_ok=True)
        return Served(place)

    parts = [Part(name=name, work=_bound(work, place, name), order=order) for work, name, order in works]
    if helper:
        parts.append(Part(name="helper", helper=help_out, order=0))
    made = Supervisor(parts)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, made.stop)
    raise SystemExit(made.run())


def _bound(work: Work, place: Path, name: str) -> Callable[[], int]:
    return lambda: work(place, name)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Notes]]:
    """Give a function that supervises parts; nothing of them outlives the test."""
    begun: list[Notes] = []

    def begin(*works: tuple[Work, str, int], helper: str = "", **constants: float) -> Notes:
        found = Notes(tmp_path, start(_supervise, tmp_path, list(works), constants, helper))
        begun.append(found)
        return found

    yield begin
    for one in begun:
        one.process.kill()
        for noted in one.all("began"):
            with suppress(ProcessLookupError):
                os.kill(int(str(noted["pid"])), signal.SIGKILL)


def test_what_dies_is_started_again_after_waits_that_grow(supervise: Callable[..., Notes]) -> None:
    """Each at least twice the one before, up to the longest; the others do not notice."""
    notes = supervise((dutiful, "good", 0), (dying, "bad", 0), FIRST_WAIT=0.1, LONGEST_WAIT=0.35, _NAP=0.01)
    times = [float(str(one["at"])) for one in notes.wait("began", 6) if one["name"] == "bad"]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert [wait > least for wait, least in zip(waits, (0.1, 0.2, 0.35, 0.35), strict=False)] == [True] * len(waits)
    assert len(waits) == 4
    notes.tell(signal.SIGTERM)
    assert finish(notes.process) == 0
    said = notes.said()
    assert "bad died of exit code 3 after 0 s; started again in 0.1 s" in said
    assert "started again in 0.2 s" in said
    assert "started again in 0.3 s" in said
    assert "bad was started again" in said
    assert [one["name"] for one in notes.all("began")].count("good") == 1


def test_a_part_that_was_killed_is_started_again_and_the_signal_is_named(supervise: Callable[..., Notes]) -> None:
    """Clear of who died of what."""
    notes = supervise((dutiful, "worker", 0), FIRST_WAIT=0.05, _NAP=0.01)
    (first,) = notes.wait("began")
    os.kill(int(str(first["pid"])), signal.SIGKILL)
    second = notes.wait("began", 2)[1]
    assert second["pid"] != first["pid"]
    assert "worker died of signal 9 (SIGKILL)" in notes.said()


def test_a_death_and_a_signal_end_a_nap_however_long_it_is(supervise: Callable[..., Notes]) -> None:
    """It sleeps while nothing happens, and keeps nobody waiting when something does."""
    notes = supervise((dutiful, "worker", 0), (dutiful, "other", 0), FIRST_WAIT=0.05, _NAP=1000.0)
    first = notes.wait("began", 2)
    os.kill(int(str(first[0]["pid"])), signal.SIGKILL)
    assert notes.wait("began", 3)[2]["name"] == first[0]["name"]
    notes.tell(signal.SIGTERM)
    assert finish(notes.process) == 0
    assert notes.gone()


def test_a_part_that_cannot_be_started_stops_the_service(supervise: Callable[..., Notes]) -> None:
    """With exit code 2 and its reason; what runs is stopped in order."""
    notes = supervise((dutiful, "good", 0), (hopeless, "bad", 1), _NAP=0.05)
    assert finish(notes.process) == HOPELESS
    assert "bad: service.yaml: nonsense" in notes.said()
    assert "bad cannot be started; the service stops" in notes.said()
    assert [one["name"] for one in notes.all("ended")] == ["good"]
    assert len(notes.all("began")) == 2


def test_a_part_that_could_be_started_before_is_not_given_up(supervise: Callable[..., Notes]) -> None:
    """A file with a mistake and a process that dies: the rest of the service goes on by what is in force."""
    notes = supervise(
        (dutiful, "good", 0), (hopeless_later, "bad", 0), FIRST_WAIT=0.02, LONGEST_WAIT=0.02, _BEGUN=0.1, _NAP=0.01
    )
    notes.wait("began", 5)
    notes.tell(signal.SIGTERM)
    assert finish(notes.process) == 0
    assert "bad: service.yaml: nonsense" in notes.said()
    assert [one["name"] for one in notes.all("ended")] == ["good"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_parts_are_started_in_order_and_stopped_in_the_reverse(supervise: Callable[..., Notes], number: int) -> None:
    """Those of one order together, a round after the other; the helper, of the lowest, first and last."""
    notes = supervise((dutiful, "worker", 2), (dutiful, "beat", 1), (dutiful, "other", 2), helper="works")
    notes.wait("began", 3)
    notes.tell(number)
    assert finish(notes.process) == 0
    assert notes.all()[0]["what"] == "began helper"
    order = [one["name"] for one in notes.all("ended")]
    assert sorted(map(str, order[:2])) == ["other", "worker"]
    assert order[2:] == ["beat", "helper"]
    assert notes.gone()


def test_a_part_that_does_not_stop_is_killed_with_all_that_it_has_started(supervise: Callable[..., Notes]) -> None:
    """After its patience the supervisor has none."""
    notes = supervise((deaf, "deaf", 1), (dutiful, "good", 0), PATIENCE=0.3)
    notes.wait("began", 3)
    notes.tell(signal.SIGTERM)
    assert finish(notes.process) == 0
    assert "deaf did not stop within 0 s and was killed" in notes.said()
    assert [one["name"] for one in notes.all("ended")] == ["good"]
    assert notes.gone()


def test_parts_end_by_themselves_when_the_supervisor_is_killed(supervise: Callable[..., Notes]) -> None:
    """In order if they can, and else after a while."""
    notes = supervise((dutiful, "good", 0), (deaf_alone, "deaf", 0), _ORPHANED=0.3)
    notes.wait("began", 2)
    notes.tell(signal.SIGKILL)
    assert finish(notes.process) == -signal.SIGKILL
    assert notes.gone()
    assert [one["name"] for one in notes.all("ended")] == ["good"]
    assert "the supervisor has died; this part ends" in notes.said()


def deaf_alone(place: Path, name: str) -> int:
    """Ignore being told to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(place, name, "began")
    while True:
        time.sleep(1)


@pytest.mark.parametrize("helper", ["fails", "dies"])
def test_a_helper_that_fails_or_dies_is_started_again(
    supervise: Callable[..., Notes], tmp_path: Path, helper: str
) -> None:
    """It has no process of ours, and is asked whether it lives."""
    notes = supervise((dutiful, "good", 1), helper=helper, FIRST_WAIT=0.05, _NAP=0.01)
    notes.wait("began helper")
    if helper == "dies":
        (tmp_path / "helper-dies").touch()
        notes.wait("began helper", 2)
        assert "helper is gone" in notes.said()
    else:
        assert "helper no server today" in notes.said()
    notes.tell(signal.SIGTERM)
    assert finish(notes.process) == 0
    assert [one["name"] for one in notes.all("ended")] == ["good", "helper"]

"""Replays in processes of their own that are killed, and the count of what was told."""

from __future__ import annotations

import json
import signal
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path

from tests.processes import BY_RULE, ROOT, finish, kill_when, start
from worker.channels.base import Found
from worker.model import Outgoing
from worker.replay import recording, session
from worker.replay.recorder import Recorder
from worker.settings import Settings, load

SEEDS = ROOT / "seeds"


def replay(state: Path, recorder: type[Recorder] = Recorder) -> None:
    """Replay the seeds into ``state``, in this process; by rule alone, since it is the telling that is tested."""
    session.run(
        recording.load(SEEDS),
        _settings(),
        state=state,
        heard=lambda _: None,
        progress=lambda *_: None,
        recorder=recorder,
    )


@cache
def _settings() -> Settings:
    return load(BY_RULE, {})


def told(state: Path) -> Counter[str]:
    """Return how often each alert stands in the receiver's file."""
    return Counter(alert["alert"] for alert in session.told(state))


def lines(state: Path) -> int:
    """Return the number of whole lines in the receiver's file."""
    try:
        return (state / session.ALERTS).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


class Halting(Recorder):
    """A recorder that stops its process at one alert, before or after it is written, until it is killed.

    A file in the state directory says at which: ``before 2`` is before the second line is written.
    """

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Write the alert, or halt."""
        plan = self._file.path.with_name("halt")
        place, number = plan.read_text().split() if plan.exists() else ("", "0")
        here = int(number) == len(self._file.keys()) + 1
        if here and place == "before":
            _halt(plan)
        remote_id = super().send(message, now=now)
        if here and place == "after":
            _halt(plan)
        return remote_id


class BelievesItWasSent(Halting):
    """The mistake of marking before sending: an alert in doubt is taken for delivered."""

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Say so without asking."""
        del message, since
        return Found(arrived=True)


class BelievesItWasNotSent(Halting):
    """The mistake of sending again without asking."""

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Say so without asking."""
        del message, since
        return Found(arrived=False)


def _halt(plan: Path) -> None:
    plan.rename(plan.with_name("halted"))
    signal.pause()


def killed_there(state: Path, place: str, number: int, recorder: type[Recorder]) -> Counter[str]:
    """Kill a replay before or after its ``number``-th alert is written, run it again, and return what was told."""
    state.mkdir(parents=True)
    (state / "halt").write_text(f"{place} {number}")
    assert kill_when(start(replay, state, recorder), (state / "halted").exists)
    assert finish(start(replay, state, recorder)) == 0
    return told(state)


def dump(found: Counter[str]) -> str:
    """Return a count for an assertion's message."""
    return json.dumps(found, indent=1)

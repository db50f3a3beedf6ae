"""How long the command line takes to begin: ``wirewatch --help`` and ``--version`` in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.harness import Row, span

#: Fresh processes of a round; the least of them counts, since whatever else the machine does only adds.
_TIMES = 5
_GOAL_S = 0.3
_ROOT = Path(__file__).parents[2]


def rows(rounds: int) -> Iterable[Row]:
    """Yield CPU and wall seconds."""
    ours = ["-m", "worker.cli", "--help"]
    # Compiled code is kept, as it is where the package is installed.
    _once(ours)
    found = [(_least(ours), _least(["-c", "pass"])) for _ in range(rounds)]
    what = "`wirewatch --help` in a fresh process"
    beside = {"python alone, s": span(python[0] for _, python in found).median}
    yield Row(what=what, value=span(cpu for (cpu, _), _ in found), unit="s", goal=_GOAL_S, beside=beside)
    walls = span(wall for (_, wall), _ in found)
    yield Row(what=f"{what}, by the wall's clock", value=walls, unit="s", goal=_GOAL_S)


def _least(command: Sequence[str]) -> tuple[float, float]:
    times = [_once(command) for _ in range(_TIMES)]
    return min(cpu for cpu, _ in times), min(wall for _, wall in times)


def _once(command: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds and the wall's seconds of one process."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=_ROOT, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime, wall

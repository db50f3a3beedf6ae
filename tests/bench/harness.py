"""Measuring fairly: rounds in turn, CPU time of all the processes that work, medians and spread.

A comparison is a module of this folder with a function ``rows(rounds, ...)`` that yields ``Row``. A row has one figure
that is compared with one goal; where two things are wanted of a measurement, there are two rows. All times are CPU
times unless the row says otherwise: a shared machine takes the wall's.
"""

from __future__ import annotations

import gc
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psutil

#: By what share the spans of two runs are made wider when they are compared.
_WIDER = 0.1
#: Units of what a slower machine makes larger, and smaller: time, and things done in it. (Lag is in seconds late.)
_PACED = {"ms": "time", "s": "time", "%": "time", "a CPU second": "rate", "articles/s": "rate", "polls/s": "rate"}
#: What the machine's pace is measured with: words as news has them, some rare and some common.
_WORDS = " ".join(f"word{number * number % 997} and" for number in range(20_000))
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """CPU seconds of one contestant, a number for each round."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A figure of several rounds: the least, the middle and the greatest."""

    least: float
    median: float
    greatest: float

    def overlaps(self, other: Span, *, wider: float = 0.0) -> bool:
        """Return whether a value of one may be a value of the other, each span being made wider by a share."""
        return self.least * (1 - wider) <= other.greatest * (1 + wider) and other.least * (
            1 - wider
        ) <= self.greatest * (1 + wider)

    def times(self, factor: float) -> Span:
        """Return the span of the same values times a positive number."""
        return Span(least=self.least * factor, median=self.median * factor, greatest=self.greatest * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of a comparison."""

    #: Name of the comparison (``make bench ONLY=name``), set by ``run.py``.
    comparison: str = ""
    #: What was measured, in words and sizes; it does not change from run to run.
    what: str
    #: The figure that the goal is about.
    value: Span
    #: ``x`` for a ratio, else what the figure counts.
    unit: str
    goal: float | None = None
    #: Whether the goal is the most or the least that the figure may be.
    wanted: Literal["most", "least"] = "most"
    #: What else was seen: figures behind the ratio, percentiles, memory.
    beside: Mapping[str, Any] = field(default_factory=dict)
    #: The machine's pace while it was measured, as ``pace`` has it, set by ``run.py``; 0 where nobody knows.
    pace: float = 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the goal; ``None`` where there is none."""
        if self.goal is None:
            return None
        return self.value.median <= self.goal if self.wanted == "most" else self.value.median >= self.goal

    def to_json(self) -> dict[str, Any]:
        """Return the row for a JSON line, with ``met``; ``read_row`` gives it back."""
        return asdict(self) | {"met": self.is_met}

    def agrees(self, before: Row) -> bool:
        """Return whether the same row of another run came to the same, as far as the two can tell.

        That is, whether what the rounds of the one came to overlaps with what those of the other did, each a tenth
        wider than it was: two or three rounds of one minute do not show what another minute may bring. Of times, the
        other's are stretched by as much as the pace of the machine has changed since.
        """
        factor = self.pace / before.pace if self.pace and before.pace else 1.0
        slower = {"time": factor, "rate": 1 / factor}.get(_PACED.get(self.unit, ""), 1.0)
        scaled = before.value.times(slower)
        either = Span(
            least=min(scaled.least, before.value.least),
            median=scaled.median,
            greatest=max(scaled.greatest, before.value.greatest),
        )
        return self.value.overlaps(either, wider=_WIDER)


def read_row(data: Mapping[str, Any]) -> Row:
    """Return a row from what ``Row.to_json`` returned."""
    kept = {name: value for name, value in data.items() if name != "met"}
    return Row(**kept | {"value": Span(**data["value"])})


def compare(
    contestants: Mapping[str, Callable[[], float | None]], *, rounds: int, warm_up: int = 1
) -> dict[str, Figure]:
    """Let every contestant run in turn, ``rounds`` times after ``warm_up``, and return the CPU time of each.

    In turn, because the speed of a shared machine drifts, and each round in the other order than the one before. A
    contestant that returns a number has measured itself, in CPU seconds, as one must that works in other processes
    (``Processes``); of the others the CPU time of this process is taken.
    """
    for _ in range(warm_up):
        for work in contestants.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        order = list(contestants.items())
        for name, work in reversed(order) if number % 2 else order:
            gc.collect()
            began = time.process_time()
            own = work()
            seconds[name].append(time.process_time() - began if own is None else own)
    return {name: Figure(name=name, rounds=tuple(values)) for name, values in seconds.items()}


def pace() -> float:
    """Return the CPU milliseconds that a fixed piece of work takes now: words found and counted, the middle of nine."""
    took = []
    for _ in range(9):
        began = time.process_time()
        sorted(Counter(_WORD.findall(_WORDS)).items())
        took.append((time.process_time() - began) * 1000)
    return statistics.median(took)


def span(values: Iterable[float]) -> Span:
    """Return the span of at least one value."""
    listed = list(values)
    return Span(least=min(listed), median=statistics.median(listed), greatest=max(listed))


def ratio(a: Figure, b: Figure) -> Span:
    """Return how many times the cost of ``b`` the cost of ``a`` is, round by round."""
    return span(x / y for x, y in zip(a.rounds, b.rounds, strict=True))


def per_second(a: Figure, count: int) -> Span:
    """Return how many of ``count`` things done in a round a CPU second does."""
    return span(count / seconds for seconds in a.rounds)


def milliseconds(a: Figure, count: int) -> Span:
    """Return the CPU milliseconds of each of ``count`` things done in a round."""
    return span(seconds * 1000 / count for seconds in a.rounds)


class Processes:
    """The CPU time of processes with all that they started, ended children included.

    Linux counts it in steps of 10 ms a process, so that a measurement should take a second or more.
    """

    def __init__(self, *roots: int) -> None:
        """Watch the trees of processes with these ids."""
        self._roots = [psutil.Process(pid) for pid in roots]

    def seconds(self) -> float:
        """Return the CPU seconds that the trees have used so far."""
        return sum(_used(process) for process in self._all())

    def resident(self) -> dict[int, int]:
        """Return the resident memory of each process in bytes, by its id."""
        found = {}
        for process in self._all():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found[process.pid] = process.memory_info().rss
        return found

    def _all(self) -> list[psutil.Process]:
        every = {process.pid: process for root in self._roots for process in [root, *_children(root)]}
        return list(every.values())


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _used(process: psutil.Process) -> float:
    # Times of children are added to their parent's when it has waited for them, and not before.
    with suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:4]))
    return 0.0

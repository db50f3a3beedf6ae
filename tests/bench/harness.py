"""Measuring fairly: rounds in turn, CPU time, medians and spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """CPU seconds of one contestant over all rounds."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """The share by which the slowest round lies above the fastest."""
        return max(self.rounds) / min(self.rounds) - 1


def compare(contestants: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Figure]:
    """Run every contestant once to warm up, then in turn, and return the CPU time of each.

    In turn, because the speed of a shared machine drifts; CPU time, because others take the wall's.
    """
    for work in contestants.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            gc.collect()
            began = time.process_time()
            work()
            seconds[name].append(time.process_time() - began)
    return {name: Figure(name=name, rounds=tuple(values)) for name, values in seconds.items()}


def ratios(a: Figure, b: Figure) -> tuple[float, float, float]:
    """Return the least, the median and the greatest ratio of two contestants, round by round."""
    pairs = [x / y for x, y in zip(a.rounds, b.rounds, strict=True)]
    return min(pairs), statistics.median(pairs), max(pairs)

"""A stage at work on the wall clock: many rows in hand at once, none of them waiting for another.

A stage claims a batch, does it and records it. Here the doing is handed to threads, so that a row that takes its time
(a publisher who sends a byte a second) holds its own place and no other; what is done is recorded together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from worker.errors import WirewatchError
from worker.ledger.leases import Claim
from worker.live.hands import Hands
from worker.stages.pipeline import Outcome, Pipeline

T = TypeVar("T")
D = TypeVar("D")

_log = logging.getLogger("wirewatch")
#: Seconds after which a flow that found nothing due looks again.
_NAP = 0.25
#: Seconds that a result waits for others, to be recorded with them in one transaction.
_LINGER = 0.01
#: Seconds that a stop waits for what is in hand; the rest goes back to the ledger.
_GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Generic[T, D]):
    """The functions of a stage, as ``worker.stages.poll`` and ``worker.stages.read`` have them."""

    claim: Callable[..., tuple[list[Claim[T]], list[Outcome]]]
    do: Callable[..., D]
    record: Callable[..., list[Outcome]]
    release: Callable[..., None]


class Flow(Generic[T, D]):
    """One stage with its threads."""

    def __init__(self, p: Pipeline, steps: Steps[T, D], *, room: int, name: str) -> None:
        """Have at most ``room`` rows in hand at once."""
        self._p = p
        self._steps = steps
        self._room = room
        self._hands: Hands[Any, D] = Hands(room, name=name)
        self._in_hand: dict[Any, Claim[T]] = {}
        self._look_again = 0.0

    def serve(self, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
        """Work until ``stop`` is set. What is in hand then is finished, or given back when it takes long."""
        try:
            while not stop.is_set():
                self.turn(clock)
            until = time.monotonic() + _GRACE
            while self._in_hand and time.monotonic() < until:
                self._record(self._hands.take(timeout=0.1), clock)
        finally:
            if self._in_hand:
                self._steps.release(self._p, list(self._in_hand.values()), now=clock())
            self._hands.close()

    def turn(self, clock: Callable[[], datetime]) -> int:
        """Claim what there is room for, record what is done, and return how many rows were recorded."""
        free = self._room - len(self._in_hand)
        # A claim is a transaction: with few places free it waits until there are more, or until there is time.
        if free and time.monotonic() >= self._look_again and (free * 4 >= self._room or not self._in_hand):
            claims, outcomes = self._steps.claim(self._p, now=clock(), limit=free)
            for claim in claims:
                # By its mark: a row whose lease ran out, or that was changed, may be claimed while it is in hand.
                self._in_hand[claim.mark] = claim
                self._hands.give(claim.mark, self._work(claim, clock))
            if len(claims) + len(outcomes) < free:
                self._look_again = time.monotonic() + _NAP
        wait = max(self._look_again - time.monotonic(), 0.01) if free else _NAP
        return self._record(self._hands.take(timeout=wait, linger=_LINGER), clock)

    def _work(self, claim: Claim[T], clock: Callable[[], datetime]) -> Callable[[], D]:
        return lambda: self._steps.do(self._p, claim, now=clock())

    def _record(self, done: Sequence[tuple[Any, D | None]], clock: Callable[[], datetime]) -> int:
        for key, _ in done:
            del self._in_hand[key]
        results = [result for _, result in done if result is not None]
        self._record_all(results, clock)
        return len(results)

    def _record_all(self, results: Sequence[D], clock: Callable[[], datetime]) -> None:
        """Record results together; should one of them be impossible to record, the others are recorded without it."""
        try:
            if results:
                self._steps.record(self._p, results, now=clock())
        except WirewatchError:  # the ledger itself
            raise
        except Exception:  # noqa: BLE001 - a mistake of ours in one row must not take the others with it
            if len(results) > 1:
                for result in results:
                    self._record_all([result], clock)
            else:
                # Its attempt stays counted: it is tried again when the lease has run out, and after five it is dead.
                _log.exception("unexpected error; the row is tried again when its lease has run out")

"""A stage at work on the wall clock: many rows in hand at once, none of them waiting for another.

A stage claims a batch, does it and records it. Here the doing is handed to threads, so that a row that takes its time
(a publisher who sends a byte a second) holds its own place and no other; what is done is recorded together, by the
flow's own thread. New rows are claimed only while somebody has said ``go``: in the service that is a Celery task, in a
single process it is always so. What was in hand when the task ended is finished and recorded all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from worker.errors import DiskFull, LedgerAway, WirewatchError
from worker.ledger import overview
from worker.ledger.leases import Claim
from worker.live.hands import Hands
from worker.stages.pipeline import Outcome, Outdated, Pipeline

T = TypeVar("T")
D = TypeVar("D")

_log = logging.getLogger("wirewatch")
#: Seconds after which a flow that found nothing due looks again.
_NAP = 0.25
#: Seconds between two turns of a flow that claims nothing and has nothing in hand: ``go`` and ``close`` wake it.
_ASLEEP = 10.0
#: Seconds that a result waits at most for others, to be recorded with them in one transaction, and between two looks
#: for them. Of articles whose pages take half a second it saves a quarter of the CPU time.
_LINGER, _STEP = 0.1, 0.02
#: The part of the room that is free before more rows are claimed, unless ``_NAP`` seconds have passed: a claim is a
#: transaction.
_WORTH_A_CLAIM = 0.5
#: Seconds after which a ledger that was away is asked again.
_AGAIN = 1.0
#: How often it is said that a ledger is away.
_SAID = 30.0
#: Seconds that a stop waits for what is in hand; the rest goes back to the ledger.
GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Generic[T, D]):
    """The functions of a stage, as the modules of ``worker.stages`` have them."""

    claim: Callable[..., tuple[list[Claim[T]], list[Outcome]]]
    do: Callable[..., D]
    record: Callable[..., list[Outcome]]
    release: Callable[..., None]


class Flow(Generic[T, D]):
    """One stage with its threads.

    Args:
        p: What the stage works with.
        steps: The functions of the stage.
        room: How many rows are in hand at once at most.
        name: The stage: ``poll``, ``read`` or ``deliver``.
        clock: Gives the time of the ledger.
        heard: Is told what came of rows, in the flow's thread.
    """

    def __init__(
        self,
        p: Pipeline,
        steps: Steps[T, D],
        *,
        room: int,
        name: str,
        clock: Callable[[], datetime],
        heard: Callable[[Sequence[Outcome]], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._p, self._steps, self._room = p, steps, room
        self._clock, self._heard = clock, heard
        self._hands: Hands[Any, D] = Hands(room, name=name)
        self._in_hand: dict[Any, Claim[T]] = {}
        #: One that workers may have died of: it waits until nothing else is in hand, and keeps everything else waiting.
        self._suspect: Claim[T] | None = None
        self._unrecorded: list[D] = []
        self._look_again = self._claimed_at = 0.0
        self._said_again = 0.0
        #: How often ``go`` was said, and how often it had been said before the first look of those that found nothing.
        self._goes, self._empty = 0, -1
        self._idle_since = 0.0
        self._going = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        #: When the flow's thread last came round, on the monotonic clock: it hangs when that is long ago.
        self.turned_at = time.monotonic()
        #: Whether the ledger has a newer configuration than this flow works by.
        self.outdated = False
        #: What the ledger said when it could not be used; empty while it can be.
        self.away = ""
        #: What ended the flow, if anything has.
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the flow's thread; it claims nothing before ``go``."""
        self._thread = threading.Thread(target=self._serve, name=f"{self.name}-flow", daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Claim from now on."""
        self._goes += 1
        self._look_again = 0.0
        self._going.set()
        self._hands.nudge()

    def halt(self) -> None:
        """Claim nothing more; what is in hand is finished and recorded."""
        self._going.clear()

    @property
    def busy(self) -> bool:
        """Whether rows are in hand."""
        return bool(self._in_hand or self._unrecorded)

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return len(self._in_hand) >= self._room

    def idle(self, seconds: float = _NAP) -> bool:
        """Return whether nothing is in hand, and for so many seconds of this ``go`` nothing was found to claim."""
        return self._empty == self._goes and not self.busy and time.monotonic() - self._idle_since >= seconds

    def close(self, grace: float = GRACE) -> None:
        """Finish what is in hand, or give back what takes longer than ``grace`` seconds, and end the thread."""
        self.halt()
        until = time.monotonic() + grace
        while self.busy and self.error is None and time.monotonic() < until:
            time.sleep(0.02)
        self._ended.set()
        self._hands.nudge()
        if self._thread is not None:
            self._thread.join(grace)
        self._hands.close()
        self._give_back()

    def _give_back(self) -> None:
        left, self._in_hand = list(self._in_hand.values()), {}
        if not left:
            return
        try:
            self._steps.release(self._p, left, now=self._clock())
        except WirewatchError as error:
            # Their leases run out by themselves.
            _log.warning("%s rows=%d could not be given back: %s", self.name, len(left), error)

    def _serve(self) -> None:
        try:
            while not self._ended.is_set():
                self.turn()
                self.turned_at = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - whoever waits for this flow raises it, or ends the process
            self.error = error
            _log.exception("%s: the flow ended", self.name)

    def turn(self) -> int:
        """Claim what there is room for, record what is done, and return how many rows were recorded."""
        if self.away and not self._back():
            return 0
        try:
            self._claim()
            done = self._gathered(self._hands.take(timeout=self._wait()))
            if done:
                # All that these rows have left at the gates, in one question.
                self._p.gates.flush()
            return self._record(done)
        except (LedgerAway, DiskFull) as error:
            self._missed(error)
            return 0

    def _wait(self) -> float:
        if not self._going.is_set() and not self.busy:
            return _ASLEEP
        if not self._going.is_set() or self.full:
            return _NAP
        # By then there is a claim, whatever is free; what is done before ends the wait.
        claims_at = max(self._look_again, self._claimed_at + _NAP)
        return min(max(claims_at - time.monotonic(), 0.01), _NAP)

    def _gathered(self, done: list[tuple[Any, D | None]]) -> list[tuple[Any, D | None]]:
        """Return ``done`` with what else is done soon, as long as nobody has to wait for it but what is done."""
        until = time.monotonic() + _LINGER
        while 0 < len(done) < len(self._in_hand) and time.monotonic() < until and not self._may_claim(len(done)):
            time.sleep(_STEP)
            done += self._hands.take(timeout=0)
        return done

    def _may_claim(self, done: int = 0) -> bool:
        """Return whether there is room for a claim, ``done`` of the rows in hand being taken for none."""
        free = self._room - len(self._in_hand) + done
        now = time.monotonic()
        if not (self._going.is_set() and free and now >= self._look_again):
            return False
        worth_it = free >= self._room * _WORTH_A_CLAIM or now >= self._claimed_at + _NAP
        return worth_it and not (self.outdated or self._is_alone())

    def _claim(self) -> None:
        if not self._may_claim():
            return
        free = self._room - len(self._in_hand)
        goes, self._claimed_at = self._goes, time.monotonic()
        try:
            claims, outcomes = self._steps.claim(self._p, now=self._clock(), limit=free)
        except Outdated:
            self.outdated = True
            return
        for claim in claims:
            # By its mark: a row whose lease ran out, or that was changed, may be claimed while it is in hand.
            self._in_hand[claim.mark] = claim
            if claim.suspect:
                self._suspect = claim
            else:
                self._hands.give(claim.mark, self._work(claim))
        self._let_suspect()
        if outcomes:
            self._heard(outcomes)
        if len(claims) + len(outcomes) < free:
            self._look_again = time.monotonic() + _NAP
        if claims or outcomes:
            self._empty = -1
        elif self._empty != goes:
            self._empty, self._idle_since = goes, time.monotonic()

    def _is_alone(self) -> bool:
        """Return whether a row is in hand beside which there must be none."""
        return any(claim.suspect for claim in self._in_hand.values())

    def _let_suspect(self) -> None:
        """Have the row done that waits for being alone, if it is."""
        if self._suspect is not None and len(self._in_hand) == 1:
            claim, self._suspect = self._suspect, None
            self._hands.give(claim.mark, self._work(claim))

    def _work(self, claim: Claim[T]) -> Callable[[], D]:
        return lambda: self._steps.do(self._p, claim, now=self._clock())

    def _record(self, done: Sequence[tuple[Any, D | None]]) -> int:
        # Kept until it is written: a ledger that is away must not cost what was done.
        self._unrecorded += [result for _, result in done if result is not None]
        for key, _ in done:
            self._in_hand.pop(key, None)
        count = len(self._unrecorded)
        if count:
            self._record_all(list(self._unrecorded))
            self._unrecorded.clear()
        self._let_suspect()
        return count

    def _record_all(self, results: Sequence[D]) -> None:
        """Record results together; should one of them be impossible to record, the others are recorded without it."""
        try:
            self._heard(self._steps.record(self._p, results, now=self._clock()))
        except WirewatchError:  # the ledger itself
            raise
        except Exception:  # noqa: BLE001 - a mistake of ours in one row must not take the others with it
            if len(results) > 1:
                for result in results:
                    self._record_all([result])
            else:
                # Its attempt stays counted: it is tried again when the lease has run out, and after five it is dead.
                _log.exception("unexpected error; the row is tried again when its lease has run out")

    def _missed(self, error: WirewatchError) -> None:
        if not self.away or time.monotonic() >= self._said_again:
            _log.error("%s: %s; trying again", self.name, error)
            self._said_again = time.monotonic() + _SAID
        self.away = str(error)

    def _back(self) -> bool:
        """Return whether the ledger can be used again."""
        self._ended.wait(_AGAIN)
        try:
            with self._p.ledger.write() as t:
                overview.next_due(t, self.name)
            self._record([])
        except (LedgerAway, DiskFull) as error:
            self._missed(error)
            return False
        _log.warning("%s: the ledger answers again", self.name)
        self.away = ""
        return True

    def due_within(self, span: timedelta) -> bool:
        """Return whether something becomes due within ``span``.

        What is due already and was not claimed is not to be had now: an alert waits for one before it.
        """
        now = self._clock()
        with self._p.ledger.read() as t:
            due = overview.next_due(t, self.name, after=now)
        return due is not None and due <= now + span

"""What a worker process has open, and the shifts that it works.

A *shift* is what a Celery task does: a stage works while something is due, at most ``SHIFT`` seconds, over the ledger
and with nothing in the message. What is opened stays open from one shift to the next, until the ledger has a newer
configuration.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from worker.build.canary import heartbeat
from worker.errors import ConfigError, DiskFull, LedgerAway, WirewatchError
from worker.ledger import canary, overview, progress, snapshots, sweep
from worker.ledger.engine import Ledger
from worker.ledger.retention import Retention
from worker.live.celery_settings import STAGES
from worker.live.flow import GRACE, Flow, Steps
from worker.live.place import machine
from worker.model import Reason
from worker.settings import Service, Settings
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outcome, Pipeline

_log = logging.getLogger("wirewatch")

#: Seconds that a shift lasts at most, so that stages that share a process take turns.
SHIFT: Final = 20.0
#: A shift does not end when something is due within this time, a little more than it takes until the next tick.
LINGER: Final = timedelta(seconds=6)
#: How often each stage is woken although nothing is due: so that its progress shows that somebody would come.
ROUND: Final = timedelta(seconds=20)
#: How often what is older than the retention allows is erased, and how soon again while there is more.
_SWEEP_EVERY, _SWEEP_AGAIN = timedelta(hours=6), timedelta(seconds=15)
#: How soon the heartbeat's address is called again at the earliest.
_BEAT: Final = timedelta(seconds=15)
#: A canary that came through longer ago than so many should have come is not called for any more.
_STALE: Final = 3
#: Seconds without a turn after which a flow hangs: as long as a lease.
_HANGS: Final = 120.0
#: Seconds between two looks at a flow.
_NAP: Final = 0.1
#: What a task may meet when the ledger is away; it is tried again with the next tick.
AWAY: Final = (LedgerAway, DiskFull)

#: The functions of the stages.
STEPS: Final[Mapping[str, Steps[Any, Any]]] = {
    module.__name__.rpartition(".")[2]: Steps(
        claim=module.claim, do=module.do, record=module.record, release=module.release
    )
    for module in (poll, read, deliver)
}
#: What follows from a stage's rows: the stage that is woken, and the fact of an outcome that says so.
_NEXT: Final = {"poll": ("read", "new"), "read": ("deliver", "role")}


class Hung(WirewatchError):  # noqa: N818 - named for what it says, like its siblings
    """A stage did not come round: its process must end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How worker processes get what they work with; ``worker.live.service`` has the one of the service."""

    open_ledger: Callable[[], Ledger]
    #: The configuration in force and its generation.
    settings: Callable[[Ledger], tuple[Settings, int]]
    #: The pipeline of a configuration; what it opens is closed by the stack.
    pipeline: Callable[[Settings, Ledger, int, ExitStack], Pipeline]
    #: The clock of a ledger.
    clock: Callable[[Ledger], Callable[[], datetime]]
    #: Rows in hand at once, by stage.
    rooms: Mapping[str, int]
    #: Whether somebody ticks: wakes stages by the clock, and has old rows erased.
    ticks: bool = True
    #: A shift does not end when something becomes due within this time.
    linger: timedelta = LINGER
    #: Is told what came of rows.
    heard: Callable[[Sequence[Outcome]], None] = lambda _: None
    #: Is told when a shift of a stage begins, and returns what is called at its end.
    begun: Callable[[str], Callable[[], None]] = lambda _: lambda: None


class Station:
    """The stages of one worker process. Shifts of different stages may come one after another, never at once."""

    def __init__(self, plan: Plan, *, ring: Callable[[str], object], stopping: Callable[[], bool]) -> None:
        """Wake workers with ``ring``; ``stopping`` says whether to come to an end."""
        self._plan, self._ring, self._stopping = plan, ring, stopping
        self._ledger: Ledger | None = None
        self._clock: Callable[[], datetime] | None = None
        self._housekeeping: Housekeeping | None = None
        #: The configuration that a process goes by which has had ticks and no shift.
        self._seen: tuple[Settings, int] = Settings(), 0
        self._stack = ExitStack()
        self._settings = Settings()
        self._generation: int | None = None
        self._pipeline: Pipeline | None = None
        self._flows: dict[str, Flow[Any, Any]] = {}
        #: Stages that have got something to do, by what this process has recorded.
        self._following: set[str] = set()
        self._news = threading.Event()

    def shift(self, stage: str) -> bool:
        """Work at a stage until nothing is due soon or time is up; return whether there is more to do.

        Raises:
            Hung: the stage does not come round.
            WirewatchError: the ledger or the configuration cannot be used.
        """
        ended = self._plan.begun(stage)
        flow = self._flow(stage)
        self._keeping().note(stage, detail=f"generation {self._generation}")
        flow.go()
        try:
            more = self._watch(flow)
        finally:
            flow.halt()
        if flow.outdated:
            self._take_up()
            return True
        ended()
        return more

    def _watch(self, flow: Flow[Any, Any]) -> bool:
        """Stand by while a flow works, and wake the next stage for what it brings."""
        until = time.monotonic() + SHIFT
        look = ring = 0.0
        while time.monotonic() < until and not self._stopping():
            if self._news.wait(_NAP if self._plan.ticks else _NAP / 10):
                self._pass_on()
            if flow.error is not None or time.monotonic() - flow.turned_at > _HANGS:
                raise Hung(f"{flow.name}: the flow does not come round: {flow.error!r}")
            if flow.outdated or flow.away:
                return False
            # Others add rows while the clock goes on; where it does not, one look is enough.
            if flow.idle(_NAP * 3 if self._plan.linger else 0.0) and time.monotonic() >= look:
                if not flow.due_within(self._plan.linger):
                    return False
                look = time.monotonic() + 1.0
            if flow.full and self._plan.ticks and time.monotonic() >= ring:
                # Others may have hands free.
                self._ring(flow.name)
                ring = time.monotonic() + 1.0
        return True

    def stand_in(self) -> None:
        """Go on at the stages that this process has worked at, although nobody wakes it: the broker is away.

        May be called from another thread than shifts are, again and again.
        """
        ledger, clock = self._ledger, self._clock
        flows = [flow for flow in list(self._flows.values()) if not flow.outdated]
        if ledger is None or clock is None or not flows:
            return
        with suppress(*AWAY):
            Housekeeping(ledger, clock).note(*(flow.name for flow in flows), detail="without a broker")
        for flow in flows:
            flow.go()

    def stand_down(self) -> None:
        """Wait to be woken again."""
        for flow in list(self._flows.values()):
            flow.halt()

    def _pass_on(self) -> None:
        """Wake the stages that what was recorded is for."""
        self._news.clear()
        while self._following and self._plan.ticks:
            self._ring(self._following.pop())

    def tick(self) -> None:
        """Wake each stage that has something to do within the next ticks, and see to what is done now and then.

        Raises:
            WirewatchError: the ledger cannot be used.
        """
        if not self._plan.ticks:
            return
        ledger, clock = self._ledger_and_clock()
        now = clock()
        with ledger.write() as t:
            seen = progress.read(t)
            progress.note(t, "tick", now=now, machine=machine())
            due = [s for s in STAGES if (at := overview.next_due(t, s)) is not None and at <= now + LINGER]
            newest = snapshots.generation(t)
        quiet = [s for s in STAGES if s not in due and _is_due(seen.get(s), now, ROUND)]
        for stage in (*due, *quiet):
            self._ring(stage)
        service = self._configuration(ledger, newest).service
        self._keeping().sweep(service.retention)
        self._keeping().beat(service)

    def _flow(self, stage: str) -> Flow[Any, Any]:
        """Return the running flow of a stage, by the newest configuration."""
        ledger, clock = self._ledger_and_clock()
        with ledger.read() as t:
            newest = snapshots.generation(t)
        pipeline = self._pipeline if newest == self._generation else None
        if pipeline is None:
            pipeline = self._take_up()
        if stage not in self._flows:
            flow = Flow(
                pipeline,
                STEPS[stage],
                room=self._plan.rooms[stage],
                name=stage,
                clock=clock,
                heard=self._heard,
            )
            flow.start()
            self._flows[stage] = flow
        return self._flows[stage]

    def _ledger_and_clock(self) -> tuple[Ledger, Callable[[], datetime]]:
        if self._ledger is None or self._clock is None:
            ledger = self._plan.open_ledger()
            self._ledger, self._clock = ledger, self._plan.clock(ledger)
        return self._ledger, self._clock

    def _keeping(self) -> Housekeeping:
        if self._housekeeping is None:
            self._housekeeping = Housekeeping(*self._ledger_and_clock())
        return self._housekeeping

    def _configuration(self, ledger: Ledger, newest: int) -> Settings:
        """Return the configuration of this process; without one the newest, read once: it may take seconds."""
        if self._generation is not None:
            return self._settings
        if not newest or self._seen[1] != newest:
            self._seen = self._plan.settings(ledger)
        return self._seen[0]

    def _take_up(self) -> Pipeline:
        """Work by the newest configuration from now on; one that cannot be used here leaves the last one in force."""
        ledger, _ = self._ledger_and_clock()
        stack = ExitStack()
        try:
            settings, generation = self._plan.settings(ledger)
            pipeline = self._plan.pipeline(settings, ledger, generation, stack)
        except ConfigError as error:
            stack.close()
            return self._keep(ledger, error)
        self._let_go()
        self._stack, self._settings, self._pipeline, self._generation = stack, settings, pipeline, generation
        _log.info("generation %d in force: %d feeds, %d topics", generation, len(settings.feeds), len(settings.topics))
        return pipeline

    def _keep(self, ledger: Ledger, error: ConfigError) -> Pipeline:
        """Go on by the last configuration under the number of one that cannot be used here (a variable is missing)."""
        if self._pipeline is None:
            raise error
        with ledger.read() as t:
            generation = snapshots.generation(t)
        _log.error("generation %d cannot be used here, the last one stays in force: %s", generation, error)
        self._close_flows(GRACE)
        self._pipeline, self._generation = replace(self._pipeline, generation=generation), generation
        return self._pipeline

    def _heard(self, outcomes: Sequence[Outcome]) -> None:
        self._plan.heard(outcomes)
        for outcome in outcomes:
            following = _NEXT.get(outcome.stage)
            if following is not None and outcome.facts.get(following[1]):
                self._following.add(following[0])
                self._news.set()
            if outcome.reason is Reason.UNKNOWN:
                _log.warning("alert %s may or may not have arrived: %s", outcome.subject, outcome.detail)

    def _close_flows(self, grace: float) -> None:
        for flow in self._flows.values():
            flow.close(grace)
        self._flows.clear()

    def _let_go(self, grace: float = GRACE) -> None:
        self._close_flows(grace)
        self._stack.close()
        self._pipeline = None

    def close(self, grace: float = GRACE) -> None:
        """Finish or give back what is in hand, and close everything."""
        self._let_go(grace)
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = self._housekeeping = None


class Housekeeping:
    """What is done now and then besides the stages."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger, self._clock = ledger, clock
        #: Before when nobody needs to ask the ledger whether to sweep; a tick comes every few seconds.
        self._sweep_at: datetime | None = None

    def note(self, *names: str, detail: str = "") -> None:
        """Note that somebody works at these stages, or ticks."""
        with self._ledger.write() as t:
            for name in names:
                progress.note(t, name, now=self._clock(), detail=detail, machine=machine())

    def sweep(self, retention: Retention) -> None:
        """Erase what is older than ``retention`` allows, if that is due: a portion now, the next soon after."""
        now = self._clock()
        if self._sweep_at is not None and now < self._sweep_at:
            return
        with self._ledger.write() as t:
            last = progress.read(t).get("sweep")
            if last is not None and not _is_due(last, now, _SWEEP_EVERY):
                self._sweep_at = last.at + _SWEEP_EVERY
                return
            erased = sweep.sweep(t, retention, now=now)
            again = now - _SWEEP_EVERY + _SWEEP_AGAIN if any(erased.values()) else now
            progress.note(t, "sweep", now=again)
        _log.info("sweep %s", " ".join(f"{name}={count}" for name, count in erased.items()))

    def beat(self, service: Service) -> None:
        """Call the heartbeat's address, once for each canary that has come through of late."""
        every, now = service.heartbeat.every, self._clock()
        if not service.heartbeat.url:
            return
        with self._ledger.write() as t:
            arrived, last = canary.arrived_at(t), progress.read(t).get("heartbeat")
            # One whose call has failed for long says nothing of the present.
            if arrived is None or now - arrived > _STALE * every:
                return
            if last is not None and (last.detail == arrived.isoformat() or now - last.at < _BEAT):
                return
            # Before the call, so that of several that tick only one makes it.
            progress.note(t, "heartbeat", now=now, detail="called")
        failed = heartbeat(service).ping()
        with self._ledger.write() as t:
            progress.note(t, "heartbeat", now=now, detail=failed or arrived.isoformat())
            canary.forget(t, before=arrived - 2 * every)
        if failed:
            _log.error("%s; it is called again in %.0f s", failed, _BEAT.total_seconds())


def _is_due(last: progress.Progress | None, now: datetime, every: timedelta) -> bool:
    return last is None or now - last.at >= every

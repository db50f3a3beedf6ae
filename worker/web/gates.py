"""Gates: how often and how many at once a publisher's host is asked, whoever of us asks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from worker.web.network import Network

#: Refusals to answer in a row that close a gate.
FAILURES: Final = 5
#: How long it is closed then; each probe that fails doubles it, up to ``LONGEST_SHUT``.
SHUT: Final = timedelta(seconds=60)
LONGEST_SHUT: Final = timedelta(hours=1)
#: Few requests take as long, twice the deadline of one: a place taken before is of a worker that died, whose host is
#: to be asked again within a minute.
LEASE: Final = timedelta(seconds=60)
#: However long a host asks to be left alone, it is asked again after this.
LONGEST_HOLD: Final = timedelta(hours=24)
#: Hosts that nobody asked for so long are forgotten.
IDLE: Final = timedelta(hours=1)
#: Those who wait are spread over this much time at most; more of them share its slots.
HORIZON: Final = timedelta(hours=1)
#: When all places are taken, one of them may be free again after this (or after the gap, if that is longer).
BUSY: Final = timedelta(milliseconds=250)
#: Hosts with a gap of their own that are remembered; the oldest give way.
GAPS: Final = 10_000

_SWEEP: Final = timedelta(minutes=10)
_NONE: Final = timedelta()


class Gates(Protocol):
    """The gates of all hosts. Hosts are named as ``worker.url.host`` does."""

    def enter(self, host: str, *, now: datetime) -> datetime | None:
        """Take a place at ``host``: ``None`` when it was given, otherwise the time from which to ask for one again.

        Two that are refused are given times a gap apart, so that they do not meet again.
        """
        ...

    def enter_all(self, hosts: Sequence[str], *, now: datetime) -> list[datetime | None]:
        """Ask for a place at each of ``hosts``, one after the other, and return what ``enter`` says to each."""
        ...

    def leave(self, host: str, *, now: datetime, answered: bool) -> None:
        """Give a place back. ``answered`` is false when no answer came: many of those in a row close the gate."""
        ...

    def flush(self) -> None:
        """Give back now what was left and may still be kept to be given back together."""
        ...

    def hold(self, host: str, *, until: datetime, now: datetime) -> None:
        """Close the gate until a time, as the host has asked (RFC 9110 section 10.2.3)."""
        ...

    def slow(self, host: str, *, gap: timedelta) -> None:
        """Widen the host's gap to ``gap`` if it is narrower (the crawl delay of its robots.txt)."""
        ...


class OpenGates:
    """Gates that never refuse: for recorded webs, whose publishers feel nothing."""

    def enter(self, host: str, *, now: datetime) -> datetime | None:  # noqa: ARG002 - Gates' signature
        """Return ``None``."""
        return None

    def enter_all(self, hosts: Sequence[str], *, now: datetime) -> list[datetime | None]:  # noqa: ARG002 - as above
        """Return ``None`` for each."""
        return [None] * len(hosts)

    def leave(self, host: str, *, now: datetime, answered: bool) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def hold(self, host: str, *, until: datetime, now: datetime) -> None:
        """Do nothing."""

    def slow(self, host: str, *, gap: timedelta) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Closed:
    """A gate that nobody passes for now."""

    host: str
    until: datetime
    #: ``held``: the host has asked for it; ``circuit``: it did not answer.
    why: str


@dataclass(slots=True, kw_only=True)
class _Gate:
    """What is known of one host. Times are those that callers have given as ``now``."""

    used: datetime
    #: When those that are inside have entered, oldest first.
    inside: deque[datetime] = field(default_factory=deque)
    entered: datetime | None = None
    #: The last time that somebody was given to come back at.
    promised: datetime | None = None
    held: datetime | None = None
    failures: int = 0
    #: How often in a row the circuit was opened, and until when it is.
    shuts: int = 0
    shut: datetime | None = None

    def opens(self, gap: timedelta) -> datetime:
        """Return the earliest time at which somebody may enter if there is a place."""
        after = self.entered + gap if self.entered else None
        return max(filter(None, (after, self.held, self.shut)), default=self.used)

    def room(self, limit: int, now: datetime) -> bool:
        """Return whether a place is free; behind an open circuit there is one, for the probe."""
        while self.inside and self.inside[0] + LEASE < now:
            self.inside.popleft()
        return len(self.inside) < (1 if self.failures >= FAILURES else limit)

    def promise(self, first: datetime, gap: timedelta, now: datetime) -> datetime:
        """Return the slot for one more that waits; ``first`` is when the first may come."""
        waiting = self.promised is not None and self.promised > now
        slot = max(first, self.promised + gap) if waiting and self.promised else first
        self.promised = slot if slot - first <= HORIZON else first
        return self.promised

    def failed(self, now: datetime) -> None:
        """Count one that got no answer; those that were under way when the circuit opened open it no further."""
        self.failures += 1
        if self.failures >= FAILURES and (self.shut is None or self.shut <= now):
            self.shut = now + min(SHUT * 2 ** min(self.shuts, 10), LONGEST_SHUT)
            self.shuts += 1

    def answered(self) -> None:
        """Close the circuit: whatever the answer was, somebody is there."""
        self.failures = self.shuts = 0
        self.shut = None

    def closed(self, host: str, now: datetime) -> list[Closed]:
        """Return what keeps everybody out."""
        reasons = (("held", self.held), ("circuit", self.shut))
        return [Closed(host=host, until=until, why=why) for why, until in reasons if until and until > now]


class LocalGates:
    """Gates of one process, for all its threads.

    They read no clock: ``now`` must be the time of the call, or the gaps are those of the times that were given.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lock = threading.Lock()
        self._gates: dict[str, _Gate] = {}
        self._gaps: dict[str, timedelta] = {}
        self._sweep_at: datetime | None = None

    def enter(self, host: str, *, now: datetime) -> datetime | None:
        """See ``Gates.enter``."""
        with self._lock:
            self._sweep(now)
            gate, gap = self._gate(host, now), self._gap(host)
            opens = gate.opens(gap)
            if opens <= now and gate.room(self._network.per_host_concurrency, now):
                gate.inside.append(now)
                gate.entered = now
                return None
            return gate.promise(opens if opens > now else now + max(gap, BUSY), gap, now)

    def enter_all(self, hosts: Sequence[str], *, now: datetime) -> list[datetime | None]:
        """See ``Gates.enter_all``."""
        return [self.enter(host, now=now) for host in hosts]

    def flush(self) -> None:
        """Do nothing: what is left is given back at once."""

    def leave(self, host: str, *, now: datetime, answered: bool) -> None:
        """See ``Gates.leave``; who never entered may leave, too."""
        with self._lock:
            gate = self._gate(host, now)
            if gate.inside:
                gate.inside.popleft()
            if answered:
                gate.answered()
            else:
                gate.failed(now)

    def hold(self, host: str, *, until: datetime, now: datetime) -> None:
        """See ``Gates.hold``; no host is held longer than ``LONGEST_HOLD``, and none shorter than it was."""
        with self._lock:
            gate = self._gate(host, now)
            until = min(until, now + LONGEST_HOLD)
            gate.held = max(gate.held, until) if gate.held else until

    def slow(self, host: str, *, gap: timedelta) -> None:
        """See ``Gates.slow``."""
        with self._lock:
            widest = max(gap, self._gaps.pop(host, _NONE))
            self._gaps[host] = widest
            if len(self._gaps) > GAPS:
                del self._gaps[next(iter(self._gaps))]

    def state(self, host: str, *, now: datetime) -> tuple[Closed, ...]:
        """Return what keeps everybody from ``host`` now; nothing when its gate is open."""
        with self._lock:
            gate = self._gates.get(host)
            return tuple(gate.closed(host, now)) if gate else ()

    def report(self, now: datetime) -> tuple[Closed, ...]:
        """Return all gates that nobody passes now, by host."""
        with self._lock:
            return tuple(sorted(closed for host, gate in self._gates.items() for closed in gate.closed(host, now)))

    def inside(self, host: str) -> int:
        """Return how many have entered and not left."""
        with self._lock:
            return len(self._gates[host].inside) if host in self._gates else 0

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    @property
    def remembered(self) -> int:
        """How many hosts are remembered."""
        return len(self._gates)

    def _gate(self, host: str, now: datetime) -> _Gate:
        gate = self._gates.setdefault(host, _Gate(used=now))
        gate.used = max(gate.used, now)
        return gate

    def _gap(self, host: str) -> timedelta:
        return max(self._network.per_host_gap, self._gaps.get(host, _NONE))

    def _sweep(self, now: datetime) -> None:
        if self._sweep_at and now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP
        idle = [
            host
            for host, gate in self._gates.items()
            if max(filter(None, (gate.used, gate.held, gate.shut))) + IDLE <= now
        ]
        for host in idle:
            del self._gates[host]

"""Workers whose clock is turned by somebody else: the stages of a replay through real Celery and a real Valkey.

The processes are forked before the ledger is opened, since SQLite's connections must not be carried through a fork
(https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_file_across_a_fork), and begin when they are told.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from setproctitle import setproctitle

from worker.errors import WirewatchError
from worker.live import parts
from worker.live.celery_settings import STAGES
from worker.live.parent import die_with_parent
from worker.live.place import Place
from worker.live.station import Plan
from worker.model import Reason
from worker.stages.pipeline import Outcome

_log = logging.getLogger("wirewatch")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBER: Final = struct.Struct("<q")
#: Seconds that one stage may take for all that is due at one moment, and after which it is woken once more.
_PATIENCE, _AGAIN = 300.0, 10.0
_NAP: Final = 0.01


class Page:
    """Memory that the processes share: the time, and for each stage the last shift that was asked for and that is done.

    A shift may be one too many, asked for again because it seemed lost: what is done counts only for the number that
    was asked for when it began.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size * (1 + 2 * len(STAGES)))

    def now(self) -> datetime:
        """Return the time as it was turned."""
        return _EPOCH + self._number(0) * _MICROSECOND

    def turn(self, now: datetime) -> None:
        """Set the time."""
        self._write(0, (now - _EPOCH) // _MICROSECOND)

    def ask(self, stage: str) -> None:
        """Ask for another shift of a stage."""
        place = self._place(stage)
        self._write(place, self._number(place) + 1)

    def done(self, stage: str) -> bool:
        """Return whether the shift that was asked for last is done."""
        place = self._place(stage)
        return self._number(place) == self._number(place + 1)

    def begun(self, stage: str) -> Callable[[], None]:
        """Return what notes that the shift which begins now is done."""
        place = self._place(stage)
        number = self._number(place)
        return lambda: self._write(place + 1, number)

    @staticmethod
    def _place(stage: str) -> int:
        return 1 + 2 * STAGES.index(stage)

    def _number(self, place: int) -> int:
        return int(_NUMBER.unpack_from(self._memory, place * _NUMBER.size)[0])

    def _write(self, place: int, number: int) -> None:
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, number)


class Crew:
    """Workers that do what is due at a moment, stage by stage."""

    def __init__(self, page: Page, outcomes: Path) -> None:
        from worker.live.app import app  # noqa: PLC0415 - it belongs to a place, which was told by now
        from worker.live.bell import Bell  # noqa: PLC0415
        from worker.live.place import here  # noqa: PLC0415
        from worker.live.service import broker_of  # noqa: PLC0415

        self._page, self._outcomes, self._read = page, outcomes, 0
        self._bell = Bell(app, broker_of(here()).client())

    def now(self) -> datetime:
        """Return the time as it was turned last."""
        return self._page.now()

    def run(self, stage: str, now: datetime) -> list[Outcome]:
        """Have all that is due at a stage ``now`` done, and return what came of it.

        Raises:
            WirewatchError: the workers do not answer.
        """
        self._page.turn(now)
        self._page.ask(stage)
        until, again = time.monotonic() + _PATIENCE, 0.0
        while not self._page.done(stage):
            if time.monotonic() >= again:
                self._bell.ring(stage, bound=1)
                again = time.monotonic() + _AGAIN
            if time.monotonic() >= until:
                raise WirewatchError(
                    f"the workers did not end stage {stage} within {_PATIENCE:.0f} s; see the log above"
                )
            time.sleep(_NAP)
        return self._heard()

    def _heard(self) -> list[Outcome]:
        """Return what the workers have noted since the last call."""
        try:
            with self._outcomes.open("rb") as lines:
                lines.seek(self._read)
                new = lines.read()
        except FileNotFoundError:
            return []
        self._read += len(new)
        found = [json.loads(line) for line in new.splitlines()]
        return [Outcome(**values | {"reason": Reason(values["reason"])}) for values in found]

    def close(self) -> None:
        """Close the connections."""
        self._bell.close()


@contextmanager
def crew(plan: Callable[[], Plan], state: Path) -> Iterator[Callable[[], Crew]]:
    """Fork the workers of ``plan``, which begin when what is yielded is called; end them with the block.

    The clock, the rhythm and what hears of outcomes are the crew's own, whatever the plan says.
    """
    page, outcomes = Page(), state / "outcomes.jsonl"
    outcomes.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="wirewatch-") as nothing:
        # An empty configuration: an embedded server, whatever the service uses.
        place = Place(config=Path(nothing), state=state, named=True)
        before = dict(os.environ)
        place.tell(os.environ)
        ours, theirs = socket.socketpair()
        process = _fork(place, lambda: _led(plan(), page, outcomes), ours, theirs)
        theirs.close()
        begun: list[Crew] = []

        def begin() -> Crew:
            ours.sendall(b"!")
            begun.append(Crew(page, outcomes))
            return begun[0]

        try:
            yield begin
        finally:
            for one in begun:
                one.close()
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
            ours.close()
            os.waitpid(process, 0)
            os.environ.clear()
            os.environ.update(before)
            outcomes.unlink(missing_ok=True)


def _led(plan: Plan, page: Page, outcomes: Path) -> Plan:
    def heard(found: Sequence[Outcome]) -> None:
        lines = b"".join(json.dumps(_as_json(one)).encode() + b"\n" for one in found)
        handle = os.open(outcomes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, lines)
        finally:
            os.close(handle)

    return replace(
        plan,
        clock=lambda _: page.now,
        # One row at a time, so that what happens at one moment happens in one order.
        rooms=dict.fromkeys(STAGES, 1),
        ticks=False,
        linger=timedelta(0),
        heard=heard,
        begun=page.begun,
    )


def _as_json(one: Outcome) -> dict[str, object]:
    facts = {name: value if isinstance(value, bool | int) else str(value) for name, value in one.facts.items()}
    return {
        "stage": one.stage,
        "subject": one.subject,
        "reason": one.reason.value,
        "detail": one.detail,
        "facts": facts,
    }


def _fork(place: Place, plan: Callable[[], Plan], ours: socket.socket, theirs: socket.socket) -> int:
    parent, process = os.getpid(), os.fork()
    if process:
        return process
    code = 1
    try:
        # Whoever turns the clock may be killed, and nothing of this must go on without.
        die_with_parent(signal.SIGTERM, parent=parent)
        ours.close()
        setproctitle("wirewatch: replay")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if theirs.recv(1):
            from worker.live.app import App  # noqa: PLC0415 - it belongs to a place, which was told by now

            App.plan = staticmethod(plan)
            code = parts.supervise([parts.server(place), *parts.workers(1)], place)
    except BaseException:  # noqa: BLE001 - a forked process must not go on as the one it came from
        _log.exception("the workers of the replay ended")
    finally:
        logging.shutdown()
        os._exit(code)

"""The clock of the ledger, on a machine whose own is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from tests.builders import NOON
from worker.errors import LedgerAway
from worker.ledger.engine import Ledger, open_file
from worker.live.clock import LedgerClock, wall_clock


class Standing:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give an empty ledger in a file."""
    opened = open_file(tmp_path / "ledger.sqlite", durable=False)
    yield opened
    opened.close()


class Told:
    """What the database's clock says, in the place of ``Ledger.clock``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: datetime | None = NOON
        self.asked = 0
        monkeypatch.setattr(Ledger, "clock", lambda _: self._read())

    def _read(self) -> datetime:
        self.asked += 1
        if self.now is None:
            raise LedgerAway("away")
        return self.now


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Give a database whose clock is set by the test."""
    return Told(monkeypatch)


@pytest.mark.parametrize("wrong", [timedelta(hours=1), timedelta(days=-400)], ids=["ahead", "behind"])
def test_a_wrong_clock_of_the_machine_is_of_no_account(postgres_ledger: Ledger, wrong: timedelta) -> None:
    """What is written is by the server's clock, whatever this machine believes."""
    clock = LedgerClock(postgres_ledger)
    right = wall_clock()
    with time_machine.travel(right + wrong):
        assert abs(wall_clock() - right - wrong) < timedelta(minutes=5)
        assert abs(clock() - right) < timedelta(minutes=5)
        assert abs(LedgerClock(postgres_ledger)() - right) < timedelta(minutes=5)
        assert abs(postgres_ledger.clock() - right) < timedelta(minutes=5)


def test_a_ledger_in_a_file_has_the_clock_of_its_host(ledger: Ledger) -> None:
    """There is no other; it is aware and in UTC."""
    now = LedgerClock(ledger)()
    assert now.tzinfo is UTC
    assert abs(now - wall_clock()) < timedelta(minutes=5)


def test_between_two_readings_the_clock_goes_on_by_itself(ledger: Ledger, told: Told) -> None:
    """The database is asked every ten seconds and no oftener."""
    turning = Standing()
    clock = LedgerClock(ledger, monotonic=turning)
    assert (clock(), told.asked) == (NOON, 1)
    turning.seconds += 9.5
    assert (clock(), told.asked) == (NOON + timedelta(seconds=9.5), 1)
    turning.seconds += 1
    told.now = NOON + timedelta(seconds=12)
    assert (clock(), told.asked) == (NOON + timedelta(seconds=12), 2)
    turning.seconds += 1
    assert (clock(), told.asked) == (NOON + timedelta(seconds=13), 2)


def test_a_ledger_that_is_away_does_not_stop_the_clock(ledger: Ledger, told: Told) -> None:
    """It goes on from the last reading, asks again every ten seconds, and takes what it then hears."""
    turning = Standing()
    clock = LedgerClock(ledger, monotonic=turning)
    told.now = None
    for number in range(1, 7):
        turning.seconds += 10
        assert clock() == NOON + timedelta(seconds=10 * number)
    assert told.asked == 7
    told.now = NOON + timedelta(seconds=65)
    turning.seconds += 10
    assert clock() == NOON + timedelta(seconds=65)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
def test_a_jump_is_followed_when_it_is_said_twice(
    ledger: Ledger, told: Told, caplog: pytest.LogCaptureFixture, jump: timedelta
) -> None:
    """A reading that stands alone takes nobody's lease."""
    turning = Standing()
    clock = LedgerClock(ledger, monotonic=turning)
    told.now, turning.seconds = NOON + jump, turning.seconds + 10
    with caplog.at_level(logging.WARNING, "wirewatch"):
        assert clock() == NOON + timedelta(seconds=10)
    assert "seems to have jumped" in caplog.text
    told.now, turning.seconds = NOON + jump + timedelta(seconds=10), turning.seconds + 10
    assert clock() == told.now
    assert f"has jumped by {jump.total_seconds() - 10:.0f} s" in caplog.text


def test_a_jump_that_is_taken_back_was_none(ledger: Ledger, told: Told) -> None:
    """And two that say different things are not one jump."""
    turning = Standing()
    clock = LedgerClock(ledger, monotonic=turning)
    for minutes in (60, 0, 60, 180, 0.5):
        turning.seconds += 10
        told.now = NOON + timedelta(seconds=turning.seconds - 1000, minutes=minutes)
        assert abs(clock() - NOON - timedelta(seconds=turning.seconds - 1000)) <= timedelta(seconds=30)


def test_a_ledger_that_is_away_at_the_start_is_told(ledger: Ledger, told: Told) -> None:
    """Without a first reading there is no time to go by."""
    told.now = None
    with pytest.raises(LedgerAway):
        LedgerClock(ledger)


def test_one_thread_reads_while_the_others_go_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is slow to answer holds up one of them."""
    turning = Standing()
    asked, answer = threading.Event(), threading.Event()
    first = True

    def slow(_: Ledger) -> datetime:
        nonlocal first
        if not first:
            asked.set()
            assert answer.wait(30)
        first = False
        return NOON

    monkeypatch.setattr(Ledger, "clock", slow)
    clock = LedgerClock(ledger, monotonic=turning)
    turning.seconds += 10
    reader = threading.Thread(target=clock)
    reader.start()
    assert asked.wait(30)
    assert clock() == NOON + timedelta(seconds=10)
    answer.set()
    reader.join(30)
    assert clock() == NOON

"""A replay that dies at any of its transactions, one after the other, tells each alert exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults import harness
from tests.long import LONG
from worker.ledger.engine import Ledger, Transaction

_write = Ledger.write


class Died(BaseException):
    """Stands for the death of the process: nothing may catch it."""


class _Countdown:
    """Lets a number of transactions through and dies in the next, before or after its commit."""

    def __init__(self, allowed: int, *, committed: bool) -> None:
        self.seen = 0
        self._allowed = allowed
        self._committed = committed

    def as_method(self) -> Callable[[Ledger], AbstractContextManager[Transaction]]:
        """Return what stands in for ``Ledger.write`` until it is time to die."""

        def write(ledger: Ledger) -> AbstractContextManager[Transaction]:
            return self._counted(ledger)

        return write

    @contextmanager
    def _counted(self, ledger: Ledger) -> Iterator[Transaction]:
        self.seen += 1
        if self.seen <= self._allowed:
            with _write(ledger) as t:
                yield t
            return
        with _write(ledger) as t:
            yield t
            if not self._committed:
                raise Died
        raise Died


@pytest.mark.faults
@pytest.mark.parametrize("committed", [False, True], ids=["before-the-commit", "after-the-commit"])
def test_no_alert_is_lost_or_repeated_whichever_transaction_a_replay_dies_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    committed: bool,
) -> None:
    """Each transaction in turn (each third in the short form); then it runs again: each alert once."""
    whole = _Countdown(10**9, committed=committed)
    monkeypatch.setattr(Ledger, "write", whole.as_method())
    harness.replay(tmp_path / "whole")
    keys = Counter(set(harness.told(tmp_path / "whole")))
    assert len(keys) == 5
    for allowed in range(0, whole.seen, 1 if LONG else 6):
        state = tmp_path / str(allowed)
        monkeypatch.setattr(Ledger, "write", _Countdown(allowed, committed=committed).as_method())
        with pytest.raises(Died):
            harness.replay(state)
        monkeypatch.setattr(Ledger, "write", _write)
        harness.replay(state)
        assert harness.told(state) == keys, f"died in transaction {allowed}"

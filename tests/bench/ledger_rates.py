"""How many rows the ledger takes and gives a CPU-second, and whether the cost grows with what it remembers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.bench.harness import compare
from tests.builders import NOON, entry
from tests.rows import new
from worker.ledger import entries
from worker.ledger.engine import Ledger, open_file
from worker.model import Reason

_ROWS, _BATCH = 1000, 10
_SIZES = (0, 100_000)


def rows(rounds: int) -> list[dict[str, Any]]:
    """Return the rows of this comparison: inserts and claims on an empty ledger and on one with a past."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        ledgers = {size: _with_past(Path(folder) / f"{size}.sqlite", size) for size in _SIZES}
        numbers = iter(range(10**9, 2 * 10**9, _ROWS))
        work = {
            f"{size} rows": (lambda ledger=ledger: _round(ledger, next(numbers))) for size, ledger in ledgers.items()
        }
        figures = compare(work, rounds=rounds)
        base = figures[f"{_SIZES[0]} rows"].median
        for name, figure in figures.items():
            found.append(
                {
                    "what": f"ledger with {name} of past: insert, claim by {_BATCH} and finish an entry",
                    "ours_ms": round(figure.median / _ROWS * 1000, 3),
                    "per_s": round(_ROWS / figure.median),
                    "ratio": round(figure.median / base, 2),
                    "goal": "<= 1.5 of the empty one",
                }
            )
        for ledger in ledgers.values():
            ledger.close()
    return found


def _with_past(path: Path, size: int) -> Ledger:
    ledger = open_file(path, durable=False)
    for start in range(0, size, 10_000):
        with ledger.write() as t:
            past = [entry(n) for n in range(start, start + 10_000)]
            entries.add(t, new(*past, reason=Reason.BASELINE), now=NOON)
    return ledger


def _round(ledger: Ledger, first: int) -> None:
    with ledger.write() as t:
        late = new(*(entry(n) for n in range(first, first + _ROWS)))
        assert len(entries.add(t, late, now=NOON)) == _ROWS
    done = 0
    while True:
        with ledger.write() as t:
            claims = entries.claim(t, now=NOON, limit=_BATCH)
        for claim in claims:
            with ledger.write() as t:
                entries.finish(t, claim, reason=Reason.PAGE)
        done += len(claims)
        if not claims:
            break
    assert done == _ROWS

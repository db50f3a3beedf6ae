"""Progress: when each part of the service has last come round, told by itself. Health is read off it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from worker.ledger.engine import Transaction
from worker.ledger.inserts import insertion
from worker.ledger.ready import Ready
from worker.ledger.tables import progress

#: Stands between the name of a part and that of the machine on which it has come round.
_ON: Final = "@"

#: The part that puts configurations in force: its detail is why the last one was not, and empty when it was.
RELOAD: Final = "reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """When a part of the service has last come round, and what it has said of it."""

    at: datetime
    detail: str


def note(t: Transaction, name: str, *, now: datetime, detail: str = "", machine: str = "") -> None:
    """Write that the part ``name`` has come round ``now``, over what it had said before.

    With ``machine`` the same is written of the part on that machine.
    """
    names = (name, f"{name}{_ON}{machine}") if machine else (name,)
    _NOTING.run_all(t, [{"name": said, "at": now, "detail": detail} for said in names])


def _noting(dialect: str) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    noting = insertion(dialect, progress)
    new = {"at": noting.excluded.at, "detail": noting.excluded.detail}
    return noting.on_conflict_do_update(index_elements=[progress.c.name], set_=new)


# Every few seconds, also while there is nothing to do.
_NOTING: Final = Ready(_noting, "name", "at", "detail")


def read(t: Transaction) -> dict[str, Progress]:
    """Return what each part has said last, by name, on whichever machine."""
    wanted = progress.c.name.not_like(f"%{_ON}%")
    return {row.name: Progress(at=row.at, detail=row.detail) for row in t.execute(select(progress).where(wanted))}


def read_of(t: Transaction, machine: str) -> dict[str, Progress]:
    """Return what each part has said last on one machine, by name."""
    end = f"{_ON}{machine}"
    rows = t.execute(select(progress).where(progress.c.name.endswith(end, autoescape=True)))
    # On SQLite LIKE takes a for A.
    return {
        row.name.removesuffix(end): Progress(at=row.at, detail=row.detail) for row in rows if row.name.endswith(end)
    }

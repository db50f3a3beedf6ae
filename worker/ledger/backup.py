"""A copy of a ledger in a file, taken while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from worker.errors import DiskFull, LedgerUnusable

#: Seconds that a copy waits for whoever holds the ledger.
_PATIENCE: Final = 10.0
_FULL: Final = "full"


def copy_file(source: Path, target: Path) -> int:
    """Copy the SQLite ledger at ``source`` to ``target``, check the copy, and return its size in bytes.

    The copy holds the ledger as it is at one moment (https://www.sqlite.org/backup.html), and stands under its name
    only when it is whole and on disk.

    Raises:
        LedgerUnusable: the ledger cannot be read, the copy cannot be written or does not pass SQLite's check, or there
            is something at ``target``.
        DiskFull: there is no room for the copy.
    """
    if target.exists():
        raise LedgerUnusable(f"{target}: is there already; name another file, or remove it first")
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        _copy(source, part)
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.rename(target)
    except sqlite3.Error as error:
        kind: type[DiskFull | LedgerUnusable] = DiskFull if _FULL in str(error) else LedgerUnusable
        raise kind(f"{source}: the copy to {target} failed: {error}") from error
    except OSError as error:
        raise LedgerUnusable(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    address = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as ledger,
        closing(sqlite3.connect(part)) as copy,
    ):
        # In one step: in several it begins anew whenever somebody writes. With a write-ahead log nobody waits for it.
        ledger.backup(copy, pages=-1)
        # One file and no log beside it, so that it can be moved.
        copy.execute("PRAGMA journal_mode=DELETE")
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {found}")

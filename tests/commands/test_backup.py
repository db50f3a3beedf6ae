"""A copy of the ledger: whole while others write, checked, and good to go on from."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.builders import NOON
from tests.processes import wirewatch
from worker.errors import LedgerUnusable
from worker.ledger import tallies
from worker.ledger.backup import copy_file
from worker.ledger.engine import open_file
from worker.ledger.tables import tally

_OTHER = "the same as the first"


def test_a_copy_made_while_others_write_is_one_state_of_the_ledger(tmp_path: Path) -> None:
    """Each transaction writes two rows; in the copy there is never one without the other."""
    source = tmp_path / "state" / "ledger.sqlite"
    stop = threading.Event()
    with closing(open_file(source, durable=False)) as ledger:

        def write() -> None:
            number = 0
            while not stop.is_set():
                with ledger.write() as t:
                    for name in ("first", "second"):
                        tallies.count(t, name, str(number), now=NOON + timedelta(days=number % 30), n=number)
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                assert copy_file(source, tmp_path / f"{number}.sqlite") > 0
        finally:
            stop.set()
            writer.join()
    sizes = []
    for number in range(5):
        with closing(open_file(tmp_path / f"{number}.sqlite")) as copy, copy.read() as t:
            rows = t.execute(select(tally.c.name, func.count()).group_by(tally.c.name))
            found: dict[str, int] = {row[0]: row[1] for row in rows}
            assert found.get("first") == found.get("second")
            sizes.append(found.get("first", 0))
    assert sizes == sorted(sizes)
    assert sizes[-1] > 0


def test_the_command_copies_and_a_restored_ledger_is_gone_on_from(tmp_path: Path) -> None:
    """The file is put in the place of the ledger, as its help says."""
    (tmp_path / "config").mkdir()
    with closing(open_file(tmp_path / ".wirewatch" / "ledger.sqlite")) as ledger, ledger.write() as t:
        tallies.count(t, "reads", "page", now=NOON)
    found = wirewatch("backup", "copy.sqlite", cwd=tmp_path)
    assert (found.code, found.out.split(":")[0]) == (0, "copy.sqlite")
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (tmp_path / ".wirewatch" / name).unlink(missing_ok=True)
    (tmp_path / "copy.sqlite").rename(tmp_path / ".wirewatch" / "ledger.sqlite")
    with closing(open_file(tmp_path / ".wirewatch" / "ledger.sqlite")) as ledger, ledger.read() as t:
        assert tallies.totals(t) == {("reads", ("page",)): 1}


def test_what_is_there_is_not_written_over_and_what_is_no_ledger_not_copied(tmp_path: Path) -> None:
    """Each error names the file and leaves nothing behind."""
    source = tmp_path / "ledger.sqlite"
    source.write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(LedgerUnusable, match=r"ledger\.sqlite: the copy to .* failed"):
        copy_file(source, tmp_path / "copy.sqlite")
    with pytest.raises(LedgerUnusable, match="is there already"):
        copy_file(source, source)
    with pytest.raises(LedgerUnusable):
        copy_file(source, tmp_path / "nowhere" / "copy.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.sqlite"]


def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    """A page of the ledger that was overwritten is found by the check."""
    source = tmp_path / "ledger.sqlite"
    with closing(open_file(source)) as ledger, ledger.write() as t:
        for number in range(3000):
            tallies.count(t, "reads", f"outcome-{number}-{_OTHER * 3}", now=NOON)
    with closing(sqlite3.connect(source)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tally'").fetchone()
    data = bytearray(source.read_bytes())
    for page in range(root - 1, len(data) // 4096):
        data[page * 4096 + 2000 : page * 4096 + 2400] = b"\xff" * 400
    source.write_bytes(data)
    with pytest.raises(LedgerUnusable, match="failed"):
        copy_file(source, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


def test_there_must_be_a_ledger_of_this_machine(tmp_path: Path) -> None:
    """Errors of usage say what to do instead."""
    (tmp_path / "config").mkdir()
    assert "no ledger here" in wirewatch("backup", "copy.sqlite", cwd=tmp_path).err
    (tmp_path / "config" / "service.yaml").write_text("ledger: postgresql+psycopg://u@127.0.0.1/x\n")
    found = wirewatch("backup", "copy.sqlite", cwd=tmp_path)
    assert found.code == 2
    assert "pg_dump" in found.err

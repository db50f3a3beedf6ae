"""Ledgers for the tests of the edges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.ledger.engine import Ledger, open_file


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give an empty ledger in a file."""
    opened = open_file(tmp_path / "ledger.sqlite", durable=False)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def either_ledger(request: pytest.FixtureRequest) -> Ledger:
    """Give an empty ledger in a file, and then one in PostgreSQL."""
    if request.param == "sqlite":
        found: Ledger = request.getfixturevalue("ledger")
        return found
    empty: Ledger = request.getfixturevalue("postgres_ledger")
    return empty

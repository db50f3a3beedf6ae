"""Ledgers whose metrics are looked at."""

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

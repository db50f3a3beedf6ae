"""Ledgers and consoles for the tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.console import desks
from tests.edges.conftest import either_ledger, ledger
from worker.ledger.engine import Ledger

__all__ = ["browser", "either_ledger", "ledger"]


@pytest.fixture
def browser(ledger: Ledger, tmp_path: Path) -> Iterator[TestClient]:
    """Give a console without a token over ``ledger``, an empty one in a file, as a browser sees it."""
    with desks.client(desks.desk(ledger, state=tmp_path)) as opened:
        yield opened

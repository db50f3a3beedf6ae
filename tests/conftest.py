"""What tests of several kinds need: a PostgreSQL server, started by the first that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the subjects' tests come by here, too, and need no database
    from worker.ledger.engine import Ledger


@pytest.fixture(scope="session")
def _server() -> Iterator[Ledger]:
    from tests import postgres
    from worker.ledger.engine import Ledger

    with postgres.server() as url:
        opened = Ledger(url)
        yield opened
        opened.close()


@pytest.fixture
def postgres_ledger(_server: Ledger) -> Ledger:
    """Give an empty ledger in a PostgreSQL server of the tests' own."""
    from worker.ledger.tables import metadata

    with _server.write() as t:
        for table in metadata.sorted_tables:
            t.execute(table.delete())
    return _server

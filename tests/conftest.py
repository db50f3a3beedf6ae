"""What tests of several kinds need: a PostgreSQL server, started by the first that asks for it, and their order."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import schedule
from tests.long import LONG

if TYPE_CHECKING:  # the subjects' tests come by here, too, and need no database
    from worker.ledger.engine import Ledger


# Every run looks elsewhere. No law is about time: the machine may be busy with other tests.
settings.register_profile("wirewatch", max_examples=200 if LONG else 50, deadline=None)
settings.load_profile("wirewatch")


# Collecting leaves hardly any garbage, and to look for it is a third of what collecting costs each worker.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among the tests and what they have imported, all of which stays."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; among equals the order is that of pytest-randomly."""
    items[:] = schedule.ordered(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> schedule.Scheduling:
    """Hand out tests to the workers as ``tests.schedule`` says."""
    return schedule.Scheduling(config, log)


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

    # What connections remember of an earlier ledger goes with them.
    _server.close()
    with _server.write() as t:
        for table in metadata.sorted_tables:
            t.execute(table.delete())
    return _server

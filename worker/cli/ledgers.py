"""The ledgers that commands answer from."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, config_dir, state_dir

if TYPE_CHECKING:
    from worker.ledger.engine import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A ledger that a command has before it, and whether it is that of replays and not the service's."""

    ledger: Ledger
    recorded: bool


def ledgers() -> Generator[Opened]:
    """Yield the service's ledger, as service.yaml names it, and then those of replays; each is closed after its turn.

    Raises:
        worker.errors.ConfigError: service.yaml is wrong.
        worker.errors.LedgerError: a ledger cannot be used.
    """
    from worker import build
    from worker.ledger.engine import open_file
    from worker.replay import session
    from worker.settings import load_service

    state = state_dir() or DEFAULT_STATE
    service = load_service(config_dir()[0], os.environ)
    if build.ledger_exists(service, state):
        with closing(build.open_ledger(service, state)) as ledger:
            yield Opened(ledger=ledger, recorded=False)
    for place in session.ledgers(state):
        with closing(open_file(place)) as ledger:
            yield Opened(ledger=ledger, recorded=True)


@contextmanager
def first_ledger() -> Iterator[Opened | None]:
    """Yield the first of ``ledgers``, ``None`` when there is none."""
    with closing(ledgers()) as found:
        yield next(found, None)


def none_here() -> click.UsageError:
    """Return the error of a command that finds no ledger."""
    state = state_dir() or DEFAULT_STATE
    return click.UsageError(f"{state}: no ledger here; run or replay something first, or name another with --state")

"""``backup``: the ledger in a file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, say, state_dir


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@common
def backup(*, file: Path) -> None:
    """Copy the ledger to FILE, also while the service runs, and check the copy.

    For a ledger of this machine (SQLite); one in PostgreSQL is copied with pg_dump. To restore: stop the service, put
    FILE in the place of ledger.sqlite in the state directory, remove ledger.sqlite-wal and ledger.sqlite-shm there, and
    start. What was told after the copy was made is then told again where the channel cannot be asked whether it has it.
    """
    from worker import build
    from worker.ledger.backup import copy_file
    from worker.settings import load_service

    state = state_dir() or DEFAULT_STATE
    service = load_service(config_dir()[0], os.environ)
    if service.ledger != "sqlite":
        raise click.UsageError("the ledger is in PostgreSQL: copy it with pg_dump, which may run at any time as well")
    source = state / build.SERVICE_LEDGER
    if not source.exists():
        raise click.UsageError(f"{state}: no ledger here; name another directory with --state")
    size = copy_file(source, file)
    say(f"{file}: {size / 1024 / 1024:.1f} MiB, whole and checked")

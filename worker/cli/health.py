"""``health`` and ``migrate``: what containers ask and need."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, say, state_dir

if TYPE_CHECKING:
    from worker.live.place import Place


@click.command()
@click.argument("part", required=False, type=click.Choice(["scheduler", "worker", "console"]))
@common
def health(*, part: str | None) -> int:
    """Say whether PART does its work on this machine, or without PART, whether the whole service does.

    For the health checks of containers. Scheduler and workers write into the ledger that they come round, under the
    name of their machine, and that is what is asked; the console is asked itself. Exit code 1 when not healthy, with
    the reason.
    """
    place = _place()
    reasons = _whole(place) if part is None else [_of_console(place) if part == "console" else _of_part(place, part)]
    found = [reason for reason in reasons if reason]
    say("; ".join(found) or "healthy")
    return 1 if found else 0


def _whole(place: Place) -> list[str]:
    from worker.live.reporter import Reporter

    why_not: list[str] = Reporter(place)()["why_not"]
    return why_not


def _of_console(place: Place) -> str:
    from worker.live.health import why_no_console
    from worker.settings import load_service

    return why_no_console(load_service(place.config, os.environ).console)


def _of_part(place: Place, part: str) -> str:
    from worker import build
    from worker.ledger import progress
    from worker.live.health import why_not
    from worker.live.place import machine
    from worker.settings import load_service

    service = load_service(place.config, os.environ)
    if not build.ledger_exists(service, place.state):
        return f"{part}: there is no ledger yet"
    with closing(build.open_ledger(service, place.state)) as ledger:
        with ledger.read() as t:
            seen = progress.read_of(t, machine())
        return why_not(part, seen, machine=machine(), now=ledger.clock())


@click.command()
@common
def migrate() -> None:
    """Bring the ledger to the schema of this version, and do nothing else.

    Every part does that when it starts, one after the other; run it first where an upgrade should fail before anything
    is started. A server that is away is waited for, a minute at most.
    """
    from worker.live import parts

    say(f"{parts.migrate(_place())}: up to date")


def _place() -> Place:
    from worker.live.place import Place

    directory, named = config_dir()
    place = Place(config=directory, state=state_dir() or DEFAULT_STATE, named=named)
    place.tell(os.environ)
    return place

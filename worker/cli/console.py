"""``console``: the service over HTTP."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, say, state_dir

if TYPE_CHECKING:
    from worker.console.desk import Desk, Opened
    from worker.console.server import Application
    from worker.live.place import Place
    from worker.settings import Console, Service

_log = logging.getLogger("wirewatch")


@click.command()
@common
def console() -> int:
    """Show the service in a browser, at console.listen of service.yaml.

    Stories and their evidence, search, topics and a workbench for them, feeds, deliveries, dead letters, silences, and
    the health of it all; the ledger of a replay is shown where the service has none yet. Programs ask /healthz (this
    process lives), /readyz (the service does its work; 503 with the reasons when it does not) and /status (the object
    of `wirewatch status --json`). `wirewatch run` has a console of its own.

    On an address that others can reach it needs a token: console.token, or WIREWATCH_TOKEN. The login page asks for
    it, and programs send it as `Authorization: Bearer TOKEN`.
    """
    from worker.live.place import Place
    from worker.settings import load_service

    directory, named = config_dir()
    place = Place(config=directory, state=state_dir() or DEFAULT_STATE, named=named)
    place.tell(os.environ)
    must_be_closed(load_service(place.config, os.environ).console)
    return serve(place, greet=True)


def must_be_closed(address: Console) -> None:
    """Refuse an address that others reach while no token is asked for.

    Raises:
        click.UsageError: it is one; the text says what to do.
    """
    from worker.console.exposure import refusal

    if why := refusal(address.host, token=address.token):
        raise click.UsageError(why)


def serve(place: Place, *, greet: bool = False) -> int:
    """Serve the console of a service until it is told to stop, and return an exit code."""
    from worker.console import server

    made, address = _made(place)
    if greet:
        say(f"console: {address_of(address)}; Ctrl-C stops", err=True)
    code = server.serve(made, host=address.host, port=address.port)
    if code:
        _taken(address)
    return code


def address_of(console: Console) -> str:
    """Return where a browser finds the console, on this machine."""
    host = f"[{console.host}]" if ":" in console.host else console.host
    return f"http://{host}:{console.port}/"


def beside(place: Place) -> AbstractContextManager[None]:
    """Return what serves the console of a service in a thread of this process, while it is entered."""
    from worker.console import server

    made, address = _made(place)
    return server.beside(made, host=address.host, port=address.port, failed=lambda: _taken(address))


def _made(place: Place) -> tuple[Application, Console]:
    from worker.console import app
    from worker.live.cage import Cage
    from worker.live.clock import wall_clock
    from worker.live.readers import caged
    from worker.live.reporter import Reporter
    from worker.settings import load_service

    service = load_service(place.config, os.environ)
    address, desk = service.console, _desk(place, service)
    made = app.make(
        Reporter(place),
        host=address.host,
        token=address.token,
        desk=desk,
        clock=wall_clock,
        metrics=_metrics(place, desk),
    )
    # A page that a topic is tried on is a stranger's as much as any other; nothing is started before there is one.
    made.state.read_page = caged(Cage(1)).page
    return made, address


def _taken(address: Console) -> None:
    _log.error(
        "console: %s:%d cannot be had; choose another with console.listen in service.yaml", address.host, address.port
    )


def _desk(place: Place, service: Service) -> Desk:
    from worker.console.desk import Desk
    from worker.live.report import feed_list, report
    from worker.live.reporter import settings_in_force
    from worker.settings import load

    return Desk(
        open_ledger=_opener(place, service),
        in_force=settings_in_force,
        own=lambda: load(place.config, os.environ, required=place.named),
        report=lambda opened, settings, now: report(
            opened.ledger, settings, now=now, recorded=opened.recorded, matches=False
        ),
        feeds=lambda t, settings, recorded: feed_list(t, settings, recorded=recorded),
        state=place.state,
    )


def _metrics(place: Place, desk: Desk) -> Callable[[], tuple[bytes, str]]:
    from worker.console.exposition import Exporter
    from worker.console.readings import Reader
    from worker.live.outside import Outside

    reader = Reader(Outside(place))
    return Exporter(lambda: reader.take(desk.ledger, desk.settings()))


def _opener(place: Place, service: Service) -> Callable[[], Opened | None]:
    """Return what opens the service's ledger, or, while there is none, that of the last replay."""
    from worker import build
    from worker.console.desk import Opened
    from worker.ledger.engine import open_file
    from worker.replay import session

    replayed: dict[Path, Opened] = {}

    def open_ledger() -> Opened | None:
        if build.ledger_exists(service, place.state):
            return Opened(ledger=build.open_ledger(service, place.state))
        for found in session.ledgers(place.state):
            # Asked again and again until the service has one.
            if found not in replayed:
                replayed[found] = Opened(ledger=open_file(found), recorded=True)
            return replayed[found]
        return None

    return open_ledger

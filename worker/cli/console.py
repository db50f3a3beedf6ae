"""``console``: the service over HTTP."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, say, state_dir

if TYPE_CHECKING:
    from worker.live.place import Place

_log = logging.getLogger("wirewatch")


@click.command()
@common
def console() -> int:
    """Answer over HTTP at console.listen of service.yaml: /healthz, /readyz and /status.

    /healthz says that this process lives, /readyz that the service does its work (503 with the reasons when it does
    not), /status gives the object of `wirewatch status --json` to who has the token, if one is set. `wirewatch run` has
    a console of its own.
    """
    from worker.live.place import Place

    directory, named = config_dir()
    place = Place(config=directory, state=state_dir() or DEFAULT_STATE, named=named)
    place.tell(os.environ)
    return serve(place, greet=True)


def serve(place: Place, *, greet: bool = False) -> int:
    """Serve the console of a service until it is told to stop, and return an exit code."""
    from worker.console import app, server
    from worker.live.reporter import Reporter
    from worker.settings import load_service

    address = load_service(place.config, os.environ).console
    made = app.make(Reporter(place), host=address.host, token=address.token)
    if greet:
        say(f"console: http://{address.host}:{address.port}/status; Ctrl-C stops", err=True)
    code = server.serve(made, host=address.host, port=address.port)
    if code:
        _log.error(
            "console: %s:%d cannot be had; choose another with console.listen in service.yaml",
            address.host,
            address.port,
        )
    return code

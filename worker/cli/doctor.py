"""``doctor``: is this machine, and are the servers, as the service needs them?"""

from __future__ import annotations

import os

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, say, state_dir


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def doctor(*, as_json: bool) -> int:
    """Look at everything the service needs, and say what is wrong and how to mend it. Nothing is changed.

    Each line begins with ok, note, warn or refuse; the service does not start while something says refuse. Exit code 1
    then, 2 when the configuration has errors, else 0.
    """
    from worker.live.clock import wall_clock
    from worker.live.doctor import examine
    from worker.settings import load

    directory, named = config_dir()
    settings = load(directory, os.environ, required=named)
    report = examine(settings.service, state_dir() or DEFAULT_STATE, clock=wall_clock)
    if as_json:
        emit(report.as_json())
    else:
        for line in report.lines():
            say(line)
    return 0 if report.healthy else 1

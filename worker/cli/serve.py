"""``run``, ``worker``, ``scheduler`` and ``reload``: the service and its parts."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, say, state_dir

if TYPE_CHECKING:
    from worker.live.place import Place
    from worker.settings import Settings

_WATCH = click.option("--watch", is_flag=True, help="Reload the configuration when one of its files changes.")


@click.command()
@_WATCH
@click.option("--single-process", is_flag=True, help="Without Celery and Valkey: one process on the same ledger.")
@common
def run(*, watch: bool, single_process: bool) -> int:
    """Run the service: poll, read, match and alert until stopped.

    One process tree holds everything: an embedded Valkey (unless service.yaml names a broker), the scheduler, and
    workers for feeds, articles and alerts. What dies is started again. Stop it with Ctrl-C: what is in hand is finished
    first. Killed at any moment, it goes on at the next start where it was, and tells nobody twice.

    On several machines, name a ledger (postgresql+psycopg://...) and a broker (redis://...) in service.yaml, and run
    `wirewatch scheduler` on one or two of them and `wirewatch worker` on all.
    """
    from worker.cli.console import must_be_closed, serve
    from worker.live import lock, parts, valkey

    place = _place()
    settings = _settings(place)
    must_be_closed(settings.service.console)
    parts.check(place)
    with lock.alone(place.state):
        embedded = settings.service.broker == "embedded"
        if embedded and (why := valkey.available()):
            say(f"note: no embedded server: {why}; running as a single process", err=True)
            single_process = True
        if single_process:
            return _single(place, settings, watch=watch)
        started = [parts.server(place)] if embedded else []
        settings = parts.begin(place)
        started += [parts.scheduler(), *parts.workers(settings.service.workers), parts.console(lambda: serve(place))]
        return parts.supervise(started, place, watch=watch, greet=lambda: _with_console(settings))


@click.command()
@click.option("--readers", type=click.IntRange(min=1), help="Processes that read articles. [default: workers]")
@common
def worker(*, readers: int | None) -> int:
    """Run the workers of this machine: they take what is due from the ledger, whichever machine it came from.

    Start as many as you like, here and on other machines; they need the same ledger (postgresql+psycopg://...) and the
    same broker (redis://...), and take the rest of the configuration from the ledger, where `wirewatch scheduler`,
    `run` or `reload` has put it. Variables such as ${SLACK_BOT_TOKEN} come from the environment of each worker.
    """
    from worker.live import parts

    place = _place()
    settings = _several(place)
    parts.check(place)
    settings = parts.join(place)
    started = parts.workers(readers or settings.service.workers)
    return parts.supervise(started, place, greet=lambda: _greet(settings))


@click.command()
@_WATCH
@common
def scheduler(*, watch: bool) -> int:
    """Run the scheduler, which wakes the workers, and put this configuration in force.

    Two of them do no harm, and when there is none, workers stand in for it.
    """
    from worker.live import parts

    place = _place()
    _several(place)
    parts.check(place)
    settings = parts.begin(place)
    return parts.supervise([parts.scheduler()], place, watch=watch, greet=lambda: _greet(settings))


@click.command()
@common
def reload() -> None:
    """Put the configuration files in force: every worker takes them up at its next claim.

    Files with a mistake in them change nothing: the mistakes are shown, the last configuration stays in force, and the
    exit code is 2. What broker and ledger are named is read when a process starts, and not here.
    """
    from worker.live import reloading

    place = _place()
    _settings(place)
    generation = reloading.reload(place)
    say(f"generation {generation} is in force")


def _place() -> Place:
    """Return the directories that were chosen, told to all processes that are started from here."""
    from worker.live.place import Place

    directory, named = config_dir()
    place = Place(config=directory, state=state_dir() or DEFAULT_STATE, named=named)
    place.tell(os.environ)
    return place


def _settings(place: Place) -> Settings:
    from worker.settings import load

    settings = load(place.config, os.environ, required=place.named)
    for warning in settings.warnings:
        say(f"note: {warning}", err=True)
    return settings


def _several(place: Place) -> Settings:
    """Return the settings of a process that is one of several on a common broker."""
    settings = _settings(place)
    if settings.service.broker == "embedded":
        raise click.UsageError(
            "a part by itself needs a broker that others reach: set broker: redis://... in service.yaml, "
            "or start everything with `wirewatch run`"
        )
    return settings


def _greet(settings: Settings, *, shown: str = "") -> None:
    say(f"{len(settings.feeds)} feeds, {len(settings.topics)} topics;{shown} Ctrl-C stops", err=True)


def _with_console(settings: Settings) -> None:
    from worker.cli.console import address_of

    _greet(settings, shown=f" console at {address_of(settings.service.console)};")


def _single(place: Place, settings: Settings, *, watch: bool) -> int:
    from worker.cli import console
    from worker.live import parts
    from worker.live.loop import serve
    from worker.live.memory import keep_small
    from worker.live.reloading import Reloader

    keep_small()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    reloader = Reloader(place, watch=watch)
    signal.signal(signal.SIGHUP, reloader.ask)
    parts.begin(place)
    with console.beside(place):
        _with_console(settings)
        serve(place, screen=sys.stdout, stop=stop, reloader=reloader)
    return 0

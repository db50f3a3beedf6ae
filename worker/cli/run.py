"""``run`` and ``poll``: the wall clock and the real web."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, say, state_dir


@click.command()
@common
def run() -> None:
    """Run the service: poll, read, match and alert until stopped.

    In this version it is one process that works through the ledger in a loop; Celery, Valkey and several machines come
    with "The service". Stop it with Ctrl-C: what is in hand is finished first.
    """
    from worker.live.clock import wall_clock
    from worker.live.loop import serve
    from worker.settings import load

    directory, named = config_dir()
    settings = load(directory, os.environ, required=named)
    for warning in settings.warnings:
        say(f"note: {warning}", err=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say(f"{len(settings.feeds)} feeds, {len(settings.topics)} topics; Ctrl-C stops", err=True)
    serve(settings, state_dir() or DEFAULT_STATE, screen=sys.stdout, clock=wall_clock, stop=stop)


@click.command()
@click.argument("url", required=False)
@click.option("--feed", "feed_id", help="The configured feed with this id, in place of URL.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def poll(*, url: str | None, feed_id: str | None, as_json: bool) -> int:
    """Poll one feed once and show what came back; nothing is recorded and nobody is told.

    Exit code 1 when the poll failed.
    """
    from worker.live.clock import wall_clock
    from worker.live.trial import trial
    from worker.settings import load

    if (url is None) is (feed_id is None):
        raise click.UsageError("give the URL of a feed, or --feed ID for a configured one")
    directory, named = config_dir()
    settings = load(directory, os.environ, required=named)
    configured = {feed.id: feed for feed in settings.feeds}
    if feed_id is not None and feed_id not in configured:
        raise click.UsageError(f"no feed {feed_id}; there are: {', '.join(configured) or 'none'}")
    found = trial(settings, configured[feed_id] if feed_id else (url or ""), now=wall_clock())
    if as_json:
        emit(found)
    else:
        say(f"{found['url']}: {found['reason']}{': ' + found['error'] if found['error'] else ''}")
        for entry in found["entries"]:
            say(f"  {entry['published_at'] or 'undated':20}  {entry['title']}  {entry['url']}")
        say(f"{len(found['entries'])} entries; the next poll would be at {found['next_poll_at']}")
    return 1 if found["error"] else 0

"""``poll``: one look at one feed."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, say, state_dir

if TYPE_CHECKING:
    from worker.settings import Service


@click.command()
@click.argument("url", required=False)
@click.option("--feed", "feed_id", help="The configured feed with this id, in place of URL.")
@click.option("--resume", is_flag=True, help="With --feed: put a feed that was stopped back to work, due now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def poll(*, url: str | None, feed_id: str | None, resume: bool, as_json: bool) -> int:
    """Poll one feed once and show what came back, and what the service would make of it and why.

    Nothing is recorded and nobody is told. For a configured feed (--feed) the entries are held against what the ledger
    knows. A feed that the service has stopped (gone, disabled after too many failures, or moved to where another feed
    is) is put back to work with --resume. Exit code 1 when the poll failed.
    """
    from worker.live.clock import wall_clock
    from worker.live.trial import trial
    from worker.settings import load

    if (url is None) is (feed_id is None):
        raise click.UsageError("give the URL of a feed, or --feed ID for a configured one")
    if resume and feed_id is None:
        raise click.UsageError("--resume needs --feed ID: only configured feeds are stopped")
    directory, named = config_dir()
    settings = load(directory, os.environ, required=named)
    configured = {feed.id: feed for feed in settings.feeds}
    if feed_id is not None and feed_id not in configured:
        raise click.UsageError(f"no feed {feed_id}; there are: {', '.join(configured) or 'none'}")
    state = state_dir() or DEFAULT_STATE
    if resume and feed_id is not None:
        _resume(settings.service, state, feed_id)
    found = trial(settings, configured[feed_id] if feed_id else (url or ""), state=state, now=wall_clock())
    emit(found) if as_json else _print(found)
    return 1 if found["error"] else 0


def _resume(service: Service, state: Path, feed_id: str) -> None:
    from worker import build
    from worker.ledger import feeds

    if not build.ledger_exists(service, state):
        raise click.UsageError(f"{state}: no ledger here, so no feed was stopped; name another with --state")
    with closing(build.open_ledger(service, state)) as ledger:
        now = ledger.clock()
        with ledger.write() as t:
            back = feeds.resume(t, feed_id, now=now)
    say(f"feed {feed_id} " + ("is polled again" if back else "was not stopped"), err=True)


def _print(found: dict[str, Any]) -> None:
    say(f"{found['url']}: {found['reason']}{': ' + found['error'] if found['error'] else ''}")
    if found["redirects"]:
        how = "permanently" if found["moved"] else "for now"
        say(f"redirected {how}, by way of {', '.join(found['redirects'])}, to {found['answered_by']}")
    if found["warning"]:
        say(f"warning: {found['warning']}")
    for entry in found["entries"]:
        say(f"  {entry['verdict']:9}  {entry['published_at'] or 'undated':20}  {entry['title']}  {entry['url']}")
    validators = " and ".join(name for name in ("etag", "last_modified") if found[name]) or "no validators"
    say(f"{len(found['entries'])} entries; {validators}{'; WebSub hub ' + found['hub'] if found['hub'] else ''}")
    say(f"the next poll would be at {found['next_poll_at']}, after {found['interval_s']:.0f} s")

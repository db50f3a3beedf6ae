"""``channel``: what stands in the way of channels, and stopping and starting to send to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from worker.cli.ledgers import first_ledger, none_here
from worker.cli.operate import channel_line, settings_for
from worker.cli.options import common, emit, say

if TYPE_CHECKING:
    from worker.cli.ledgers import Opened


@click.group()
def channel() -> None:
    """List channels, and stop and start sending to them.

    A channel that takes nothing any more (a revoked token, an archived Slack channel, 410 Gone, five days of nothing
    but failures) is disabled: its alerts wait, or go to its `fallback`, and a notice goes to another channel. It is
    enabled again by `wirewatch channel enable`, or when its configuration changes.
    """


@channel.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in place of text.")
@common
def list_(*, as_json: bool) -> None:
    """List the channels: what became of their alerts, and what stands in their way."""
    with _opened() as opened:
        found = _channels(opened)
    for one in found:
        emit(one) if as_json else say(f"{one['id']}: {channel_line(one)}")
    if not found and not as_json:
        say("no channels")


@channel.command()
@click.argument("channel_id", metavar="ID")
@common
def enable(*, channel_id: str) -> None:
    """Send to a channel again: all that waits for it is due at once."""
    from worker.ledger import channels

    with _opened() as opened:
        _must_be_known(opened, channel_id)
        now = opened.ledger.clock()
        with opened.ledger.write() as t:
            waited = channels.enable(t, channel_id, now=now)
    if waited is None:
        say(f"{channel_id}: nothing stood in its way")
    else:
        say(f"{channel_id}: enabled; {waited} {'alert' if waited == 1 else 'alerts'} had waited for it")


@channel.command()
@click.argument("channel_id", metavar="ID")
@click.option("--comment", required=True, help="Why, for those who wonder where the alerts are.")
@common
def disable(*, channel_id: str, comment: str) -> None:
    """Send nothing to a channel until it is enabled: its alerts wait, or go to its `fallback`.

    What is being sent this moment ends as it ends. No change of the configuration enables it, only `wirewatch channel
    enable`. What is not to be told at all is for `wirewatch silence add --channel`.
    """
    from worker.ledger import channels

    if not comment.strip():
        raise click.UsageError("--comment is empty; say why, for those who wonder where the alerts are")
    with _opened() as opened:
        _must_be_known(opened, channel_id)
        now = opened.ledger.clock()
        with opened.ledger.write() as t:
            done = channels.disable(t, channel_id, reason=comment, config=channels.BY_HAND, now=now)
            if done:
                text = f"channel {channel_id} is disabled: {comment}"
                channels.notice(t, channel_id, text, to=channel_id, now=now, off="a person has disabled it")
    say(f"{channel_id}: disabled" if done else f"{channel_id}: is disabled already")


@contextmanager
def _opened() -> Iterator[Opened]:
    with first_ledger() as found:
        if found is None:
            raise none_here()
        yield found


def _channels(opened: Opened) -> list[dict[str, Any]]:
    from worker.live.report import report

    found: list[dict[str, Any]] = report(
        opened.ledger, settings_for(opened), now=opened.ledger.clock(), recorded=opened.recorded
    )["channels"]
    return found


def _must_be_known(opened: Opened, channel_id: str) -> None:
    known = [one["id"] for one in _channels(opened)]
    if channel_id not in known:
        raise click.UsageError(f"no channel {channel_id}; there are: {', '.join(known) or 'none'}")

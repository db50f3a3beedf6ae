"""Slack channels against a workspace on loopback, and the messages that their tests send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests import builders
from tests.builders import NOON, alert, article
from worker.channels.slack import SlackChannel
from worker.channels.slack_hook import SlackHookChannel
from worker.model import Digest, Evidence, Message, Notice, Outgoing, Role
from worker.replay.slack import CHANNEL, TOKEN, Workspace
from worker.web.connections import CheckedTransport
from worker.web.network import Network

TEXT = (
    "Ministers met on Monday.\n"
    "The missile programme is not open to negotiation, the foreign ministry said & repeated.\n"
    "Talks go on."
)
EVIDENCE = Evidence(field="text", start=25, end=73, text=TEXT[25:73])
CONSOLE = "https://watch.example/stories/s-1"


class Clock:
    """The time in a workspace, turned by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@contextmanager
def working(**options: Any) -> Iterator[Workspace]:
    """Serve a workspace whose clock stands at noon, unless it is turned."""
    with Workspace(**{"now": Clock()} | options) as space:
        yield space


def turn(space: Workspace, to: datetime) -> None:
    """Set the clock of a workspace."""
    assert isinstance(space.clock, Clock)
    space.clock.now = to


def transport(space: Workspace, *, total: float = 20.0) -> CheckedTransport:
    """Return a transport that reaches the workspace."""
    return CheckedTransport(Network(allow_private=True, allow_ports=(space.port,)), total=total)


def bot(space: Workspace, *, token: str = TOKEN, to: str = CHANNEL, deadline: float = 20.0) -> SlackChannel:
    """Return a channel to the workspace, as its app."""
    return SlackChannel("ops", token, to, transport=transport(space, total=deadline), api=space.api, deadline=deadline)


def hook(space: Workspace, *, url: str = "", deadline: float = 20.0) -> SlackHookChannel:
    """Return a channel to the workspace's incoming webhook."""
    return SlackHookChannel("ops", url or space.hook, transport=transport(space, total=deadline), deadline=deadline)


def first(number: int = 1, *, attempt: int = 1, **changes: Any) -> Message:
    """Return a first alert with a quote and a link to the console."""
    about = article(number, title=f"Tehran: missiles are \u201cnot negotiable\u201d ({number})", text=TEXT)
    told = alert(number, channel_id="ops", evidence=(EVIDENCE,), attempt=attempt, clause="near: missile, negotiation")
    base = {"alert": told, "article": about, "topic": "missile programme non-negotiable", "link": CONSOLE}
    return builders.message(number, **base | changes)


def told_as(role: Role, thread: str | None, *, number: int = 2, detail: str = "", attempt: int = 1) -> Message:
    """Return what follows a first alert: two hours later, with more outlets."""
    later = NOON + timedelta(hours=2)
    message = first(number, attempt=attempt, thread=thread, at=later, articles=5, outlets=4, origins=2, newest_at=later)
    return replace(
        message,
        alert=replace(message.alert, role=role, detail=detail),
        article=replace(message.article, outlet="Meridian Dispatch", published_at=later - timedelta(minutes=2)),
    )


def digest(count: int = 3, *, more: int = 0, **changes: Any) -> Digest:
    """Return a digest of several alerts."""
    items = tuple(first(number, **changes) for number in range(10, 10 + count))
    return Digest(alert=alert(9, role=Role.DIGEST, channel_id="ops"), items=items, more=more, at=NOON)


def notice() -> Notice:
    """Return words about another channel."""
    clause = "channel siem takes nothing any more: the receiver answered 410 (Gone)"
    return Notice(alert=alert(8, role=Role.NOTICE, channel_id="ops", clause=clause), at=NOON)


def again(outgoing: Outgoing, *, attempt: int = 2, repeat: bool = False) -> Any:
    """Return what is sent once more."""
    return replace(outgoing, alert=replace(outgoing.alert, attempt=attempt, repeat=repeat))

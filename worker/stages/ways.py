"""By which channel an alert goes now: its own, the one that stands in for it, or none for the time being."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.ledger import channels
from worker.ledger.channels import ChannelState
from worker.ledger.engine import Transaction
from worker.model import Digest, Message, Outgoing
from worker.stages.pipeline import Pipeline

_log = logging.getLogger("wirewatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A channel, and whether it may be called now."""

    #: The channel to be called: that of the alert, or its fallback.
    channel_id: str
    #: It wants to be left alone until then.
    until: datetime | None = None
    #: It takes nothing, and nobody stands in for it.
    disabled: bool = False


def way(p: Pipeline, states: Mapping[str, ChannelState], channel_id: str, *, now: datetime) -> Way:
    """Return by which channel an alert for ``channel_id`` goes; ``states`` are those of the ledger."""
    named = channel_id
    passed = set()
    while (state := states.get(named)) is not None and state.disabled:
        passed.add(named)
        named = p.recipient(named).fallback
        if named in passed or named not in p.channels:
            return Way(channel_id=channel_id, disabled=True)
    return Way(channel_id=named, until=state.waits_until(now) if state else None)


def through(channel_id: str, own: str) -> str:
    """Return what is said of a message that has gone another way than by its own channel; empty when it has not."""
    return "" if channel_id == own else f"through {channel_id}, for {own} is disabled"


def elsewhere(outgoing: Outgoing) -> Outgoing:
    """Return a message as another channel than its own is sent it: what it belongs under is not there."""
    match outgoing:
        case Message():
            return replace(outgoing, thread=None)
        case Digest():
            return replace(outgoing, items=tuple(replace(item, thread=None) for item in outgoing.items))
        case _:
            return outgoing


def take_place(t: Transaction, p: Pipeline, by: Way, *, now: datetime) -> datetime | None:
    """Return until when an alert must wait for its channel; ``None`` when it may be called now, and this is its place.

    Call it in the transaction that begins the alert.
    """
    if by.disabled:
        return now + channels.PARKED
    if by.until is not None:
        return by.until
    gap = p.channels[by.channel_id].gap
    return channels.take_place(t, by.channel_id, gap=gap, now=now) if gap > timedelta(0) else None


def enable_changed(t: Transaction, p: Pipeline, *, now: datetime) -> dict[str, ChannelState]:
    """Give every disabled channel that is configured otherwise by now a new chance, and return the states of all."""
    states = channels.states(t)
    for state in list(states.values()):
        version = p.channel_versions.get(state.id, state.config)
        if state.disabled and state.config not in {channels.BY_HAND, version}:
            count = channels.enable(t, state.id, now=now)
            states[state.id] = ChannelState(id=state.id)
            _log.warning("channel %s is configured anew: enabled, %d alerts had waited for it", state.id, count or 0)
    return states


def disable(t: Transaction, p: Pipeline, channel_id: str, *, reason: str, now: datetime) -> None:
    """Disable a channel, put aside what waits for it, and have somebody told of it, once."""
    config = p.channel_versions.get(channel_id, "")
    if not channels.disable(t, channel_id, reason=reason, config=config, now=now):
        return
    _log.error(
        "channel %s is disabled: %s; `wirewatch channel enable %s` when it is mended", channel_id, reason, channel_id
    )
    states = channels.states(t)
    by = way(p, states, channel_id, now=now)
    if by.disabled:
        channels.park(t, channel_id, now=now)
    others = (name for name in p.channels if name not in states or not states[name].disabled)
    to = next(others, "") if by.disabled else by.channel_id
    waiting = "Its alerts wait" if by.disabled else f"Its alerts go to {by.channel_id} meanwhile"
    text = (
        f"channel {channel_id} takes nothing any more: {reason}. {waiting}. Once it is mended, change its "
        f"configuration or run: wirewatch channel enable {channel_id}"
    )
    off = "" if to else "there is no other channel to tell it to"
    channels.notice(t, channel_id, text, to=to or channel_id, now=now, off=off)

"""Stage ``deliver``: alerts that are due, sent to one channel each, with an end to every doubt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from worker.errors import WirewatchError
from worker.ledger import channels, outbox
from worker.ledger.channels import ChannelState
from worker.ledger.leases import Claim
from worker.ledger.outbox import Due
from worker.ledger.persist import WAITS
from worker.model import Reason
from worker.stages.pipeline import Outcome, Pipeline, logged
from worker.stages.sending import Sending
from worker.stages.ways import enable_changed, way

_log = logging.getLogger("wirewatch")
BATCH = 10
#: How often a claim asks for others in the place of alerts whose channel wants to be left alone.
_ROUNDS: Final = 20

Claimed = Claim[Due]


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Send at most ``limit`` alerts that are due and return what came of each.

    A ledger that is away is not waited for.
    """
    claims, outcomes = claim(p, now=now, limit=limit)
    for one in claims:
        outcomes += record(p, [do(p, one, now=now, waits=())], now=now)
    return outcomes


def claim(p: Pipeline, *, now: datetime, limit: int = BATCH) -> tuple[list[Claimed], list[Outcome]]:
    """Return at most ``limit`` alerts to be sent, and no outcomes: every end of an alert is for ``do``.

    An alert whose channel is to be left alone for now, or takes nothing, goes back without a charge, and others are
    claimed in its place.

    Raises:
        worker.stages.pipeline.Outdated: another configuration is in force; nothing was claimed.
    """
    admitted: list[Claimed] = []
    places: dict[str, datetime] = {}
    for _ in range(_ROUNDS):
        wanted = limit - len(admitted)
        try:
            some, back = _claim(p, places, now=now, limit=wanted)
        except WirewatchError:
            if admitted:  # it is said at the next claim; these are in hand
                break
            raise
        admitted += some
        # One whose lease ran out comes alone; and fewer than were asked for are all that there are.
        if not back or len(some) + back < wanted:
            break
    return admitted, []


def _claim(p: Pipeline, places: dict[str, datetime], *, now: datetime, limit: int) -> tuple[list[Claimed], int]:
    """Return what ``claim`` does of one look, and how many alerts went back."""
    admitted: list[Claimed] = []
    parked: set[str] = set()
    with p.ledger.write() as t:
        p.must_be_in_force(t)
        states = enable_changed(t, p, now=now)
        claims = outbox.claim(t, now=now, limit=limit)
        for one in claims:
            waits = _waits(p, states, places, one, now=now)
            if waits is None:
                admitted.append(one)
                continue
            until, reason = waits
            outbox.wait(t, one, until=until, reason=reason)
            if reason is Reason.CHANNEL_DISABLED:
                parked.add(one.value.alert.channel_id)
        for channel_id in parked:
            channels.park(t, channel_id, now=now)
    back = len(claims) - len(admitted)
    if back:
        _log.debug("deliver verdict=%s alerts=%d", Reason.CHANNEL_WAITS, back)
    return admitted, back


def _waits(
    p: Pipeline,
    states: Mapping[str, ChannelState],
    places: dict[str, datetime],
    one: Claimed,
    *,
    now: datetime,
) -> tuple[datetime, Reason] | None:
    """Return until when an alert goes back and why, ``None`` when it may be sent now.

    ``places`` has for each channel that leaves gaps when the next of this claim may be sent; it is not yet taken.
    """
    alert = one.value.alert
    if alert.channel_id not in p.channels:
        return None
    by = way(p, states, alert.channel_id, now=now)
    if by.disabled:
        # What is in doubt is resolved all the same: it would be a doubt that nobody sees.
        return None if one.value.started_at is not None else (now + channels.PARKED, Reason.CHANNEL_DISABLED)
    gap = p.channels[by.channel_id].gap
    place = max(by.until or now, places.get(by.channel_id, now))
    if gap:
        places[by.channel_id] = place + gap
    return (place, Reason.CHANNEL_WAITS) if place > now else None


def do(
    p: Pipeline,
    one: Claimed,
    *,
    now: datetime,
    waits: Sequence[float] = WAITS,
    sleep: Callable[[float], object] = time.sleep,
) -> Outcome:
    """Send an alert and write down at once what came of it; return that. Many may run at once.

    ``now`` is the time of this call, not that of the claim. How sending has ended is known only here, so a ledger that
    is away, or its disk full, is waited for: ``waits`` are the seconds between tries, ``sleep`` waits.

    Raises:
        LedgerAway: the ledger is away for longer. What was begun is in doubt, and is resolved with the next claim.
        DiskFull: the same, for its disk.
    """
    return Sending(p=p, claim=one, now=now, waits=waits, sleep=sleep).outcome()


def record(p: Pipeline, done: Sequence[Outcome], *, now: datetime) -> list[Outcome]:  # noqa: ARG001 - as in every stage
    """Return what came of each alert, with its line in the log; ``do`` has written it down."""
    return [logged(outcome) for outcome in done]


def release(p: Pipeline, claims: Sequence[Claimed], *, now: datetime) -> None:  # noqa: ARG001 - the same
    """Give back what was claimed and not begun; what was begun ends in ``do``, or is in doubt."""
    with p.ledger.write() as t:
        outbox.release(t, claims)

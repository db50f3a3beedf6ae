"""Deliveries: what was sent or is to be, how every attempt ended, and sending it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.build import channel_ids
from worker.console.pages import Form, desk, get, missing, number_in, page, post, tell
from worker.console.rendering import segment
from worker.errors import WirewatchError
from worker.ledger import deliveries, shown
from worker.ledger.dead import DeadLetter
from worker.ledger.deliveries import Told
from worker.ledger.engine import Transaction
from worker.model import Delivery, Digest, Message, Notice, Outgoing

#: What the states mean, in the order in which an alert may come to them.
STATES: Final = {
    "open": "to be sent, or to be sent again",
    "gathered": "waits for its digest",
    "delivered": "the channel has it",
    "unknown": "may or may not have arrived, and nobody can tell",
    "dead": "given up",
    "off": "not told after all: silenced or withdrawn while it waited",
}
#: Colours of states.
KINDS: Final = {"open": "info", "gathered": "info", "delivered": "ok", "unknown": "warn", "dead": "bad", "off": "mute"}
#: Alerts on a page, and on one that was asked for more.
_LISTED, _MOST = 100, 400
#: States in which an alert is sent again although it was settled.
_SETTLED: Final = frozenset({"delivered", "off"})


def listed(request: Request) -> Response:
    """List alerts, newest first."""
    asked = request.query_params
    state, channel, topic = (asked.get(name, "").strip() for name in ("state", "channel", "topic"))
    limit = min(number_in(request, "limit") or _LISTED, _MOST)
    chosen = state if state in STATES else None
    with desk(request).read() as t:
        found = deliveries.told(t, state=chosen, channel=channel or None, topic=topic or None, limit=limit + 1)
    return page(
        request,
        "deliveries.html",
        title="Deliveries",
        alerts=found[:limit],
        more=min(limit * 2, _MOST) if len(found) > limit and limit < _MOST else 0,
        cut=len(found) > limit >= _MOST,
        limit=limit,
        state=chosen or "",
        channel=channel,
        topic=topic,
        channel_options=[("", "any"), *((name, name) for name in _channels(request, channel))],
        state_options=[("", "any"), *((name, name) for name in STATES)],
        states=STATES,
        kinds=KINDS,
    )


def _channels(request: Request, chosen: str) -> Sequence[str]:
    try:
        settings = desk(request).settings()
    except WirewatchError:  # what is wrong with it stands under Health
        return [chosen] if chosen else []
    return sorted({*channel_ids(settings, settings.topics), chosen} - {""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An alert with all that is known of how it was told."""

    one: Told
    #: What was sent, by itself or in its digest; ``None`` before that.
    said: Outgoing | None
    attempts: Sequence[Delivery]
    #: The digest that tells it.
    digest: Told | None
    #: The alerts that it tells, when it is a digest.
    items: Sequence[Told]
    letter: DeadLetter | None
    #: What sending it again will do, in words; empty when that cannot be.
    again: str

    @property
    def kind(self) -> str:
        """What was sent: ``message``, ``digest`` or ``notice``; empty before that."""
        return type(self.said).__name__.lower() if self.said else ""


def alert(request: Request) -> Response:
    """Show one alert."""
    with desk(request).read() as t:
        sending = _sending(t, _one(t, request))
    return page(
        request,
        "delivery.html",
        title=_title(sending),
        section="deliveries",
        found=sending,
        one=sending.one,
        states=STATES,
        kinds=KINDS,
    )


def _title(found: Sending) -> str:
    match found.said:
        case Digest(items=items, more=more):
            return f"Digest of {len(items) + more} alerts"
        case Notice(alert=notice):
            return f"Notice: {notice.clause}"
        case Message(article=article):
            return article.title or found.one.alert.topic_id
        case None:
            return found.one.title or f"Alert {found.one.alert.key[:12]}"


def _one(t: Transaction, request: Request) -> Told:
    key = request.path_params["key"]
    found = deliveries.find(t, key)
    if len(found) > 1:
        missing(f"{key} is the beginning of several alerts: {', '.join(one.alert.key for one in found[:5])}")
    if not found:
        missing(f"there is no alert {key}; it may have been removed when its time was over (retention.alerts)")
    return found[0]


def _sending(t: Transaction, one: Told) -> Sending:
    digest = next(iter(deliveries.find(t, one.alert.digest)), None) if one.alert.digest else None
    own = deliveries.attempts(t, one.alert.key)
    return Sending(
        one=one,
        said=_said(one, digest),
        attempts=own or (deliveries.attempts(t, digest.alert.key) if digest else []),
        digest=digest,
        items=deliveries.items(t, one.alert.key),
        letter=deliveries.letter(t, one),
        again=again(one),
    )


def _said(one: Told, digest: Told | None) -> Outgoing | None:
    if one.shown is not None:
        return shown.from_json(one.shown, one.alert)
    if digest is None or digest.shown is None:
        return None
    whole = shown.from_json(digest.shown, digest.alert)
    if not isinstance(whole, Digest):
        return whole
    return next((item for item in whole.items if item.alert.key == one.alert.key), None)


def again(one: Told) -> str:
    """Return what will happen when an alert is sent again, for the person who is about to say so; empty: it cannot be.

    What is on its way needs nobody, and what is told in a digest is sent again with that.
    """
    channel = one.alert.channel_id
    if one.state in {"open", "gathered"} or (one.alert.digest is not None and one.state != "off"):
        return ""
    match one.state:
        case "delivered":
            return f"{channel} has this alert already. It is sent there a second time, marked as a possible repeat."
        case "unknown":
            return (
                f"Nobody knows whether {channel} has this alert. Where the receiver can be asked, it is asked first; "
                "else the alert is sent once more, marked as a possible repeat."
            )
        case "dead":
            return f"It was given up. It is sent to {channel} again, from the first attempt."
        case _:
            return f"It was not told ({one.error}). It is told to {channel} all the same."


def redeliver(request: Request, form: Form) -> Response:
    """Send an alert again, if it still is in the state in which the person saw it."""
    at = desk(request)
    now = at.now()
    with at.write() as t:
        one = _one(t, request)
        path = f"/deliveries/{segment(one.alert.key)}"
        if form.text("state") != one.state:
            return tell(request, path, f"Nothing was done: it is {one.state} by now. Look again.", kind="warn")
        why = deliveries.redeliver(t, one, now=now, force=one.state in _SETTLED)
    if why:
        return tell(request, path, f"Nothing was done: it {why}.", kind="warn")
    return tell(request, path, f"It is sent to {one.alert.channel_id} again.")


ROUTES = (
    get("/deliveries", listed),
    get("/deliveries/{key}", alert),
    post("/deliveries/{key}/redeliver", redeliver),
)

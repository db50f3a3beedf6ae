"""Whether the service does its work, and what stands in its way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.console.pages import Form, desk, get, missing, page, post, tell
from worker.ledger import channels

#: What the queues hold, and what the parts of the service do.
_QUEUES: Final = {"poll": "feeds to poll", "read": "entries to read", "deliver": "alerts to deliver"}
_PARTS: Final = {"tick": "scheduler", "poll": "worker poll", "read": "worker read", "deliver": "worker deliver"}
#: As ``worker.live.report``: each part comes round at least every 20 s.
_LATE: Final = timedelta(seconds=75)


def health(request: Request) -> Response:
    """Show the state of the service."""
    at = desk(request)
    now, report = at.now(), at.report()
    seen = {name: datetime.fromisoformat(time) for name, time in report["progress"].items()}
    return page(
        request,
        "health.html",
        title="Health",
        report=report,
        queues=[(words, report["queues"].get(name, {})) for name, words in _QUEUES.items()],
        parts=[(words, seen.get(name), _is_late(seen.get(name), now)) for name, words in _PARTS.items()],
        others=[(name, time) for name, time in seen.items() if name not in _PARTS],
        taken_at=_time(report["configuration"]["taken_at"]),
        channels=[
            one | {name: _time(one[name]) for name in ("since", "until", "last_sent_at")} for one in report["channels"]
        ],
        unhealthy=sum(feed["state"] not in {"ok", "new", "off", "removed"} for feed in report["feeds"]),
        alarms=report.get("alarms", ()),
    )


def enable(request: Request, form: Form) -> Response:  # noqa: ARG001 - an action's signature
    """Let a channel be sent to again."""
    channel_id = request.path_params["id"]
    at = desk(request)
    now = at.now()
    with at.write() as t:
        if channel_id not in channels.states(t):
            missing(f"Nothing has ever stood in the way of a channel {channel_id}.")
        waited = channels.enable(t, channel_id, now=now)
    if waited is None:
        return tell(request, "/health", f"Nothing stood in the way of channel {channel_id}.", kind="warn")
    return tell(request, "/health", f"Channel {channel_id} is sent to again; {waited} alerts had waited for it.")


def _is_late(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at > _LATE


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


ROUTES = (get("/health", health), post("/channels/{id:path}/enable", enable))

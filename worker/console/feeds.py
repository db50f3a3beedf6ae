"""The health of every feed, and one of them with what came in last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from worker.console.charts import sparkline
from worker.console.pages import desk, get, missing, page
from worker.console.rendering import query, segment
from worker.ledger import browse, tallies

#: Feeds on one page, entries of one feed, and days in a sparkline.
_PAGE: Final = 100
_ENTRIES: Final = 50
_DAYS: Final = 14
#: States in which there is nothing to look at.
_WELL: Final = frozenset({"ok", "new", "off", "removed"})
_KINDS: Final = {"ok": "ok", "new": "info", "failing": "warn", "off": "mute", "removed": "mute"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A feed in the list."""

    #: As ``status --json`` has it, with times as times.
    feed: Mapping[str, Any]
    kind: str
    line: Markup


def listed(request: Request) -> Response:
    """List feeds by their ids, those in trouble alone if that was asked."""
    at, params = desk(request), request.query_params
    unhealthy, after = params.get("only") == "unhealthy", params.get("after", "")
    every = sorted(at.feeds(), key=lambda feed: str(feed["id"]))
    troubled = [feed for feed in every if feed["state"] not in _WELL]
    chosen = [feed for feed in (troubled if unhealthy else every) if feed["id"] > after]
    shown = chosen[:_PAGE]
    counts, today = _counts(request)
    only = "unhealthy" if unhealthy else ""
    return page(
        request,
        "feeds.html",
        title="Feeds",
        rows=[_row(feed, counts, today) for feed in shown],
        only=only,
        every=len(every),
        troubled=len(troubled),
        following="/feeds" + query(only=only, after=shown[-1]["id"]) if len(chosen) > _PAGE else "",
        first="/feeds" + query(only=only) if after else "",
    )


def one(request: Request) -> Response:
    """Show one feed."""
    feed_id = request.path_params["id"]
    at = desk(request)
    found = next((feed for feed in at.feeds() if feed["id"] == feed_id), None)
    if found is None:
        missing(f"There is no feed {feed_id}, and there never was one.")
    with at.read() as t:
        entries = browse.entries_of_feed(t, feed_id, limit=_ENTRIES)
    counts, today = _counts(request)
    configured = next((feed for feed in at.settings().feeds if feed.id == feed_id), None)
    return page(
        request,
        "feed.html",
        title=feed_id,
        section="feeds",
        row=_row(found, counts, today),
        configured=configured,
        entries=entries,
        whole=f"/search{query(outlet=configured.outlet)}" if configured else "",
        path=f"/feeds/{segment(feed_id)}",
    )


def _counts(request: Request) -> tuple[Mapping[str, Mapping[date, float]], date]:
    """Return how many entries each feed had on each of the last days, and which day is today: the last of a replay."""
    at = desk(request)
    today = at.now().date()
    since = date.min if at.recorded else today - timedelta(days=_DAYS - 1)
    with at.read() as t:
        found = tallies.days(t, tallies.ENTRIES, since=since)
    if at.recorded:
        today = max((day for days in found.values() for day in days), default=today)
    return {labels[0]: days for labels, days in found.items()}, today


def _row(feed: Mapping[str, Any], counts: Mapping[str, Mapping[date, float]], today: date) -> Row:
    days = counts.get(feed["id"], {})
    values = [int(days.get(today - timedelta(days=ago), 0)) for ago in range(_DAYS - 1, -1, -1)]
    times = {name: _time(feed[name]) for name in ("last_success_at", "next_poll_at", "polled_at")}
    label = f"{sum(values):,} entries in {_DAYS} days"
    return Row(feed={**feed, **times}, kind=_KINDS.get(feed["state"], "bad"), line=sparkline(values, label=label))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


ROUTES = (get("/feeds", listed), get("/feeds/{id:path}", one))

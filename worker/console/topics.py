"""The topics in force: what they found, what was told of it, and how long that took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.console import plots
from worker.console.charts import sparkline
from worker.console.pages import desk, get, page
from worker.console.plots import Days
from worker.errors import WirewatchError
from worker.ledger import snapshots, tallies
from worker.model import Topic
from worker.topics.meant import is_meant

#: Days in the plots.
_PLOTTED: Final = 30
_FORTNIGHT: Final = 14
#: Before any day that a tally knows.
_FIRST_DAY: Final = date(1970, 1, 2)
#: Topics on the page.
_LISTED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One topic, in force or only remembered, with what came of it."""

    id: str
    #: ``None`` when it is in force no longer.
    topic: Topic | None
    matches: int
    alerts: int
    #: The day of its last match, as far as days are known.
    last: date | None
    #: Matches a day, the last fortnight.
    fortnight: tuple[int, ...]

    @property
    def how(self) -> str:
        """How it is looked for, in words."""
        if self.topic is None:
            return "no longer in force"
        if not is_meant(self.topic):
            return "by its rule"
        if not self.topic.has_rule:
            return "by meaning" if self.topic.meaning else "by its phrase alone"
        return "by rule and meaning" if self.topic.require == "both" else "by rule or meaning"


def listed(request: Request) -> Response:
    """List the topics in force, with plots."""
    at = desk(request)
    today = at.now().date()
    since = _FIRST_DAY if at.recorded else today - timedelta(days=_PLOTTED)
    topics = _topics(request)
    with at.read() as t:
        matches, alerts = (tallies.days(t, name, since=since) for name in (tallies.MATCHES, tallies.ALERTS))
        totals = tallies.totals(t, (tallies.MATCHES, tallies.ALERTS))
        delay = tallies.histogram(t, tallies.PUBLISH_TO_ALERT)
    # Nothing happens in the ledger of a replay any more: its plots end where it ended.
    until = (_last_day(matches, alerts) if at.recorded else None) or today
    wanted = request.query_params.get("name", "").strip()
    rows = [row for row in _rows(topics, matches, totals, until) if wanted.casefold() in row.id.casefold()]
    return page(
        request,
        "topics.html",
        title="Topics",
        rows=rows[:_LISTED],
        more=len(rows) - _LISTED,
        wanted=wanted,
        in_force=len(topics),
        sparkline=sparkline,
        days=_PLOTTED,
        matches=plots.by_topic(matches, until=until, days=_PLOTTED, label=f"Matches a day by topic, {_PLOTTED} days"),
        alerts=plots.by_topic(alerts, until=until, days=_PLOTTED, label=f"Alerts a day by topic, {_PLOTTED} days"),
        delays=plots.delays(delay.buckets, label="Alerts by the time from publication to delivery"),
        told=round(delay.count),
        median=plots.median(delay.buckets),
    )


def _topics(request: Request) -> tuple[Topic, ...]:
    at = desk(request)
    with at.read() as t:
        kept = snapshots.topics_in_force(t)
    if kept is not None:
        return kept
    try:
        return at.settings().topics
    except WirewatchError:  # what is wrong with it stands under Health
        return ()


def _last_day(*found: Days) -> date | None:
    return max((day for one in found for by_day in one.values() for day in by_day), default=None)


def _rows(
    topics: tuple[Topic, ...], matches: Days, totals: Mapping[tuple[str, tuple[str, ...]], float], until: date
) -> list[Row]:
    counts: dict[tuple[str, str], float] = defaultdict(float)
    for (name, labels), n in totals.items():
        counts[name, labels[0]] += n
    by_day = plots.summed(matches)
    in_force = {topic.id: topic for topic in topics}
    # Digests and notices are alerts without a topic.
    gone = sorted({topic_id for _, topic_id in counts if topic_id} - in_force.keys())
    return [
        Row(
            id=topic_id,
            topic=in_force.get(topic_id),
            matches=round(counts[tallies.MATCHES, topic_id]),
            alerts=round(counts[tallies.ALERTS, topic_id]),
            last=max(by_day.get(topic_id, {}), default=None),
            fortnight=tuple(
                by_day.get(topic_id, {}).get(until - timedelta(days=ago), 0) for ago in reversed(range(_FORTNIGHT))
            ),
        )
        for topic_id in (*in_force, *gone)
    ]


ROUTES = (get("/topics", listed),)

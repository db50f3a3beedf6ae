"""Metrics for Prometheus, made anew at each scrape from what the ledger says.

No process keeps counters of its own: those that it lost at its death would be missed, and files shared between
processes outlive them (https://github.com/prometheus/client_python/issues/275). What is counted is counted in the
ledger, with what it counts (``worker.ledger.tallies``); the rest is looked up.

Labels are ids of the configuration, names of ours, and at most ``tallies.HOSTS`` hosts: a thousand feeds are some six
thousand series. What was counted of a feed, a topic or a channel that is configured no longer is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isinf
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from worker import __version__
from worker.console.readings import Readings
from worker.ledger import tallies
from worker.ledger.feeds import STOPPED
from worker.ledger.progress import RELOAD
from worker.model import Reason

#: What must come round for the service to work, as it is noted in the ledger.
PARTS: Final = ("tick", "poll", "read", "deliver")
#: All states of a feed: see ``worker.model.FeedState``.
STATES: Final = ("new", "ok", "failing", *STOPPED)
#: The outcomes that rules ask for an increase of. They are there from the start: Prometheus sees no increase in a
#: series that is born with its first event.
_DELIVERIES: Final = (Reason.DELIVERED, Reason.RETRY, Reason.UNKNOWN, Reason.DEAD)
_READS: Final = (Reason.PAGE, Reason.FEED_TEXT, Reason.NO_TEXT, Reason.RETRY, Reason.DEAD)
_KINDS: Final = ("entry", "alert")

_Samples = Iterable[tuple[tuple[str, ...], float]]


def nothing() -> Iterator[Metric]:
    """Yield what there is to say when the ledger cannot be read."""
    yield from _about(ledger_up=False, ready=False)


def collect(r: Readings) -> Iterator[Metric]:
    """Yield all metrics."""
    yield from _about(ledger_up=True, ready=r.ready)
    yield from _service(r)
    yield from _feeds(r)
    yield from _reading(r)
    yield from _watching(r)
    yield from _telling(r)
    yield _gauge("scrape_duration_seconds", "How long this page took to be read off the ledger.", [((), r.seconds)])


def _about(*, ledger_up: bool, ready: bool) -> Iterator[Metric]:
    yield InfoMetricFamily("wirewatch_build", "The version that answers.", value={"version": __version__})
    yield _gauge(
        "ledger_up",
        "1 when the ledger and the configuration in it can be read. When it is 0 nearly all other metrics are missing.",
        [((), ledger_up)],
    )
    yield _gauge("ready", "1 when the service does its work; /readyz says why not.", [((), ready)])


def _service(r: Readings) -> Iterator[Metric]:
    if r.broker_up is not None:
        yield _gauge(
            "broker_up",
            "1 when Redis or Valkey answers. Without it nothing is lost, and new work is found more slowly.",
            [((), r.broker_up)],
        )
    yield _gauge(
        "broker_messages",
        "Messages that no worker has taken yet. They only wake workers: a few is usual, many mean that nobody listens.",
        (((queue,), n) for queue, n in sorted(r.messages.items())),
        "queue",
    )
    yield _gauge(
        "part_last_seen_timestamp_seconds",
        "When a part of the service has last come round, each every 20 s or so; 0 when it never did.",
        (((part,), _stamp(r.progress[part].at) if part in r.progress else 0.0) for part in PARTS),
        "part",
    )
    yield from _queues(r)
    yield _gauge(
        "configuration_generation",
        "The number of the configuration in force; it grows with every change.",
        [((), r.generation)],
    )
    yield _gauge(
        "configuration_last_reload_timestamp_seconds",
        "Since when this configuration is in force.",
        _when({(): r.taken_at}),
    )
    yield _gauge(
        "configuration_reload_success",
        "0 when the last reload was refused and the configuration before it is still in force.",
        [((), RELOAD not in r.progress or not r.progress[RELOAD].detail)],
    )
    yield from _canary(r)
    yield _gauge(
        "alarm",
        "1 while something is quiet, or gives far less than usual, against its own past: what, and what about it.",
        sorted({(one.kind, one.subject): 1.0 for one in r.alarms}.items()),
        "kind",
        "subject",
    )


def _canary(r: Readings) -> Iterator[Metric]:
    heartbeat = r.settings.service.heartbeat
    yield _gauge(
        "canary_last_success_timestamp_seconds",
        "When an invented entry has last gone all the way through poll, read, match and deliver.",
        _when({(): r.canary_at}),
    )
    yield _gauge(
        "canary_interval_seconds",
        "How often such an entry is sent on its way (heartbeat.every). Missing without heartbeat.url: there is none.",
        [((), heartbeat.every.total_seconds())] if heartbeat.url else [],
    )


def _queues(r: Readings) -> Iterator[Metric]:
    states = ("open", "due", "leased")
    yield _gauge(
        "queue_rows",
        "Rows of the ledger that are to be worked on: open in all, due now, and in hand (leased).",
        (((name, state), queue[state]) for name, queue in r.queues.items() for state in states),
        "queue",
        "state",
    )
    yield _gauge(
        "queue_oldest_seconds",
        "For how long the oldest row has been due with nobody at work on it; of queue poll it is the lag of polling.",
        (((name,), queue["oldest_s"]) for name, queue in r.queues.items()),
        "queue",
    )


def _feeds(r: Readings) -> Iterator[Metric]:
    yield _gauge(
        "feed_last_success_timestamp_seconds",
        "When a feed was last polled with a good answer, new entries or not. Missing while there never was one.",
        _when({(feed.id,): feed.last_success_at for feed in r.feeds}),
        "feed",
    )
    yield _gauge(
        "feed_next_poll_timestamp_seconds",
        "When a feed is polled next. Missing when it is not polled any more.",
        _when({(feed.id,): feed.next_poll_at for feed in r.feeds}),
        "feed",
    )
    yield _gauge(
        "feed_interval_seconds",
        "A feed's own rhythm: how long is waited between two good polls.",
        (((feed.id,), feed.interval.total_seconds()) for feed in r.feeds),
        "feed",
    )
    yield _gauge(
        "feed_consecutive_failures",
        "Failed polls in a row, weighted: 1 where a person must act, less where it may pass; a feed is given up at 30.",
        (((feed.id,), feed.failures) for feed in r.feeds),
        "feed",
    )
    yield _gauge(
        "feeds",
        "Configured feeds by their state: new, ok, failing, or not polled any more: gone, disabled, merged.",
        (((state,), sum(feed.state == state for feed in r.feeds)) for state in STATES),
        "state",
    )
    yield _gauge(
        "feed_stopped",
        "1 for a feed that is not polled any more until a person acts, and in which state it is.",
        (((feed.id, feed.state), 1.0) for feed in r.feeds if feed.state in STOPPED),
        "feed",
        "state",
    )
    yield _counter(
        r,
        tallies.ENTRIES,
        "feed_entries",
        "New entries that a feed has shown and that were to be read.",
        "feed",
        start={(feed.id,) for feed in r.feeds},
        only={feed.id for feed in r.feeds},
    )


def _reading(r: Readings) -> Iterator[Metric]:
    yield _counter(r, tallies.POLLS, "polls", "Polls of feeds by what came of them.", "outcome")
    yield _counter(
        r,
        tallies.FETCHES,
        "fetches",
        "Answers of hosts, to polls and to requests for pages; hosts that were met late are counted as other.",
        "kind",
        "host",
        "outcome",
    )
    yield _counter(
        r,
        tallies.READS,
        "reads",
        "Attempts to read an entry by what came of them: page and feed-text are articles; retry comes again.",
        "outcome",
        start={(outcome,) for outcome in _READS},
    )


def _watching(r: Readings) -> Iterator[Metric]:
    known = {topic.id for topic in r.settings.topics}
    yield _counter(
        r,
        tallies.MATCHES,
        "matches",
        "Articles that a topic has met: by rule, by meaning or by both.",
        "topic",
        "by",
        only=known,
    )
    yield _gauge(
        "topic_last_match_timestamp_seconds",
        "When a topic has last met an article. Missing while it never did.",
        _when({(topic,): r.last_matches.get(topic) for topic in sorted(known)}),
        "topic",
    )
    yield _counter(
        r,
        tallies.DECISIONS,
        "decisions",
        "What was decided of matches, channel by channel: why somebody is told of one, or why not.",
        "topic",
        "reason",
        only=known,
    )
    yield _counter(
        r,
        tallies.ALERTS,
        "alerts",
        "Alerts that were made, by what they are to their story; digests and notices have no topic.",
        "topic",
        "role",
        only={*known, ""},
    )


def _telling(r: Readings) -> Iterator[Metric]:
    known = set(r.settings.channels)
    yield _counter(
        r,
        tallies.DELIVERIES,
        "deliveries",
        "Attempts to deliver an alert, by how they ended.",
        "channel",
        "outcome",
        start={(channel, outcome) for channel in known for outcome in _DELIVERIES},
        only=known,
    )
    yield _gauge(
        "delivery_oldest_pending_seconds",
        "For how long the longest overdue alert of a channel could not be delivered, through all retries; 0 when none.",
        (((channel,), r.pending.get(channel, 0.0)) for channel in sorted(known)),
        "channel",
    )
    yield _gauge(
        "channel_disabled",
        "1 when a channel takes nothing until somebody mends it; its alerts wait.",
        (((channel,), channel in r.disabled) for channel in sorted(known)),
        "channel",
    )
    yield _gauge(
        "dead_letters_waiting",
        "Work that was given up and not given back: entries that were not read, alerts that were not delivered.",
        (((kind,), r.dead_letters.get(kind, 0)) for kind in _KINDS),
        "kind",
    )
    every = {(kind,) for kind in _KINDS}
    yield _counter(r, tallies.DEAD_LETTERS, "dead_letters", "Work that was ever given up.", "kind", start=every)
    yield _counter(
        r, tallies.REVIVED, "dead_letters_revived", "Dead letters that were ever given back.", "kind", start=every
    )
    yield _histogram(
        r, tallies.PUBLISH_TO_ALERT, "From an article's publication, as its publisher dates it, to its delivery."
    )
    yield _histogram(
        r, tallies.DETECT_TO_DELIVERY, "From the poll that has found an article to its delivery: our own part of it."
    )


def _gauge(name: str, text: str, samples: _Samples, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"wirewatch_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, float(value))
    return family


def _counter(
    r: Readings,
    tally: str,
    name: str,
    text: str,
    *labels: str,
    start: Iterable[tuple[str, ...]] = (),
    only: set[str] | None = None,
) -> Metric:
    """Return the counter of a tally, those of ``start`` at 0; ``only`` says which values the first label may have."""
    values = dict.fromkeys(start, 0.0) | {key: n for (found, key), n in r.totals.items() if found == tally}
    family = CounterMetricFamily(f"wirewatch_{name}", text, labels=labels)
    for key, n in sorted(values.items()):
        if only is None or key[0] in only:
            family.add_metric(key, n)
    return family


def _histogram(r: Readings, tally: str, text: str) -> Metric:
    found = r.histograms[tally]
    buckets = [("+Inf" if isinf(bound) else str(bound), n) for bound, n in found.buckets]
    return HistogramMetricFamily(f"wirewatch_{tally}_seconds", text, buckets=buckets, sum_value=found.sum)


def _when(times: Mapping[tuple[str, ...], datetime | None]) -> _Samples:
    return [(labels, _stamp(at)) for labels, at in times.items() if at is not None]


def _stamp(at: datetime) -> float:
    return at.timestamp()

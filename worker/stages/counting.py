"""What the stages add to the ledger's tallies, in the transactions in which it happens."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from worker.errors import Retryable, Unusable
from worker.ledger import entries, tallies
from worker.ledger.engine import Transaction
from worker.model import CANARY, Alert, Delivery, Reason, Role

#: A name of ours, as opposed to a sentence about one case: only those are labels, of which there are few.
_NAME: Final = re.compile(r"[a-z]+(-[a-z]+)*")
#: Roles of alerts that tell of one article, whose delay says how fast the service is.
_OF_AN_ARTICLE: Final = frozenset({Role.FIRST, Role.REPORT, Role.DEVELOPMENT})


def fault(error: Retryable | Unusable) -> str:
    """Return the name of what kept a page from being read."""
    return error.name or Reason.HTTP_ERROR.value


def named(detail: str) -> str:
    """Return a detail that is a name; for a sentence about one case that of all such cases."""
    return detail if _NAME.fullmatch(detail) else Reason.HTTP_ERROR.value


def polled(t: Transaction, outcome: Reason, *, host: str, now: datetime) -> None:
    """Count a poll of a feed on ``host``."""
    tallies.count(t, tallies.POLLS, outcome, now=now)
    _fetched(t, "poll", host, outcome, now=now)


def fetched(t: Transaction, host: str, outcome: str, *, now: datetime) -> None:
    """Count a request for an article's page; an empty ``host`` says that none was made."""
    if host:
        _fetched(t, "page", host, outcome, now=now)


def _fetched(t: Transaction, kind: str, host: str, outcome: str, *, now: datetime) -> None:
    tallies.count(t, tallies.FETCHES, kind, tallies.host(t, host), outcome, now=now)


def read(t: Transaction, outcome: Reason, *, now: datetime) -> None:
    """Count what came of an attempt to read an entry."""
    tallies.count(t, tallies.READS, outcome, now=now)


def delivered(t: Transaction, alert: Alert, d: Delivery, *, now: datetime) -> None:
    """Count how an attempt to send an alert has ended and, where it arrived for the first time, how late it is."""
    tallies.count(t, tallies.DELIVERIES, alert.channel_id, d.outcome, now=now)
    of_an_article = alert.role in _OF_AN_ARTICLE and alert.channel_id != CANARY
    if d.outcome is not Reason.DELIVERED or alert.repeat or not of_an_article:
        return
    times = entries.times(t, alert.article_id)
    if times is None:
        return
    published_at, found_at = times
    tallies.observe(t, tallies.PUBLISH_TO_ALERT, (d.at - published_at).total_seconds(), now=now)
    if found_at is not None:
        tallies.observe(t, tallies.DETECT_TO_DELIVERY, (d.at - found_at).total_seconds(), now=now)

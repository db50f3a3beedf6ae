"""Tallies: counted with a transaction or not at all, by several processes, and folded without a loss."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.ledger import tallies
from worker.ledger.engine import Ledger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_what_a_transaction_counts_is_there_with_it(either_ledger: Ledger) -> None:
    """Counts of one transaction add up, by name and labels."""
    with either_ledger.write() as t:
        tallies.count(t, "reads", "page", now=NOON)
        tallies.count(t, "reads", "page", now=NOON, n=2)
        tallies.count(t, "deliveries", "desk", "delivered", now=NOON)
    with either_ledger.read() as t:
        assert tallies.totals(t) == {("reads", ("page",)): 3, ("deliveries", ("desk", "delivered")): 1}
        assert tallies.totals(t, ["deliveries"]) == {("deliveries", ("desk", "delivered")): 1}


def test_a_transaction_that_is_rolled_back_has_counted_nothing(either_ledger: Ledger) -> None:
    """Nor does what it was about to count come with the next one on the same connection."""
    with pytest.raises(RuntimeError), either_ledger.write() as t:
        tallies.count(t, "reads", "page", now=NOON)
        raise RuntimeError("it goes wrong")
    with either_ledger.write() as t:
        tallies.count(t, "reads", "retry", now=NOON)
    with either_ledger.read() as t:
        assert tallies.totals(t) == {("reads", ("retry",)): 1}


def test_days_are_told_apart_in_utc(either_ledger: Ledger) -> None:
    """A count belongs to the day on which it was made, and earlier days than asked for are left out."""
    with either_ledger.write() as t:
        for away in (0, 0, 1, 5):
            tallies.count(t, tallies.MATCHES, "missiles", "rule", now=NOON - timedelta(days=away))
    with either_ledger.read() as t:
        found = tallies.days(t, tallies.MATCHES, since=date(2026, 3, 1))
    assert found == {("missiles", "rule"): {date(2026, 3, 1): 1, date(2026, 3, 2): 2}}


def test_folding_keeps_every_total_and_the_days_of_a_history(either_ledger: Ledger) -> None:
    """What is no longer told apart by day is one row, and folding again finds nothing to do."""
    with either_ledger.write() as t:
        for away in range(80):
            at = NOON - timedelta(days=away)
            tallies.count(t, tallies.READS, "page", now=at)
            tallies.count(t, tallies.ENTRIES, "wire", now=at)
    with either_ledger.read() as t:
        before = tallies.totals(t)
    with either_ledger.write() as t:
        assert tallies.fold(t, now=NOON) == 77 + 19
        assert tallies.fold(t, now=NOON) == 0
    with either_ledger.read() as t:
        assert tallies.totals(t) == before
        assert len(tallies.days(t, tallies.ENTRIES, since=date(2026, 1, 1))[("wire",)]) == 61
    with either_ledger.write() as t:  # a count of a day that was folded meanwhile joins the rest with the next folding
        tallies.count(t, tallies.READS, "page", now=NOON - timedelta(days=9))
    with either_ledger.write() as t:
        assert tallies.fold(t, now=NOON) == 1
    with either_ledger.read() as t:
        assert tallies.totals(t)["reads", ("page",)] == 81


def test_a_histogram_has_every_value_in_its_buckets_and_in_its_sum(either_ledger: Ledger) -> None:
    """Bounds are inclusive, what is beyond them stands in the last bucket, and no value is negative."""
    with either_ledger.write() as t:
        for value in (-3.0, 1.0, 1.5, 60.0, 1e9):
            tallies.observe(t, tallies.PUBLISH_TO_ALERT, value, now=NOON)
    with either_ledger.read() as t:
        found = tallies.histogram(t, tallies.PUBLISH_TO_ALERT)
    buckets = dict(found.buckets)
    assert (buckets[1.0], buckets[2.5], buckets[60.0], buckets[86400.0], buckets[float("inf")]) == (2, 3, 4, 4, 5)
    assert (found.count, found.sum) == (5, 1e9 + 62.5)


def test_hosts_beyond_the_cap_are_counted_together(either_ledger: Ledger) -> None:
    """The first ones keep their names, whichever connection asks."""
    with either_ledger.write() as t:
        names = [tallies.host(t, f"host-{number}.example") for number in range(tallies.HOSTS + 5)]
        for name in names:
            tallies.count(t, tallies.FETCHES, "page", name, "page", now=NOON)
    assert names[-5:] == [tallies.OTHER] * 5
    with either_ledger.write() as t:
        assert tallies.host(t, "host-3.example") == "host-3.example"
        assert tallies.host(t, "new.example") == tallies.OTHER
    with either_ledger.read() as t:
        assert tallies.totals(t)["fetches", ("page", tallies.OTHER, "page")] == 5

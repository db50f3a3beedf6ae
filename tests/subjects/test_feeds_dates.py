"""Dates of feeds are read as they were meant, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from worker.feeds.dates import read_date


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 11 Feb 2026 12:00:00 GMT",
        "Wed, 11 Feb 2026 07:00:00 EST",
        "Wed, 11 Feb 2026 05:00:00 PDT",
        "Wed, 11 Feb 2026 12:00:00",
        "11 Feb 26 12:00 UT",
        "Wed, 11 Feb 2026 13:00:00 CET",
        "Wed, 11 Feb 2026 17:30:00 IST",
        "Wed, 11 Feb 2026 21:00:00 +0900 (JST)",
        "Wed, 11 Feb 2026 14:00:00 GMT+02:00",
        "Wed,  11  February 2026 12:00:00 Z",
        "Wed, Feb 11, 2026 07:00 AM EST",
        "February 11th, 2026 at 12:00 PM",
        "Wed Feb 11 12:00:00 2026",
        "Wed Feb 11 07:00:00 EST 2026",
        "mer., 11 févr. 2026 13:00:00 +0100",
        "Mi, 11 Feb 2026 13:00:00 MEZ",
        "2026-02-11T12:00:00Z",
        "2026-02-11T12:00:00.000+00:00",
        "2026-02-11T13:00+01:00",
        "2026-02-11 12:00:00",
        "2026-02-11 07:00:00 EST",
        "20260211T120000Z",
        "Wed, 11 Feb 2026 12:00:00 XYZ",
    ],
)
def test_noon_is_read_however_it_is_written(text: str) -> None:
    """Names of zones, missing ones, short years, other orders and languages."""
    assert read_date(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "02/11/2026",
        "Wed, 31 Feb 2026 12:00:00 GMT",
        "Wed, 11 Foo 2026 12:00:00 GMT",
        "Wed, 11 Feb 2026 25:00:00 GMT",
        "Wed, 11 Feb 2026 13:00 PM",
        "2026-13-01",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "0001-01-01T00:00:00Z",
        "1989-12-31",
        "2026",
        "9999-12-31T23:59:59-12:00",
        "2026-02-11T12:00:00+99:99x",
        "1" * 5000,
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    """Nonsense, ambiguity, and the dates that stand in fields nobody filled."""
    assert read_date(text) is None


def test_odd_dates_are_read_as_they_are() -> None:
    """Years of two digits lie in 1990 to 2089, days have no time, leap seconds are the second before, futures stay."""
    assert read_date("11 Feb 90 12:00:00 GMT") == datetime(1990, 2, 11, 12, tzinfo=UTC)
    assert read_date("11 Feb 89 12:00:00 GMT") == datetime(2089, 2, 11, 12, tzinfo=UTC)
    assert read_date("2026-02-11") == datetime(2026, 2, 11, tzinfo=UTC)
    assert read_date("2026-06-30T23:59:60Z") == datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert read_date("11 Feb 2126 12:00:00 GMT") == datetime(2126, 2, 11, 12, tzinfo=UTC)


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2100, 1, 1)).map(lambda when: when.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_dates_written_by_the_rules_come_back(when: datetime, minutes: int) -> None:
    """RFC 5322 and RFC 3339, in any zone."""
    moment = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_date(format_datetime(moment)) == moment
    assert read_date(moment.isoformat()) == moment


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """It answers with a moment in UTC or with nothing."""
    found = read_date(text)
    assert found is None or found.tzinfo is UTC

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.settings.units import duration, size


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(hours=24)),
        ("30d", timedelta(days=30)),
        ("1h30m", timedelta(minutes=90)),
        ("0.5s", timedelta(milliseconds=500)),
        ("0s", timedelta()),
        ("600", timedelta(minutes=10)),
        (600, timedelta(minutes=10)),
        (1.5, timedelta(seconds=1.5)),
    ],
)
def test_durations_are_read_as_people_write_them(written: object, span: timedelta) -> None:
    """Units, parts in a row, fractions and plain seconds all name a span."""
    assert duration(written) == span


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("10 minutes", "write 10m"),
        ("10 m", "write 10m"),
        ("1 hour", "write 1h"),
        ("2 weeks", "write 14d"),
        ("1w", "write 7d"),
        ("500ms", "write 0.5s"),
        ("10M", "write 10m"),
        ("5min", "write 5m"),
        ("1 fortnight", "write 30s, 10m, 24h, 30d"),
        ("soon", "write 30s, 10m, 24h, 30d"),
        ("", "write 30s, 10m, 24h, 30d"),
        ("-5m", "cannot be negative"),
        (-5, "cannot be negative"),
        (float("inf"), "the longest duration is 36500d"),
        (float("nan"), "the longest duration is 36500d"),
        ("99999999d", "the longest duration is 36500d"),
        (True, "write 30s, 10m, 24h, 30d"),
        (["10m"], "write 30s, 10m, 24h, 30d"),
        (None, "write 30s, 10m, 24h, 30d"),
    ],
)
def test_what_is_no_duration_says_what_to_write(written: object, remedy: str) -> None:
    """A wrong unit names the right one; everything else shows the forms there are."""
    with pytest.raises(ValueError, match=remedy):
        duration(written)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("10MiB", 10 * 2**20),
        ("500KiB", 500 * 2**10),
        ("1GB", 10**9),
        ("1.5KiB", 1536),
        ("12B", 12),
        ("2kB", 2000),
        (4096, 4096),
        ("4096", 4096),
    ],
)
def test_sizes_tell_thousands_from_1024s(written: object, count: int) -> None:
    """KB counts in thousands, KiB in 1024s, and a bare number is bytes."""
    assert size(written) == count


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("10 MB", "write 10MB"),
        ("10 mib", "write 10MiB"),
        ("10M", "write 10MiB"),
        ("10 megabytes", "write 10MB"),
        ("3 bytes", "write 3B"),
        ("10 parsecs", "write 500KiB, 10MiB, 1GB"),
        ("-1KiB", "cannot be negative"),
        (-1, "cannot be negative"),
        ("9999999GiB", "the largest size"),
        (float("nan"), "the largest size"),
        (False, "write 500KiB, 10MiB, 1GB"),
    ],
)
def test_what_is_no_size_says_what_to_write(written: object, remedy: str) -> None:
    """A wrong unit names the right one; everything else shows the forms there are."""
    with pytest.raises(ValueError, match=remedy):
        size(written)


@settings(deadline=None)  # other processes may share the machine
@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_in_parts_is_the_sum_of_its_parts(d: int, h: int, m: int, s: int) -> None:
    """Parts in a row add up."""
    assert duration(f"{d}d{h}h{m}m{s}s") == timedelta(days=d, hours=h, minutes=m, seconds=s)


@settings(deadline=None)  # other processes may share the machine
@given(st.text(max_size=30) | st.from_regex(r"[0-9.]{1,30}\s?[a-zA-Z]{0,12}", fullmatch=True))
def test_any_text_is_a_measure_or_a_value_error(text: str) -> None:
    """Nothing that a person may write raises anything else or gives a negative measure."""
    for read, nothing in ((duration, timedelta()), (size, 0)):
        with contextlib.suppress(ValueError):
            assert read(text) >= nothing  # type: ignore[operator]

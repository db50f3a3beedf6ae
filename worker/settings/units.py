"""Durations and sizes as people write them: ``30s``, ``1h30m``, ``10MiB``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES: Final = {
    "B": 1,
    "KB": 10**3,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(rf"(?:{_NUMBER}[smhd])+")
_PART = re.compile(rf"({_NUMBER})([smhd])")
_SIZE = re.compile(rf"({_NUMBER})({'|'.join(_BYTES)})")
_AMOUNT = re.compile(rf"({_NUMBER})\s*([A-Za-zµ]+)\.?")
_PLAIN = re.compile(_NUMBER)
#: Longer than anything here needs, and short enough for every sum with a date.
_LONGEST = timedelta(days=36_500)
_LARGEST = 2**50

#: Units that people write instead, as a factor and the unit to write.
_MEANT_DURATION: Final = {
    "ms": (0.001, "s"), "msec": (0.001, "s"), "millisecond": (0.001, "s"),
    "sec": (1, "s"), "second": (1, "s"),
    "min": (1, "m"), "minute": (1, "m"),
    "hr": (1, "h"), "hour": (1, "h"), "day": (1, "d"),
    "w": (7, "d"), "wk": (7, "d"), "week": (7, "d"),
    "mo": (30, "d"), "month": (30, "d"),
    "y": (365, "d"), "yr": (365, "d"), "year": (365, "d"),
}  # fmt: skip
_MEANT_SIZE: Final = {
    "byte": "B", "k": "KiB", "kb": "KB", "kib": "KiB", "kilobyte": "KB", "kibibyte": "KiB",
    "m": "MiB", "mb": "MB", "mib": "MiB", "megabyte": "MB", "mebibyte": "MiB",
    "g": "GiB", "gb": "GB", "gib": "GiB", "gigabyte": "GB", "gibibyte": "GiB",
}  # fmt: skip


def duration(value: object) -> timedelta:
    """Return the span that ``value`` names: ``30s 10m 24h 30d``, parts in a row (``1h30m``), or seconds.

    Raises:
        ValueError: It names none, is negative, or is longer than 100 years; the text says what to write.
    """
    seconds = _seconds(value)
    if math.isnan(seconds) or seconds > _LONGEST.total_seconds():
        raise ValueError("the longest duration is 36500d")
    if seconds < 0:
        raise ValueError("a duration cannot be negative")
    return timedelta(seconds=seconds)


def size(value: object) -> int:
    """Return the number of bytes that ``value`` names: ``500KiB 10MiB 1GB``, or a number of bytes.

    ``KB MB GB`` count in thousands, ``KiB MiB GiB`` in 1024s (IEC 80000-13).

    Raises:
        ValueError: It names none, is negative, or is larger than 1 PiB; the text says what to write.
    """
    count = _byte_count(value)
    if math.isnan(count) or count > _LARGEST:
        raise ValueError("the largest size is 1048576GiB")
    if count < 0:
        raise ValueError("a size cannot be negative")
    return int(count)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_SAY_DURATION)  # noqa: TRY004 - the caller catches one kind
    if not isinstance(value, str):
        return float(value)
    text = value.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    if _DURATION.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    raise ValueError(_instead_of_duration(text))


def _byte_count(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_SAY_SIZE)  # noqa: TRY004 - the caller catches one kind
    if not isinstance(value, str):
        return float(value)
    text = value.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    if found := _SIZE.fullmatch(text):
        return float(found[1]) * _BYTES[found[2]]
    raise ValueError(_instead_of_size(text))


_SAY_DURATION = "write 30s, 10m, 24h, 30d or a number of seconds"
_SAY_SIZE = "write 500KiB, 10MiB, 1GB or a number of bytes"


def _instead_of_duration(text: str) -> str:
    if text.startswith("-"):
        return "a duration cannot be negative"
    found = _AMOUNT.fullmatch(text)
    if not found:
        return _SAY_DURATION
    unit = found[2].casefold()
    factor, right = _MEANT_DURATION.get(unit) or _MEANT_DURATION.get(unit.removesuffix("s")) or (1, unit)
    return f"write {float(found[1]) * factor:g}{right}" if right in _SECONDS else _SAY_DURATION


def _instead_of_size(text: str) -> str:
    if text.startswith("-"):
        return "a size cannot be negative"
    found = _AMOUNT.fullmatch(text)
    if not found:
        return _SAY_SIZE
    unit = found[2].casefold()
    right = _MEANT_SIZE.get(unit) or _MEANT_SIZE.get(unit.removesuffix("s")) or ("B" if unit == "b" else "")
    return f"write {found[1]}{right}" if right else _SAY_SIZE

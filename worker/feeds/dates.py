"""Dates as feeds write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

#: Feeds began later than this; an earlier date is a field that nobody filled in (1970, 0001).
EARLIEST_YEAR = 1990
_LONGEST = 100
#: Hours east of Greenwich. Source: RFC 822 section 5.1 for the American names; the others by their use in feeds.
#: Names with several meanings have the one that news feeds mean: BST is British, IST Indian, CST and AST American.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "cest": 2, "mest": 2,
    "mesz": 2, "mez": 1, "eet": 2, "eest": 3, "msk": 3, "trt": 3, "sast": 2, "cat": 2, "eat": 3, "wat": 1, "gst": 4,
    "irst": 3.5, "pkt": 5, "ist": 5.5, "npt": 5.75, "wib": 7, "ict": 7, "hkt": 8, "sgt": 8, "pht": 8, "awst": 8,
    "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
    "nst": -3.5, "ndt": -2.5, "brt": -3, "art": -3, "ast": -4, "adt": -3, "at": -4, "est": -5, "edt": -4, "et": -5,
    "cst": -6, "cdt": -5, "ct": -6, "mst": -7, "mdt": -6, "mt": -7, "pst": -8, "pdt": -7, "pt": -8,
    "akst": -9, "akdt": -8, "hst": -10,
}  # fmt: skip
#: Beginnings of months in English, German, French, Spanish, Italian, Portuguese and Dutch; longer ones first.
_MONTHS = {
    "janv": 1, "juin": 6, "juil": 7, "août": 8, "aout": 8, "mars": 3,
    "jan": 1, "ene": 1, "gen": 1, "feb": 2, "fev": 2, "fév": 2, "mar": 3, "mär": 3, "mrt": 3, "maa": 3, "apr": 4,
    "avr": 4, "abr": 4, "may": 5, "mai": 5, "mag": 5, "mei": 5, "jun": 6, "giu": 6, "jul": 7, "lug": 7, "aug": 8,
    "ago": 8, "sep": 9, "set": 9, "oct": 10, "okt": 10, "ott": 10, "out": 10, "nov": 11, "dec": 12, "déc": 12,
    "dez": 12, "dic": 12,
}  # fmt: skip
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,]\d{1,9})?)?(?:\s?(?P<half>[ap]m)\b)?"
_OFFSET = r"(?P<zone>[+-]\d{1,2}:?\d{2}|[+-]\d{1,2}|[a-z]{1,5}(?:[+-]\d{1,2}:?(?:\d{2})?)?)?"
_WEEKDAY = r"(?:[^\W\d]{2,12}\.?,?\s+)?"
# RFC 3339, ISO 8601 and what databases write: 2026-02-11T12:00:00Z, 2026-02-11 12:00 +01:00, 2026-02
_ISO = rf"(?P<year>\d{{4}})-(?P<month>\d{{1,2}})(?:-(?P<day>\d{{1,2}}))?(?:[t\s]\s?{_CLOCK}\s?{_OFFSET})?"
# The basic format of ISO 8601: 20260211, 20260211T120000Z
_BASIC = (
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:t(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})(?P<zone>z|[+-]\d{2}:?\d{2})?)?"
)
# RFC 822 and 5322: Wed, 11 Feb 2026 12:00:00 GMT
_MAIL = (
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]+(?P<name>[^\W\d]{{3,12}})\.?,?[\s-]+"
    rf"(?P<year>\d{{4}}|\d{{2}}),?(?:\s+{_CLOCK})?\s*{_OFFSET}"
)
# The day after the month: Wed, Feb 11, 2026 12:00:00 EST
_AMERICAN = (
    rf"{_WEEKDAY}(?P<name>[^\W\d]{{3,12}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}),?"
    rf"(?:\s+(?:at\s+)?{_CLOCK})?\s*{_OFFSET}"
)
# asctime: Wed Feb 11 12:00:00 EST 2026
_ASCTIME = rf"{_WEEKDAY}(?P<name>[^\W\d]{{3,12}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s*{_OFFSET}\s*(?P<year>\d{{4}})"
_FORMS = tuple(re.compile(form, re.IGNORECASE) for form in (_ISO, _BASIC, _MAIL, _AMERICAN, _ASCTIME))
_COMMENT = re.compile(r"\s*\([^()]{0,50}\)\s*$")


def read_date(text: str) -> datetime | None:
    """Return the moment that ``text`` names, in UTC; ``None`` when it names none, or one before 1990.

    A date without a time is midnight, a time without a zone is UTC, and so is a zone that nobody knows. A year of
    two digits lies in 1990 to 2089. A date in the future stays as it is. Dates like 02/11/2026 are not read: half
    of the world reads them another way.
    """
    text = _COMMENT.sub("", " ".join(text[:_LONGEST].split()))
    for form in _FORMS:
        if found := form.fullmatch(text):
            return _moment(found.groupdict())
    return None


def _moment(parts: dict[str, str | None]) -> datetime | None:
    month = _month(parts["name"] or "") if "name" in parts else int(parts["month"] or 1)
    year = _year(parts["year"] or "")
    if not month or year < EARLIEST_YEAR:
        return None
    try:
        local = datetime(
            year,
            month,
            int(parts["day"] or 1),
            _hour(int(parts["hour"] or 0), parts.get("half")),
            int(parts["minute"] or 0),
            _second(int(parts["second"] or 0)),
            tzinfo=UTC,
        )
        return local - _offset(parts["zone"] or "")
    except (ValueError, OverflowError):
        return None


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) > 2:  # noqa: PLR2004 - digits of a short year
        return year
    return year + (2000 if year < EARLIEST_YEAR % 100 else 1900)


def _month(name: str) -> int | None:
    name = name.lower()
    return _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:  # noqa: PLR2004 - hours on the face of a clock
        raise ValueError(hour)
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _second(second: int) -> int:
    # A leap second is taken for the second before it (RFC 3339 section 5.7).
    return second - 1 if second == 60 else second  # noqa: PLR2004 - seconds of a minute


def _offset(zone: str) -> timedelta:
    name = zone.rstrip("+-0123456789:").lower()
    sign = -1 if "-" in zone else 1
    # "GMT+02:00" is two hours east; "CET+1" is not a zone that anybody writes.
    digits = "".join(character for character in zone[len(name) :] if character.isdigit())
    hours = int(digits[:2] or 0) if len(digits) != 3 else int(digits[0])  # noqa: PLR2004 - "+330"
    minutes = int(digits[-2:]) if len(digits) > 2 else 0  # noqa: PLR2004 - hours alone
    return timedelta(hours=_ZONES.get(name, 0)) + sign * timedelta(hours=hours, minutes=minutes)

"""The lines that recorders write: one for each message, of an alert, a digest or a notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_EVERY: Final = frozenset(("alert", "channel", "at"))
_KINDS: Final = {
    "alert": _EVERY | {"topic", "story", "role", "article", "title", "outlet", "articles", "evidence", "linked"},
    "digest": _EVERY | {"alerts", "more"},
    "notice": _EVERY | {"text"},
}


def is_line(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a value is what a recorder writes, as far as a replay asks for its parts."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return False
    keys = _KINDS.get(value["kind"])
    if keys is None or not value.keys() >= keys:
        return False
    alerts = value["alerts"] if value["kind"] == "digest" else []
    return isinstance(alerts, list) and all(map(is_line, alerts))


def each_alert(lines: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the alerts that lines tell of, those of a digest with the time and, as ``digest``, the key of the digest.

    Those that a digest only counts are left out, and so are notices.
    """
    for line in lines:
        if line["kind"] == "alert":
            yield dict(line)
        elif line["kind"] == "digest":
            yield from (item | {"at": line["at"], "digest": line["alert"]} for item in line["alerts"])

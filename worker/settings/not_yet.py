"""Keys that this version accepts and does not act on yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from worker.errors import Problem
from worker.settings.document import Document, Keys
from worker.settings.shape import label


@dataclass(frozen=True, slots=True, kw_only=True)
class _Later:
    keys: Keys
    #: Values, as written, that ask for nothing that is missing.
    quiet: tuple[object, ...]
    #: What happens instead.
    instead: str


#: One row a key; a row goes when its key is acted on.
NOT_YET: Final[Mapping[str, tuple[_Later, ...]]] = {
    "service.yaml": (
        _Later(keys=("heartbeat", "url"), quiet=("",), instead="nothing is called"),
        _Later(keys=("heartbeat", "every"), quiet=("5m", "300s", 300), instead="nothing is called"),
    ),
}


def not_yet(name: str, document: Document) -> tuple[Problem, ...]:
    """Return a warning for each key of ``document`` (the file called ``name``) that has no effect yet.

    A key that is absent, empty or says what happens anyway brings none.
    """
    return tuple(
        document.problem(
            row.keys,
            f"{label(row.keys)}: accepted but not acted on by this version; {row.instead}",
            on_key=True,
        )
        for row in NOT_YET.get(name, ())
        if (value := document.at(row.keys)) is not None and not _among(value, row.quiet)
    )


def _among(value: object, quiet: tuple[object, ...]) -> bool:
    return any(type(value) is type(other) and value == other for other in quiet) or (
        isinstance(value, str) and str(value) in quiet
    )

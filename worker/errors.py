"""Errors, named by what the caller does next.

::

    WirewatchError
     ├─ ConfigError      a person acts: usage or configuration (exit code 2); holds every problem found, at once
     ├─ LedgerError      a person acts: the ledger cannot be used
     │   ├─ LedgerUnusable   wrong version, unwritable, not a ledger (exit code 2)
     │   ├─ LedgerAway       it cannot be reached or is busy: try again later (exit code 1)
     │   └─ DiskFull         make room and start again; nothing is half-written (exit code 1)
     ├─ Retryable        try again later, not before ``after``
     └─ Unusable         this input will never work: drop it, count it, show it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


class WirewatchError(Exception):
    """Base of all errors that wirewatch raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that a person must mend: where it is, what is wrong, and what to do."""

    file: str
    #: Both count from 1; 0 when the place is unknown.
    line: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: message``, leaving out what is unknown."""
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return f"{place}: {self.message}"


class ConfigError(WirewatchError):
    """Usage or configuration is wrong. ``problems`` lists all that was found, in file order."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(*self.problems)

    def __str__(self) -> str:
        """Return one line per problem."""
        return "\n".join(str(problem) for problem in self.problems)


class LedgerError(WirewatchError):
    """The ledger cannot be used as it is."""


class LedgerUnusable(LedgerError):  # noqa: N818 - named for what it says, like the others of this tree
    """The ledger's file or schema is not one that this version can work with."""


class LedgerAway(LedgerError):  # noqa: N818
    """The ledger does not answer now, or others hold it; the transaction was rolled back and may be tried again."""


class DiskFull(LedgerError):  # noqa: N818
    """The ledger's disk is full; the transaction was rolled back."""


class Retryable(WirewatchError):  # noqa: N818
    """It did not work now and may work later."""

    def __init__(self, message: str, *, after: timedelta | None = None, name: str = "") -> None:
        super().__init__(message)
        #: Not before this span has passed, as the other side asked.
        self.after = after
        #: The value of the ``worker.model.Reason`` that says it best; empty when none does.
        self.name = name


class Unusable(WirewatchError):  # noqa: N818
    """This input will not work however often it is tried."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        #: As ``Retryable.name``.
        self.name = name

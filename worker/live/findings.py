"""What was found by looking at a part of the service: how bad it is, what it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Level: TypeAlias = Literal["ok", "note", "warn", "refuse"]
_LEVELS: Final[tuple[Level, ...]] = ("ok", "note", "warn", "refuse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    #: ``refuse``: the service must not run like this; ``warn``: it may run and suffer; ``note``: good to know.
    level: Level
    #: The part and what is the matter with it, without any secret.
    what: str
    #: What to do; empty when there is nothing to do.
    remedy: str = ""
    #: Whether it may mend itself: a server that does not answer now. Who starts then waits and looks again.
    passing: bool = False

    def __str__(self) -> str:
        """Return the finding as one line without its level."""
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found, in the order in which it was looked at."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing keeps the service from running."""
        return not refusals(self.findings)

    def lines(self) -> Iterator[str]:
        """Yield a line a finding, its level first."""
        for finding in self.findings:
            yield f"{finding.level:6}  {finding}"

    def as_json(self) -> dict[str, Any]:
        """Return the object of ``doctor --json``."""
        return {
            "healthy": self.healthy,
            "counts": {level: sum(f.level == level for f in self.findings) for level in _LEVELS},
            "findings": [{"level": f.level, "what": f.what, "remedy": f.remedy} for f in self.findings],
        }


def refusals(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those of ``findings`` with which the service must not run."""
    return tuple(finding for finding in findings if finding.level == "refuse")

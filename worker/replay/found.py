"""What is found in recorded material, before its gaps are filled."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from worker.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArticle:
    """An article as its file gives it; an empty field was not given."""

    file: str
    #: Counts from 1; 0 when the article is the whole file.
    line: int = 0
    id: str
    title: str = ""
    text: str = ""
    html: bytes | None = None
    url: str = ""
    outlet: str = ""
    published_at: datetime | None = None
    language: str | None = None
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFeed:
    """A recorded feed document."""

    file: str
    #: The file's name without its ending.
    name: str
    body: bytes
    #: What the document calls itself; may be empty.
    title: str
    #: The newest date of its entries.
    changed_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Findings:
    """Everything found so far; the readers of files add to it."""

    articles: list[FoundArticle] = field(default_factory=list)
    feeds: list[FoundFeed] = field(default_factory=list)
    #: Wrong, and the recording cannot be used before it is mended.
    problems: list[Problem] = field(default_factory=list)
    #: Left out, and the rest can be used.
    skipped: list[Problem] = field(default_factory=list)
    #: Used, but not quite as it was given.
    notes: list[Problem] = field(default_factory=list)

    def wrong(self, file: str, message: str, *, line: int = 0) -> None:
        """Add what makes the recording unusable."""
        self.problems.append(Problem(file=file, line=line, message=message))

    def note(self, file: str, message: str, *, line: int = 0) -> None:
        """Add what a reader of the results should know."""
        self.notes.append(Problem(file=file, line=line, message=message))

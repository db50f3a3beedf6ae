"""Articles from a file of JSON lines, for the commands that work as filters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from worker.errors import Problem
from worker.model import Article

_TEXTS = ("id", "title", "text", "url", "outlet", "language")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def read(source: str, problems: list[Problem]) -> Iterator[Article]:
    """Yield the articles of a file of JSON lines, ``-`` for stdin.

    A line that is no article is added to ``problems`` and passed over, so that the others are not lost.
    """
    with _opened(source) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield article(json.loads(line), number)
            except (ValueError, RecursionError) as error:
                name = "stdin" if source == "-" else source
                said = f"is no JSON ({error.msg})" if isinstance(error, json.JSONDecodeError) else str(error)
                problems.append(Problem(file=name, line=number, message=said))


def article(values: Any, number: int) -> Article:  # noqa: ANN401 - any JSON
    """Return the article that one line holds; its id is the line's ``number`` when it gives none.

    Raises:
        ValueError: it is no object, a field is of the wrong type, or it has neither title nor text.
    """
    if not isinstance(values, dict):
        message = f'an article is an object such as {{"id": "1", "title": "...", "text": "..."}}, not {values!r:.40}'
        raise ValueError(message)  # noqa: TRY004 - the value is wrong, not the caller's type
    for name in _TEXTS:
        given = values.get(name)
        if given is not None and not isinstance(given, str) and not (name == "id" and isinstance(given, int)):
            raise ValueError(f'"{name}" must be a string')
    if not (values.get("title") or values.get("text")):
        raise ValueError('has neither "title" nor "text"')
    return Article(
        id=str(values.get("id") if values.get("id") is not None else number),
        url=values.get("url") or "",
        title=values.get("title") or "",
        text=values.get("text") or "",
        outlet=values.get("outlet") or "",
        published_at=_time(values.get("published_at")),
        language=values.get("language"),
    )


def _time(value: Any) -> datetime:  # noqa: ANN401
    if value is None:
        return _NEVER
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f'"published_at" must be a time such as "2026-02-11T09:00:00Z", not {value!r:.40}') from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@contextmanager
def _opened(source: str) -> Iterator[IO[str]]:
    if source == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        yield sys.stdin
        return
    if not Path(source).is_file():
        raise click.UsageError(f"{source}: no such file; give a file of JSON lines, or - for stdin")
    with Path(source).open(encoding="utf-8-sig", errors="replace") as lines:
        yield lines


def report(problems: list[Problem]) -> int:
    """Print what was passed over and return the exit code that it stands for."""
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        click.echo(f"{len(problems)} lines passed over", err=True)
    return 2 if problems else 0

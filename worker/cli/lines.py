"""Articles from a file of JSON lines, for the commands that work as filters."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from worker.cli.options import say, stdin
from worker.errors import Problem
from worker.model import Article
from worker.text.halves import whole

_TEXTS = ("id", "title", "text", "url", "outlet", "language")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def read(source: str, problems: list[Problem]) -> Iterator[Article]:
    """Yield the articles of a file of JSON lines, ``-`` for stdin.

    A line that is no article is added to ``problems`` and passed over, so that the others are not lost.
    """
    name = "stdin" if source == "-" else source
    with _opened(source) as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            if not line.strip():
                continue
            try:
                yield article(_json(line), number)
            except ValueError as error:
                problems.append(Problem(file=name, line=number, message=str(error)))


def _json(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(line.decode("utf-8").strip())
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error.msg} at column {error.colno}); every line must be one object") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("is no JSON that can be read: a number is too long, or it is nested too deeply") from None


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
        numbered = name == "id" and isinstance(given, int) and not isinstance(given, bool)
        if given is not None and not isinstance(given, str) and not numbered:
            raise ValueError(f'"{name}" must be a string')
    if not (values.get("title") or values.get("text")):
        raise ValueError('has neither "title" nor "text"')
    words = {name: whole(str(values[name])) for name in _TEXTS if values.get(name) is not None}
    return Article(
        id=words.get("id", str(number)),
        url=words.get("url", ""),
        title=words.get("title", ""),
        text=words.get("text", ""),
        outlet=words.get("outlet", ""),
        published_at=_time(values.get("published_at")),
        language=words.get("language"),
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
def _opened(source: str) -> Iterator[IO[bytes]]:
    if source == "-":
        yield stdin()
        return
    if not Path(source).is_file():
        raise click.UsageError(f"{source}: no such file; give a file of JSON lines, or - for stdin")
    with Path(source).open("rb") as lines:
        yield lines


def report(problems: list[Problem]) -> int:
    """Print what was passed over and return the exit code that it stands for."""
    for problem in problems:
        say(str(problem), err=True)
    if problems:
        say(f"{len(problems)} {'line' if len(problems) == 1 else 'lines'} passed over", err=True)
    return 2 if problems else 0

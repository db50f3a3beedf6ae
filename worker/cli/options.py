"""Options that every command takes, before or after its name."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from worker.model import Topic
    from worker.topics.meant import Meaning

DEFAULT_CONFIG = Path("config")
DEFAULT_STATE = Path(".wirewatch")
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_STDOUT = 1
#: What a terminal obeys instead of showing: material from outside could move its cursor or change its title.
_CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), " ")
#: Those of them that JSON may hold as they are (RFC 8259 section 7), and what many readers take for the end of a line.
_UNESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Add ``--config``, ``--state`` and ``--verbose``; the values are kept for ``config_dir`` and ``state_dir``."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Directory of feeds.yaml, topics.yaml, alerts.yaml and service.yaml. [default: {DEFAULT_CONFIG}/]",
    )
    @click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Directory of the ledger. [default: {DEFAULT_STATE}/]",
    )
    @click.option("-v", "--verbose", count=True, help="Log every row that is worked on; twice: more.")
    @functools.wraps(function)
    def wrapped(*args: Any, config: Path | None, state: Path | None, verbose: int, **kwargs: Any) -> Any:  # noqa: ANN401
        chosen = click.get_current_context().ensure_object(dict)
        given = {"config": config, "state": state, "verbose": verbose or None}
        chosen.update({name: value for name, value in given.items() if value is not None})
        _log_to_stderr(chosen.get("verbose", 0))
        return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def _log_to_stderr(verbose: int) -> None:
    level = _LEVELS[min(verbose, len(_LEVELS) - 1)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Shown("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Their lines are not for users, and some hold whole addresses with the secrets in them.
    for name in ("alembic", "httpx", "httpcore", "trafilatura", "htmldate", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.ERROR)


class _Shown(logging.Formatter):
    """Lines for people, so without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def config_dir() -> tuple[Path, bool]:
    """Return the configuration directory, and whether it was named on the command line and so must exist."""
    named = _chosen().get("config")
    return (named or DEFAULT_CONFIG, named is not None)


def state_dir() -> Path | None:
    """Return the state directory that was named on the command line, if one was."""
    named: Path | None = _chosen().get("state")
    return named


def meaning_for(topics: Sequence[Topic]) -> Meaning | None:
    """Return what decides by meaning for ``topics``, as service.yaml says; what is disabled is said on stderr."""
    from worker.build.meaning import notes, open_meaning
    from worker.settings import load_service

    opened = open_meaning(load_service(config_dir()[0], os.environ), topics, state=state_dir() or DEFAULT_STATE)
    for note in notes(topics, opened):
        say(f"note: {note}", err=True)
    return opened.meaning


def _chosen() -> dict[str, Any]:
    return click.get_current_context().ensure_object(dict)


def shown(text: str) -> str:
    """Return ``text`` with a blank for every control character but tab and line feed."""
    return text.translate(_CONTROL)


def say(text: str, *, err: bool = False) -> None:
    """Write a line for people to stdout, or with ``err`` to stderr, without what a terminal would obey."""
    click.echo(shown(text), err=err)


def stdin() -> IO[bytes]:
    """Return the standard input.

    Raises:
        click.UsageError: it is closed.
    """
    # Declared as never None, and None all the same in a process that began without it.
    if not sys.stdin:
        raise click.UsageError("stdin is closed; name a file in place of -")
    return sys.stdin.buffer


def emit(value: Mapping[str, Any]) -> None:
    """Write one JSON line to stdout, in one write, so that what was said stands there whatever happens next."""
    line = _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    data = f"{line}\n".encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(_STDOUT, data) :]

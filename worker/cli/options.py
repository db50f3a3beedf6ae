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
_LOG_FORMAT = "WIREWATCH_LOG_FORMAT"
_FORMATS = ("text", "json")
#: What a terminal obeys instead of showing: material from outside could move its cursor or change its title.
_CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), " ")
#: Those of them that JSON may hold as they are (RFC 8259 section 7), and what many readers take for the end of a line.
_UNESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Add the options that say where things are and what is logged; see ``config_dir`` and ``state_dir``."""

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
    @click.option(
        "--log-format",
        type=click.Choice(_FORMATS),
        help="Lines of the log on stderr. [default: text, or what WIREWATCH_LOG_FORMAT says]",
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any,  # noqa: ANN401 - the command's own
        config: Path | None,
        state: Path | None,
        verbose: int,
        log_format: str | None,
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> Any:  # noqa: ANN401 - what the command returns
        chosen = click.get_current_context().ensure_object(dict)
        given = {"config": config, "state": state, "verbose": verbose or None, "log_format": log_format}
        chosen.update({name: value for name, value in given.items() if value is not None})
        form = chosen.get("log_format") or os.environ.get(_LOG_FORMAT, "") or "text"
        if form not in _FORMATS:
            raise click.UsageError(f"{_LOG_FORMAT} is {form!r}; it can be {' or '.join(_FORMATS)}")
        _log_to_stderr(chosen.get("verbose", 0), form)
        return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def _log_to_stderr(verbose: int, form: str) -> None:
    from worker.cli.logs import configure

    level = _LEVELS[min(verbose, len(_LEVELS) - 1)]
    configure(level, as_json=form == "json")


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

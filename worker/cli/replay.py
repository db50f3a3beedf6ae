"""``replay``: the whole pipeline over recorded material."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, say, state_dir

if TYPE_CHECKING:
    from worker.replay.recording import Recording
    from worker.replay.session import Elsewhere, Result, Tally
    from worker.settings import Settings


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--topics", type=click.Path(path_type=Path, dir_okay=False), help="Topics in place of config/topics.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each alert as it is sent, then a summary line.")
@click.option(
    "--expect",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compare with what this file expects; exit code 1 and a difference when it is not met.",
)
@click.option("--update", is_flag=True, help="Rewrite the file of --expect with what was told.")
@click.option("--live", is_flag=True, help="Through real Celery workers, Valkey and HTTP on loopback.")
@common
def replay(*, path: Path, topics: Path | None, as_json: bool, expect: Path | None, update: bool, live: bool) -> int:
    """Replay recorded material: feeds, pages, matches, stories and alerts on a virtual clock, without a network.

    PATH is a directory with a manifest.yaml, a directory of .txt or .html files, one such file, a feed file, or a file
    of JSON lines ({"id","title","text","url","outlet","published_at"}). Nothing is sent: every channel records.

    With --state the ledger is kept, so that a second replay alerts only what is new, and an interrupted one goes on.
    Without it each replay begins anew, and the last one answers `wirewatch why`.
    """
    if update and expect is None:
        raise click.UsageError("--update needs --expect FILE: the file to rewrite")
    from worker.build.meaning import Opened, notes, open_meaning
    from worker.replay import expectation, recording, session
    from worker.settings import load

    directory, named = config_dir()
    settings = load(directory, os.environ, required=named, topics_file=topics)
    expected = expectation.read(expect) if expect and not update else None
    recorded = recording.load(path)
    for problem in (*settings.warnings, *recorded.skipped, *recorded.notes):
        say(f"note: {problem}", err=True)
    if not settings.topics:
        say("note: there are no topics, so nothing can match; name a file of topics with --topics", err=True)
    keep = state_dir()
    record = _judge_record(path, keep)
    # Live, each worker opens the models for itself: they have threads, which do not survive a fork.
    opened = Opened()
    if not live:
        opened = open_meaning(settings.service, settings.topics, state=keep or DEFAULT_STATE, judge_record=record)
    for note in notes(settings.topics, opened) if not live else ():
        say(f"note: {note}", err=True)
    where: AbstractContextManager[Path] = nullcontext(keep) if keep else session.scratch(DEFAULT_STATE)
    with (
        where as state,
        _elsewhere(recorded, settings, state, record, live=live) as elsewhere,
        _Progress(recorded, quiet=as_json) as progress,
    ):
        result = session.run(
            recorded,
            settings,
            state=state,
            heard=emit if as_json else _ignore,
            progress=progress.advance,
            meaning=opened.meaning,
            elsewhere=elsewhere,
        )
    return _report(result, recorded, as_json=as_json, expect=expect, expected=expected)


@contextmanager
def _elsewhere(
    recorded: Recording, settings: Settings, state: Path, record: Path, *, live: bool
) -> Iterator[Elsewhere | None]:
    """Yield what runs the stages in other processes, ``None`` when they run in this one."""
    if not live:
        yield None
        return
    from worker.cli.replay_live import workers
    from worker.live import valkey

    if why := valkey.available():
        raise click.UsageError(f"--live needs the embedded server: {why}")
    state.mkdir(parents=True, exist_ok=True)
    with workers(recorded, settings, state=state, judge_record=record) as elsewhere:
        yield elsewhere


def _judge_record(path: Path, keep: Path | None) -> Path:
    """Return the file of the judge's recorded answers: beside the recording, else in the state directory."""
    from worker.build.meaning import JUDGE_RECORD

    beside = (path if path.is_dir() else path.parent) / JUDGE_RECORD
    return beside if beside.exists() else (keep or DEFAULT_STATE) / JUDGE_RECORD


def _ignore(line: dict[str, Any]) -> None:
    del line


def _report(
    result: Result, recorded: Recording, *, as_json: bool, expect: Path | None, expected: dict[str, Any] | None
) -> int:
    from worker.replay import expectation

    told = expectation.document(result.told, result.silent)
    if as_json:
        emit(result.summary)
    else:
        from worker.cli.tables import show_result

        show_result(result, recorded)
    for subjects, detail in result.failures:
        more = f" (and {len(subjects) - 1} more)" if len(subjects) > 1 else ""
        say(f"note: {subjects[0]}{more}: {detail}", err=True)
    if expect is None:
        return 0
    if expected is None:
        expectation.write(expect, told)
        say(f"{expect}: written", err=True)
        return 0
    difference = expectation.difference(expected, told)
    if difference:
        say(f"{expect}: not met\n{difference}", err=True)
        return 1
    say(f"{expect}: met", err=True)
    return 0


class _Progress:
    """A bar on stderr while a person watches; nothing otherwise."""

    def __init__(self, recorded: Recording, *, quiet: bool) -> None:
        self._shown = sys.stderr.isatty() and not quiet
        self._total = max(len(recorded.articles), 1)

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("articles"))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("replay", total=self._total)
        return self

    def advance(self, tally: Tally, now: datetime) -> None:
        """Show how many articles were read, and the virtual time."""
        if self._shown:
            self._bar.update(self._task, completed=tally.read, description=f"replay {now:%Y-%m-%d %H:%M}")

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._bar.stop()

"""``opml``: lists of feeds from and for other feed readers."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import common, config_dir, emit, say

if TYPE_CHECKING:
    from worker.model import Feed
    from worker.settings.opml import Opml, Outline

_FEEDS = "feeds.yaml"
#: Characters of a file name that need no quotes anywhere.
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
#: Lines of feeds that are shown one by one.
_SHOWN = 20


@click.group()
def opml() -> None:
    """Exchange lists of feeds with other feed readers, as OPML files.

    Most readers can export their subscriptions as OPML; `wirewatch opml import` takes such a file into the
    configuration, and `wirewatch opml export` writes all configured feeds into one.
    """


@opml.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@common
def export(*, file: Path | None, force: bool) -> None:
    """Write all configured feeds as OPML 2.0 to FILE, or to stdout.

    Names, URLs and languages are written, and feeds that are not enabled as comments (isComment). Headers, intervals
    and ids have no place in OPML. A URL that holds a secret is written as it is: look before you publish the file.
    """
    from worker.settings import load
    from worker.settings.opml import render_opml

    directory, named = config_dir()
    settings = load(directory, os.environ, required=named)
    data = render_opml(settings.feeds, title="wirewatch feeds")
    if file is None:
        _write_out(data)
        return
    if file.exists() and not force:
        raise click.UsageError(f"{file}: exists; name another file, or write over it with --force")
    _replace(file, data)
    say(f"{file}: {_feeds(len(settings.feeds))}", err=True)


@opml.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only look: change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def import_(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Take the feeds of an OPML FILE into the configuration.

    FILE is checked, copied beside feeds.yaml under a name that is free, and named there under `opml:`; comments and all
    other lines stay as they are. Its feeds take the `defaults` of feeds.yaml. A feed that is configured already is left
    as it is. To say more of a feed, such as its interval, list it in feeds.yaml with the same URL: what stands there
    holds. To be rid of them all, take the file out of `opml:`.

    Nothing is fetched: `wirewatch poll URL` tries a feed.
    """
    from worker.errors import ConfigError
    from worker.settings import load
    from worker.settings.opml import read_opml

    directory, named = config_dir()
    found = read_opml(file)
    if found.problems:
        raise ConfigError(*found.problems)
    settings = load(directory, os.environ, required=named)
    new, known = _sorted(found, settings.feeds)
    copy = None
    if new and not dry_run:
        if not directory.is_dir():
            raise click.UsageError(f"{directory}: there is no such directory; make it, or name another with --config")
        copy = _take(file, directory)
    if as_json:
        emit(_as_json(found, new, known, copy))
    else:
        _show(found, new, known, copy, directory)


def _sorted(found: Opml, feeds: tuple[Feed, ...]) -> tuple[list[Outline], list[Outline]]:
    """Return the feeds of a file that are not configured, and those that are."""
    from worker.url import canonical

    urls = {canonical(feed.url) for feed in feeds}
    known = [outline for outline in found.outlines if canonical(outline.url) in urls]
    return [outline for outline in found.outlines if outline not in known], known


def _take(file: Path, directory: Path) -> Path:
    """Copy ``file`` beside feeds.yaml, name it there, and return the copy; all of it, or nothing."""
    from worker.errors import ConfigError
    from worker.settings import load
    from worker.settings.opml_key import add_opml

    feeds = directory / _FEEDS
    inside = file.resolve().parent == directory.resolve()
    copy = file if inside else _copied(file, directory)
    before = feeds.read_bytes() if feeds.exists() else None
    try:
        text = add_opml(feeds, copy.name)
        if text is not None:
            _replace(feeds, text.encode("utf-8"))
        load(directory, os.environ)
    except (ConfigError, OSError):
        if before is None:
            feeds.unlink(missing_ok=True)
        elif feeds.read_bytes() != before:
            _replace(feeds, before)
        if not inside:
            copy.unlink(missing_ok=True)
        raise
    return copy


def _copied(file: Path, directory: Path) -> Path:
    data = file.read_bytes()
    stem = _ODD.sub("-", file.stem).strip("-_") or "feeds"
    number = 1
    while True:
        copy = directory / (f"{stem}.opml" if number == 1 else f"{stem}-{number}.opml")
        with contextlib.suppress(FileExistsError), copy.open("xb") as stream:
            stream.write(data)
            return copy
        number += 1


def _replace(file: Path, data: bytes) -> None:
    """Write ``data`` to ``file`` all at once, so that it is never half-written; a link stays one."""
    file = file.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        mode = file.stat().st_mode & 0o7777 if file.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _write_out(data: bytes) -> None:
    sys.stdout.flush()
    while data:
        data = data[os.write(1, data) :]


def _as_json(found: Opml, new: list[Outline], known: list[Outline], copy: Path | None) -> dict[str, Any]:
    return {
        "file": found.file,
        "new": [_outline(outline) for outline in new],
        "known": [_outline(outline) for outline in known],
        "warnings": [str(warning) for warning in found.warnings],
        "copied_to": str(copy) if copy else None,
    }


def _outline(outline: Outline) -> dict[str, Any]:
    from worker.settings.opml import outlet

    return {
        "id": outline.id,
        "url": outline.url,
        "outlet": outlet(outline),
        "language": outline.language,
        "enabled": outline.enabled,
        "line": outline.line,
    }


def _show(found: Opml, new: list[Outline], known: list[Outline], copy: Path | None, directory: Path) -> None:
    from worker.settings.opml import outlet

    for warning in found.warnings:
        say(f"note: {warning}", err=True)
    for outline in new[:_SHOWN]:
        off = "" if outline.enabled else "  (not enabled)"
        say(f"new    {outlet(outline)}  {outline.url}{off}")
    if len(new) > _SHOWN:
        say(f"... and {_feeds(len(new) - _SHOWN)} more; --json shows all")
    say(f"{found.file}: {_feeds(len(new))} new, {len(known)} configured already")
    if copy is not None:
        say(f"They are in {copy} now, which {directory / _FEEDS} names under opml.")
    elif new:
        say("Nothing was changed.")


def _feeds(count: int) -> str:
    return f"{count} feed" if count == 1 else f"{count} feeds"

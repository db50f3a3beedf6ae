"""``silence``: what is not to be told for a time."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from worker.cli.ledgers import first_ledger, none_here
from worker.cli.options import common, emit, say

if TYPE_CHECKING:
    from worker.ledger.engine import Ledger, Transaction
    from worker.model import Silence

#: What SQL knows as an integer; a longer number is no silence's.
_ID = click.IntRange(min=1, max=2**63 - 1)
_EXAMPLES = """\b
wirewatch silence add --topic "missile-*" --for 24h --comment "exercise, announced"
wirewatch silence add --channel ops-slack --until 2026-02-12T08:00 --comment "moving house"
"""


@contextmanager
def _ledger() -> Iterator[Ledger]:
    with first_ledger() as found:
        if found is None:
            raise none_here()
        yield found.ledger


@click.group()
def silence() -> None:
    """Keep what matches from being told for a time, with your name and your reason.

    What is silenced is decided and recorded as ever, and nobody is told: `wirewatch why` names the silence. An alert
    that waits when a silence begins is turned off. When the silence has ended, the next article of such a story is
    told as the first one. Works while the service runs.
    """


@silence.command(epilog=_EXAMPLES)
@click.option("--topic", default="", metavar="PATTERN", help="Topics, as in routes: missile-stance or missile-*.")
@click.option("--outlet", default="", metavar="PATTERN", help='Outlets: BBC or "Al *".')
@click.option("--channel", default="", metavar="PATTERN", help="Channels: ops-slack.")
@click.option("--story", default="", metavar="PATTERN", help="Stories, by their ids.")
@click.option("--for", "length", metavar="DURATION", help="How long: 30m, 24h, 7d.")
@click.option("--until", metavar="TIME", help="In place of --for: 2026-02-12T08:00+01:00; UTC without an offset.")
@click.option("--from", "since", metavar="TIME", help="When it begins; now when not given.")
@click.option("--author", help="Who says so. [default: your login name]")
@click.option("--comment", required=True, help="Why, for those who wonder why it is quiet.")
@click.option("--json", "as_json", is_flag=True, help="The silence as one JSON object.")
@common
def add(
    *,
    topic: str,
    outlet: str,
    channel: str,
    story: str,
    length: str | None,
    until: str | None,
    since: str | None,
    author: str | None,
    comment: str,
    as_json: bool,
) -> None:
    """Begin a silence for all that fits every pattern given; at least one of them must be."""
    from worker.ledger import silences

    with _ledger() as ledger:
        now = ledger.clock()
        starts_at = _time(since, "--from") if since else now
        with ledger.write() as t:
            try:
                made = silences.add(
                    t,
                    topic=topic.strip(),
                    outlet=outlet.strip(),
                    channel=channel.strip(),
                    story_id=story.strip(),
                    author=_login() if author is None else author,
                    comment=comment,
                    starts_at=starts_at,
                    ends_at=_end(length, until, starts_at),
                    now=now,
                )
            except ValueError as error:
                raise click.UsageError(str(error)) from None
            notes = _notes(t, made)
    emit(_as_json(made, now)) if as_json else say(_line(made, now))
    for note in notes:
        say(f"note: {note}", err=True)


@silence.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in place of text.")
@common
def list_(*, everything: bool, as_json: bool) -> None:
    """List the silences that hold or will hold, oldest first."""
    from worker.ledger import silences

    with _ledger() as ledger:
        now = ledger.clock()
        with ledger.read() as t:
            found = silences.listed(t, now=None if everything else now)
    for one in found:
        emit(_as_json(one, now)) if as_json else say(_line(one, now))
    if not found and not as_json:
        say("no silences")


@silence.command()
@click.argument("silence_ids", metavar="ID...", type=_ID, nargs=-1, required=True)
@common
def expire(*, silence_ids: tuple[int, ...]) -> None:
    """End silences now; what they kept from being told stays untold."""
    from worker.ledger import silences

    with _ledger() as ledger:
        now = ledger.clock()
        with ledger.write() as t:
            missing = [str(i) for i in silence_ids if silences.get(t, i) is None]
            if missing:
                raise click.UsageError(f"no silence {', '.join(missing)}; `wirewatch silence list --all` shows them")
            ended = {i for i in silence_ids if silences.expire(t, i, now=now)}
    for i in silence_ids:
        say(f"{i}: {'ended' if i in ended else 'had ended already'}")


def _end(length: str | None, until: str | None, starts_at: datetime) -> datetime:
    if (length is None) is (until is None):
        raise click.UsageError("say how long: either --for 24h or --until TIME")
    if until is not None:
        return _time(until, "--until")
    try:
        return starts_at + _span(str(length))
    except OverflowError:
        raise click.UsageError("--for: ends too late for any calendar") from None


def _span(text: str) -> timedelta:
    from worker.settings import duration

    try:
        return duration(text)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{option}: write a time such as 2026-02-12T08:00 or 2026-02-12T08:00+01:00") from None


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise click.UsageError("who are you? this system does not say; give --author NAME") from None


def _notes(t: Transaction, made: Silence) -> list[str]:
    """Return what its author may not have meant: patterns that nothing fits at present."""
    from worker.alerts.patterns import fits
    from worker.ledger import snapshots, stories

    topics = snapshots.topics_in_force(t)
    notes = []
    if topics is not None and made.topic and not any(fits(made.topic, topic.id) for topic in topics):
        notes.append(
            f"no topic in force fits {made.topic}; there are {', '.join(topic.id for topic in topics) or 'none'}"
        )
    if made.story and not set(made.story) & set("*?[") and stories.get(t, made.story) is None:
        notes.append(f"no story is called {made.story}; `wirewatch why URL` shows the story of an article")
    return notes


def _as_json(one: Silence, now: datetime) -> dict[str, Any]:
    from worker.channels.base import timestamp

    return {
        "id": one.id,
        "state": _state(one, now),
        "topic": one.topic,
        "outlet": one.outlet,
        "channel": one.channel,
        "story": one.story,
        "author": one.author,
        "comment": one.comment,
        "created_at": timestamp(one.created_at),
        "starts_at": timestamp(one.starts_at),
        "ends_at": timestamp(one.ends_at),
    }


def _state(one: Silence, now: datetime) -> str:
    if one.ends_at <= now:
        return "ended"
    return "holds" if one.starts_at <= now else "to come"


def _line(one: Silence, now: datetime) -> str:
    named = {"topic": one.topic, "outlet": one.outlet, "channel": one.channel, "story": one.story}
    patterns = ", ".join(f"{name} {pattern}" for name, pattern in named.items() if pattern)
    state = _state(one, now)
    since = f"from {one.starts_at:%Y-%m-%d %H:%M} " if state == "to come" else ""
    until = f"{since}until {one.ends_at:%Y-%m-%d %H:%M} UTC"
    return f"{one.id}  {state}  {patterns}  {until}  by {one.author}: {' '.join(one.comment.split())}"

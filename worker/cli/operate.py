"""``status`` and ``dead``: what the ledger holds, and what was given up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from worker.cli.ledgers import first_ledger, none_here
from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, say, state_dir

if TYPE_CHECKING:
    from worker.cli.ledgers import Opened
    from worker.ledger.dead import DeadLetter
    from worker.ledger.engine import Ledger
    from worker.settings import Settings

#: What SQL knows as an integer; a longer number is no letter's.
_ID = click.IntRange(min=1, max=2**63 - 1)


@contextmanager
def any_ledger() -> Iterator[Ledger]:
    """Yield the first ledger that there is: the service's, else that of a replay."""
    with first_ledger() as found:
        if found is None:
            raise none_here()
        yield found.ledger


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def status(*, as_json: bool) -> int:
    """Show feeds, queues, channels, dead letters and topics. Exit code 1 when not ready, with the reasons."""
    from worker.live.report import nothing_yet, report
    from worker.settings import load

    directory, named = config_dir()
    with first_ledger() as opened:
        if opened is None:
            settings = load(directory, os.environ, required=named)
            state = state_dir() or DEFAULT_STATE
            found = nothing_yet(settings, f"{state}: no ledger here; nothing has run or replayed into it yet")
        else:
            settings = settings_for(opened)
            found = report(opened.ledger, settings, now=opened.ledger.clock(), recorded=opened.recorded)
    emit(found) if as_json else _print(found)
    return 0 if found["ready"] else 1


def settings_for(opened: Opened) -> Settings:
    """Return what the files say; what is in force in the service's ledger when they are wrong."""
    from worker.errors import ConfigError
    from worker.live.reporter import settings_in_force
    from worker.settings import load

    directory, named = config_dir()
    try:
        return load(directory, os.environ, required=named)
    except ConfigError as error:
        settings = None if opened.recorded else settings_in_force(opened.ledger)
        if settings is None:
            raise
        say(f"note: the files are wrong, and the last configuration stays in force:\n{error}", err=True)
        return settings


def _print(found: dict[str, Any]) -> None:
    say("ready" if found["ready"] else "not ready: " + "; ".join(found["why_not"]))
    for name, queue in found["queues"].items():
        say(f"queue {name}: {queue['due']} due of {queue['open']} open, oldest waits {queue['oldest_s']:.0f} s")
    if found["configuration"]["generation"]:
        say(f"configuration: generation {found['configuration']['generation']}, {found['configuration']['taken_at']}")
    for feed in found["feeds"]:
        say(_feed_line(feed))
    if found["hubs"]:
        say(f"WebSub: {found['hubs']} feeds name a hub; they are polled all the same")
    for channel in found["channels"]:
        say(f"channel {channel['id']}: {channel_line(channel)}")
    for topic in found["topics"]:
        say(f"topic {topic['id']}: {topic['matches']} matches, last {topic['last_match_at'] or 'never'}")
    for alarm in found["alarms"]:
        say(f"alarm: {alarm}")
    say(f"dead letters: {found['dead']}")


def channel_line(channel: dict[str, Any]) -> str:
    """Return what became of a channel's alerts, and what stands in its way, in one line."""
    parts = [f"{channel[key]} {key}" for key in ("delivered", "open", "unknown", "dead")]
    parts += [f"{channel[key]} {key}" for key in ("gathered", "off") if channel[key]]
    if channel["oldest_s"]:
        parts.append(f"oldest open for {channel['oldest_s']:.0f} s")
    if channel["state"] == "disabled":
        instead = f"; {channel['fallback']} stands in" if channel["fallback"] else ""
        parts.append(f"DISABLED since {channel['since']}: {channel['reason']}{instead}")
    elif channel["state"] == "waits":
        parts.append(f"left alone until {channel['until']}")
    if channel["unknown"]:
        parts.append(f"see `wirewatch deliveries --only unknown --channel {channel['id']}`")
    return ", ".join(parts)


def _feed_line(feed: dict[str, Any]) -> str:
    parts = [f"feed {feed['id']}: {feed['state']}, {feed['outcome'] or 'not polled yet'}"]
    if feed["failures"]:
        parts.append(f"failures weigh {feed['failures']:g} of 30")
    if feed["next_poll_at"]:
        parts.append(f"every {feed['interval_s']:.0f} s, next {feed['next_poll_at']}")
    if feed["moved_from"]:
        parts.append(f"moved for good to {feed['url']}: change feeds.yaml")
    if feed["validators"] in {"doubtful", "broken"}:
        parts.append(f"validators {feed['validators']}")
    if feed["gaps"]:
        parts.append(f"{feed['gaps']} gaps")
    return ", ".join(parts) + (f" ({feed['error']})" if feed["error"] else "")


@click.group()
def dead() -> None:
    """List, show and give back the work that was given up."""


@dead.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were given back.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in place of text.")
@common
def list_(*, everything: bool, as_json: bool) -> None:
    """List the dead letters, oldest first."""
    from worker.ledger import dead as dead_letters

    with any_ledger() as ledger, ledger.read() as t:
        found = dead_letters.letters(t, everything=everything)
    for letter in found:
        emit(_as_json(letter)) if as_json else say(_line(letter))
    if not found and not as_json:
        say("no dead letters")


@dead.command()
@click.argument("letter_id", metavar="ID", type=_ID)
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def show(*, letter_id: int, as_json: bool) -> None:
    """Show one dead letter."""
    from worker.ledger import dead as dead_letters

    with any_ledger() as ledger, ledger.read() as t:
        letter = dead_letters.letter(t, letter_id)
    if letter is None:
        raise click.UsageError(f"no dead letter {letter_id}; `wirewatch dead list` shows them")
    emit(_as_json(letter)) if as_json else say(_line(letter))


@dead.command()
@click.argument("letter_ids", metavar="[ID]...", type=_ID, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
@common
def redrive(*, letter_ids: tuple[int, ...], everything: bool) -> None:
    """Give dead letters back, to be tried again from the first attempt."""
    from worker.ledger import dead as dead_letters

    if bool(letter_ids) is everything:
        raise click.UsageError("name the dead letters to give back, or --all")
    with any_ledger() as ledger:
        now = ledger.clock()
        with ledger.write() as t:
            found = {letter.id: letter for letter in dead_letters.letters(t)}
            missing = [str(i) for i in letter_ids if i not in found]
            if missing:
                raise click.UsageError(f"no dead letter {', '.join(missing)}; `wirewatch dead list` shows them")
            chosen = [found[i] for i in letter_ids] or list(found.values())
            back = [letter for letter in chosen if dead_letters.redrive(t, letter, now=now)]
    if not chosen:
        say("no dead letters")
    for letter in chosen:
        said = "given back" if letter in back else "cannot be given back: its row is no longer kept"
        say(f"{letter.id}: {said}")


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    from worker.channels.base import timestamp

    return {
        "id": letter.id,
        "kind": letter.kind,
        "subject": letter.subject,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "dead_at": timestamp(letter.dead_at),
        "redriven_at": timestamp(letter.redriven_at) if letter.redriven_at else None,
    }


def _line(letter: DeadLetter) -> str:
    back = f", given back {letter.redriven_at:%Y-%m-%d %H:%M}" if letter.redriven_at else ""
    when = f"{letter.dead_at:%Y-%m-%d %H:%M}"
    return f"{letter.id}  {when}  {letter.kind}  {letter.subject}  {letter.reason} ({letter.attempts} attempts){back}"

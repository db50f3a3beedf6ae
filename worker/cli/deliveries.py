"""``deliveries``: what was sent, how every attempt ended, and sending it again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from worker.cli.operate import any_ledger
from worker.cli.options import common, emit, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.ledger.dead import DeadLetter
    from worker.ledger.deliveries import Told
    from worker.ledger.engine import Transaction
    from worker.model import Delivery

#: In the order in which an alert may come to them.
_STATES = ("open", "gathered", "delivered", "unknown", "dead", "off")
#: Characters of a key that are shown in lists: enough to name it by.
_KEY = 12
_TITLE = 60
_LISTED = 50


_HELP = """\b
States:
  open       to be sent, or to be sent again
  gathered   waits for its digest
  delivered  the channel has it
  unknown    may or may not have arrived, and nobody can tell: look there, then redeliver it if need be
  dead       given up; `wirewatch dead list` has the reason
  off        not told after all: silenced or withdrawn while it waited

\b
wirewatch deliveries --only unknown
wirewatch deliveries show 3f1c09ab
wirewatch deliveries redeliver --unknown --channel ops-slack
"""


@click.group(invoke_without_command=True, epilog=_HELP)
@click.option("--only", "wanted", type=click.Choice(_STATES), help="Those in one state; what they mean stands below.")
@click.option("--channel", help="Only those to this channel.")
@click.option("--topic", help="Only those of this topic.")
@click.option("--since", metavar="DURATION", help="Only those decided within this time: 90m, 24h, 7d.")
@click.option("--limit", type=click.IntRange(min=1), default=_LISTED, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in place of text.")
@common
@click.pass_context
def deliveries(
    context: click.Context,
    *,
    wanted: str | None,
    channel: str | None,
    topic: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List alerts, newest first, with their attempts and what came of the last one.

    A digest and a notice are alerts, too. What is unknown is not sent twice by itself, unless the policy of its channel
    says `on_unknown: resend`.
    """
    if context.invoked_subcommand is not None:
        return
    from worker.ledger import deliveries as told

    span = _span(since)
    with any_ledger() as ledger:
        begins = ledger.clock() - span if span is not None else None
        with ledger.read() as t:
            found = told.told(t, state=wanted, channel=channel, topic=topic, since=begins, limit=limit + 1)
    for one in found[:limit]:
        emit(_as_json(one)) if as_json else say(_line(one))
    if not found and not as_json:
        say("no alerts")
    if len(found) > limit:
        say(f"there are more than {limit}; see more of them with --limit", err=True)


@deliveries.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def show(*, key: str, as_json: bool) -> None:
    """Show one alert: the message as it was sent, every attempt, its digest, and its dead letter.

    KEY is its key, or at least eight characters of its beginning.
    """
    with any_ledger() as ledger, ledger.read() as t:
        found = _whole(t, _one(t, key))
    emit(found) if as_json else _print(found)


@deliveries.command()
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--unknown", is_flag=True, help="Every alert that may or may not have arrived.")
@click.option("--dead", is_flag=True, help="Every alert that was given up.")
@click.option("--channel", help="With --unknown or --dead: only those to this channel.")
@click.option("--force", is_flag=True, help="Also what has arrived, and what was turned off.")
@common
def redeliver(*, keys: Sequence[str], unknown: bool, dead: bool, channel: str | None, force: bool) -> int:
    """Send alerts again. Exit code 1 when one of them is not.

    What may have arrived, or has, is marked "(possible repeat)"; a receiver that can be asked is asked first whether it
    has an alert that is in doubt. What was given up is tried from its first attempt. The message is the one that was
    sent before. A digest is redelivered as a whole.
    """
    if bool(keys) == (unknown or dead) or (channel and keys):
        raise click.UsageError("name the alerts to send again, or say --unknown or --dead, with --channel if you like")
    from worker.ledger import deliveries as told

    with any_ledger() as ledger:
        now = ledger.clock()
        with ledger.write() as t:
            chosen = [_one(t, key) for key in keys]
            for state, asked in (("unknown", unknown), ("dead", dead)):
                found = told.told(t, state=state, channel=channel) if asked else []
                # One in a digest comes with it.
                chosen += [one for one in reversed(found) if one.alert.digest is None]
            said = [(one, told.redeliver(t, one, now=now, force=force)) for one in chosen]
    for one, why in said:
        say(f"{one.alert.key[:_KEY]}: {why or 'is sent again'}", err=bool(why))
    if not said:
        say("no alerts")
    return 1 if any(why for _, why in said) else 0


def _span(text: str | None) -> timedelta | None:
    from worker.settings.units import duration

    if text is None:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise click.UsageError(f"--since {text}: {error}") from None


def _one(t: Transaction, key: str) -> Told:
    """Return the alert that a person has named.

    Raises:
        click.UsageError: there is none, or several.
    """
    from worker.ledger import deliveries as told

    found = told.find(t, key)
    if not found:
        few = f"; name at least {told.SHORTEST} characters of its key" if len(key) < told.SHORTEST else ""
        raise click.UsageError(f"no alert {key}{few}; `wirewatch deliveries` lists them")
    if len(found) > 1:
        keys = ", ".join(one.alert.key for one in found[:5])
        raise click.UsageError(f"{key} is the beginning of several alerts: {keys}")
    return found[0]


def _whole(t: Transaction, one: Told) -> dict[str, Any]:
    """Return all that is known of an alert."""
    from worker.ledger import deliveries as told

    letter = told.letter(t, one)
    digest = told.find(t, one.alert.digest)[0] if one.alert.digest else None
    return _as_json(one) | {
        "message": _message(one, digest),
        "attempts": [_attempt(d) for d in told.attempts(t, one.alert.key)],
        "told_in": _whole(t, digest) | {"message": None} if digest else None,
        "items": [_as_json(item) for item in told.items(t, one.alert.key)],
        "dead": _letter(letter) if letter else None,
    }


def _message(one: Told, digest: Told | None) -> dict[str, Any] | None:
    """Return what was sent of an alert, by itself or in its digest; ``None`` before that, or when it was not shown."""
    from worker.channels.base import to_json
    from worker.ledger import shown
    from worker.model import Digest

    if one.shown is not None:
        return to_json(shown.from_json(one.shown, one.alert))
    if digest is None or digest.shown is None:
        return None
    whole = shown.from_json(digest.shown, digest.alert)
    if not isinstance(whole, Digest):
        return to_json(whole)
    return next((to_json(item) for item in whole.items if item.alert.key == one.alert.key), None)


def _as_json(one: Told) -> dict[str, Any]:
    alert = one.alert
    return {
        "alert": alert.key,
        "state": one.state,
        "channel": alert.channel_id,
        "role": alert.role.value,
        "topic": alert.topic_id,
        "story": alert.story_id,
        "article": alert.article_id,
        "title": one.title,
        "reason": alert.reason.value,
        "error": one.error,
        "charged": alert.attempt,
        "repeat": alert.repeat,
        "digest": alert.digest,
        "created_at": _time(alert.created_at),
        "due_at": _time(alert.due_at),
        "sent_at": _time(one.sent_at),
        "last": _attempt(one.last) if one.last else None,
    }


def _attempt(d: Delivery) -> dict[str, Any]:
    return {
        "at": _time(d.at),
        "attempt": d.attempt,
        "outcome": d.outcome.value,
        "detail": d.detail,
        "remote_id": d.remote_id,
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {"id": letter.id, "reason": letter.reason, "attempts": letter.attempts, "dead_at": _time(letter.dead_at)}


def _time(at: Any) -> str | None:  # noqa: ANN401 - a time or None
    from worker.channels.base import timestamp

    return timestamp(at) if at else None


def _line(one: Told) -> str:
    alert = one.alert
    title = " ".join((one.title or alert.clause).split())
    parts = [
        f"{alert.key[:_KEY]}  {alert.created_at:%Y-%m-%d %H:%M}  {one.state:<9}",
        f"{alert.channel_id}  {alert.role.value}",
        " ".join(filter(None, (alert.topic_id, title[:_TITLE] + ("…" if len(title) > _TITLE else "")))),
        f"{alert.attempt} {'attempt' if alert.attempt == 1 else 'attempts'}{_last(one)}",
    ]
    return "  ".join(filter(None, parts))


def _last(one: Told) -> str:
    if one.state == "open":
        why = f", {one.error}" if one.error else ""
        return f", due {one.alert.due_at:%Y-%m-%d %H:%M:%S} ({one.alert.reason}){why}"
    if one.state == "gathered":
        return f", told in {(one.alert.digest or '')[:_KEY]}"
    if one.state in {"off", "dead", "unknown"}:
        return f", {one.error}"
    return f", {one.last.detail}" if one.last and one.last.detail else ""


def _print(found: dict[str, Any]) -> None:
    say(f"{found['alert']}  {found['state']}")
    told = "  ".join(filter(None, (found["role"], found["topic"], found["story"])))
    say(f"  what      {told}{'  (possible repeat)' if found['repeat'] else ''}")
    say(f"  channel   {found['channel']}")
    say(f"  decided   {found['created_at']}, due {found['due_at']} ({found['reason']})")
    message = found["message"]
    if message is not None:
        _print_message(message)
    if found["told_in"]:
        say(f"  digest    {found['told_in']['alert']}  {found['told_in']['state']}")
    for item in found["items"]:
        say(f"  item      {item['alert'][:_KEY]}  {item['state']}  {item['topic']}  {item['title'][:_TITLE]}")
    for attempt in found["attempts"] or (found["told_in"] or {}).get("attempts", []):
        end = ": ".join(filter(None, (attempt["outcome"], attempt["detail"])))
        named = f", the receiver calls it {attempt['remote_id']}" if attempt["remote_id"] else ""
        say(f"  attempt   {attempt['attempt']}  {attempt['at']}  {end}{named}")
    if found["error"]:
        say(f"  because   {found['error']}")
    if found["dead"]:
        say(f"  dead      letter {found['dead']['id']}: {found['dead']['reason']}")


def _print_message(message: dict[str, Any]) -> None:
    say(f"  sent as   at {message['at']}: {message.get('title') or message.get('text') or message['kind']}")
    if message["kind"] == "digest":
        more = f" and {message['more']} more" if message["more"] else ""
        say(f"            {len(message['alerts'])} alerts{more}")
    if message["kind"] == "alert":
        say(f"            {message['outlet']}, {message['published_at']}  {message['url']}")
        counts = f"{message['articles']} articles, {message['outlets']} outlets, {message['origins']} origins"
        say(f"            score {message['score']:.2f} by {message['by']}; {counts}")
        for evidence in message["evidence"]:
            say(f"            {evidence['field']}: »{' '.join(evidence['text'].split())}«")

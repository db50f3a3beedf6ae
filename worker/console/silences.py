"""Silences: what is not told for a time, who said so and why; beginning one, and ending it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.alerts.patterns import fits
from worker.build import channel_ids
from worker.console.desk import Desk
from worker.console.pages import Form, desk, get, missing, page, post, tell
from worker.errors import WirewatchError
from worker.ledger import silences, snapshots, stories
from worker.ledger.engine import Transaction
from worker.model import Silence
from worker.settings import duration

_PATTERNS: Final = ("topic", "outlet", "channel", "story")
_FIELDS: Final = (*_PATTERNS, "author", "comment", "length", "starts")
#: Characters of a field.
_LONGEST: Final = 500
#: Silences that have ended, on the page.
_ENDED: Final = 100
_GREATEST: Final = 2**63 - 1
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A silence as somebody has written it."""

    values: Mapping[str, str]
    #: By field: what is wrong with it and what to do.
    errors: Mapping[str, str] = field(default_factory=dict)
    #: When it would hold, as far as that can be read.
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def listed(request: Request) -> Response:
    """List the silences, with a form for another one, filled in from the query."""
    asked = request.query_params
    values = {name: asked.get(name, "")[:_LONGEST] for name in _FIELDS}
    return _page(request, Wanted(values=values | {"length": values["length"] or "24h"}))


def add(request: Request, form: Form) -> Response:
    """Begin a silence."""
    at = desk(request)
    now = at.now()
    wanted = checked({name: form.text(name) for name in _FIELDS}, now=now)
    if wanted.errors or wanted.starts_at is None or wanted.ends_at is None:
        return _page(request, wanted, status_code=422)
    values = wanted.values
    with at.write() as t:
        made = silences.add(
            t,
            topic=values["topic"],
            outlet=values["outlet"],
            channel=values["channel"],
            story_id=values["story"],
            author=values["author"],
            comment=values["comment"],
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            now=now,
        )
        notes = list(_notes(t, made))
    said = f"Silence {made.id} {'holds' if made.starts_at <= now else 'begins then,'} until {_utc(made.ends_at)}."
    return tell(request, "/silences", " ".join([said, *notes]), kind="warn" if notes else "ok")


def expire(request: Request, form: Form) -> Response:  # noqa: ARG001 - an action's signature
    """End a silence now."""
    number = request.path_params["id"]
    at = desk(request)
    now = at.now()
    with at.write() as t:
        if number > _GREATEST or silences.get(t, number) is None:
            missing(f"there is no silence {number}; it may have been removed when its time was over")
        ended = silences.expire(t, number, now=now)
    if not ended:
        return tell(request, "/silences", f"Silence {number} had ended already.", kind="warn")
    return tell(request, "/silences", f"Silence {number} has ended. What it kept from being told stays untold.")


def checked(values: Mapping[str, str], *, now: datetime) -> Wanted:
    """Return a silence as it was written, with everything that is wrong with it."""
    errors = dict(_mistakes(values))
    starts_at = _read(values["starts"], errors, now=now)
    ends_at = _end(values["length"], errors, starts_at or now)
    if ends_at is not None and ends_at <= now:
        errors["length"] = f"it would have ended at {_utc(ends_at)} already; let it last longer"
    return replace(Wanted(values=values), errors=errors, starts_at=starts_at, ends_at=ends_at)


def _mistakes(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if not any(values[name] for name in _PATTERNS):
        yield "topic", "say what to silence: a topic, an outlet, a channel or a story; * is every topic"
    if not values["author"]:
        yield "author", "say who you are, for those who wonder why it is quiet"
    if not values["comment"]:
        yield "comment", "say why, for those who wonder why it is quiet"
    for name in _FIELDS:
        if len(values[name]) > _LONGEST:
            yield name, f"is {len(values[name])} characters long; {_LONGEST} are taken"


def _read(text: str, errors: dict[str, str], *, now: datetime) -> datetime | None:
    if not text:
        return now
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        errors["starts"] = "write a time such as 2026-02-12T08:00 (UTC) or 2026-02-12T08:00+01:00, or leave it empty"
        return None


def _end(text: str, errors: dict[str, str], starts_at: datetime) -> datetime | None:
    try:
        return starts_at + duration(text)
    except ValueError as error:
        errors["length"] = str(error)
    except OverflowError:
        errors["length"] = "ends too late for any calendar"
    return None


def _notes(t: Transaction, made: Silence) -> Iterator[str]:
    """Yield what its author may not have meant: patterns that nothing fits at present."""
    topics = snapshots.topics_in_force(t)
    if topics is not None and made.topic and not any(fits(made.topic, topic.id) for topic in topics):
        yield f"No topic in force fits {made.topic}."
    if made.story and _WILD.isdisjoint(made.story) and stories.get(t, made.story) is None:
        yield f"No story is called {made.story}."


def _page(request: Request, wanted: Wanted, *, status_code: int = 200) -> Response:
    at = desk(request)
    now = at.now()
    with at.read() as t:
        found = silences.listed(t)
        topics = snapshots.topics_in_force(t) or ()
    groups: dict[str, list[Silence]] = {"holds": [], "to come": [], "ended": []}
    for one in reversed(found):
        groups[state(one, now)].append(one)
    return page(
        request,
        "silences.html",
        title="Silences",
        status_code=status_code,
        groups=[("holds", "Hold now", groups["holds"]), ("to come", "To come", groups["to come"])],
        ended=groups["ended"][:_ENDED],
        ended_total=len(groups["ended"]),
        wanted=wanted,
        topics=[topic.id for topic in topics],
        channels=_channels(at),
    )


def state(one: Silence, now: datetime) -> str:
    """Return ``holds``, ``to come`` or ``ended``."""
    if one.ends_at <= now:
        return "ended"
    return "holds" if one.starts_at <= now else "to come"


def _channels(at: Desk) -> Sequence[str]:
    try:
        settings = at.settings()
    except WirewatchError:
        return []
    return channel_ids(settings, settings.topics)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


ROUTES = (
    get("/silences", listed),
    post("/silences", add),
    post("/silences/{id:int}/expire", expire),
)

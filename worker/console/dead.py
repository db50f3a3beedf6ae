"""Dead letters: what was given up, why, and giving it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.console.pages import Form, desk, get, missing, page, post, tell
from worker.ledger import dead
from worker.ledger.dead import DeadLetter

#: Letters on the page, the newest.
_LISTED: Final = 100
#: What SQL knows as an integer; a longer number is no letter's.
_GREATEST: Final = 2**63 - 1


def listed(request: Request) -> Response:
    """List the dead letters, newest first."""
    everything = request.query_params.get("all") == "1"
    with desk(request).read() as t:
        found = dead.letters(t, everything=everything)
    waiting = [letter for letter in found if letter.redriven_at is None]
    return page(
        request,
        "dead.html",
        title="Dead letters",
        letters=found[: -_LISTED - 1 : -1],
        total=len(found),
        everything=everything,
        reasons=Counter(letter.reason for letter in waiting).most_common(8),
        newest=max((letter.id for letter in waiting), default=0),
        what=what_happens(waiting),
    )


def what_happens(letters: Iterable[DeadLetter]) -> str:
    """Return what giving letters back will do, for the person who is about to say so; empty when there are none."""
    counts = Counter(letter.kind for letter in letters)
    parts = [
        f"{counts[kind]:,} {words if counts[kind] != 1 else word}"
        for kind, word, words in (
            ("entry", "article is read and matched again", "articles are read and matched again"),
            ("alert", "alert is sent again", "alerts are sent again"),
        )
        if counts[kind]
    ]
    return f"{' and '.join(parts)}, from the first attempt." if parts else ""


def redrive(request: Request, form: Form) -> Response:  # noqa: ARG001 - an action's signature
    """Give one letter back."""
    number = request.path_params["id"]
    at = desk(request)
    now = at.now()
    with at.write() as t:
        letter = dead.letter(t, number) if number <= _GREATEST else None
        if letter is None:
            missing(f"there is no dead letter {number}")
        back = dead.redrive(t, letter, now=now)
    if back:
        return tell(request, "/dead", f"Letter {number} is given back: {what_happens([letter])}")
    why = "it was given back before" if letter.redriven_at else "its row is no longer kept, or nobody gave it up"
    return tell(request, "/dead", f"Letter {number} was not given back: {why}.", kind="warn")


def redrive_all(request: Request, form: Form) -> Response:
    """Give every letter back that the person has seen."""
    text = form.text("newest")
    newest = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_GREATEST)) else 0
    at = desk(request)
    now = at.now()
    with at.write() as t:
        chosen = [letter for letter in dead.letters(t) if letter.id <= newest]
        back = [letter for letter in chosen if dead.redrive(t, letter, now=now)]
    if not chosen:
        return tell(request, "/dead", "There was nothing to give back.", kind="warn")
    lost = len(chosen) - len(back)
    rest = f" {lost} could not be given back: their rows are no longer kept." if lost else ""
    return tell(request, "/dead", f"Given back: {what_happens(back)}{rest}", kind="warn" if lost else "ok")


ROUTES = (
    get("/dead", listed),
    post("/dead/redrive", redrive_all),
    post("/dead/{id:int}/redrive", redrive),
)

"""A ledger in which alerts have come to every end that there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tests.builders import NOON, alert, article, at, message
from worker.ledger import dead, decided, entries, gathered, outbox, shown
from worker.ledger.engine import Ledger, Transaction
from worker.model import Alert, Delivery, Digest, Evidence, Reason, Role

#: What the title of every article tries.
HOSTILE: Final = '<script>alert("owned")</script>'
DELIVERED, UNKNOWN, DEAD, WAITS, OFF, FIRST_TOLD, SECOND_TOLD, DIGEST, GATHERED = range(1, 10)
_ENDS: Final[Mapping[int, tuple[Reason, str]]] = {
    DELIVERED: (Reason.DELIVERED, ""),
    UNKNOWN: (Reason.UNKNOWN, "the answer was lost"),
    DEAD: (Reason.DEAD, "no such channel"),
    WAITS: (Reason.RETRY, "the receiver answered 500"),
}


def key(number: int) -> str:
    """Return a key that is as long as those of real alerts."""
    return f"{number:08x}" * 4


def one_like(number: int, **changes: Any) -> Alert:
    """Return an alert with such a key, of a story of its own."""
    evidence = (Evidence(field="text", start=25, end=33, text="missiles"),)
    return alert(number, **{"key": key(number), "story_id": f"s-{number}", "evidence": evidence} | changes)


def fill(ledger: Ledger) -> None:
    """Have alerts come to every end, under the numbers above."""
    with ledger.write() as t:
        for number in range(1, 10):
            about = article(number, title=f"{HOSTILE} {number}", url=f"https://wire.example/{number}")
            entries.add_article(t, about, now=NOON)
        for number, (outcome, detail) in _ENDS.items():
            decided.add(t, one_like(number))
            _end(t, number, outcome, detail)
        decided.add(t, one_like(OFF))
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.turn_off(t, claim, why="silenced: silence 1 by anna")
        _tell_digest(t)
        decided.add(t, one_like(GATHERED, digest="f" * 32, topic_id="ferries"))
        gathered.include(t, [key(GATHERED)], now=NOON)


def _end(t: Transaction, number: int, outcome: Reason, detail: str) -> None:
    one = one_like(number)
    (claim,) = outbox.claim(t, now=NOON, limit=1)
    told = message(alert=one, article=article(number, title=f"{HOSTILE} {number}"))
    outbox.begin(t, claim, now=NOON, shown=shown.to_json(told, through=one.channel_id))
    ended = Delivery(alert_key=one.key, at=NOON, attempt=1, outcome=outcome, detail=detail, remote_id="ts-1")
    if outcome is Reason.DEAD:
        outbox.add_delivery(t, ended)
        dead.bury(t, claim, kind="alert", subject=one.key, reason=detail, now=NOON)
    else:
        outbox.record(t, claim, ended, due_at=at(5))


def _tell_digest(t: Transaction) -> None:
    whole = replace(one_like(DIGEST), role=Role.DIGEST, topic_id="", article_id="", story_id="", evidence=())
    decided.add(t, whole)
    items = [one_like(number, digest=whole.key) for number in (FIRST_TOLD, SECOND_TOLD)]
    for item in items:
        decided.add(t, item)
    gathered.include(t, [item.key for item in items], now=NOON)
    told = Digest(alert=whole, items=tuple(message(alert=item) for item in items), more=0, at=NOON)
    (claim,) = outbox.claim(t, now=NOON, limit=1)
    outbox.begin(t, claim, now=NOON, shown=shown.to_json(told, through="screen"))
    outbox.record(t, claim, Delivery(alert_key=whole.key, at=NOON, attempt=1, outcome=Reason.DELIVERED))

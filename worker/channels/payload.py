"""The body of a webhook: JSON in the envelope of Standard Webhooks 1.0.0 or of CloudEvents 1.0.2.

``payload.schema.json`` beside this module says the same as a JSON Schema; ``wirewatch schema`` prints it. Its version
(``version`` in ``data``) is raised when a key goes away or comes to mean something else, and not when one is added: who
reads a body lets the keys be that it does not know.

The same message always has the same body, byte for byte, for its receiver may compare what comes under one key
(draft-ietf-httpapi-idempotency-key-header-07, "Idempotency Fingerprint"). What differs between attempts stands in
headers.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Payload structure"
and "Payload size"; https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and formats/json-format.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final
from urllib.parse import quote as quoted

from worker.channels.base import timestamp, to_json
from worker.channels.wording import why
from worker.model import Digest, Message, Notice, Outgoing, Quote, Role

VERSION: Final = 1
#: Names the schema of this version; it is a name, and no address.
SCHEMA_ID: Final = f"urn:wirewatch:webhook:{VERSION}"
#: Bytes of a body: "usually smaller than 20kb".
BODY_MAX: Final = 20_000
#: Characters of an address; a longer one is left out, for a part of it leads nowhere.
ADDRESS_MAX: Final = 2_000
CREATED: Final = "alert.created"
CORRECTION: Final = "alert.correction"
DIGEST: Final = "alert.digest"
NOTICE: Final = "channel.notice"
_MARK: Final = "…"
#: Keywords of a schema that refuse what it does not name.
_CLOSING: Final = frozenset({"additionalProperties", "unevaluatedProperties"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """How much of a message is told: characters of a text, pieces of evidence, and those with words around them."""

    text: int
    evidence: int
    quotes: int


#: From all that anybody reads to what any message has room for; the first that fits is taken.
_LIMITS: Final = (
    _Limits(text=1000, evidence=10, quotes=10),
    _Limits(text=400, evidence=5, quotes=5),
    _Limits(text=160, evidence=2, quotes=2),
    _Limits(text=160, evidence=1, quotes=0),
    _Limits(text=40, evidence=1, quotes=0),
)
#: The last of them by which a digest would rather tell of fewer alerts.
_DIGEST_LIMITS: Final = _LIMITS[1:-1]
_TEXTS: Final = ("title", "outlet", "clause", "detail", "phrase", "why")
_ADDRESSES: Final = ("url", "link")


def body(outgoing: Outgoing, *, cloudevents: bool = False) -> bytes:
    """Return the body that tells of ``outgoing``: JSON in UTF-8, of at most ``BODY_MAX`` bytes.

    ``timestamp`` (``time`` in CloudEvents) is when the alert was decided; ``at`` within ``data`` is when it was first
    sent. A text that is cut ends in "…". A digest whose alerts do not all fit counts the others in ``more``.
    """
    content = b""
    for data in _ever_smaller(outgoing):
        content = _encoded(_cloudevent(outgoing, data) if cloudevents else _standard(outgoing, data))
        if len(content) <= BODY_MAX:
            break
    return content


def event_type(outgoing: Outgoing) -> str:
    """Return the name of the event: what ``data`` is about, and so which form it has."""
    match outgoing:
        case Message():
            return CORRECTION if outgoing.alert.role is Role.CORRECTION else CREATED
        case Digest():
            return DIGEST
        case Notice():
            return NOTICE


def schema(*, is_open: bool = False) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of every body; with ``is_open`` one that lets unknown keys through.

    The first is what this version sends, to the key. The second goes on holding when keys are added.
    """
    text = resources.files("worker.channels").joinpath("payload.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return _opened(found) if is_open else found


def _ever_smaller(outgoing: Outgoing) -> Iterator[dict[str, Any]]:
    """Give the data of ``outgoing``, less each time."""
    match outgoing:
        case Message():
            yield from (_versioned(_alert(outgoing, limits)) for limits in _LIMITS)
        case Digest():
            yield from (_digest(outgoing, limits, len(outgoing.items)) for limits in _DIGEST_LIMITS)
            yield from (_digest(outgoing, _DIGEST_LIMITS[-1], n) for n in range(len(outgoing.items) - 1, -1, -1))
        case Notice():
            said = to_json(outgoing)
            yield from (_versioned(said | {"text": _cut(said["text"], limits.text)}) for limits in _LIMITS)


def _versioned(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": VERSION, **data}


def _digest(digest: Digest, limits: _Limits, count: int) -> dict[str, Any]:
    told = [_alert(item, limits) for item in digest.items[:count]]
    return _versioned(to_json(digest) | {"alerts": told, "more": digest.more + len(digest.items) - count})


def _alert(message: Message, limits: _Limits) -> dict[str, Any]:
    data = to_json(message)
    # Whether it may be a repeat is a matter of the attempt, and the key tells the receiver better.
    data.pop("repeat", None)
    data |= {
        "phrase": message.topic,
        "why": why(message),
        "newest_at": timestamp(message.newest_at) if message.newest_at else None,
        "quotes": [_quote(quote, limits.text) for quote in message.quotes[: limits.quotes]],
        "evidence": [each | {"text": _cut(each["text"], limits.text)} for each in data["evidence"][: limits.evidence]],
    }
    data |= {name: _cut(data[name], limits.text) for name in _TEXTS}
    return data | {name: data[name] if len(data[name]) <= ADDRESS_MAX else "" for name in _ADDRESSES}


def _quote(quote: Quote, most: int) -> dict[str, str]:
    before = quote.before if len(quote.before) <= most else _MARK + quote.before[1 - most :]
    return {
        "field": quote.field,
        "before": before,
        "text": _cut(quote.text, most),
        "after": _cut(quote.after, most),
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _MARK


def _standard(outgoing: Outgoing, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": event_type(outgoing), "timestamp": timestamp(outgoing.alert.created_at), "data": data}


def _cloudevent(outgoing: Outgoing, data: Mapping[str, Any]) -> dict[str, Any]:
    alert = outgoing.alert
    kind, name = ("topics", alert.topic_id) if isinstance(outgoing, Message) else ("channels", alert.channel_id)
    event = {
        "specversion": "1.0",
        "id": alert.key,
        "source": f"/wirewatch/{kind}/{quoted(name, safe='', errors='replace')}",
        "type": f"wirewatch.{event_type(outgoing)}",
        "time": timestamp(alert.created_at),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA_ID,
    }
    # Where there is a story it is the subject; an empty one is not allowed.
    subject = {"subject": alert.story_id} if isinstance(outgoing, Message) else {}
    return event | subject | {"data": data}


def _encoded(event: Mapping[str, Any]) -> bytes:
    # Half a surrogate pair, which no UTF-8 can hold, becomes its JSON escape.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _opened(schema: Any) -> Any:  # noqa: ANN401 - a schema within a schema is of any type
    match schema:
        case dict():
            return {name: _opened(value) for name, value in schema.items() if name not in _CLOSING}
        case list():
            return [_opened(value) for value in schema]
        case _:
            return schema

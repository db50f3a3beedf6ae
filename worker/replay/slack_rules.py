"""What Slack refuses in a message, as its pages say: the rules of a workspace for replays and tests.

They are Slack's limits and not those that our channels keep within, so that a test of one is no test of itself.

Sources: https://docs.slack.dev/reference/block-kit/blocks (a page a block),
https://docs.slack.dev/reference/block-kit/composition-objects/text-object and
https://docs.slack.dev/messaging/message-metadata. For the size of all blocks there is no page: slackapi/bolt-js#2509.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

#: Characters of all blocks.
_ALL: Final = 13_200
_BLOCKS: Final = 50
_BLOCK_ID: Final = 255
#: Characters of ``text``: what is more is cut off by chat.postMessage, and refused by chat.update.
TEXT: Final = 40_000
UPDATE_TEXT: Final = 4000
_METADATA: Final = 8000
_STYLES: Final = frozenset({"bold", "italic", "strike", "code", "underline"})


class _Refused(Exception):  # noqa: N818 - named for what it says
    """Slack does not take this."""


def refusal(payload: Mapping[str, Any]) -> str:
    """Return the word with which Slack refuses a message; empty when it takes it."""
    blocks = payload.get("blocks")
    try:
        if not _has_text(payload.get("text")) and not blocks:
            return "no_text"
        if blocks is not None:
            _expect(isinstance(blocks, list))
            _check_blocks(blocks)
            if len(json.dumps(blocks, ensure_ascii=False)) > _ALL:
                return "msg_blocks_too_long"
    except (_Refused, AttributeError, TypeError):
        return "invalid_blocks"
    return _metadata(payload.get("metadata"))


def _metadata(metadata: object) -> str:
    if metadata is None:
        return ""
    if not isinstance(metadata, dict) or not _has_text(metadata.get("event_type")):
        return "invalid_metadata_format"
    event = metadata.get("event_payload")
    if not isinstance(event, dict) or not all(isinstance(v, str | int | float | bool) for v in event.values()):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(json.dumps(metadata)) > _METADATA else ""


def _check_blocks(blocks: list[Any]) -> None:
    _expect(len(blocks) <= _BLOCKS)
    for block in blocks:
        check = _CHECKS.get(block.get("type"))
        _expect(check is not None and len(block.get("block_id", "")) <= _BLOCK_ID)
        if check:
            check(block)
    ids = sorted(block["block_id"] for block in blocks if block.get("block_id"))
    _expect(all(one != other for one, other in pairwise(ids)))


def _header(block: Mapping[str, Any]) -> None:
    _text(block.get("text"), 150, kinds=("plain_text",))


def _section(block: Mapping[str, Any]) -> None:
    fields = block.get("fields", [])
    _expect("text" in block or bool(fields))
    _expect(len(fields) <= 10)  # noqa: PLR2004 - the number of the page
    if "text" in block:
        _text(block["text"], 3000)
    for field in fields:
        _text(field, 2000)


def _context(block: Mapping[str, Any]) -> None:
    elements = block.get("elements", [])
    _expect(1 <= len(elements) <= 10)  # noqa: PLR2004 - the number of the page
    for element in elements:
        _text(element, 3000)


def _divider(_: Mapping[str, Any]) -> None:
    """Take it: it has nothing that could be wrong."""


def _rich_text(block: Mapping[str, Any]) -> None:
    parts = block.get("elements", [])
    _expect(bool(parts))
    for part in parts:
        _expect(part.get("type") in {"rich_text_section", "rich_text_quote", "rich_text_preformatted"})
        _expect(isinstance(part.get("elements"), list))
        for element in part["elements"]:
            _rich_element(element)


def _rich_element(element: Mapping[str, Any]) -> None:
    kind = element.get("type")
    _expect(kind in {"text", "link", "user", "usergroup", "channel", "broadcast", "emoji"})
    _expect(set(element.get("style", {})) <= _STYLES)
    if kind == "text":
        _expect(isinstance(element.get("text"), str) and bool(element["text"]))
    if kind == "link":
        _expect(urlsplit(element["url"]).scheme in {"http", "https", "mailto"})


_CHECKS: Final[Mapping[object, Callable[[Mapping[str, Any]], None]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "divider": _divider,
    "rich_text": _rich_text,
}


def _text(text: Any, limit: int, *, kinds: Collection[str] = ("plain_text", "mrkdwn")) -> None:  # noqa: ANN401 - JSON
    _expect(isinstance(text, dict) and text.get("type") in kinds)
    _expect(_has_text(text.get("text")) and len(text["text"]) <= limit)
    _expect("emoji" not in text or text["type"] == "plain_text")
    _expect("verbatim" not in text or text["type"] == "mrkdwn")


def _has_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _expect(is_so: bool) -> None:  # noqa: FBT001 - it reads as a sentence
    if not is_so:
        raise _Refused

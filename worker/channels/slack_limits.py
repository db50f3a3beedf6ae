"""How much Slack takes in one message: checked here, for ``slack_sdk`` checks no more than half of it.

Each number is the one of the block's page under https://docs.slack.dev/reference/block-kit/blocks, except for the size
of all blocks, for which Slack publishes none: ``msg_blocks_too_long`` has been seen from about 13,200 characters on
(slackapi/bolt-js#2509) and once at 11,341 (#2867), so ours is well below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from worker.channels.slack_text import size, visible

BLOCKS: Final = 50
#: Characters of all blocks as they are sent.
ALL: Final = 9000
HEADER: Final = 150
SECTION: Final = 3000
FIELDS: Final = 10
FIELD: Final = 2000
CONTEXT: Final = 10
#: Characters of a text object, whatever it stands in, and of the id of a block.
TEXT: Final = 3000
BLOCK_ID: Final = 255

Block = Mapping[str, Any]


def problems(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return what Slack would refuse in ``blocks``, one sentence each; empty when it is fine."""
    return (*_whole(blocks), *(said for number, block in enumerate(blocks, start=1) for said in _block(number, block)))


def weight(blocks: Sequence[Block]) -> int:
    """Return the characters of all blocks as they are sent."""
    return size(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))


def _whole(blocks: Sequence[Block]) -> Iterator[str]:
    if not blocks:
        yield "there are no blocks"
    if len(blocks) > BLOCKS:
        yield f"{len(blocks)} blocks, and {BLOCKS} may be"
    if (all_ := weight(blocks)) > ALL:
        yield f"{all_} characters in all blocks, and {ALL} may be"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        yield "two blocks have one id"


def _block(number: int, block: Block) -> Iterator[str]:
    for said in (*_id(block), *_content(block)):
        yield f"block {number} ({block.get('type')}): {said}"


def _id(block: Block) -> Iterator[str]:
    if size(block.get("block_id", "")) > BLOCK_ID:
        yield f"its id is longer than {BLOCK_ID}"


def _content(block: Block) -> Iterator[str]:
    match block.get("type"):
        case "header":
            yield from _text(block.get("text"), HEADER, kinds=("plain_text",))
        case "section":
            yield from _section(block)
        case "context":
            yield from _many("elements", block.get("elements", ()), CONTEXT, TEXT, least=1)
        case "rich_text":
            yield from _rich(block.get("elements", ()))
        case "divider":
            pass
        case other:
            yield f"blocks of type {other} are not sent"


def _section(block: Block) -> Iterator[str]:
    fields = block.get("fields", ())
    if "text" in block or not fields:
        yield from _text(block.get("text"), SECTION)
    yield from _many("fields", fields, FIELDS, FIELD)


def _many(name: str, texts: Sequence[object], most: int, limit: int, *, least: int = 0) -> Iterator[str]:
    if not least <= len(texts) <= most:
        yield f"{len(texts)} {name}, and {least} to {most} may be"
    for text in texts:
        yield from _text(text, limit)


def _text(text: object, limit: int, *, kinds: Sequence[str] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, Mapping):
        yield "it has no text"
        return
    if text.get("type") not in kinds:
        yield f"a text of type {text.get('type')}, where {' or '.join(kinds)} is due"
    said = text.get("text", "")
    if not visible(said):
        yield "an empty text"
    if size(said) > limit:
        yield f"a text of {size(said)} characters, and {limit} may be"


def _rich(parts: Sequence[Block]) -> Iterator[str]:
    if not parts:
        yield "it has no elements"
    for part in parts:
        elements = part.get("elements", ())
        if not elements:
            yield f"an empty {part.get('type')}"
        for element in elements:
            if not element.get("text"):
                yield f"an empty {element.get('type')}"
            elif size(element["text"]) > TEXT:
                yield f"a text of {size(element['text'])} characters, and {TEXT} may be"

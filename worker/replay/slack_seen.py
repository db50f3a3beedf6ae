"""What a person sees of a Slack message: its words, its links and whom it mentions.

It is stricter than Slack: in mrkdwn whatever some client of Slack makes a link or a mention is one, whether or not the
message asked for names and addresses to be left alone.

Source: https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

#: ``<...>``: a mention or a link that was written as one.
_MARKUP = re.compile(r"<([^<>]*)>")
#: What becomes a link or a mention by itself.
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://\S+ | (?:[\w-]+\.)+[^\W\d_]{2,}(?:[/?#]\S*)? | [\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(r"[@#][\w.-]+")
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it is read."""

    #: What is written, a line a part.
    text: str = ""
    #: Addresses that can be followed, with the words over them.
    links: tuple[tuple[str, str], ...] = ()
    #: Whoever is called: ``@U1``, ``!channel``, ``@here``, ``#C1``.
    mentions: tuple[str, ...] = ()

    def __add__(self, other: Seen) -> Seen:
        """Return both, one after the other."""
        return Seen(self.text + other.text, self.links + other.links, self.mentions + other.mentions)


def seen(message: Mapping[str, Any]) -> Seen:
    """Return what a reader of the channel sees: the blocks of a message, or its text when it has none."""
    blocks = message.get("blocks")
    if not blocks:
        return notification(message)
    return _joined((_block(block) for block in blocks), "\n")


def notification(message: Mapping[str, Any]) -> Seen:
    """Return what a notification of the message says, and what is read aloud."""
    return _mrkdwn(str(message.get("text", "")))


def _block(block: Mapping[str, Any]) -> Seen:
    match block.get("type"):
        case "header":
            return _object(block["text"])
        case "section":
            texts = [block["text"]] if "text" in block else []
            return _joined((_object(text) for text in (*texts, *block.get("fields", ()))), "\n")
        case "context":
            return _joined((_object(text) for text in block["elements"]), "  ")
        case "rich_text":
            return _joined((_rich_part(part) for part in block["elements"]), "\n")
        case _:
            return Seen()


def _object(text: Mapping[str, Any]) -> Seen:
    return Seen(text["text"]) if text["type"] == "plain_text" else _mrkdwn(text["text"])


def _rich_part(part: Mapping[str, Any]) -> Seen:
    mark = "| " if part["type"] == "rich_text_quote" else ""
    return Seen(mark) + _joined((_rich(element) for element in part["elements"]), "")


def _rich(element: Mapping[str, Any]) -> Seen:
    match element["type"]:
        case "text":
            text = element["text"]
            return Seen(f"*{text}*" if element.get("style", {}).get("bold") else text)
        case "link":
            words = element.get("text") or element["url"]
            return Seen(words, links=((element["url"], words),))
        case "emoji":
            return Seen(f":{element['name']}:")
        case kind:
            called = str(next((v for k, v in element.items() if k not in {"type", "style"}), kind))
            return Seen(f"@{called}", mentions=(called,))


def _mrkdwn(text: str) -> Seen:
    found = Seen()
    end = 0
    for match in _MARKUP.finditer(text):
        found += _bare(text[end : match.start()]) + _marked(match[1])
        end = match.end()
    return found + _bare(text[end:])


def _marked(inside: str) -> Seen:
    target, _, words = inside.partition("|")
    if target[:1] in {"@", "#", "!"}:
        return Seen(words or target, mentions=(target,))
    return Seen(_decoded(words or target), links=((_decoded(target), _decoded(words or target)),))


def _bare(text: str) -> Seen:
    said = _decoded(text)
    links = tuple((match[0], match[0]) for match in _ADDRESS.finditer(said))
    return Seen(said, links=links, mentions=tuple(match[0] for match in _NAME.finditer(said)))


def _decoded(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _joined(parts: Iterable[Seen], between: str) -> Seen:
    all_ = tuple(parts)
    return Seen(
        between.join(part.text for part in all_),
        tuple(link for part in all_ for link in part.links),
        tuple(name for part in all_ for name in part.mentions),
    )

"""Messages as Slack's blocks (https://docs.slack.dev/reference/block-kit).

What strangers wrote stands in ``plain_text`` and in the text elements of ``rich_text`` only, where Slack parses
nothing: it can be no mention and no link. The links of a message are words of our own over addresses that were checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    PlainTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextQuoteElement,
    RichTextSectionElement,
    SectionBlock,
)

from worker.channels import slack_limits
from worker.channels.slack_text import (
    REPEAT,
    clean,
    cut,
    cut_before,
    quotes,
    size,
    title,
    visible,
    web_address,
)
from worker.channels.wording import clock, delay, digest_title, earlier, notice_title, source, standing, why
from worker.model import Digest, Message, Notice, Outgoing, Quote, Role

#: The id of the block that says how far the story has gone: the one that is replaced when the story goes on.
STANDING: Final = "wirewatch-standing"
#: Quotes of a message, and characters of each.
QUOTES: Final = 3
QUOTE: Final = 300
#: Blocks of a message.
BLOCKS: Final = 12
_LABELS: Final = {Role.DEVELOPMENT: "New", Role.CORRECTION: "Changed"}
_Part = RichTextElementParts.Text | RichTextElementParts.Link
_Rich = RichTextSectionElement | RichTextQuoteElement


def blocks(outgoing: Outgoing) -> list[dict[str, Any]]:
    """Return what is sent as blocks, all of them within Slack's limits.

    The id of the first is that of the alert, so that a message can be recognised by it.
    """
    match outgoing:
        case Message():
            return _dicts(_reply(outgoing) if _quiet(outgoing) else _message(outgoing))
        case Digest():
            return _digest(outgoing)
        case Notice():
            return _dicts(
                [_header(outgoing, notice_title(outgoing)), SectionBlock(text=_text(outgoing.alert.clause, 2900))]
            )


def sendable(outgoing: Outgoing) -> list[dict[str, Any]]:
    """Return what is sent as blocks; none if Slack would refuse them, for then it is better said as text."""
    made = blocks(outgoing)
    return [] if slack_limits.problems(made) else made


def block_id(alert_key: str) -> str:
    """Return the id of the first block of an alert."""
    return f"wirewatch-{alert_key}"


def standing_block(message: Message) -> dict[str, Any]:
    """Return the block that says how far the story has gone."""
    return dict(ContextBlock(block_id=STANDING, elements=[_text(standing(message), 300)]).to_dict())


def restanding(was: Sequence[Mapping[str, Any]], message: Message) -> list[dict[str, Any]] | None:
    """Return the blocks of a message with what the story has come to; ``None`` when there is nothing to change in them.

    ``was`` is as Slack gives it back: with entities in its texts, which are not to be escaped once more
    (slackapi/bolt-python#513).
    """
    new = standing_block(message)
    old = [_as_sent(block) for block in was]
    now = [new if block.get("block_id") == STANDING else block for block in old]
    return None if now == old or new not in now else now


def _as_sent(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a block, or a part of one, with the texts that were sent."""
    if isinstance(value, Mapping):
        sent = {name: _as_sent(part) for name, part in value.items()}
        if sent.get("type") == "plain_text" and isinstance(sent.get("text"), str):
            sent["text"] = _unescaped(sent["text"])
        return sent
    return [_as_sent(part) for part in value] if isinstance(value, list) else value


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _quiet(message: Message) -> bool:
    """Return whether it is one more report under a message that says how far the story has gone."""
    return message.thread is not None and message.alert.role in {Role.REPORT, Role.COPY}


def _message(message: Message) -> list[Block]:
    return [
        _header(message, cut(title(message), slack_limits.HEADER)),
        *_repeat(message),
        _small(source(message.article)),
        _rich(_what(message)),
        *_quotes(message, QUOTES),
        _small(cut(clean(why(message)), 600)),
        ContextBlock(block_id=STANDING, elements=[_text(standing(message), 300)]),
        _small(", ".join(said for said in (delay(message), earlier(message)) if said)),
        *_links(message),
    ]


def _reply(message: Message) -> list[Block]:
    head = RichTextSectionElement(elements=[_bold(cut(title(message), slack_limits.HEADER))])
    return [
        RichTextBlock(block_id=block_id(message.alert.key), elements=[head]),
        *_repeat(message),
        _small(f"{source(message.article)}, {delay(message)}"),
        *_quotes(message, 1),
        _small(cut(clean(why(message)), 600)),
        *_links(message),
    ]


def _what(message: Message) -> RichTextSectionElement:
    """Return the topic, what is new, and the headline where the header had no room for all of it."""
    parts: list[_Part] = [_plain("Topic: "), _bold(_shown(message.topic, 200))]
    if news := _news(message, 300):
        parts.append(_plain(news))
    if size(title(message)) > slack_limits.HEADER:
        parts.append(_plain(f"\nHeadline: {cut(title(message), 600)}"))
    return RichTextSectionElement(elements=parts)


def _news(message: Message, limit: int) -> str:
    """Return what is new, or was changed, as a line of its own; empty when there is nothing to say."""
    said = cut(clean(message.alert.detail), limit)
    return f"\n{_LABELS.get(message.alert.role, 'Note')}: {said}" if visible(said) else ""


def _quotes(message: Message, most: int) -> list[Block]:
    parts = [_quote(quote) for quote in quotes(message)[:most]]
    return [RichTextBlock(elements=parts)] if parts else []


def _quote(quote: Quote) -> RichTextQuoteElement:
    """Return a quote with its evidence in bold; the words around it share what the evidence leaves of the room."""
    evidence = cut(clean(quote.text), QUOTE)
    before, after = _before(quote.before), _after(quote.after)
    room = QUOTE - size(evidence)
    after_room = max(room // 2, room - size(before))
    after = cut(after, after_room) if after_room > 1 else ""
    before_room = room - size(after)
    before = cut_before(before, before_room) if before_room > 1 else ""
    parts = [_plain(before)] * bool(before) + [_bold(evidence)] * bool(evidence) + [_plain(after)] * bool(after)
    return RichTextQuoteElement(elements=parts)


def _before(text: str) -> str:
    said = clean(text)
    return f"{said} " if said and text[-1:].isspace() else said


def _after(text: str) -> str:
    said = clean(text)
    return f" {said}" if said and text[:1].isspace() else said


def _links(message: Message) -> list[Block]:
    parts: list[_Part] = []
    if found := web_address(message.article.url):
        parts.append(RichTextElementParts.Link(url=found, text="Read the article"))
    elif visible(clean(message.article.url)):
        parts.append(_plain(cut(clean(message.article.url), 300)))
    if found := web_address(message.link):
        parts += [_plain("  ")] * bool(parts) + [RichTextElementParts.Link(url=found, text="Why, in the console")]
    return [_rich(RichTextSectionElement(elements=parts))] if parts else []


def _repeat(outgoing: Outgoing) -> list[Block]:
    return [_small(REPEAT)] if outgoing.alert.repeat else []


def _digest(digest: Digest) -> list[dict[str, Any]]:
    """Return a digest with as many alerts as fit: with their evidence if all have room so, else without."""
    with_evidence = _fitting(digest, _item)
    if len(with_evidence[1]) == len(digest.items):
        return with_evidence[0]
    return max(with_evidence, _fitting(digest, _short_item), key=lambda made: len(made[1]))[0]


def _fitting(
    digest: Digest, item: Callable[[Message], list[_Rich]]
) -> tuple[list[dict[str, Any]], tuple[Message, ...]]:
    """Return the blocks of a digest and the alerts that are in them: the first ones, as many as fit."""
    fewest, most = 0, len(digest.items)
    while fewest < most:
        tried = (fewest + most + 1) // 2
        if slack_limits.problems(_digest_blocks(digest, tried, item)):
            most = tried - 1
        else:
            fewest = tried
    return _digest_blocks(digest, fewest, item), digest.items[:fewest]


def _digest_blocks(digest: Digest, count: int, item: Callable[[Message], list[_Rich]]) -> list[dict[str, Any]]:
    shown, more = digest.items[:count], len(digest.items) - count + digest.more
    # A block takes several alerts, so that there are no more blocks than a message has.
    each = -(-count // (BLOCKS - 3)) or 1
    groups = [shown[start : start + each] for start in range(0, count, each)]
    return _dicts(
        [
            _header(digest, digest_title(digest)),
            *_repeat(digest),
            *(RichTextBlock(elements=[part for message in group for part in item(message)]) for group in groups),
            *([_small(f"and {more} more")] if more else []),
        ]
    )


def _item(message: Message) -> list[_Rich]:
    return [*_short_item(message), *(_quote(quote) for quote in quotes(message)[:1])]


def _short_item(message: Message) -> list[_Rich]:
    said = f"\n{_shown(message.article.outlet, 80)}, {clock(message.article.published_at)}"
    parts: list[_Part] = [_bold(cut(title(message), slack_limits.HEADER))]
    parts.append(_plain(f"{said}, {_shown(message.topic, 80)}{_news(message, 150)}"))
    if found := web_address(message.article.url):
        parts += [_plain(", "), RichTextElementParts.Link(url=found, text="article")]
    return [RichTextSectionElement(elements=[*parts, _plain("\n")])]


def _header(outgoing: Outgoing, text: str) -> HeaderBlock:
    return HeaderBlock(block_id=block_id(outgoing.alert.key), text=_text(text, slack_limits.HEADER))


def _small(text: str) -> ContextBlock:
    return ContextBlock(elements=[_text(text, slack_limits.TEXT)])


def _rich(part: RichTextSectionElement) -> RichTextBlock:
    return RichTextBlock(elements=[part])


def _text(text: str, limit: int) -> PlainTextObject:
    # Without emoji: `:skull:` in a headline is what the outlet wrote.
    return PlainTextObject(text=_shown(text, limit), emoji=False)


def _shown(text: str, limit: int) -> str:
    said = cut(clean(text), limit)
    return said if visible(said) else "-"


def _plain(text: str) -> RichTextElementParts.Text:
    return RichTextElementParts.Text(text=text)


def _bold(text: str) -> RichTextElementParts.Text:
    return RichTextElementParts.Text(text=text, style=RichTextElementParts.TextStyle(bold=True))


def _dicts(made: Sequence[Block]) -> list[dict[str, Any]]:
    return [dict(block.to_dict()) for block in made]

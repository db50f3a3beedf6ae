"""Text for Slack: what strangers wrote, made so that it can be nothing but text.

Slack shows ``plain_text`` and the elements of ``rich_text`` as they are. The ``text`` of a message is *mrkdwn*: in it
``<...>`` is a mention or a link, and addresses and names become links by themselves
(https://docs.slack.dev/messaging/formatting-message-text). It is what a notification says and what is read aloud, and
all there is when the blocks of a message were refused.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit

from worker.channels.wording import (
    digest_title,
    earlier,
    headline,
    notice_title,
    one_line,
    source,
    standing,
    verb,
    why,
)
from worker.model import Digest, Message, Notice, Outgoing, Quote, Role

#: Characters; what is above 4,000 does not belong into ``text``, says
#: https://docs.slack.dev/reference/methods/chat.postMessage.
TEXT: Final = 3500
#: Characters of an address that becomes a link.
ADDRESS: Final = 2000
#: Put into what looks like an address or a name, so that nobody makes a link of it: shows nothing, and joins words.
JOINER: Final = "\u2060"
REPEAT: Final = "Possible repeat: nobody knows whether this arrived before."
_CUT: Final = "…"
#: Where a scheme, a host or an e-mail address, and the name of a person or a channel begin to be one.
_LINKS = re.compile(r"(?<=:)(?=//)|(?<=\w[.。．｡])(?=[^\W\d])|(?<=@)(?=\w)|(?<=#)(?=\w)")
_KEPT_IN_ADDRESS: Final = "%/:=&?~#+!$,;'@()*[]"


def clean(text: str) -> str:
    """Return the whole of ``text`` on one line."""
    return one_line(text, most=len(text) + 1)


def size(text: str) -> int:
    """Return the length of ``text`` as the longest of those that may be meant by "characters": in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """Return ``text`` in at most ``limit`` units of UTF-16, with a mark where something is missing."""
    if size(text) <= limit:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (limit - len(_CUT))].decode("utf-16-le", "ignore")
    return kept.rstrip() + _CUT


def cut_before(text: str, limit: int) -> str:
    """Return the end of ``text``, in at most ``limit`` units of UTF-16, with a mark where something is missing."""
    if size(text) <= limit:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[-2 * (limit - len(_CUT)) :].decode("utf-16-le", "ignore")
    return _CUT + kept.lstrip()


def visible(text: str) -> bool:
    """Return whether anything of ``text`` can be seen: Slack refuses texts without a character."""
    return any(c.isprintable() and not c.isspace() for c in text)


def title(message: Message) -> str:
    """Return the headline of an article, with the word for its role where it is not the first."""
    said = clean(headline(message.article))
    said = said if visible(said) else "(no title)"
    return said if message.alert.role is Role.FIRST else f"{verb(message.alert.role)}: {said}"


def quotes(message: Message) -> list[Quote]:
    """Return the quotes that say something beside the headline: those of the text, each passage once.

    A headline that is all the evidence there is comes back, for it shows which of its words count.
    """
    shown = [quote for quote in message.quotes if visible(clean(quote.text))]
    told: list[str] = []
    chosen: list[Quote] = []
    for quote in [quote for quote in shown if quote.field != "title"] or shown[:1]:
        passage = clean(f"{quote.before}{quote.text}{quote.after}").strip(_CUT)
        if not any(passage in other or other in passage for other in told):
            told.append(passage)
            chosen.append(quote)
    return chosen


def web_address(url: str) -> str:
    """Return ``url`` as it may stand in a link; empty when it is no web address, or too long.

    What ends a link in mrkdwn, or is no character of an address (RFC 3986 section 2), is percent-encoded.
    """
    # Control characters go as well: in front of a scheme, urlsplit and browsers do not see them.
    url = "".join(character for character in "".join(url.split()) if character.isprintable())
    try:
        parts = urlsplit(url)
        known = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    encoded = percent_encoded(url, safe=_KEPT_IN_ADDRESS, errors="replace")
    return encoded if known and len(encoded) <= ADDRESS else ""


def escaped(text: str) -> str:
    """Return ``text`` as mrkdwn that is shown as it is: no mention, no link, no entity of its own."""
    return _entities(_LINKS.sub(JOINER, clean(text)))


def _entities(text: str) -> str:
    # In this order: https://docs.slack.dev/messaging/formatting-message-text#escaping
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def summary(outgoing: Outgoing) -> str:
    """Return what a notification says: one line of mrkdwn."""
    return escaped(cut(clean(_summary(outgoing)), 600))


def _summary(outgoing: Outgoing) -> str:
    match outgoing:
        case Message():
            mark = "(possible repeat) " if outgoing.alert.repeat else ""
            return f"{mark}{title(outgoing)} ({source(outgoing.article)})"
        case Digest():
            return digest_title(outgoing)
        case Notice():
            return f"{notice_title(outgoing)}: {outgoing.alert.clause}"


def plain(outgoing: Outgoing) -> str:
    """Return the whole of a message as mrkdwn, for when Slack has refused its blocks."""
    return "\n".join([*([REPEAT] if outgoing.alert.repeat else []), *_lines(outgoing)])


def _lines(outgoing: Outgoing) -> list[str]:
    match outgoing:
        case Message():
            return _message_lines(outgoing)
        case Digest():
            return _digest_lines(outgoing)
        case Notice():
            return [escaped(cut(clean(_summary(outgoing)), TEXT))]


def _message_lines(message: Message) -> list[str]:
    texts = [
        cut(title(message), 300),
        source(message.article),
        f"Topic: {cut(clean(message.topic), 200)}",
        message.alert.detail,
        *(f"“{cut(clean(quote.text), 300)}”" for quote in quotes(message)[:1]),
        why(message),
        standing(message),
        earlier(message),
    ]
    links = [_link(message.article.url, "article"), _link(message.link, "why, in the console")]
    return [escaped(cut(clean(text), 400)) for text in texts if visible(text)] + [link for link in links if link]


def _digest_lines(digest: Digest) -> list[str]:
    head = escaped(digest_title(digest))
    lines: list[str] = []
    used = size(head) + 20
    for message in digest.items:
        said = escaped(f"• {cut(title(message), 200)} ({cut(clean(message.article.outlet), 60)})")
        line = f"{said} {_link(message.article.url, 'article')}".rstrip()
        used += size(line) + 1
        if used > TEXT:
            break
        lines.append(line)
    more = len(digest.items) - len(lines) + digest.more
    return [head, *lines, *([f"and {more} more"] if more else [])]


def _link(url: str, words: str) -> str:
    found = web_address(url)
    return f"<{_entities(found)}|{words}>" if found else ""

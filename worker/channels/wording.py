"""What an alert says, in words that every channel uses: as text, without any markup.

What comes from outside (titles, outlets, evidence, clauses) passes ``one_line`` on its way, so that it cannot begin a
line of its own, move a cursor or turn the direction of the words that follow it. Whether a channel takes some of it for
markup is the channel's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from worker.model import Alert, Article, Digest, Message, Notice, Outgoing, Quote, Role

#: Characters: of a headline, of a piece of evidence, and of any other text from outside that is to be one line.
HEADLINE_MAX: Final = 300
EVIDENCE_MAX: Final = 500
LINE_MAX: Final = 500
#: Pieces of evidence that are shown; the rest stand in the article.
QUOTES_MAX: Final = 3
_VERBS: Final = {
    Role.FIRST: "Alert",
    Role.REPORT: "Report",
    Role.COPY: "Report",
    Role.DEVELOPMENT: "Development",
    Role.CORRECTION: "Correction",
    Role.DIGEST: "Digest",
    Role.NOTICE: "Notice",
}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: Control characters, and what else ends a line (Unicode Standard Annex 14, classes BK, CR, LF and NL).
_BREAKS: Final = {**dict.fromkeys((*range(32), *range(127, 160)), " "), 0x2028: " ", 0x2029: " "}
#: Marks that turn the direction of all that follows, up to an end that may never come (Unicode Standard Annex 9).
_TURNS: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
#: Half a pair, which no encoding can hold.
_HALVES: Final = re.compile("[\ud800-\udfff]")
_ONE_LINE: Final = {**_BREAKS, **_TURNS}
_ADDRESS: Final = re.compile(r"https?://[^\s/]", re.IGNORECASE)
#: Characters that may stand in an address as they are (RFC 3986 section 2), and those beyond ASCII.
_IN_ADDRESS: Final = "!#$%&'()*+,/:;=?@[]~"


def one_line(text: str, *, most: int = LINE_MAX) -> str:
    """Return ``text`` as one line of at most ``most`` characters; what was cut off shows as "…"."""
    flat = " ".join(_HALVES.sub("\ufffd", text).translate(_ONE_LINE).split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def verb(role: Role) -> str:
    """Return the word that an alert begins with."""
    return _VERBS[role]


def headline(article: Article) -> str:
    """Return the title of an article on one line; "(no title)" when it has none."""
    return one_line(article.title, most=HEADLINE_MAX) or "(no title)"


def title(message: Message) -> str:
    """Return the line by which a message is known: ``Development: Ministers meet again (possible repeat)``."""
    return _with_repeat(f"{verb(message.alert.role)}: {headline(message.article)}", message)


def source(article: Article) -> str:
    """Return who published an article, and when: ``Meridian Dispatch, 22 Dec 2025 09:40 UTC``."""
    return f"{one_line(article.outlet)}, {clock(article.published_at)}"


def clock(at: datetime) -> str:
    """Return a time in UTC, to the minute."""
    return at.astimezone(UTC).strftime("%-d %b %Y %H:%M UTC")


def topic(message: Message) -> str:
    """Return the topic's phrase on one line."""
    return one_line(message.topic)


def why(message: Message) -> str:
    """Return why the topic matched: score, what decided, and the clause; that it matches no longer, of a correction."""
    alert = message.alert
    if not alert.by:
        return "the article matches the topic no longer"
    by = {"rule": "rule", "meaning": "meaning", "both": "rule and meaning"}.get(alert.by, one_line(alert.by))
    said = f"score {alert.score:.2f} by {by}"
    clause = one_line(alert.clause)
    return f"{said}: {clause}" if clause else said


def news(message: Message) -> str:
    """Return what a development brings: ``new: killed 31 and not 12``; empty for every other role."""
    return _detail(message, Role.DEVELOPMENT, "new")


def correction(message: Message) -> str:
    """Return what has changed in an article that was told of: ``changed: title was "..."``; empty for other roles."""
    return _detail(message, Role.CORRECTION, "changed")


def possible_repeat(outgoing: Outgoing) -> str:
    """Return ``(possible repeat)`` for what may have arrived before, and nothing for all else."""
    return "(possible repeat)" if outgoing.alert.repeat else ""


def standing(message: Message) -> str:
    """Return how far the story has gone: ``4 articles, 3 outlets, 2 independent origins, last 11 Feb 14:02 UTC``."""
    parts = [
        counted(message.articles, "article"),
        counted(message.outlets, "outlet"),
        counted(message.origins, "independent origin"),
    ]
    if message.newest_at is not None and message.articles > 1:
        # With its day: the line may stand in a message that was begun days before.
        parts.append(f"last {message.newest_at.astimezone(UTC):%-d %b %H:%M} UTC")
    return ", ".join(parts)


def delay(message: Message) -> str:
    """Return how long after its publication the article was told: ``told 2 min after publication``."""
    return f"told {span(max(message.at - message.article.published_at, timedelta(0)))} after publication"


def earlier(message: Message) -> str:
    """Return the story before this one in words; empty when there is none."""
    if message.linked is None:
        return ""
    when = f" of {clock(message.linked_at)}" if message.linked_at else ""
    return f"follows story {one_line(message.linked)}{when}"


def address(url: str) -> str:
    """Return ``url`` as it may stand in a text: an http(s) address without blanks; empty when it is none."""
    if not _ADDRESS.match(url):
        return ""
    return "".join(c if c.isalnum() else quote(c, safe=_IN_ADDRESS, errors="replace") for c in url)


def digest_title(digest: Digest) -> str:
    """Return the line by which a digest is known: ``Digest: 7 alerts on missiles``, or on how many topics."""
    said = f"Digest: {counted(len(digest.items) + digest.more, 'alert')}"
    topics = dict.fromkeys(topic(item) for item in digest.items)
    if not digest.more and any(topics):
        said += f" on {next(iter(topics))}" if len(topics) == 1 else f" on {len(topics)} topics"
    return _with_repeat(said, digest)


def rest(digest: Digest) -> str:
    """Return how many alerts of a digest it does not show: ``and 3 more``; empty when it shows all."""
    return f"and {digest.more} more" if digest.more else ""


def notice_title(notice: Notice) -> str:
    """Return the line by which words about a channel are known."""
    return _with_repeat("Notice from wirewatch", notice)


def notice_text(notice: Notice) -> str:
    """Return what a notice says, on one line."""
    return one_line(notice.alert.clause)


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if length >= unit:
            return f"{length // unit} {name}"
    return f"{length.seconds} s"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 outlet``, ``2 outlets``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def quoted(quote: Quote) -> str:
    """Return a quote on one line, its evidence marked with »«."""
    before, after = quote.before[-EVIDENCE_MAX:], quote.after[:EVIDENCE_MAX]
    marked = f"{before}»{one_line(quote.text, most=EVIDENCE_MAX)}«{after}"
    return one_line(marked, most=3 * EVIDENCE_MAX + 2)


def plain(outgoing: Outgoing) -> tuple[str, str]:
    """Return what is sent as a title of one line and a body of several, for mail and the like."""
    match outgoing:
        case Message():
            return title(outgoing), _text(_message(outgoing))
        case Digest():
            return digest_title(outgoing), _text(_digest(outgoing))
        case Notice():
            return notice_title(outgoing), _text([[notice_text(outgoing)]])


def _message(message: Message) -> list[list[str]]:
    """Return the paragraphs of a message, each as its lines."""
    link = address(message.link)
    return [
        [source(message.article), f"Topic: {topic(message)}", news(message), correction(message)],
        [quoted(quote) for quote in message.quotes[:QUOTES_MAX]],
        [why(message), f"{standing(message)}; {delay(message)}", earlier(message)],
        [address(message.article.url), f"The story: {link}" if link else ""],
    ]


def _digest(digest: Digest) -> list[list[str]]:
    items = [_item(number, item) for number, item in enumerate(digest.items, start=1)]
    return [*items, [rest(digest)]]


def _item(number: int, message: Message) -> list[str]:
    return [
        f"{number}. {title(message)}",
        f"{source(message.article)}; topic: {topic(message)}",
        news(message),
        correction(message),
        *(quoted(quote) for quote in message.quotes[:1]),
        address(message.article.url),
    ]


def _text(paragraphs: Iterable[Iterable[str]]) -> str:
    """Return paragraphs as a text, without the lines that are empty."""
    filled = ("\n".join(line for line in lines if line) for lines in paragraphs)
    return "\n\n".join(paragraph for paragraph in filled if paragraph)


def _detail(message: Message, role: Role, word: str) -> str:
    alert: Alert = message.alert
    detail = one_line(alert.detail)
    return f"{word}: {detail}" if alert.role is role and detail else ""


def _with_repeat(said: str, outgoing: Outgoing) -> str:
    return " ".join(filter(None, (said, possible_repeat(outgoing))))

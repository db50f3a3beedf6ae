"""The terminal as a channel: a few lines of text for each alert."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from worker.channels.base import NO_GAP, NOBODY_KNOWS, Found, timestamp
from worker.channels.wording import (
    address,
    correction,
    delay,
    digest_title,
    earlier,
    headline,
    news,
    notice_text,
    one_line,
    possible_repeat,
    quoted,
    rest,
    source,
    standing,
    why,
)
from worker.errors import Retryable
from worker.model import Digest, Message, Notice, Outgoing, Role

_VERBS = {
    Role.FIRST: "ALERT",
    Role.REPORT: "update",
    Role.DEVELOPMENT: "DEVELOPMENT",
    Role.COPY: "copy",
    Role.CORRECTION: "CORRECTION",
    Role.DIGEST: "DIGEST",
    Role.NOTICE: "NOTICE",
}
#: What a terminal must never be given from outside: control characters could move its cursor or change its title.
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")


class TerminalChannel:
    """Writes alerts to ``stream``. It cannot be asked what arrived, so an alert in doubt stays in doubt."""

    gap = NO_GAP

    def __init__(self, channel_id: str, stream: TextIO) -> None:
        self.id = channel_id
        self._stream = stream

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Write the alert.

        Raises:
            Retryable: the stream takes nothing.
        """
        try:
            self._stream.write(as_text(message) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise Retryable(f"terminal: {error}") from error
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return ``NOBODY_KNOWS``: a terminal cannot be asked."""
        return NOBODY_KNOWS


def as_text(outgoing: Outgoing) -> str:
    """Return what is sent as a few lines of plain text, without control characters."""
    return "\n".join(line.translate(_CONTROL) for line in _lines(outgoing) if line.strip())


def _lines(outgoing: Outgoing) -> list[str]:
    at = timestamp(outgoing.at)
    match outgoing:
        case Message():
            return _message(outgoing, at)
        case Digest():
            told = digest_title(outgoing).partition(": ")[2]
            items = [f"  {line}" for item in outgoing.items for line in _message(item, "-")]
            return [f"{at}  {_VERBS[Role.DIGEST]}  {told}", *items, _indented(rest(outgoing))]
        case Notice():
            repeat = possible_repeat(outgoing)
            return [f"{at}  {_VERBS[Role.NOTICE]}  {notice_text(outgoing)}", _indented(repeat)]


def _message(message: Message, begin: str) -> list[str]:
    alert, article = message.alert, message.article
    told = f"{begin}  {_VERBS[alert.role]}  {one_line(alert.topic_id)}  story {one_line(alert.story_id)}"
    repeat = possible_repeat(message)
    return [
        f"{told}  {repeat}" if repeat else told,
        _indented(headline(article)),
        _indented(f"{source(article)}  {address(article.url)}"),
        *(_indented(line) for line in (news(message), correction(message))),
        *(_indented(quoted(quote)) for quote in message.quotes[:1]),
        _indented(why(message)),
        _indented(f"{standing(message)}; {delay(message)}"),
        *(_indented(line) for line in (earlier(message), address(message.link))),
    ]


def _indented(line: str) -> str:
    return f"  {line}" if line else ""

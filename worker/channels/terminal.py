"""The terminal as a channel: a few lines of text for each alert."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from worker.channels.base import NOBODY_KNOWS, Found, timestamp
from worker.channels.wording import headline, quoted, standing, why
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
    return "\n".join(line.translate(_CONTROL) for line in _lines(outgoing))


def _lines(outgoing: Outgoing) -> list[str]:
    match outgoing:
        case Message():
            return _message(outgoing)
        case Digest():
            more = [f"  and {outgoing.more} more"] if outgoing.more else []
            return [_head(outgoing), *(f"  {line}" for item in outgoing.items for line in _message(item)), *more]
        case Notice():
            return [f"{_head(outgoing)}  {outgoing.alert.clause}"]


def _head(outgoing: Outgoing) -> str:
    return f"{timestamp(outgoing.at)}  {_VERBS[outgoing.alert.role]}"


def _message(message: Message) -> list[str]:
    alert, article = message.alert, message.article
    return [
        f"{_head(message)}  {alert.topic_id}  story {alert.story_id}",
        f"  {headline(article)}",
        f"  {article.outlet}, {timestamp(article.published_at)}  {article.url}",
        *(f"  {quoted(quote)}" for quote in message.quotes[:1]),
        f"  {why(message)}",
        f"  {standing(message)}",
    ]

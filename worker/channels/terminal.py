"""The terminal as a channel: a few lines of text for each alert."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from worker.channels.base import timestamp
from worker.errors import Retryable
from worker.model import Evidence, Message, Role

_VERBS = {Role.FIRST: "ALERT", Role.REPORT: "update", Role.DEVELOPMENT: "DEVELOPMENT", Role.COPY: "copy"}
#: Characters shown on either side of the evidence.
_AROUND = 80
#: What a terminal must never be given from outside: control characters could move its cursor or change its title.
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")


class TerminalChannel:
    """Writes alerts to ``stream``. It cannot be asked what arrived, so an alert in doubt stays in doubt."""

    def __init__(self, channel_id: str, stream: TextIO) -> None:
        self.id = channel_id
        self._stream = stream

    def send(self, message: Message, *, now: datetime) -> str | None:
        """Write the alert.

        Raises:
            Retryable: the stream takes nothing.
        """
        try:
            self._stream.write(as_text(message, now=now) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise Retryable(f"terminal: {error}") from error
        return None

    def has(self, alert_key: str) -> bool | None:  # noqa: ARG002 - the protocol's signature
        """Return ``None``: a terminal cannot be asked."""
        return None


def as_text(message: Message, *, now: datetime) -> str:
    """Return an alert as a few lines of plain text, without control characters."""
    alert, article = message.alert, message.article
    lines = [
        f"{timestamp(now)}  {_VERBS[alert.role]}  {alert.topic_id}  story {alert.story_id}",
        f"  {article.title or '(no title)'}",
        f"  {article.outlet}, {timestamp(article.published_at)}  {article.url}",
        *(f"  {excerpt(message, e)}" for e in alert.evidence[:1]),
        f"  score {alert.score:.2f} by {alert.by}: {alert.clause}",
        f"  {message.articles} articles, {message.outlets} outlets, {message.origins} origins",
    ]
    return "\n".join(line.translate(_CONTROL) for line in lines)


def excerpt(message: Message, evidence: Evidence) -> str:
    """Return the evidence with the words around it, marked with »«."""
    source = message.article.title if evidence.field == "title" else message.article.text
    before = source[max(0, evidence.start - _AROUND) : evidence.start].rpartition("\n")[2]
    after = source[evidence.end : evidence.end + _AROUND].partition("\n")[0]
    return f"{before}»{source[evidence.start : evidence.end]}«{after}"

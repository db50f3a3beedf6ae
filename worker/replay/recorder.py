"""The channel of a replay: a file that can be read back, and a listener for what is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.channels.base import NO_GAP, Found, to_json
from worker.channels.file import FileChannel
from worker.model import Digest, Message, Outgoing
from worker.url import canonical


class Recorder:
    """Stands for one configured channel and records what it would have been sent.

    All recorders of a replay share the file at ``path``, which is the receiver: what stands in it was delivered,
    and nothing stands in it twice. ``heard`` is called after each alert with the line that was written.
    ``names`` gives for the canonical address of a page the id that the recording has for it.
    """

    gap = NO_GAP

    def __init__(
        self, channel_id: str, path: Path, *, names: Mapping[str, str], heard: Callable[[dict[str, Any]], None]
    ) -> None:
        self.id = channel_id
        self._file = FileChannel(channel_id, path)
        self._names = names
        self._heard = heard

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Write the alert to the file.

        Raises:
            worker.errors.Retryable: the file could not be written.
        """
        named = self._named(message)
        remote_id = self._file.send(named, now=now)
        self._heard(to_json(named))
        return remote_id

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Return whether the file holds the alert."""
        return self._file.find(message, since=since)

    def _named(self, outgoing: Outgoing) -> Outgoing:
        match outgoing:
            case Message():
                return self._named_one(outgoing)
            case Digest():
                return replace(outgoing, items=tuple(map(self._named_one, outgoing.items)))
            case _:
                return outgoing

    def _named_one(self, message: Message) -> Message:
        article = message.article
        return replace(message, article=replace(article, id=self._names.get(canonical(article.url), article.id)))

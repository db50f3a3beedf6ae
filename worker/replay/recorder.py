"""The channel of a replay: a file that can be read back, and a listener for what is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.channels.base import to_json
from worker.channels.file import FileChannel
from worker.model import Message
from worker.url import canonical


class Recorder:
    """Stands for one configured channel and records what it would have been sent.

    All recorders of a replay share the file at ``path``, which is the receiver: what stands in it was delivered,
    and nothing stands in it twice. ``heard`` is called after each alert with the line that was written.
    ``names`` gives for the canonical address of a page the id that the recording has for it.
    """

    def __init__(
        self, channel_id: str, path: Path, *, names: Mapping[str, str], heard: Callable[[dict[str, Any]], None]
    ) -> None:
        self.id = channel_id
        self._file = FileChannel(channel_id, path)
        self._names = names
        self._heard = heard

    def send(self, message: Message, *, now: datetime) -> str | None:
        """Write the alert to the file.

        Raises:
            worker.errors.Retryable: the file could not be written.
        """
        known_as = self._names.get(canonical(message.article.url), message.article.id)
        named = replace(message, article=replace(message.article, id=known_as))
        remote_id = self._file.send(named, now=now)
        self._heard(to_json(named, now=now))
        return remote_id

    def has(self, alert_key: str) -> bool | None:
        """Return whether the file holds the alert."""
        return self._file.has(alert_key)

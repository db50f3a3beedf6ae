"""A file of JSON lines as a channel: every line is one alert, and the file can be asked what it holds.

It is also the reference for channels that can be read back: with it an alert in doubt is neither lost nor repeated.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime
from pathlib import Path

from worker.channels.base import NO_GAP, Found, to_json
from worker.errors import Retryable
from worker.model import Outgoing


class FileChannel:
    """Appends alerts to the file at ``path``, which is made when it does not exist."""

    gap = NO_GAP

    def __init__(self, channel_id: str, path: Path) -> None:
        self.id = channel_id
        self.path = path

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Append one line, in one write.

        Raises:
            Retryable: nothing could be written, or not all of it; what was written is taken back.
        """
        line = json.dumps(to_json(message), ensure_ascii=False, sort_keys=False) + "\n"
        try:
            append_line(self.path, line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise Retryable(f"{self.path}: {error.strerror or error}") from error
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return whether a whole line of the file is this alert."""
        return Found(arrived=message.alert.key in self.keys())

    def keys(self) -> set[str]:
        """Return the keys of the alerts that the file holds; a line cut off by a crash is none."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return set()
        return {key for line in lines if (key := _key(line))}


def _key(line: bytes) -> str:
    # A line that somebody else has written is no alert, and no reason to stop.
    try:
        alert = json.loads(line)
    except ValueError:
        return ""
    return str(alert.get("alert", "")) if isinstance(alert, dict) else ""


def append_line(path: Path, line: bytes) -> None:
    """Append ``line`` to a file in a single write, after cutting off a last line that a crash left without its end.

    Raises:
        OSError: the disk is full or the file cannot be written; the file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # The system lets go of it when the file is closed or the process ends. Two that append at once would both begin
        # where the file ended for both.
        fcntl.flock(handle, fcntl.LOCK_EX)
        end = _end_of_lines(handle)
        os.ftruncate(handle, end)
        written = os.pwrite(handle, line, end)
        if written != len(line):
            os.ftruncate(handle, end)
            raise OSError(f"only {written} of {len(line)} bytes could be written")
    finally:
        os.close(handle)


def _end_of_lines(handle: int) -> int:
    """Return the offset after the last line break of an open file."""
    end = os.fstat(handle).st_size
    while end:
        begin = max(0, end - 4096)
        at = os.pread(handle, end - begin, begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0

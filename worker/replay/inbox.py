"""What a receiver has taken: in a file that has it for good before anybody is told so."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from worker.channels.base import timestamp
from worker.errors import ConfigError, Problem

#: In place of a handle: nothing is to be written, or nothing can be any more (to which the system says EBADF).
_NO_FILE: Final = -1
_CLOSED: Final = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An alert as it was taken: its key, when, the body as JSON, and the SHA-256 of its bytes."""

    key: str
    at: datetime
    event: Mapping[str, Any]
    digest: str


class Inbox:
    """The alerts that were taken: the digest of each body by key, and a line of each in the file at ``path``.

    Without a path they are forgotten with the process.

    Raises:
        ConfigError: the file cannot be had, or another receiver has it.
    """

    def __init__(self, path: Path | None) -> None:
        self.digests: dict[str, str] = {}
        self._handle = _NO_FILE
        if path is None:
            return
        try:
            self._handle = _opened(path)
            self._end = self._read()
        except BlockingIOError:
            raise _wrong(path, "another receiver keeps its alerts in this file; name one of your own") from None
        except OSError as error:
            raise _wrong(path, f"alerts cannot be kept here: {error.strerror or error}") from error

    def add(self, alert: Received) -> None:
        """Keep an alert.

        Raises:
            OSError: it could not be written; nothing of it stands in the file.
        """
        if self._handle != _NO_FILE:
            self._append(alert)
        self.digests[alert.key] = alert.digest

    def close(self) -> None:
        """Close the file; what comes after that is not kept."""
        if self._handle not in {_NO_FILE, _CLOSED}:
            os.close(self._handle)
            self._handle = _CLOSED

    def _append(self, alert: Received) -> None:
        said = {"id": alert.key, "at": timestamp(alert.at), "sha256": alert.digest, "event": alert.event}
        line = json.dumps(said, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            _write(self._handle, line, self._end)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise
        self._end += len(line)

    def _read(self) -> int:
        """Learn what the file holds, and return where its last whole line ends: behind it stands a death's half line.

        A line that is no alert's is somebody else's, and no reason to stop.
        """
        with os.fdopen(os.dup(self._handle), "rb") as file:
            held = file.read()
        end = held.rfind(b"\n") + 1
        for line in held[:end].splitlines():
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                self.digests[str(said["id"])] = str(said["sha256"])
        return end


def _write(handle: int, line: bytes, at: int) -> None:
    written = os.pwrite(handle, line, at)
    if written != len(line):
        raise OSError(f"only {written} of {len(line)} bytes could be written")
    os.fsync(handle)


def _opened(path: Path) -> int:
    """Return a handle of the file, made when it does not exist, that no other process has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # So that a file that is new has its name for good as well.
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError:
        os.close(handle)
        raise
    return handle


def _wrong(path: Path, message: str) -> ConfigError:
    return ConfigError(Problem(file=str(path), message=message))

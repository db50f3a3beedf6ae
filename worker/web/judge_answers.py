"""The judge's answers: kept in memory, and in a file of JSON lines so that a replay needs no network."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from worker.errors import ConfigError, Problem
from worker.model import Opinion, Question
from worker.web.judge_prompt import content_key, opinion, prepared, read_object

_log = logging.getLogger("wirewatch")
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What became of the questions, since the judge was made."""

    #: Requests that were sent, second tries among them.
    asked: int = 0
    #: Questions answered from memory or from the record.
    cached: int = 0
    #: Questions that were not sent because the budget of the hour was spent.
    refused_budget: int = 0
    #: Questions that were sent and brought no answer that counts.
    failed: int = 0
    #: Questions whose answer is not in the record, where there is nobody to ask.
    unknown: int = 0
    #: Lines of the record that are no answers and were skipped.
    bad_lines: int = 0
    #: Answers that could not be written to the record.
    unrecorded: int = 0


class Answers:
    """Answers by the key of their question.

    At most ``most`` are kept in memory, the oldest go first; ``None`` keeps all. The file at ``record`` keeps every one
    of them: one line ``{"key", "stance", "passage", "confidence"}``, of which the last for a key counts. Threads may
    share one object, and processes one file.

    Raises:
        ConfigError: ``record`` exists and cannot be read.
    """

    def __init__(self, record: Path | None, *, most: int | None = None) -> None:
        self._record = record
        self._most = most
        self._lock = Lock()
        self._known: dict[str, Opinion] = {}
        self.bad_lines = 0
        self.unrecorded = 0
        if record is not None:
            self._read(record)

    def get(self, key: str, *, passages: int) -> Opinion | None:
        """Return the answer to a question about so many passages, if it is known."""
        with self._lock:
            known = self._known.get(key)
        # A record that somebody has edited must not point beyond the passages.
        return known if known is not None and known.passage < passages else None

    def keep(self, key: str, answer: Opinion) -> None:
        """Remember an answer and write it to the record; a disk that is full costs the line and is said once."""
        with self._lock:
            self._remember(key, answer)
            if self._record is None:
                return
            try:
                _append(self._record, _line(key, answer))
            except OSError as error:
                if not self.unrecorded:
                    said = "%s: the judge's answers cannot be recorded (%s); a replay will not know them"
                    _log.warning(said, self._record, error.strerror)
                self.unrecorded += 1

    def _remember(self, key: str, answer: Opinion) -> None:
        self._known.pop(key, None)
        self._known[key] = answer
        if self._most is not None and len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def _read(self, record: Path) -> None:
        first_bad = 0
        try:
            with record.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if answer := _answer(line):
                        self._remember(*answer)
                    elif line.strip():
                        first_bad = first_bad or number
                        self.bad_lines += 1
        except FileNotFoundError:
            return
        except OSError as error:
            message = f"cannot be read as the record of the judge's answers: {error.strerror}"
            raise ConfigError(Problem(file=str(record), message=message)) from error
        if self.bad_lines:
            _log.warning("%s:%d: not an answer of the judge; lines skipped: %d", record, first_bad, self.bad_lines)


class RecordedJudge:
    """Answers as the record at ``record`` has them for ``model``; it asks nobody.

    Raises:
        ConfigError: the record exists and cannot be read.
    """

    def __init__(self, record: Path, *, model: str) -> None:
        self._model = model
        self._answers = Answers(record)
        self._lock = Lock()
        self._counters = Counters(bad_lines=self._answers.bad_lines)
        if not record.exists():
            _log.warning("%s: no such record of the judge's answers; the verifier's answers stand", record)

    @property
    def counters(self) -> Counters:
        """What became of the questions so far."""
        return self._counters

    def ask(self, question: Question) -> Opinion | None:
        """Return the recorded answer, or ``None``."""
        sent = prepared(question)
        found = self._answers.get(content_key(sent, model=self._model), passages=len(sent.passages))
        with self._lock:
            counted = self._counters
            self._counters = (
                replace(counted, cached=counted.cached + 1) if found else replace(counted, unknown=counted.unknown + 1)
            )
        return found


def _answer(line: bytes) -> tuple[str, Opinion] | None:
    try:
        fields = read_object(line)
    except ValueError:
        return None
    key = fields.pop("key", None)
    found = opinion(fields)
    return (key, found) if found and isinstance(key, str) and _KEY.fullmatch(key) else None


def _line(key: str, answer: Opinion) -> bytes:
    fields = {"key": key, "stance": answer.stance, "passage": answer.passage, "confidence": answer.confidence}
    return json.dumps(fields).encode() + b"\n"


def _append(path: Path, line: bytes) -> None:
    """Append ``line`` in one write, on a line of its own even after one that a crash left without its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        # Without the lock, which ends with the block, a line that another process is about to write looks cut off.
        fcntl.flock(file, fcntl.LOCK_EX)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)
        file.flush()

"""Files: from the disk to bytes, and from bytes to a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from worker.errors import Problem
from worker.settings.document import Document, parse

#: Bytes. Far more than 10,000 feeds take; a larger file is a mistake, and would be read for minutes.
LARGEST: Final = 20 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A file as its bytes, or why it has none."""

    #: Its name in messages.
    file: str
    content: bytes = field(default=b"", repr=False)
    #: Empty when the file could be read.
    problem: str = ""


def raw(path: Path) -> Raw:
    """Return the bytes of the file ``path``; one that cannot be read, or is too large, has a problem in their place."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # the latter for a null character in its name
        said = getattr(error, "strerror", None) or type(error).__name__
        return Raw(file=file, problem=f"cannot be read: {said}")
    return sized(Raw(file=file, content=content))


def sized(found: Raw) -> Raw:
    """Return ``found``, or the problem that it is too large."""
    if len(found.content) <= LARGEST:
        return found
    return Raw(file=found.file, problem=f"is larger than {LARGEST // 2**20} MiB; is it the right file?")


def read(path: Path, env: Mapping[str, str]) -> Document:
    """Return what the YAML file ``path`` says. What is wrong with it is in ``problems``; nothing is raised."""
    return document(raw(path), env)


def document(found: Raw, env: Mapping[str, str]) -> Document:
    """Return what a YAML file says. What is wrong with it is in ``problems``; nothing is raised."""
    return _refused(found.file, found.problem) if found.problem else decode(found.file, found.content, env)


def decode(file: str, raw: bytes, env: Mapping[str, str]) -> Document:
    """Return what ``raw``, the bytes of a YAML file in UTF-8 with or without a byte order mark, says."""
    if raw.startswith(_WIDE_MARKS):
        return _refused(file, "is in UTF-16; save it as UTF-8")
    raw = raw.removeprefix(_MARK)
    try:
        return parse(file, raw.decode("utf-8"), env)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8"
        return _refused(file, message, line=line, column=column)


def _refused(file: str, message: str, *, line: int = 0, column: int = 0) -> Document:
    return Document(file=file, problems=(Problem(file=file, line=line, column=column, message=message),))

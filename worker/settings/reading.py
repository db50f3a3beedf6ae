"""Files: from bytes on the disk to a document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worker.errors import Problem
from worker.settings.document import Document, parse

#: Far more than 10,000 feeds take; a larger file is a mistake, and would be read for minutes.
_LARGEST = 20 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read(path: Path, env: Mapping[str, str]) -> Document:
    """Return what the YAML file ``path`` says. What is wrong with it is in ``problems``; nothing is raised."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as error:
        return _refused(file, f"cannot be read: {error.strerror or type(error).__name__}")
    if len(raw) > _LARGEST:
        return _refused(file, f"is larger than {_LARGEST // 2**20} MiB; is it the right file?")
    return decode(file, raw, env)


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

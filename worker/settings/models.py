"""Models as settings name them: what ships, none, a directory, or a repository of a hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worker.errors import Unusable
from worker.settings import hub
from worker.settings.words import did_you_mean, listed, shown
from worker.web.hub import needed, sizes_in

#: What a directory under ``meaning.model`` holds; ``worker.topics.meaning.models`` reads them, and is dear to import.
MODEL_FILES = ("manifest.json", "tokenizer.json", "table.npz", "encoder.onnx", "verifier.onnx", "decision.json")
_WORDS = ("default", "off")


def model(value: str) -> str:
    """Return ``value``: ``default``, ``off``, or a directory with the files of ``MODEL_FILES``.

    Raises:
        ValueError: it is none of these; the text says what is missing.
    """
    if value in _WORDS:
        return value
    if value.startswith(hub.PREFIX):
        raise ValueError("expected default, off or a directory; only meaning.verifier takes a model from a hub")
    found = _files(value, "default, off or a directory")
    if missing := [name for name in MODEL_FILES if name not in found]:
        raise ValueError(f"the directory {shown(value)} lacks {listed(missing, 'and')}")
    return value


def verifier(value: str) -> str:
    """Return ``value``: ``default``, ``off``, ``hub:OWNER/NAME@REVISION``, or a directory with a model's files.

    Raises:
        ValueError: it is none of these; the text says what is missing.
    """
    if value in _WORDS:
        return value
    if value.startswith(hub.PREFIX):
        hub.parse(value)
        return value
    try:
        needed(_files(value, "default, off, a directory or hub:OWNER/NAME@REVISION"))
    except Unusable as error:
        raise ValueError(f"the directory {shown(value)} holds no model: {error}") from None
    return value


def _files(value: str, expected: str) -> Mapping[str, int]:
    """Return the files of the directory ``value`` with their sizes; it is looked for as paths are, from where we run.

    Raises:
        ValueError: there is no such directory, or it cannot be read.
    """
    try:
        if Path(value).is_dir():
            return sizes_in(Path(value))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"the directory {shown(value)} cannot be read: {reason}") from None
    except ValueError:  # a path holds no null character
        pass
    raise ValueError(f"expected {expected}; there is no directory {shown(value)}{did_you_mean(value, _WORDS)}")

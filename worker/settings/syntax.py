"""YAML that cannot be read: the library's words turned into a place and a remedy.

No message repeats text of the file, because the file may hold secrets; a single character is the exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

_CANNOT_START = re.compile(r"found character '(.{1,2})' that cannot start any token", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")
#: What the library says (a part of it, most telling first), what we say, and whether the place is where something
#: was opened or where reading stopped.
_SIGNS = (
    ("unexpected end of stream", "a quote is opened here and never closed", "opened"),
    ("quoted scalar: found unexpected document", "a quote is opened here and never closed", "opened"),
    ("escape", "an unknown escape after a backslash; use single quotes, or double the backslash", "stopped"),
    ("alias", "text that begins with * must be in quotes", "opened"),
    ("anchor", "text that begins with & must be in quotes", "opened"),
    ("another document", "a second document begins here; keep one, without a second ---", "stopped"),
    (
        "mapping values are not allowed",
        'a ":" where no key can stand; put text that contains ": " in quotes, or mend the indentation',
        "stopped",
    ),
    ("could not find expected ':'", 'a key without ":"; write key: value', "opened"),
    ("expected the node content", "a value is missing here, or a bracket before it is not closed", "stopped"),
    ("expected <block end>", "the indentation does not fit the lines above", "stopped"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What is wrong, and at which character of the text (from 0)."""

    message: str
    index: int


def slip(error: Exception, text: str) -> Slip:
    """Return what ``error``, raised by ruamel.yaml while it read ``text``, means for the person who wrote it."""
    if isinstance(error, ReaderError):
        code = error.character if isinstance(error.character, int) else ord(error.character[:1])
        return Slip(message=f"the character U+{code:04X} is not allowed in YAML", index=error.position)
    if not isinstance(error, MarkedYAMLError):
        return Slip(message="an escape in double quotes names no character", index=0)
    mark = error.problem_mark or error.context_mark
    index = min(mark.index, len(text)) if mark else 0
    opened = error.context_mark.index if error.context_mark else index
    return _explained(error.context or "", error.problem or "", text, index, opened)


def _explained(context: str, problem: str, text: str, index: int, opened: int) -> Slip:
    start = _CANNOT_START.search(problem)
    if start and _indented_by_tab(text, index):
        return Slip(message="a tab as indentation; YAML wants spaces", index=_tab(text, index))
    if start:
        return Slip(message=f"text that begins with {start[1]} must be in quotes", index=index)
    if "flow mapping" in context or "flow sequence" in context:
        return _unclosed(context, text, index, opened)
    for sign, message, place in _SIGNS:
        if sign in f"{context}: {problem}":
            return Slip(message=message, index=opened if place == "opened" else index)
    return Slip(message=f"this is not valid YAML: {_QUOTED.sub('...', problem)}", index=index)


def _unclosed(context: str, text: str, index: int, opened: int) -> Slip:
    if text[max(index - 1, 0) : index + 1] == "${":
        return Slip(message='inside { } and [ ] a variable must be in quotes: "${NAME}"', index=index - 1)
    bracket, name = ("}", "mapping") if "mapping" in context else ("]", "list")
    line = text.count("\n", 0, opened) + 1
    return Slip(
        message=f"a comma or the closing {bracket} of the {name} that begins on line {line} is missing before this",
        index=index,
    )


def _indented_by_tab(text: str, index: int) -> bool:
    line = text[text.rfind("\n", 0, index) + 1 :]
    return "\t" in line[: len(line) - len(line.lstrip(" \t"))]


def _tab(text: str, index: int) -> int:
    start = text.rfind("\n", 0, index) + 1
    found = text.find("\t", start)
    return found if found >= 0 else index

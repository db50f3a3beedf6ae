"""One YAML file as plain values that still know where they stand.

The file is composed into nodes by ruamel.yaml and turned into values here, because the library's own
constructors stop at the first duplicate key and know the place of a value only through its container.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from worker.errors import Problem
from worker.settings.scalars import expand, resolve
from worker.settings.syntax import Slip, slip
from worker.settings.words import Substituted

#: The way to a value: keys of mappings and indices of lists.
Keys: TypeAlias = tuple[str | int, ...]

_LINE_END = re.compile(r"\r\n|\r|\n")
_MERGE = "tag:yaml.org,2002:merge"
_CORE = "tag:yaml.org,2002:"
_TEXT = "tag:yaml.org,2002:str"
#: Nodes that aliases may repeat in one file: plenty for people, the end of a "billion laughs".
_REPEATS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands; all numbers count from 1."""

    line: int
    column: int
    #: Of the key before it; the same as the value's where there is none.
    key_line: int
    key_column: int
    #: A scalar as written, quotes included; empty when it takes several lines or came through a variable.
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says. ``data`` is ``None`` for an empty file and for one that is no YAML."""

    file: str
    data: object = None
    places: Mapping[Keys, Place] = field(default_factory=dict)
    #: What is wrong with the file as YAML: syntax, duplicate keys, unset variables.
    problems: tuple[Problem, ...] = ()
    #: Values whose variables could not be substituted: what else is said about them would be wrong.
    unset: frozenset[Keys] = frozenset()

    def at(self, keys: Keys) -> object:
        """Return the value at ``keys``; ``None`` when there is none."""
        value = self.data
        for key in keys:
            try:
                value = value[key]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def nearest(self, keys: Keys) -> Keys:
        """Return the longest part of ``keys`` that exists.

        An index is passed over where one value stands for a list of one, as in ``any: missile``.
        """
        found: Keys = ()
        for key in keys:
            if (*found, key) in self.places:
                found = (*found, key)
            elif not isinstance(key, int):
                break
        return found

    def broken(self, keys: Keys) -> bool:
        """Return whether a variable at, above or below ``keys`` could not be substituted."""
        return any(keys[: len(at)] == at or at[: len(keys)] == keys for at in self.unset)

    def unset_below(self, keys: Keys) -> frozenset[str]:
        """Return the keys of the mapping at ``keys`` in whose values a variable could not be substituted."""
        size = len(keys)
        return frozenset(str(at[size]) for at in self.unset if at[:size] == keys and len(at) > size)

    def problem(self, keys: Keys, message: str, *, on_key: bool = False, column: int = 0) -> Problem:
        """Return a problem at ``keys``, or at the nearest thing that exists.

        ``on_key`` points to the key instead of its value. ``column`` counts from 1 inside a text and moves the
        place there where the text stands on one line.
        """
        place = self.places.get(self.nearest(keys))
        if place is None:
            return Problem(file=self.file, message=message)
        if on_key:
            return Problem(file=self.file, line=place.key_line, column=place.key_column, message=message)
        inside = _inside(place.source, column)
        return Problem(file=self.file, line=place.line, column=place.column + inside, message=message)


def parse(file: str, text: str, env: Mapping[str, str]) -> Document:
    """Return what ``text`` says, with variables substituted from ``env``. ``file`` is its name in problems."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except RecursionError:
        return _broken(file, text, Slip(message="values are nested too deeply", index=0))
    except (YAMLError, ValueError, OverflowError) as error:
        return _broken(file, text, slip(error, text))
    if node is None:
        return Document(file=file)
    builder = _Builder(file, text, env)
    try:
        data = builder.value(node, ())
    except RecursionError:
        return _broken(file, text, Slip(message="values are nested too deeply", index=0))
    return Document(
        file=file,
        data=data,
        places=builder.places,
        problems=tuple(builder.problems),
        unset=frozenset(builder.unset),
    )


def _broken(file: str, text: str, found: Slip) -> Document:
    line, column = _Lines(text).at(found.index)
    return Document(file=file, problems=(Problem(file=file, line=line, column=column, message=found.message),))


class _Lines:
    """Lines and columns of a text, from 1; the library also ends lines where YAML 1.2 does not."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def at(self, index: int) -> tuple[int, int]:
        line = bisect.bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


class _Builder:
    """Turns the nodes of one file into values, places and problems."""

    def __init__(self, file: str, text: str, env: Mapping[str, str]) -> None:
        self.places: dict[Keys, Place] = {}
        self.problems: list[Problem] = []
        self.unset: set[Keys] = set()
        self._file, self._text, self._env = file, text, env
        self._lines = _Lines(text)
        self._open: set[int] = set()
        self._known: set[int] = set()
        self._repeats = 0

    def value(self, node: Node, keys: Keys, key: Node | None = None) -> object:
        """Return the value of ``node``, which stands at ``keys`` after ``key``."""
        # The library finds a value that is not there at the next thing that is.
        shown = key if key and node.start_mark.index == node.end_mark.index else node
        line, column = self._lines.at(shown.start_mark.index)
        key_line, key_column = self._lines.at(key.start_mark.index) if key else (line, column)
        place = Place(line=line, column=column, key_line=key_line, key_column=key_column)
        self.places[keys] = place
        if not str(node.tag).startswith(_CORE):
            self._say(node, "tags (a word that begins with !) have no meaning here; put text in quotes")
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, keys, place)
        if not self._enter(node):
            return None
        value = self._mapping(node, keys) if isinstance(node, MappingNode) else self._list(node, keys)
        self._open.discard(id(node))
        return value

    def _enter(self, node: Node) -> bool:
        if id(node) in self._open:
            self._say(node, "an alias (*) stands inside what it repeats")
            return False
        if self._repeats > _REPEATS:
            return False
        if id(node) in self._known:
            self._repeats += len(node.value)
            if self._repeats > _REPEATS:
                self._say(node, f"aliases (*) repeat more than {_REPEATS} values")
                return False
        self._open.add(id(node))
        self._known.add(id(node))
        return True

    def _list(self, node: Node, keys: Keys) -> list[object]:
        return [self.value(item, (*keys, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, keys: Keys) -> dict[str, object]:
        values: dict[str, object] = {}
        merged = [value for key, value in node.value if key.tag == _MERGE]
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, ScalarNode):
                self._say(key, "a key must be text; text that begins with { or [ must be in quotes")
                continue
            name = str(key.value)
            if name in values:
                first = self.places[*keys, name].key_line
                self._say(key, f"{name}: this key stands here already, on line {first}; keep one of them")
                continue
            values[name] = self.value(value, (*keys, name), key)
        for source in merged:
            self._merge(source, values, keys)
        return values

    def _merge(self, source: Node, values: dict[str, object], keys: Keys) -> None:
        """Add what ``<<: *name`` brings: keys that the mapping itself does not have."""
        if isinstance(source, SequenceNode):
            for item in source.value:
                self._merge(item, values, keys)
        elif not isinstance(source, MappingNode):
            self._say(source, "<< takes a mapping, or a list of mappings")
        elif self._enter(source):
            for key, value in source.value:
                name = str(key.value)
                if key.tag == _MERGE:
                    self._merge(value, values, keys)
                elif isinstance(key, ScalarNode) and name not in values:
                    values[name] = self.value(value, (*keys, name), key)
            self._open.discard(id(source))

    def _scalar(self, node: ScalarNode, keys: Keys, place: Place) -> object:
        text = _whole(node.value)
        if text is None:
            self._say(node, "half of a character (a lone surrogate) cannot be stored")
            return None
        expanded = expand(text, self._env)
        if expanded.errors:
            self.unset.add(keys)
            self.problems += [self._at(node, error) for error in expanded.errors]
        if isinstance(expanded.text, Substituted) or expanded.text != text:
            return expanded.text
        written = self._text[node.start_mark.index : node.end_mark.index].rstrip()
        if not _LINE_END.search(written):
            self.places[keys] = replace(place, source=written)
        return text if node.style or node.tag == _TEXT else resolve(text)

    def _say(self, node: Node, message: str) -> None:
        self.problems.append(self._at(node, message))

    def _at(self, node: Node, message: str) -> Problem:
        line, column = self._lines.at(node.start_mark.index)
        return Problem(file=self._file, line=line, column=column, message=message)


def _whole(text: str) -> str | None:
    """Return ``text`` with the surrogate pairs of JSON escapes joined; ``None`` when a half stands alone."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def _inside(source: str, column: int) -> int:
    """Return how far the character at ``column`` of a text lies from the start of its ``source``."""
    if column < 1 or not source:
        return 0
    if source[0] == '"':
        return 0 if "\\" in source else column
    if source[0] != "'":
        return column - 1
    position = 1
    for _ in range(column - 1):
        position += 2 if source[position : position + 2] == "''" else 1
    return position

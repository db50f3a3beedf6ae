"""Topics as the text of topics.yaml: their author's own words where they are kept, else written anew."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from worker.model import Near, Topic
from worker.settings.reading import decode
from worker.settings.topics_file import read_topics

FILE: Final = "topics.yaml"
#: What YAML reads as text without quotes, whatever stands beside it (YAML 1.2.2 section 7.3.3, and more careful).
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./'-]*(?: [A-Za-z0-9_./'-]+)*")
#: Words that YAML 1.2, or an older version of it in another tool, reads as something else.
_NOT_TEXT = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_DASH = re.compile(" *-(?: |$)")
#: Characters in a line.
_WIDTH = 110
#: Keys with lists of words stand on one line, keys with lists of sentences on several.
_WORDS = ("any", "all", "none")
_SENTENCES = ("meaning", "unlike")
_NAMES = ("languages", "outlets", "channels", "refines")


def variables(files: Mapping[str, str] | None, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return those variables of ``env`` that the topics in ``files`` name already, and no others."""
    named = _VARIABLE.findall((files or {}).get(FILE, ""))
    return {name: env[name] for name in named if name in env}


def own_text(files: Mapping[str, str] | None, topic: Topic) -> str:
    """Return the lines of ``topic`` in the copies of a configuration, with their comments; else ``topic_text``.

    ``files`` are those of ``worker.settings.Taken``, or ``None``. Lines are only taken when they mean the same by
    themselves, or hold a variable, whose value is not for a page.
    """
    text, env = (files or {}).get(FILE, "").replace("\r\n", "\n"), variables(files)
    items = list(_items(text.split("\n")))
    # Reading costs milliseconds an item, so only those are read that may be the one, the likelier ones first.
    named = [item for item in items if topic.id in item]
    for item in (*named, *(item for item in items if topic.id not in item and topic.topic in item)):
        read = read_topics(decode(FILE, item.encode("utf-8", "replace"), env)).value.whole
        if [one.value for one in read] == [topic]:
            return item
    return topic_text(topic)


def _items(lines: Sequence[str]) -> Iterator[str]:
    """Yield the items of the outermost list by their indentation, each with the comments inside of it."""
    dash = min((_indent(line) for line in lines if _DASH.match(line)), default=0)
    begins = [nth for nth, line in enumerate(lines) if _DASH.match(line) and _indent(line) == dash]
    for nth in begins:
        follows = (n for n in range(nth + 1, len(lines)) if lines[n].strip() and _indent(lines[n]) <= dash)
        taken = lines[nth : next(follows, len(lines))]
        yield textwrap.dedent("\n".join(taken)).strip("\n") + "\n"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def topic_text(topic: Topic) -> str:
    """Return ``topic`` as an item of the list in topics.yaml; what has its default is left out."""
    lines = [f"id: {_scalar(topic.id)}"]
    if topic.topic:
        lines.append(f"topic: {_scalar(topic.topic)}")
    if topic.anchors:
        lines += _long("anchors", [_flow(group) for group in topic.anchors])
    lines += [line for name in _WORDS for line in _long(name, map(_scalar, getattr(topic, name)))]
    lines += _near(topic.near)
    if topic.query:
        lines.append(f"query: {_scalar(topic.query)}")
    lines += [line for name in _SENTENCES for line in _list(name, getattr(topic, name))]
    lines += _settings(topic)
    lines += [line for name in _NAMES for line in _long(name, map(_scalar, getattr(topic, name)))]
    examples = [*_list("match", topic.examples_match), *_list("ignore", topic.examples_ignore)]
    if examples:
        lines += ["examples:", *(f"  {line}" for line in examples)]
    return "\n".join([f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]) + "\n"


def _settings(topic: Topic) -> list[str]:
    default = Topic(id="")
    names = ("require", "on_opposite", "threshold", "urgent")
    changed = [(name, getattr(topic, name)) for name in names if getattr(topic, name) != getattr(default, name)]
    return [f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in changed]


def _near(found: Iterable[Near]) -> list[str]:
    lines: list[str] = []
    for near in found:
        groups = _long("groups", [_flow(group) for group in near.groups])
        lines += [*groups, f"within: {near.within}", f"negated: {json.dumps(near.negated)}"]
        lines[-len(groups) - 2] = f"- {groups[0]}"
        for nth in range(-len(groups) - 1, 0):
            lines[nth] = f"  {lines[nth]}"
    return ["near:", *(f"  {line}" for line in lines)] if lines else []


def _list(name: str, texts: Sequence[str]) -> list[str]:
    return [f"{name}:", *(f"  - {_scalar(text)}" for text in texts)] if texts else []


def _long(name: str, items: Iterable[str]) -> list[str]:
    """Return a list in brackets, on as many lines as it takes."""
    lines, line = [], f"{name}: ["
    for nth, item in enumerate(items):
        piece = f", {item}" if nth else item
        if len(line) + len(piece) > _WIDTH and nth:
            lines.append(f"{line},")
            line, piece = " " * (len(name) + 3), item
        line += piece
    return [*lines, f"{line}]"] if lines or not line.endswith("[") else []


def _flow(items: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, items))}]"


def _scalar(text: str) -> str:
    # A dollar before a brace would begin a variable.
    text = text.replace("$", "$$") if "$$" in text or "${" in text else text
    if _PLAIN.fullmatch(text) and text.casefold() not in _NOT_TEXT:
        return text
    # JSON is YAML; its escapes name halves of a pair, where YAML 1.2 has the whole character as it is.
    return _escaped(json.dumps(text, ensure_ascii=False))


def _escaped(quoted: str) -> str:
    return "".join(char if char.isprintable() else _escape(char) for char in quoted)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - what four digits hold

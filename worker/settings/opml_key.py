"""The key ``opml`` of ``feeds.yaml``: adding a file to it without touching anything else.

The name is put behind the last one where that is possible, or with its key at the end of the file. Else ruamel.yaml
rewrites the file, which keeps comments and the order of keys. What comes out is read again and must say all that the
file said before, and the new name; otherwise a person is asked to write it.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from worker.errors import ConfigError, Problem
from worker.settings.document import Document, parse
from worker.settings.reading import decode
from worker.settings.words import Substituted

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.opml")
#: What stands before an item on a line of its own.
_DASH = re.compile(r"\s*- +")
_KEY = ("opml",)
#: Columns after which the library would break a line.
_WIDTH = 100_000


def add_opml(path: Path, name: str) -> str | None:
    """Return the text of the ``feeds.yaml`` at ``path`` with the OPML file ``name``; ``None`` when it has it already.

    Raises:
        ConfigError: The file cannot be read or changed safely; the text says which line to add.
    """
    document = decode(str(path), path.read_bytes() if path.exists() else b"", _Unchanged())
    if document.problems:
        raise ConfigError(*document.problems)
    text, before = path.read_bytes().decode("utf-8-sig") if path.exists() else "", document.data
    named = _names(before)
    if name in named:
        return None
    after = {**(before if isinstance(before, dict) else {}), "opml": [*named, name]}
    for changed in _ways(document, text, name, named):
        read = parse(str(path), changed, _Unchanged())
        if not read.problems and read.data == after and _comments(text) <= _comments(changed):
            return changed
    wanted = json.dumps([*named, name], ensure_ascii=False)
    raise ConfigError(Problem(file=str(path), message=f"cannot be changed safely; write this into it:  opml: {wanted}"))


def _ways(document: Document, text: str, name: str, named: list[str]) -> Iterator[str]:
    """Yield what the text could become, the way that changes least first."""
    end = "\r\n" if "\r\n" in text else "\n"
    written = name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False).replace("$", "$$")
    if document.at(_KEY) is None and _KEY not in document.places:
        gap = "" if not text or text.endswith("\n") else end
        yield f"{text}{gap}{end if text else ''}opml: [{written}]{end}"
    yield from _inserted(document, text, written, len(named), end)
    # A variable that stands there alone would be written as the text that it stands for.
    alone = isinstance(document.at(_KEY), Substituted)
    changed = None if alone else _rewritten(text, [each.replace("$", "$$") for each in (*named, name)])
    if changed is not None:
        yield changed.replace("\n", end)


def _inserted(document: Document, text: str, written: str, count: int, end: str) -> Iterator[str]:
    """Yield the text with ``written`` behind the last item of the list, in brackets or on a line of its own."""
    place = document.places.get((*_KEY, count - 1) if count else _KEY)
    if place is None:
        return
    lines = text.split("\n")
    line = lines[place.line - 1]
    before, after = line[: place.column - 1], line[place.column - 1 :]
    if not count:
        lines[place.line - 1] = before + after.replace("[]", f"[{written}]", 1)
    elif _DASH.fullmatch(before):
        lines.insert(place.line, f"{before}{written}{end[:-1]}")
    else:
        lines[place.line - 1] = before + place.source + f", {written}" + after.removeprefix(place.source)
    yield "\n".join(lines)


def _rewritten(text: str, names: list[str]) -> str | None:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.allow_duplicate_keys = False
    # As our own files are written: "  - item" below its key.
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    try:
        data = yaml.load(text.replace("\r\n", "\n"))
        listed = data.get("opml")
        if isinstance(listed, list):
            listed.append(names[-1])
        elif listed is None or isinstance(listed, str):
            data["opml"] = names
        yaml.dump(data, out)
    except (YAMLError, ValueError, AttributeError, TypeError):
        return None
    return out.getvalue()


def _comments(text: str) -> Counter[str]:
    return Counter(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))


class _Unchanged(dict[str, str]):
    """An environment in which each variable holds its own name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"${{{name}}}"

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]  # noqa: ARG002 - dict's
        return self[name]


def _names(data: object) -> list[str]:
    """Return the names that stand there; none when something else does, which is then kept and so in the way."""
    listed = data.get("opml") if isinstance(data, dict) else None
    names = [listed] if isinstance(listed, str) else listed
    return [str(each) for each in names] if isinstance(names, list) else []

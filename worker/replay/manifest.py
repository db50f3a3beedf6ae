"""manifest.yaml: what is known about recorded files that the files do not say themselves.

::

    about: Where the recording comes from.          # optional
    articles:
      - file: first.txt                             # beside the manifest; or text: the text itself
        id: "000"                                   # optional, like all that follows
        title: The headline
        url: https://news.example/first
        outlet: The Example
        published_at: 2026-02-11T09:30:00Z
        language: en
        assumed: [url, published_at]                # fields that were inferred, not recorded
        expect: {topic: x, story: y}                # for readers; the replay does not use it
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from worker.articles import decode
from worker.replay.dates import parse_time
from worker.replay.found import Findings, FoundArticle

NAMES = ("manifest.yaml", "manifest.yml", "manifest.json")
#: Fields that ``assumed`` may name.
FIELDS = ("id", "title", "url", "outlet", "published_at", "language")
_KEYS = ("file", "text", *FIELDS, "assumed", "expect")

#: Reads the file that an article names into title, text or page; ``None`` when it cannot be used.
ReadFile = Callable[[Path, FoundArticle], FoundArticle | None]


def read_manifest(path: Path, found: Findings, read_file: ReadFile) -> None:
    """Add the articles that the manifest at ``path`` names to ``found``, and every mistake in it."""
    try:
        source = decode(path.read_bytes()).text
        root = YAML(typ="safe", pure=True).compose(source)
    except OSError as error:
        return found.wrong(str(path), f"cannot be read: {error.strerror}")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return found.wrong(str(path), f"not YAML: {error.problem or error.context}", line=mark.line + 1 if mark else 0)
    except (YAMLError, RecursionError, ValueError) as error:
        return found.wrong(str(path), f"not YAML: {str(error).splitlines()[0] if str(error) else 'nested too deeply'}")
    top = _mapping(root, ("about", "articles"), str(path), found)
    articles = top.get("articles")
    if not isinstance(articles, SequenceNode) or not articles.value:
        line = _line(articles) if articles is not None else 0
        return found.wrong(str(path), "needs a list of articles: articles: [{file: first.txt}, ...]", line=line)
    files: dict[Path, int] = {}
    for node in articles.value:
        _article(path, node, files, found, read_file)
    for name in _unlisted(path, files):
        found.note(str(path.parent / name), f"is not in {path.name}, so it is not replayed")
    return None


def _article(path: Path, node: Node, files: dict[Path, int], found: Findings, read_file: ReadFile) -> None:
    file, before = str(path), len(found.problems)
    fields = _mapping(node, _KEYS, file, found)
    words = {key: _string(value, key, file, found) for key, value in fields.items() if key not in {"assumed", "expect"}}
    name = words.get("file", "")
    if bool(name) == bool(words.get("text")):
        if len(found.problems) == before:
            found.wrong(file, "an article needs either file: or text:", line=_line(node))
        return
    article = FoundArticle(
        file=file,
        line=_line(node),
        id=words.get("id") or Path(name).stem,
        title=words.get("title", ""),
        text=words.get("text", ""),
        url=words.get("url", ""),
        outlet=words.get("outlet", ""),
        published_at=_time(fields.get("published_at"), file, found),
        language=words.get("language") or None,
        assumed=_assumed(fields.get("assumed"), file, found),
    )
    if not article.id:
        found.wrong(file, "an article with text: needs an id:", line=_line(node))
        return
    if name:
        target = path.parent / name
        line = _line(fields["file"])
        if target in files:
            found.wrong(file, f"{name} is named here and in line {files[target]}; one of them must go", line=line)
            return
        files[target] = line
        if not target.is_file():
            found.wrong(file, f"{name} does not exist beside {path.name}{_near(name, _names(path))}", line=line)
            return
        read = read_file(target, article)
        if read is None:
            return
        article = read
    found.articles.append(article)


def _mapping(node: Node | None, keys: tuple[str, ...], file: str, found: Findings) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        found.wrong(file, f"expected a mapping with {', '.join(keys)}", line=_line(node))
        return {}
    fields: dict[str, Node] = {}
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else ""
        if key not in keys:
            found.wrong(file, f"{key or 'this'}: unknown key{_near(key, keys)}", line=_line(key_node))
        elif key in fields:
            found.wrong(file, f"{key}: given twice", line=_line(key_node))
        else:
            fields[key] = value
    return fields


def _string(node: Node, key: str, file: str, found: Findings) -> str:
    # Scalars are taken as they are written, so that id: 000 stays "000".
    if not isinstance(node, ScalarNode):
        found.wrong(file, f"{key}: expected a text", line=_line(node))
        return ""
    is_null = node.style is None and node.value in {"", "~", "null"}
    return "" if is_null else str(node.value).strip()


def _time(node: Node | None, file: str, found: Findings) -> datetime | None:
    if node is None or not (text := _string(node, "published_at", file, found)):
        return None
    try:
        moment, zoned = parse_time(text)
    except ValueError as error:
        found.wrong(file, f"published_at: {error}", line=_line(node))
        return None
    if not zoned:
        found.note(file, f"published_at: {text} names no zone and is read as UTC", line=_line(node))
    return moment


def _assumed(node: Node | None, file: str, found: Findings) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, SequenceNode):
        found.wrong(file, f"assumed: expected a list of {', '.join(FIELDS)}", line=_line(node))
        return ()
    names = [_string(item, "assumed", file, found) for item in node.value]
    for item, name in zip(node.value, names, strict=True):
        if name not in FIELDS:
            found.wrong(file, f"assumed: {name} is no field{_near(name, FIELDS)}", line=_line(item))
    return tuple(names)


def _unlisted(path: Path, files: dict[Path, int]) -> Iterator[str]:
    listed = {target.resolve() for target in files}
    for name in _names(path):
        if name.endswith((".txt", ".html", ".htm")) and (path.parent / name).resolve() not in listed:
            yield name


def _names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _line(node: Node | None) -> int:
    return int(node.start_mark.line) + 1 if node is not None else 0

"""Files to articles: everything that a replay accepts as PATH."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.articles import binary_kind, decode, page_head
from worker.errors import Problem
from worker.replay.dates import parse_time
from worker.replay.documents import is_feed, scan
from worker.replay.found import Findings, FoundArticle, FoundFeed
from worker.replay.manifest import NAMES, read_manifest
from worker.text import sentences
from worker.text.halves import whole

_TEXTS = (".txt", ".text", ".md")
_PAGES = (".html", ".htm", ".xhtml")
_FEEDS = (".xml", ".rss", ".atom", ".rdf")
_LINES = (".jsonl", ".ndjson")
_MANIFESTS = (".yaml", ".yml")
_STRINGS = ("title", "text", "url", "outlet", "language")
_KEYS = ("id", *_STRINGS, "published_at")
#: Bytes; no article, page or feed is longer, and one that is would fill the memory.
FILE_MAX = 64 * 1024 * 1024
#: Characters of a headline.
TITLE_MAX = 150
_ENDS_A_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।", ":", ";", ",")


def read_path(path: Path) -> Findings:
    """Return everything found at ``path``; what is wrong with it is found too, and nothing is raised."""
    found = Findings()
    try:
        if path.is_dir():
            _read_directory(path, found)
        elif path.is_file():
            _read_file(path, found, strict=True)
        elif path.exists():
            found.wrong(str(path), "is neither a file nor a directory")
        else:
            found.wrong(str(path), "does not exist")
    except OSError as error:
        found.wrong(str(error.filename or path), f"cannot be read: {error.strerror}")
    return found


def headline(text: str) -> str:
    """Return what stands as the headline of a text without one.

    Its first line if that is short, ends no sentence and is followed by more; else its first sentence, cut at a word.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    first = " ".join(lines[0].split())
    if len(lines) > 1 and len(first) <= TITLE_MAX and not first.rstrip("\"'”’»)").endswith(_ENDS_A_SENTENCE):
        return first
    start, end = sentences(first)[0]
    sentence = first[start:end]
    if len(sentence) <= TITLE_MAX:
        return sentence
    return sentence[:TITLE_MAX].rpartition(" ")[0] or sentence[:TITLE_MAX]


def _read_directory(path: Path, found: Findings) -> None:
    manifest = next((path / name for name in NAMES if (path / name).is_file()), None)
    if manifest is not None:
        read_manifest(manifest, found, lambda file, article: _from_file(file, article, found))
        return
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            _read_file(entry, found, strict=False)
        else:
            _skip(found, entry, "is not a file; directories inside a recording are not read")
    if not (found.articles or found.feeds or found.problems):
        found.wrong(
            str(path), "holds nothing to replay: put .txt, .html, .jsonl or feed files or a manifest.yaml there"
        )
        found.problems.extend(found.skipped)


def _read_file(path: Path, found: Findings, *, strict: bool) -> None:
    # A file that was named is wrong when it cannot be used; one among others is skipped.
    refuse = _refuse if strict else _skip
    kind = path.suffix.lower()
    if strict and kind in _MANIFESTS:
        read_manifest(path, found, lambda file, article: _from_file(file, article, found))
        return
    if kind in _LINES:
        _read_lines(path, found)
        return
    if not strict and kind not in {*_TEXTS, *_PAGES, *_FEEDS}:
        _skip(found, path, "is not a .txt, .html, .jsonl or feed file")
        return
    body, why = _body(path)
    if why:
        refuse(found, path, why)
    elif kind in _FEEDS and not is_feed(body):
        refuse(found, path, "is not a feed: it has no rss, feed or rdf:RDF element")
    elif kind in _FEEDS or (kind not in {*_TEXTS, *_PAGES} and is_feed(body)):
        title, changed_at, odd = scan(body)
        if odd:
            found.note(str(path), odd)
        found.feeds.append(FoundFeed(file=str(path), name=path.stem, body=body, title=title, changed_at=changed_at))
    elif kind not in {*_TEXTS, *_PAGES} and body.lstrip()[:1] == b"{":
        _read_lines(path, found)
    else:
        _add(path, body, found)


def _add(path: Path, body: bytes, found: Findings) -> None:
    # a.txt and a.html are two articles; the second keeps its whole name as its id.
    name = path.name if any(article.id == path.stem for article in found.articles) else path.stem
    article = _filled(FoundArticle(file=str(path), id=name), path, body, found)
    found.articles.append(article)


def _from_file(path: Path, article: FoundArticle, found: Findings) -> FoundArticle | None:
    body, why = _body(path)
    if why:
        found.wrong(article.file, f"{path.name} {why}", line=article.line)
        return None
    return _filled(article, path, body, found)


def _body(path: Path) -> tuple[bytes, str]:
    # The bytes of a file, and why they cannot be used, if so.
    if path.stat().st_size > FILE_MAX:
        return b"", f"is larger than {FILE_MAX // 1024 // 1024} MiB"
    body = path.read_bytes()
    if not body.strip():
        return b"", "is empty"
    kind = binary_kind(body)
    return body, f"is {kind}, not text" if kind else ""


def _filled(article: FoundArticle, path: Path, body: bytes, found: Findings) -> FoundArticle:
    if path.suffix.lower() in _PAGES:
        head = page_head(body)
        return replace(
            article,
            html=body,
            title=article.title or head.title or path.stem,
            published_at=article.published_at or head.published_at,
            language=article.language or head.language,
        )
    read = decode(body)
    if read.guessed:
        found.note(str(path), f"is not UTF-8; it was read as {read.encoding}, which is a guess")
    text = read.text.replace("\r\n", "\n").replace("\r", "\n")
    return replace(article, text=text, title=article.title or headline(text))


def _read_lines(path: Path, found: Findings) -> None:
    naive: list[int] = []
    unknown: Counter[str] = Counter()
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not line.strip():
                continue
            try:
                data = json.loads(line.decode("utf-8").strip())
            except (ValueError, RecursionError) as error:
                found.wrong(str(path), _json_trouble(error), line=number)
                continue
            if not isinstance(data, dict):
                found.wrong(
                    str(path), 'expected one object a line: {"id": ..., "title": ..., "text": ...}', line=number
                )
                continue
            unknown.update(key for key in data if key not in _KEYS)
            _read_object(path, number, data, naive, found)
    if naive:
        found.note(str(path), f"{len(naive)} times name no zone and are read as UTC", line=naive[0])
    for key in unknown:
        if close := difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.75):
            found.note(str(path), f"the key {key} is not used; did you mean {close[0]}?")
    if not (found.articles or found.problems):
        found.wrong(str(path), "holds no article")


def _read_object(path: Path, line: int, data: Mapping[str, Any], naive: list[int], found: Findings) -> None:
    before = len(found.problems)
    words: dict[str, str] = {}
    for key in _STRINGS:
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            found.wrong(str(path), f"{key}: expected a string, found {type(value).__name__}", line=line)
        words[key] = whole(value) if isinstance(value, str) else ""
    name = data.get("id")
    if name is not None and (not isinstance(name, str | int) or isinstance(name, bool)):
        found.wrong(str(path), f"id: expected a string, found {type(name).__name__}", line=line)
    when = _json_time(path, line, data.get("published_at"), naive, found)
    if len(found.problems) == before and not (words["title"].strip() or words["text"].strip()):
        found.wrong(str(path), "an article needs a title or a text", line=line)
    if len(found.problems) > before:
        return
    article = FoundArticle(
        file=str(path),
        line=line,
        id=f"{path.stem}-{line}" if name is None or name == "" else whole(str(name)),
        title=" ".join(words["title"].split()) or headline(words["text"]),
        text=words["text"],
        url=words["url"].strip(),
        outlet=" ".join(words["outlet"].split()),
        published_at=when,
        language=words["language"].strip() or None,
    )
    found.articles.append(article)


def _json_time(path: Path, line: int, value: object, naive: list[int], found: Findings) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        moment, zoned = parse_time(value)
    except ValueError as error:
        found.wrong(str(path), f"published_at: {error}", line=line)
        return None
    if not zoned:
        naive.append(line)
    return moment


def _json_trouble(error: ValueError | RecursionError) -> str:
    match error:
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at column {error.colno}; every line must be one object"
        case UnicodeDecodeError():
            return "is not UTF-8"
        case _:
            return "not JSON: nested too deeply or a number too long"


def _refuse(found: Findings, path: Path, why: str) -> None:
    found.wrong(str(path), why)


def _skip(found: Findings, path: Path, why: str) -> None:
    found.skipped.append(Problem(file=str(path), message=why))

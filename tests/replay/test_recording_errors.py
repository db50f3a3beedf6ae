from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import ConfigError
from worker.replay.recording import load


def problems(path: Path) -> list[str]:
    """Return what is wrong with the recording at ``path``, each without its directory."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The first mistake anybody makes has the plainest answer."""
    assert problems(tmp_path / "nothing") == ["nothing: does not exist"]


def test_a_directory_with_nothing_to_replay_says_what_would_be(tmp_path: Path) -> None:
    """All that was looked at is told, so that nobody wonders."""
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "a.txt").write_bytes(b"")
    (inside / "b.docx").write_bytes(b"PK\x03\x04")
    found = problems(inside)
    assert found[0].startswith("in: holds nothing to replay: put .txt, .html, .jsonl or feed files")
    assert found[1:] == ["in/a.txt: is empty", "in/b.docx: is not a .txt, .html, .jsonl or feed file"]


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("a.txt", b" \n", "is empty"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(50), "is a PNG image, not text"),
        ("a.xml", b"<html><rss></html>", "is not a feed: it has no rss, feed or rdf:RDF element"),
        ("a.jsonl", b"\n\n", "holds no article"),
    ],
    ids=["empty", "image", "no-feed", "no-lines"],
)
def test_a_file_that_was_named_and_cannot_be_used_is_an_error(tmp_path: Path, name: str, body: bytes, why: str) -> None:
    """Nobody names a file in order to have it skipped."""
    (tmp_path / name).write_bytes(body)
    assert problems(tmp_path / name) == [f"{name}: {why}"]


def test_every_wrong_line_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """One run shows all that has to be mended, each with its line."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"id": "1", "title": "fine"}\n'
        b'{"id": "2", "title": }\n'
        b'["no object"]\n'
        b'{"id": "1", "title": "again"}\n'
        b'{"id": "5", "title": " ", "text": ""}\n'
        b'{"id": "6", "title": "T", "published_at": "yesterday"}\n'
        b'{"id": "7", "title": "T", "published_at": 1770000000}\n'
        b'{"id": "8", "title": "T", "url": "ftp://a.test/x"}\n'
        b'{"id": "9", "title": ["T"], "text": 5}\n'
        b'{"id": {}, "title": "T"}\n'
        b'{"id": "11", "title": "\xff"}\n'
        b'{"id": "12", "title": "T", "published_at": "9999-12-31T23:59:59-14:00"}\n'
        b'{"id": "13", "title": "T", "url": "https://a.test:port/"}\n'
        + b"[" * 100_000
    )  # fmt: skip
    assert problems(path) == [
        "a.jsonl:2: not JSON: Expecting value at column 22; every line must be one object",
        'a.jsonl:3: expected one object a line: {"id": ..., "title": ..., "text": ...}',
        "a.jsonl:4: id: 1 is the id of another article too (line 1)",
        "a.jsonl:5: an article needs a title or a text",
        "a.jsonl:6: published_at: 'yesterday' is not a time; write it like \"2026-02-11T09:30:00Z\"",
        "a.jsonl:7: published_at: '1770000000' is not a time; write it like \"2026-02-11T09:30:00Z\"",
        "a.jsonl:8: url: ftp://a.test/x is not an http or https URL",
        "a.jsonl:9: text: expected a string, found int",
        "a.jsonl:9: title: expected a string, found list",
        "a.jsonl:10: id: expected a string, found dict",
        "a.jsonl:11: is not UTF-8",
        "a.jsonl:12: published_at: '9999-12-31T23:59:59-14:00' is not a time; write it like \"2026-02-11T09:30:00Z\"",
        "a.jsonl:13: url: https://a.test:port/ is not an http or https URL",
        "a.jsonl:14: not JSON: nested too deeply or a number too long",
    ]


def test_every_mistake_of_a_manifest_is_told_at_once(tmp_path: Path) -> None:
    """Missing files, unknown keys, times, doubles: each with its line and, where there is one, the word meant."""
    (tmp_path / "first.txt").write_text("A text.")
    (tmp_path / "void.txt").write_text("")
    path = tmp_path / "manifest.yaml"
    path.write_text("""\
abuot: a misspelt key
articles:
  - file: first.txt
    outlett: X
  - file: frist.txt
  - {file: first.txt, id: again}
  - {id: neither}
  - {text: "No id."}
  - {text: T., id: a, published_at: soon}
  - {text: T., id: a}
  - {text: T., id: b, assumed: [titel], published_at: [2026]}
  - just a word
  - {file: void.txt}
  - {text: T., id: c, id: d, assumed: url}
""")
    assert [problem.removeprefix("manifest.yaml:") for problem in problems(path)] == [
        "1: abuot: unknown key; did you mean about?",
        "4: outlett: unknown key; did you mean outlet?",
        "5: frist.txt does not exist beside manifest.yaml; did you mean first.txt?",
        "6: first.txt is named here and in line 3; one of them must go",
        "7: an article needs either file: or text:",
        "8: an article with text: needs an id:",
        "9: published_at: 'soon' is not a time; write it like \"2026-02-11T09:30:00Z\"",
        "10: id: a is the id of another article too (line 9)",
        "11: assumed: titel is no field; did you mean title?",
        "11: published_at: expected a text",
        "12: expected a mapping with file, text, id, title, url, outlet, published_at, language, assumed, expect",
        "13: void.txt is empty",
        "14: assumed: expected a list of id, title, url, outlet, published_at, language",
        "14: id: given twice",
    ]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("articles: [", "1: not YAML"),
        ("articles:\n\t- file: a", "2: not YAML"),
        ("", "expected a mapping with about, articles"),
        ("- a", "1: expected a mapping with about, articles"),
        ("articles: []", "1: needs a list of articles"),
        ("articles: {file: a}", "1: needs a list of articles"),
        ("about: x", "needs a list of articles"),
        ("a: &a [*b]", "not YAML"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_its_line(tmp_path: Path, source: str, why: str) -> None:
    """Broken YAML is told in one line with its place."""
    (tmp_path / "manifest.yaml").write_text(source)
    found = problems(tmp_path / "manifest.yaml")
    assert any(why in problem for problem in found), found
    assert all("\n" not in problem for problem in found)

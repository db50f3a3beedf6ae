from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.settings.document import Document, parse
from worker.settings.reading import decode, read


def _parse(text: str) -> Document:
    return parse("f.yaml", text, {"SECRET": "hunter2"})


def _only(document: Document) -> tuple[int, int, str]:
    (problem,) = document.problems
    return problem.line, problem.column, problem.message


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a:\n\tb: 1\n", 2, 1, "a tab as indentation"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab as indentation"),
        ("a:\n  b: 1\n \tc: 2\n", 3, 2, "a tab as indentation"),
        ("a: [1, 2\nb: 3\n", 2, 2, "closing ] of the list that begins on line 1"),
        ("a: {b: 1\n", 2, 1, "closing } of the mapping that begins on line 1"),
        ("a: {token: ${TOKEN}}\n", 1, 12, 'a variable must be in quotes: "${NAME}"'),
        ("a: 'abc\nb: 1\n", 1, 4, "a quote is opened here and never closed"),
        ('a: "abc\nb: 1\n', 1, 4, "a quote is opened here and never closed"),
        ('a: "\\q"\n', 1, 6, "an unknown escape"),
        ("a: @home\n", 1, 4, "text that begins with @ must be in quotes"),
        ("a: `x`\n", 1, 4, "text that begins with ` must be in quotes"),
        ("a: %x\n", 1, 4, "text that begins with % must be in quotes"),
        ("topics: [*]\n", 1, 10, "text that begins with * must be in quotes"),
        ("a: *foo\n", 1, 4, "text that begins with * must be in quotes"),
        ("a: [", 1, 5, "a value is missing here, or a bracket"),
        ("a: one: two\n", 1, 7, 'text that contains ": " in quotes'),
        ("a: 1\n  b: 2\n", 2, 4, "mend the indentation"),
        ("a:\n  - x\n - y\n", 3, 2, "the indentation does not fit"),
        ("a: 1\nb\nc: 2\n", 2, 1, 'a key without ":"'),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ("a: \x01\n", 1, 4, "U+0001 is not allowed"),
        ("a: !secret x\n", 1, 4, "tags"),
        ("? [a]\n: 1\n", 1, 3, "a key must be text"),
        ("a: &a [*a]\n", 1, 4, "an alias (*) stands inside what it repeats"),
        ('a: "\\ud83d"\n', 1, 4, "half of a character"),
        ("a: " + "[" * 600, 1, 1, "nested too deeply"),
        ('a: "\\UFFFFFFFF"\n', 1, 1, "an escape in double quotes names no character"),
    ],
)  # fmt: skip
def test_broken_yaml_has_a_place_and_plain_words(text: str, line: int, column: int, message: str) -> None:
    """Each slip that people make says where it is and what to do, in words of its own."""
    found = _only(_parse(text))
    assert found[:2] == (line, column)
    assert message in found[2]


def test_every_duplicate_key_is_found_and_the_first_is_kept() -> None:
    """Two mistakes of one kind are two problems, each naming the line of the key it repeats."""
    document = _parse("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [(p.line, p.column) for p in document.problems] == [(2, 11), (3, 1)]
    assert "on line 1" in document.problems[1].message
    assert document.data == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n", "\ufeff"])
def test_an_empty_file_says_nothing_and_is_fine(text: str) -> None:
    """A file of comments is a file."""
    document = decode("f.yaml", text.encode(), {})
    assert (document.data, document.problems) == (None, ())


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some editors write one; columns count from behind it."""
    document = decode("f.yaml", b"\xef\xbb\xbfa: @", {})
    assert _only(document)[:2] == (1, 4)


@pytest.mark.parametrize(
    ("raw", "line", "column", "message"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, 7, "byte 0xE9 is not UTF-8"),
        ("ä: ".encode() + b"\xff", 1, 4, "byte 0xFF is not UTF-8"),
        ("a: 1".encode("utf-16"), 0, 0, "is in UTF-16"),
    ],
)
def test_bytes_that_are_not_utf_8_have_a_place(raw: bytes, line: int, column: int, message: str) -> None:
    """Columns count characters, not bytes."""
    found = _only(decode("f.yaml", raw, {}))
    assert found[:2] == (line, column)
    assert message in found[2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_editor_ends_them(end: str) -> None:
    """The place does not depend on the system that the file came from."""
    document = _parse(end.join(("a: 1", "'x': 'a\u2028b'", "b: @")))
    assert _only(document)[:2] == (3, 4)


def test_json_is_accepted_with_tabs_and_surrogate_pairs() -> None:
    """YAML 1.2 contains JSON, as a program writes it."""
    data = {"topics": [{"id": "a", "any": ["\U0001f680", "x/y"], "threshold": 0.5, "urgent": True, "query": None}]}
    document = _parse(json.dumps(data, indent="\t").replace("/", "\\/"))
    assert (document.data, document.problems) == (data, ())


def test_values_know_their_places() -> None:
    """Keys, values and list items are each found where they stand."""
    document = _parse("topics:\n  - id: a\n    any:\n      - x\n      - y\n")
    problem = document.problem(("topics", 0, "any", 1), "m")
    assert (problem.line, problem.column) == (5, 9)
    problem = document.problem(("topics", 0, "any"), "m", on_key=True)
    assert (problem.line, problem.column) == (3, 5)


def test_the_place_of_a_missing_value_is_the_nearest_thing_that_exists() -> None:
    """One value may stand for a list of one, and a missing key is reported at its mapping."""
    document = _parse("topics:\n  - {id: a, any: x}\n")
    for keys, place in {
        ("topics", 0, "any", 0): (2, 18),
        ("topics", 0, "all", 3): (2, 5),
        ("nothing",): (1, 1),
    }.items():
        problem = document.problem(keys, "m")
        assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    ("text", "column"),
    [("q: a AND (b", 4 + 6), ("q: 'a AND (b'", 5 + 6), ('q: "a AND (b"', 5 + 6), ("q: 'it''s (b'", 5 + 7),
     ('q: "a \\t (b"', 4), ("q: >\n  a AND (b\n", 4), ("q: ${X:-a AND (b}", 4)],
)  # fmt: skip
def test_a_column_inside_a_text_is_found_where_it_can_be(text: str, column: int) -> None:
    """The seventh character of a text on one line has a place; folded, escaped and substituted texts have a start."""
    assert _parse(text).problem(("q",), "m", column=7).column == column


def test_merge_keys_bring_what_is_missing_and_replace_nothing() -> None:
    """<< is not part of YAML 1.2, yet people use it, and their own keys win."""
    document = _parse("base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\ny: {<<: [*base, {c: 4}]}\n")
    assert document.data == {"base": {"a": 1, "b": 2}, "x": {"a": 1, "b": 3}, "y": {"a": 1, "b": 2, "c": 4}}


def test_aliases_cannot_make_a_small_file_large() -> None:
    """A few lines that stand for a billion values are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    document = _parse("\n".join(lines))
    assert any("aliases (*) repeat more than" in problem.message for problem in document.problems)
    assert len(document.places) < 1_000_000


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A directory in the place of a file has a name and a reason."""
    found = _only(read(tmp_path, {}))
    assert found == (0, 0, "cannot be read: Is a directory")


@settings(deadline=None)  # other processes may share the machine
@given(st.text(alphabet=st.sampled_from("ab:-?[]{}&*!|>'\"%@`,#\t\n \\\u00e9"), max_size=40))
def test_any_text_is_a_document_or_a_problem_with_a_place(text: str) -> None:
    """Nothing that can be typed raises, and every problem lies inside the text."""
    document = _parse(text)
    lines = text.split("\n")
    for problem in document.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


@settings(deadline=None)  # other processes may share the machine
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_problem(raw: bytes) -> None:
    """Nothing that a disk can hold raises."""
    document = decode("f.yaml", raw, {})
    assert all(problem.message for problem in document.problems)

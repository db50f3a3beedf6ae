"""``match``, ``extract``, ``stories``, ``check`` and ``test``: one thing in, one answer out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.shells import CLAIM, TOPICS, ends_well, jsonl
from tests.processes import SHIPPED, Ended, wirewatch

_MATCH = ("match", "--topics", TOPICS)
_PARAGRAPH = "<p>The delegates met in the old town hall on Monday, and most of them stayed until the evening.</p>"
_PAGE = (
    f"<html lang=en><head><title>A meeting</title></head><body><article><h1>A meeting</h1>{_PARAGRAPH * 3}</article>"
)


def lines(found: Ended) -> list[dict[str, Any]]:
    """Return the JSON lines of an output."""
    return [json.loads(line) for line in found.out.splitlines()]


# match


def test_match_answers_a_line_for_each_match_from_stdin(tmp_path: Path) -> None:
    """With the fields that the design names, and evidence that stands where it says."""
    article = {"id": "1", "title": f"\U0001f680 {CLAIM}", "text": f"Rain.\n\nThen: {CLAIM}."}
    weather = {"id": "2", "title": "Rain", "text": "It rained."}
    stdin = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (weather, article))
    topics = SHIPPED / "topics.yaml"
    (line,) = lines(ends_well(wirewatch("match", "--topics", topics, "--json", cwd=tmp_path, stdin=stdin), 0))
    assert (line["article"], line["topic"], line["matched"], line["by"]) == ("1", "missile-stance", True, "both")
    assert line["score"] >= 0.5
    assert {evidence["field"] for evidence in line["evidence"]} == {"title", "text"}
    assert all(article[e["field"]][e["start"] : e["end"]] == e["text"] for e in line["evidence"])


def test_match_all_shows_what_was_missing_and_a_score_below_a_half(tmp_path: Path) -> None:
    """One line an article and topic; the non-matches say why not."""
    titles = [CLAIM, "Rain in the valley", "Iran is open to negotiations on its missile programme"]
    source = jsonl(tmp_path / "a.jsonl", [{"id": n, "title": title} for n, title in enumerate(titles)])
    yes, far, near = lines(ends_well(wirewatch(*_MATCH, "--all", "--articles", source, cwd=tmp_path), 0))
    assert yes["matched"] is True
    assert "why_not" not in yes
    assert (far["matched"], near["matched"]) == (False, False)
    assert far["why_not"].startswith("anchor-missing: anchors[0]: one of missile, rocket, ballistic")
    assert near["why_not"].startswith("no-match: near[0]: ")
    assert 0 <= far["score"] <= near["score"] < 0.5


def test_match_reads_three_thousand_articles_and_finds_the_few(tmp_path: Path) -> None:
    """Every hundredth says it; the answers come in the order of the lines."""
    articles = [
        {"id": f"a{n}", "title": CLAIM if n % 100 == 7 else f"Report {n}", "text": f"The council met {n} times."}
        for n in range(3000)
    ]
    source = jsonl(tmp_path / "a.jsonl", articles)
    found = lines(ends_well(wirewatch(*_MATCH, "--articles", source, cwd=tmp_path), 0))
    assert [line["article"] for line in found] == [f"a{n}" for n in range(7, 3000, 100)]


def test_match_passes_bad_lines_over_names_them_and_loses_no_good_one(tmp_path: Path) -> None:
    """Exit code 2 at the end, when the good lines have been answered."""
    good = json.dumps({"title": CLAIM}).encode()
    bad = [b"nope", b"[1]", b"null", b"{}", b'{"title": 5}', b'{"id": true, "title": "x"}', b'{"title": "\xff"}']
    bad += [b'{"title": "x", "published_at": "soon"}', b'{"id": 1%s}' % (b"0" * 5000), b"[" * 9000]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(line for one in bad for line in (good, one)) + b"\n" + good)
    found = ends_well(wirewatch(*_MATCH, "--articles", "a.jsonl", cwd=tmp_path), 2)
    assert [line["article"] for line in lines(found)] == [str(n) for n in range(1, 22, 2)]
    *said, count = found.err.splitlines()
    assert [line.split(":")[:2] for line in said] == [["a.jsonl", str(n)] for n in range(2, 21, 2)]
    assert count == "10 lines passed over"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\xef\xbb\xbf" + json.dumps({"title": "Rain"}).encode()],
    ids=["empty", "blank", "byte-order-mark"],
)
def test_match_of_nothing_is_nothing(tmp_path: Path, content: bytes) -> None:
    """No article, no answer, no error; a byte order mark is no part of the first line."""
    (tmp_path / "a.jsonl").write_bytes(content)
    found = ends_well(wirewatch(*_MATCH, "--articles", "a.jsonl", cwd=tmp_path), 0)
    assert (found.out, found.err) == ("", "")


def test_match_of_odd_characters_keeps_the_offsets_and_the_terminal(tmp_path: Path) -> None:
    """Lone surrogates, C1 controls and line separators: the line is JSON, and the span is right."""
    title = "\ud800 \x9b31m \u2028 \x85 " + CLAIM
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "\x9b\ud800", "title": title}))
    (line,) = lines(ends_well(wirewatch(*_MATCH, "--articles", "a.jsonl", cwd=tmp_path), 0))
    (words,) = line["evidence"]
    assert title[words["start"] : words["end"]] == words["text"] == "missile programme is not negotiable"


def test_match_by_meaning_needs_no_rule(tmp_path: Path) -> None:
    """The evidence is the passage, and a no has the nearest one with its scores."""
    (tmp_path / "t.yaml").write_text("topics: [{id: a, topic: missile program non-negotiable}]\n")
    articles = [{"id": "1", "title": CLAIM}, {"id": "2", "title": "Frost is expected in the hills tonight"}]
    given = "\n".join(map(json.dumps, articles))
    yes, no = lines(ends_well(wirewatch("match", "--topics", "t.yaml", "--all", cwd=tmp_path, stdin=given), 0))
    assert (yes["matched"], yes["by"], yes["evidence"][0]["text"]) == (True, "meaning", CLAIM)
    assert (no["matched"], no["why_not"]) == (False, "no-match: meaning: no passage is about its subject")


def test_match_says_when_a_topic_cannot_match(tmp_path: Path) -> None:
    """A phrase without a rule needs a model, and a file without topics needs topics."""
    (tmp_path / "t.yaml").write_text("topics: [{id: a, topic: missile program non-negotiable}]\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "service.yaml").write_text("meaning: {model: off}\n")
    found = ends_well(wirewatch("match", "--topics", "t.yaml", cwd=tmp_path, stdin=json.dumps({"title": CLAIM})), 0)
    assert "meaning disabled: meaning.model is off in service.yaml; topic a cannot match" in found.err
    (tmp_path / "t.yaml").write_text("topics: []\n")
    assert "there are no topics" in wirewatch("match", "--topics", "t.yaml", cwd=tmp_path).err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "Missing option '--topics'"),
        (("--topics", "no.yaml"), "no.yaml: cannot be read"),
        (("--topics", TOPICS, "--articles", "no.jsonl"), "no.jsonl: no such file; give a file of JSON lines, or -"),
        (("--topics", TOPICS, "--articles", "."), ".: no such file"),
    ],
    ids=["no-topics", "missing-topics", "missing-articles", "directory"],
)
def test_match_says_what_is_missing(tmp_path: Path, args: tuple[str | Path, ...], said: str) -> None:
    """Usage errors, before any line is read."""
    assert said in ends_well(wirewatch("match", *args, cwd=tmp_path), 2).err


# stories


def test_stories_are_one_line_an_article_in_the_order_of_publication(tmp_path: Path) -> None:
    """The later report of the same event joins it, the other event does not."""
    first = {"id": "a", "title": CLAIM, "text": f"Tehran. {CLAIM}, its spokesman Baghaei told reporters in Tehran."}
    articles = [
        first | {"id": "later", "published_at": "2026-02-11T12:00:00Z"},
        first | {"id": "early", "published_at": "2026-02-11T10:00:00+00:00"},
        {"id": "rain", "title": "Rain floods Lyon", "text": "The Rhone rose.", "published_at": "2026-02-11T13:00"},
    ]
    source = jsonl(tmp_path / "a.jsonl", articles)
    found = lines(ends_well(wirewatch("stories", "--articles", source, "--json", cwd=tmp_path), 0))
    assert [(line["article"], line["role"]) for line in found] == [
        ("early", "first"),
        ("later", "copy"),
        ("rain", "first"),
    ]
    assert found[0]["story"] == found[1]["story"] != found[2]["story"]


def test_stories_pass_bad_lines_over_and_take_odd_ones(tmp_path: Path) -> None:
    """Times at the ends of the calendar and lone surrogates are no reason to stop; a bad line is named."""
    text = '{"title": "One", "published_at": "0001-01-01T00:00:00+14:00"}\nnope\n{"id": "\\ud800", "title": "Two"}\n'
    text += '{"title": "Three", "published_at": "9999-12-31T23:59:59-14:00"}\n'
    found = ends_well(wirewatch("stories", cwd=tmp_path, stdin=text), 2)
    assert [line["article"] for line in lines(found)] == ["1", "\ufffd", "4"]
    assert "stdin:2: is no JSON" in found.err
    assert "1 line passed over" in found.err


# extract


def test_extract_prints_the_article_of_a_page(tmp_path: Path) -> None:
    """From a file and from stdin the same: the headline, an empty line, the text."""
    (tmp_path / "a.html").write_text(_PAGE)
    found = ends_well(wirewatch("extract", "a.html", cwd=tmp_path), 0)
    assert found.out.startswith("A meeting\n\nThe delegates met")
    assert ends_well(wirewatch("extract", "-", cwd=tmp_path, stdin=_PAGE), 0).out == found.out


def test_extract_json_is_one_object(tmp_path: Path) -> None:
    """Title, text, language and date, the last two null when nobody gives them."""
    (line,) = lines(ends_well(wirewatch("extract", "-", "--json", cwd=tmp_path, stdin=_PAGE), 0))
    assert (line["title"], line["language"], line["published_at"], line["reason"]) == ("A meeting", "en", None, "page")
    assert line["text"].startswith("The delegates met")


def test_extract_names_what_a_page_is_instead_of_an_article(tmp_path: Path) -> None:
    """A consent wall has words, and they are not news: exit code 1, in text and in JSON."""
    wall = "<title>Before you continue</title><body><h1>We value your privacy</h1><p>We and our partners use cookies. "
    wall += "Accept all cookies or manage your consent choices.</p>"
    (tmp_path / "wall.html").write_text(wall)
    assert "wall.html: no article: consent-wall" in ends_well(wirewatch("extract", "wall.html", cwd=tmp_path), 1).err
    (line,) = lines(ends_well(wirewatch("extract", "wall.html", "--json", cwd=tmp_path), 1))
    assert (line["reason"], line["detail"]) == ("no-text", "consent-wall")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no article: empty"), (bytes(range(256)) * 9, "no article: not-html (binary data)")],
    ids=["empty", "binary"],
)
def test_extract_of_no_page_is_no(tmp_path: Path, content: bytes, said: str) -> None:
    """Exit code 1 with the reason, and nothing on stdout that could pass for text."""
    (tmp_path / "a.html").write_bytes(content)
    found = ends_well(wirewatch("extract", "a.html", cwd=tmp_path), 1)
    assert f"a.html: {said}" in found.err
    assert not found.out


@pytest.mark.parametrize("character", ["\x1b[2J", "&#27;[2J", "&#x1B;", "\x0c", "\uffff", "&#xD800;", "&#0;", "\x9b"])
def test_extract_reads_a_page_with_characters_that_none_may_hold(tmp_path: Path, character: str) -> None:
    """One escape sequence must not cost the article, nor reach the terminal."""
    page = _PAGE.replace("old town", f"old {character} town")
    found = ends_well(wirewatch("extract", "-", cwd=tmp_path, stdin=page), 0)
    assert "and most of them stayed until the evening." in found.out


@pytest.mark.parametrize(
    ("page", "code", "said"),
    [
        ("no.html", 2, "no.html: no such file; give a file of HTML, - for stdin, or an http(s) address"),
        (".", 2, ".: no such file"),
        ("ftp://a.example/b", 2, "ftp://a.example/b: no such file"),
        ("http://127.0.0.1/x", 1, "127.0.0.1 is not a public address (network.allow_private could allow it)"),
        ("HTTP://[::1]/x", 1, "::1 is not a public address"),
        ("http://2130706433/x", 1, "127.0.0.1 is not a public address"),
        ("http://127.0.0.1:6379/x", 1, "port 6379 is not among network.allow_ports"),
        ("http://[::/x", 1, "http://[::/x"),
        ("https://", 1, "https://"),
    ],
)
def test_extract_refuses_what_it_cannot_or_must_not_ask(tmp_path: Path, page: str, code: int, said: str) -> None:
    """A missing file is usage; an address inside of the network is refused by name, and never asked."""
    assert said in ends_well(wirewatch("extract", page, cwd=tmp_path), code).err


# check and test


def test_check_names_every_error_of_every_file_at_once(tmp_path: Path) -> None:
    """As file:line:column with a suggestion: keys, units, ids."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "topics.yaml").write_text("topics:\n  - {id: a, anny: [x], any: [y]}\n  - {id: a, any: [y], any: [z]}\n")
    (config / "feeds.yaml").write_text("feeds:\n  - {id: f, url: https://f.example/x, interval: 5 parsecs}\n")
    (config / "service.yaml").write_text("workers: many\n")
    found = ends_well(wirewatch("check", cwd=tmp_path), 2)
    for said in (
        'config/topics.yaml:2:13: anny: unknown key; did you mean "any"?',
        "config/topics.yaml:3:23: ",
        'config/topics.yaml:3:10: id: another topic has the id "a"',
        "config/feeds.yaml:2:49: interval",
        "config/service.yaml:1:10: workers",
    ):
        assert said in found.out
    assert "problems" in found.out.splitlines()[-1]


def test_check_json_has_the_places_as_numbers(tmp_path: Path) -> None:
    """One object with errors, warnings and counts."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: a, any: [x], threshold: 7}\n")
    (line,) = lines(ends_well(wirewatch("check", "--topics", "t.yaml", "--json", cwd=tmp_path), 2))
    (error,) = line["errors"]
    assert (error["file"], error["line"], error["column"]) == ("t.yaml", 2, 34)


def test_the_shipped_configuration_is_right_and_its_examples_pass(tmp_path: Path) -> None:
    """What a newcomer starts with must not complain."""
    assert "0 problems, 0 warnings" in ends_well(wirewatch("check", "--config", SHIPPED, cwd=tmp_path), 0).out
    found = ends_well(wirewatch("test", "--config", SHIPPED, cwd=tmp_path), 0)
    assert " 0 failed" in found.out.splitlines()[-1]


def test_test_fails_with_the_example_and_the_clause(tmp_path: Path) -> None:
    """Exit code 1; what should have matched and what should not, each with what the topic said."""
    (tmp_path / "t.yaml").write_text(
        "topics:\n  - {id: a, any: [rain], examples: {match: [It snows.], ignore: [It rains., It is dry.]}}\n"
    )
    found = ends_well(wirewatch("test", "--topics", "t.yaml", cwd=tmp_path), 1)
    assert "FAIL a must match: It snows." in found.out
    assert "FAIL a must not match: It rains." in found.out
    assert "3 examples, 2 failed" in found.out
    answers = lines(ends_well(wirewatch("test", "--topics", "t.yaml", "--json", cwd=tmp_path), 1))
    assert [line["passed"] for line in answers] == [False, False, True]

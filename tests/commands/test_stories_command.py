"""``stories``: every article's place in the end, as one story after the other grows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.commands.shells import ends_well, jsonl
from tests.processes import ROOT, wirewatch

EVENTS = ROOT / "tests" / "quality" / "stories" / "events-a.jsonl"


def grouped(place: Path, articles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what ``stories`` says of these articles."""
    source = jsonl(place / "articles.jsonl", articles)
    ended = ends_well(wirewatch("stories", "--articles", source, "--json", cwd=place), 0)
    return [json.loads(line) for line in ended.out.splitlines()]


def test_each_line_says_where_its_article_is_in_the_end(tmp_path: Path) -> None:
    """In the order of publication; each story has one first, which is the earliest that it has."""
    articles = [json.loads(line) for line in EVENTS.read_text("utf-8").splitlines()]
    found = grouped(tmp_path, articles[::-1])
    assert [line["article"] for line in found] == [a["id"] for a in sorted(articles, key=lambda a: a["published_at"])]
    firsts = Counter(line["story"] for line in found if line["role"] == "first")
    assert firsts == {line["story"]: 1 for line in found}
    assert set(found[0]) == {"article", "story", "role", "why", "origin", "linked"}
    assert len(firsts) < len(articles)


def test_articles_of_one_time_are_taken_in_the_order_of_their_lines(tmp_path: Path) -> None:
    """Also those without a time."""
    text = "The Karvel dam in northern Ostria burst on Tuesday, and 14 people are missing, officials in Velmark said."
    articles = [{"id": name, "title": "Dam bursts in Ostria", "text": text} for name in ("late", "early")]
    found = grouped(tmp_path, articles)
    assert [(line["article"], line["role"]) for line in found] == [("late", "first"), ("early", "copy")]
    assert found[1]["why"]


def test_an_article_that_comes_twice_is_in_one_story(tmp_path: Path) -> None:
    """The second line of the same id says what the first one says."""
    one = {"id": "a", "title": "Dam bursts in Ostria", "text": "The Karvel dam in northern Ostria burst on Tuesday."}
    first, second = grouped(tmp_path, [one, one | {"title": "Rain in Lyon", "text": "It rained in Lyon for a week."}])
    assert first == second
    assert first["role"] == "first"


def test_nothing_in_is_nothing_out(tmp_path: Path) -> None:
    """And no error."""
    assert grouped(tmp_path, []) == []


def test_a_story_that_follows_an_older_one_says_so(tmp_path: Path) -> None:
    """Beyond the window of 72 hours, and within 90 days."""
    text = (
        "The Karvel dam in northern Ostria burst on Tuesday after three days of rain; at least 14 people are missing "
        "in Lower Velmark, Governor Ilse Brandt said. She had the town of 6,000 evacuated; engineers blamed cracks."
    )
    articles = [
        {
            "id": day,
            "title": f"Karvel dam bursts in Ostria, 14 missing {day}",
            "text": text,
            "published_at": f"2026-{day}",
        }
        for day in ("03-01", "03-20")
    ]
    before, after = grouped(tmp_path, articles)
    assert (before["linked"], after["linked"]) == (None, before["story"])

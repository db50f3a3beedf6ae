from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.errors import ConfigError, Problem
from worker.settings import load_topics

_FILE = Path(__file__).parents[1] / "data" / "config" / "mistakes" / "topics.yaml"
_MARK = re.compile(r"# (?P<number>\d+): (?P<column>\d+) (?P<words>.+)$")
#: Line, column and words that the file itself promises.
_PROMISED = [
    (line, int(mark["column"]), mark["words"])
    for line, text in enumerate(_FILE.read_text(encoding="utf-8").splitlines(), 1)
    if (mark := _MARK.search(text))
]


@pytest.fixture(name="problems", scope="module")
def _problems() -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_topics(_FILE, {})
    return caught.value.problems


def test_thirty_mistakes_are_thirty_problems_at_once(problems: tuple[Problem, ...]) -> None:
    """One reading finds all of them, and no mistake is said twice."""
    assert len(_PROMISED) == 30
    assert [(p.line, p.column) for p in problems] == [(line, column) for line, column, _ in _PROMISED]


@pytest.mark.parametrize(("line", "column", "words"), _PROMISED, ids=lambda value: str(value).replace(" ", "-"))
def test_each_mistake_is_found_where_it_stands(
    problems: tuple[Problem, ...], line: int, column: int, words: str
) -> None:
    """The message says what is wrong or what to do, at the line and column of the mistake."""
    (found,) = [p for p in problems if (p.line, p.column) == (line, column)]
    assert words in found.message
    assert found.file == str(_FILE)

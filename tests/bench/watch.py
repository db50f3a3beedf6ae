"""What a desk watches for in the benchmarks: a hundred topics, twenty of them looked for by meaning."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.bench.prose import PROSE, events
from worker.build.meaning import open_meaning
from worker.model import Topic
from worker.settings import Service, load_topics
from worker.text import words
from worker.topics import compile_topics
from worker.topics.percolator import Percolator

HERE = Path(__file__).parent
_MEANT = (HERE / "topics.yaml", HERE.parent / "quality" / "topics.yaml")
#: Words of which rules are made stand in at least so many events and in no larger share of them.
_FEWEST, _SHARE = 2, 0.05


def meant_topics() -> list[Topic]:
    """Return twenty topics with meaning: some with anchors, some with a rule, two that are a phrase alone."""
    return [topic for path in _MEANT for topic in load_topics(path, env={})]


def rule_topics(count: int) -> list[Topic]:
    """Return topics of words that stand in few events: one of two, one of other two, and one of three must be there.

    One article in some dozens meets one of eighty.
    """
    chance = random.Random(7)  # noqa: S311 - nothing here is a secret
    seen = Counter(word for event in events() for word in {w.lower() for w in words(event["text"]) if w.isalpha()})
    most = _SHARE * len(events())
    background = {word.lower() for word in words(PROSE.read_text("utf-8"))}
    few = (word for word, number in seen.items() if _FEWEST <= number <= most and len(word) > 3)
    usual = sorted(set(few) - background)
    return [
        Topic(
            id=f"rule-{nth:03}",
            anchors=(tuple(chance.sample(usual, 2)), tuple(chance.sample(usual, 2))),
            any=tuple(chance.sample(usual, 3)),
        )
        for nth in range(count)
    ]


def watch(rules: int = 80) -> list[Topic]:
    """Return ``meant_topics`` and so many rule topics."""
    return [*meant_topics(), *rule_topics(rules)]


def matcher(topics: Sequence[Topic]) -> Percolator:
    """Return a percolator of ``topics`` with the models that are shipped.

    Raises:
        AssertionError: they cannot be used.
    """
    opened = open_meaning(Service(), topics, state=Path())
    assert opened.meaning is not None, opened.why
    return compile_topics(topics, meaning=opened.meaning)

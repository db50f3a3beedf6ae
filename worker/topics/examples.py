"""The examples that a topic carries, run as its tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from worker.model import Article, Match, Topic
from worker.topics.meant import Meaning
from worker.topics.percolator import compile_topics

#: Examples have no date; no clause asks for one.
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example of a topic, and what the topic says of it."""

    topic_id: str
    text: str
    #: Whether the topic's author wants it to match.
    wanted: bool
    answer: Match

    @property
    def passed(self) -> bool:
        """Whether the topic says what its author wants."""
        return self.answer.matched is self.wanted


def run_examples(topic: Topic, meaning: Meaning | None = None) -> list[Example]:
    """Return every example of ``topic`` with the topic's answer; those that must match come first.

    An example is a text without language and outlet, so the topic is asked without its ``languages`` and ``outlets``.
    """
    percolator = compile_topics([replace(topic, languages=(), outlets=())], meaning=meaning)
    wanted = [(text, True) for text in topic.examples_match]
    unwanted = [(text, False) for text in topic.examples_ignore]
    return [
        Example(topic_id=topic.id, text=text, wanted=match, answer=percolator.judge(_article(text))[0])
        for text, match in (*wanted, *unwanted)
    ]


def _article(text: str) -> Article:
    return Article(id="example", url="", title="", text=text, outlet="", published_at=_ANY_TIME)

"""Which topics are looked for by meaning, and what a stage that does so must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.model import Article, Evidence, Topic

#: The languages that the shipped models read. An article of unknown language is taken for one in them.
LANGUAGES = frozenset({"en"})


def is_meant(topic: Topic) -> bool:
    """Return whether ``topic`` is looked for by meaning: it has meaning sentences, or nothing but its phrase."""
    return bool(topic.meaning or (topic.topic.strip() and not topic.has_rule))


def reads(language: str | None) -> bool:
    """Return whether the models read ``language`` (a code such as ``en-GB``; ``None`` is unknown)."""
    return language is None or language.replace("_", "-").split("-")[0].casefold() in LANGUAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """What an article says of one topic, by meaning."""

    #: 0 to 1; 0.5 is the operating point.
    score: float
    #: ``states``, ``opposes``, ``unlike`` (it says one of the counter-sentences) or ``other``.
    stance: str
    #: The passage that says so, or the nearest one; ``None`` when no passage is about the subject.
    evidence: Evidence | None
    #: The scores of each stage, in words.
    detail: str


class Meaning(Protocol):
    """The stages that decide by meaning."""

    def learn(self, topics: Sequence[Topic]) -> None:
        """Take in the claims of ``topics``; a few milliseconds a sentence."""
        ...

    def read(self, article: Article, topics: Sequence[Topic], *, explain: bool) -> Mapping[str, Sense]:
        """Return what ``article`` says of each of ``topics``, by their ids.

        Topics that it says nothing of are left out unless ``explain`` asks for them.
        """
        ...

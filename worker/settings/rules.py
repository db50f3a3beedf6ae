"""The rules of topics as ``worker.topics`` judges them, with their places in the file."""

from __future__ import annotations

from collections.abc import Iterable

from worker.errors import Problem
from worker.model import Topic
from worker.settings.document import Document, Keys
from worker.settings.part import Placed
from worker.settings.shape import label
from worker.topics.lint import lint_topic
from worker.topics.rules import check_topic

#: What topics lose without a model is a warning of ``load`` already.
_SAID = "meaning is disabled"


def rule_problems(document: Document, topic: Placed[Topic], dropped: Iterable[str]) -> Iterable[Problem]:
    """Yield the mistakes in the rule of ``topic``, except those that hang on its keys in ``dropped``."""
    for error in check_topic(topic.value):
        keys: Keys = (*topic.keys, *error.path)
        if error.path and error.path[0] not in dropped and not document.broken(keys):
            yield document.problem(keys, f"{label(keys)}: {error.message}", column=error.column)


def rule_warnings(document: Document, topic: Placed[Topic]) -> Iterable[Problem]:
    """Yield what the rule of ``topic`` says and its author may not mean."""
    for lint in lint_topic(topic.value):
        if _SAID not in lint.message:
            keys: Keys = (*topic.keys, *lint.path)
            where = label(keys) if lint.path else f"topic {topic.value.id}"
            yield document.problem(keys, f"{where}: {lint.message}")

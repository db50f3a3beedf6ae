"""The rules of topics as ``worker.topics`` judges them, with their places in the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from worker.errors import Problem
from worker.model import Topic
from worker.settings.document import Document, Keys
from worker.settings.part import Placed
from worker.settings.shape import label
from worker.settings.words import Substituted
from worker.topics import check_topic, lint_topic

#: Remarks on rules quote them, and what came from the environment is not shown.
_UNSHOWN = "something is wrong with this rule; part of it came from the environment and is not shown"


def rule_problems(document: Document, topic: Placed[Topic], dropped: Collection[str]) -> Iterable[Problem]:
    """Yield the mistakes in the rule of ``topic``, except those that hang on its keys in ``dropped``."""
    for error in check_topic(topic.value):
        keys: Keys = (*topic.keys, *error.path)
        if error.path and error.path[0] not in dropped:
            secret = _substituted(document.at(document.nearest(keys)))
            message = _UNSHOWN if secret else error.message
            yield document.problem(keys, f"{label(keys)}: {message}", column=error.column)


def rule_warnings(document: Document, topic: Placed[Topic]) -> Iterable[Problem]:
    """Yield what the rule of ``topic`` says and its author may not mean."""
    secret = _substituted(document.at(topic.keys))
    for lint in lint_topic(topic.value):
        keys: Keys = (*topic.keys, *lint.path)
        where = label(keys) if lint.path else f"topic {topic.value.id}"
        yield document.problem(keys, f"{where}: {_UNSHOWN if secret else lint.message}")


def _substituted(value: object) -> bool:
    """Return whether anything in ``value`` came from the environment."""
    if isinstance(value, dict | list):
        return any(map(_substituted, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Substituted)

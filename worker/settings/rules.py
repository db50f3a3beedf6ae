"""The rules of topics as ``worker.topics`` judges them, with their places in the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import worker.topics
from worker.errors import Problem
from worker.model import Topic
from worker.settings.document import Document, Keys
from worker.settings.part import Placed
from worker.settings.shape import label


def check_topic(topic: Topic) -> list[Any]:
    f = getattr(worker.topics, "check_topic", None)
    return f(topic) if f else []


def rule_warnings(document: Document, topic: Placed[Topic]) -> Iterable[Problem]:
    f = getattr(worker.topics, "lint_topic", None)
    for lint in f(topic.value) if f else []:
        keys: Keys = (*topic.keys, *getattr(lint, "path", ()))
        yield document.problem(keys, f"{label(keys)}: {getattr(lint, 'message', lint)}")

"""Topics that refine others: those must exist, and none may refine itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from worker.alerts.refining import broader
from worker.errors import Problem
from worker.model import Topic
from worker.settings.document import Document, Keys
from worker.settings.part import Placed
from worker.settings.shape import label
from worker.settings.words import did_you_mean, listed, shown


def refining_problems(document: Document, topics: Sequence[Placed[Topic]], names: Collection[str]) -> Iterable[Problem]:
    """Yield what is wrong with ``refines`` of topics; ``names`` are those of all topics, the wrong ones too."""
    known = {topic.value.id: topic.value for topic in topics}
    for topic in topics:
        for index, name in enumerate(topic.value.refines):
            keys: Keys = (*topic.keys, "refines", index)
            if document.broken(keys):
                continue
            if name not in names and name not in known:
                hint = did_you_mean(name, known) or f"; there are {listed(sorted(known), 'and')}"
                yield document.problem(keys, f"{label(keys)}: no topic is called {shown(name)}{hint}")
            elif name == topic.value.id or topic.value.id in broader(name, known):
                message = "leads back to this topic; of two topics only the narrower one refines the other"
                yield document.problem(keys, f"{label(keys)}: {message}")

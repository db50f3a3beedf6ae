"""What one file says about another: routes name channels and topics, topics name channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from fnmatch import fnmatchcase

from worker.alerts.policy import Route
from worker.errors import Problem
from worker.model import Feed, Topic
from worker.settings.document import Document, Keys
from worker.settings.part import Part, Placed
from worker.settings.shape import label
from worker.settings.words import did_you_mean, listed, shown


def unknown_channels(
    document: Document, users: Iterable[Placed[Route] | Placed[Topic]], channels: Collection[str]
) -> Iterable[Problem]:
    """Yield a problem for every channel that a route or a topic of ``document`` names and nobody defines."""
    known = listed(sorted(channels), "and") if channels else "none"
    for user in users:
        for index, name in enumerate(user.value.channels):
            keys: Keys = (*user.keys, "channels", index)
            if name not in channels and not document.broken(keys):
                hint = did_you_mean(name, channels) or f"; alerts.yaml defines {known}"
                yield document.problem(keys, f"{label(keys)}: no channel is called {shown(name)}{hint}")


def unknown_topics(document: Document, routes: Iterable[Placed[Route]], topics: Collection[str]) -> Iterable[Problem]:
    """Yield a problem for every topic that a route names and no topic file defines.

    A pattern that fits nothing is one too, except ``*``, which means whatever there is.
    """
    for route in routes:
        for index, pattern in enumerate(route.value.topics):
            keys: Keys = (*route.keys, "topics", index)
            if pattern != "*" and not _fits_any(pattern, topics) and not document.broken(keys):
                yield document.problem(
                    keys, f"{label(keys)}: no topic is called {shown(pattern)}{did_you_mean(pattern, topics)}"
                )


def _fits_any(pattern: str, topics: Collection[str]) -> bool:
    """Return whether a route with ``pattern`` takes any of ``topics``, by the rule of ``worker.alerts``."""
    return any(fnmatchcase(topic.casefold(), pattern.casefold()) for topic in topics)


def silent_topics(
    document: Document, topics: Iterable[Placed[Topic]], routes: Iterable[Placed[Route]]
) -> Iterable[Problem]:
    """Yield a warning for every topic whose matches nobody would hear of."""
    patterns = [pattern for route in routes for pattern in route.value.topics or ("*",)]
    for topic in topics:
        if not topic.value.channels and not any(_fits_any(pattern, [topic.value.id]) for pattern in patterns):
            message = f"topic {topic.value.id} has no channels, and no route of alerts.yaml takes it: nobody is told"
            yield document.problem(topic.keys, message)


def hurried_feeds(part: Part[tuple[Placed[Feed], ...]], least: timedelta) -> Iterable[Problem]:
    """Yield a warning for every feed whose interval is shorter than the service allows."""
    for feed in part.value:
        if feed.value.interval < least:
            message = (
                f"interval: is shorter than polling.min_interval ({least.total_seconds():g}s), which holds instead"
            )
            yield part.document.problem((*feed.keys, "interval"), message)

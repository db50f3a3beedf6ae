"""Routes: which channels hear of an article of a topic."""

from __future__ import annotations

from collections.abc import Sequence

from worker.alerts.patterns import fits_any
from worker.alerts.policy import Route
from worker.model import Article, Topic


def channels_for(topic: Topic, article: Article, routes: Sequence[Route]) -> tuple[str, ...]:
    """Return the channels that hear of an article of a topic: the topic's own, else those of every route that fits."""
    if topic.channels:
        return topic.channels
    fitting = [route for route in routes if _fits(route, topic, article)]
    return tuple(dict.fromkeys(channel for route in fitting for channel in route.channels))


def _fits(route: Route, topic: Topic, article: Article) -> bool:
    return (
        fits_any(route.topics, topic.id)
        and fits_any(route.outlets, article.outlet)
        and (article.language is None or fits_any(route.languages, article.language))
    )

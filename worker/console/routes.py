"""All pages of the console, a module a subject."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from worker.console import articles, dead, deliveries, feeds, health, search, silences, stories, topics, workbench

ROUTES: Final[tuple[Route, ...]] = (
    *stories.ROUTES,
    *articles.ROUTES,
    *search.ROUTES,
    *topics.ROUTES,
    *workbench.ROUTES,
    *feeds.ROUTES,
    *deliveries.ROUTES,
    *dead.ROUTES,
    *silences.ROUTES,
    *health.ROUTES,
)

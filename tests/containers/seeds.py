"""The seeds as the rehearsal publishes them, and as they arrive."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from tests.processes import ROOT
from worker.replay.publisher import address
from worker.replay.recording import load

#: The ids of the seeds, by the path of their page at the publisher.
PATHS: Final = {address(article.url, ""): article.id for article in load(ROOT / "seeds").articles}


def arrived(kept: str) -> list[str]:
    """Return the ids of the seeds that alerts are about, in the order of coming; ``kept`` is a receiver's file."""
    return [PATHS[urlsplit(alert["url"]).path] for alert in _alerts(kept)]


def counted(kept: str) -> dict[str, int]:
    """Return how many articles of each story have been told of.

    That may be more than there are alerts: an article that comes while the alert of another one is on its way is
    counted by that.
    """
    stories: dict[str, int] = {}
    for alert in _alerts(kept):
        stories[alert["story"]] = max(stories.get(alert["story"], 0), alert["articles"])
    return stories


def all_told(kept: str) -> bool:
    """Return whether both stories of the seeds have been told, with all their articles."""
    return sorted(counted(kept).values()) == [2, 3]


def _alerts(kept: str) -> list[dict[str, Any]]:
    lines = kept.split("\n")[:-1]  # behind the last line's end stands what is being written
    return [json.loads(line)["event"]["data"] for line in lines]

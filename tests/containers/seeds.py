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
ALL: Final = frozenset(PATHS.values())


def arrived(kept: str) -> list[str]:
    """Return the ids of the seeds that a receiver has kept, in the order of their coming; ``kept`` is its file."""
    lines = kept.split("\n")[:-1]  # behind the last line's end stands what is being written
    return [PATHS[urlsplit(_event(line)["data"]["url"]).path] for line in lines]


def _event(line: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)["event"]
    return event

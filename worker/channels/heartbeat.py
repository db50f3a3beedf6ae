"""The heartbeat: a request to a service that notices when it stays away (https://healthchecks.io/docs/http_api/)."""

from __future__ import annotations

from typing import Final

import httpx

from worker.channels.base import Doubtful
from worker.channels.http import Line, address
from worker.errors import Retryable, Unusable

#: Seconds for the whole request: it is made between two ticks.
DEADLINE: Final = 5.0
_LIMIT: Final = 4096
_GOOD: Final = range(200, 300)


class Heartbeat:
    """Calls ``url``, which is a secret: whoever knows it can keep the alarm from going off."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport, user_agent: str) -> None:
        self._url = address("heartbeat.url", url, says=_says)
        self._line = Line(transport, says=_says, user_agent=user_agent, deadline=DEADLINE, doubt="")

    def ping(self) -> str:
        """Say that all is well, and return why that was not heard; empty when it was."""
        try:
            answer = self._line.ask("GET", self._url, headers={}, limit=_LIMIT)
        except (Retryable, Unusable, Doubtful) as error:
            return str(error)
        return "" if answer.status in _GOOD else _says(f"the server answered {answer.status}")


def _says(text: str) -> str:
    return f"heartbeat: {text}"

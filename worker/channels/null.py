"""A channel that takes everything and keeps nothing: where the canary's alerts end."""

from __future__ import annotations

from datetime import datetime

from worker.channels.base import NO_GAP, Found
from worker.model import Outgoing


class NullChannel:
    """Takes alerts. That they came so far stands in the ledger, as for every channel."""

    gap = NO_GAP

    def __init__(self, channel_id: str) -> None:
        self.id = channel_id

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Do nothing."""
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the same
        """Return that it has arrived: there is nothing that could be told twice."""
        return Found(arrived=True)

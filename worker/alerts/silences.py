"""Silences: what a person does not want to be told for a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from worker.alerts.clock import shown
from worker.alerts.patterns import fits
from worker.model import Silence


def silenced_by(
    silences: Iterable[Silence], *, topic_id: str, outlet: str, channel_id: str, story_id: str
) -> Silence | None:
    """Return the silence that keeps an alert from being told, ``None`` when none does; of several the one ending last.

    ``silences`` are those that hold now: see ``worker.ledger.silences.matching``.
    """
    found = [
        silence
        for silence in silences
        if fits(silence.topic, topic_id)
        and fits(silence.outlet, outlet)
        and fits(silence.channel, channel_id)
        and fits(silence.story, story_id)
    ]
    return max(found, key=lambda silence: (silence.ends_at, silence.id), default=None)


def said(silence: Silence, *, now: datetime) -> str:
    """Return a silence in words: ``silence 3 by anna until 12 Feb 14:05 UTC: maintenance``."""
    comment = " ".join(silence.comment.split())
    return f"silence {silence.id} by {silence.author} until {shown(silence.ends_at, now=now)}: {comment}"

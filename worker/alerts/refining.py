"""Topics that refine others: where both match, the channel hears of the narrower one only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.model import Match, Topic


def broader(topic_id: str, topics: Mapping[str, Topic]) -> frozenset[str]:
    """Return the topics that a topic refines, and those that they refine; none for a topic that is not known."""
    found: set[str] = set()
    rest = [topic_id]
    while rest:
        topic = topics.get(rest.pop())
        for name in topic.refines if topic else ():
            if name not in found:
                found.add(name)
                rest.append(name)
    return frozenset(found)


def narrowest_first(matches: Sequence[Match], topics: Mapping[str, Topic]) -> list[Match]:
    """Return matches in an order in which each topic comes before those that it refines."""
    return sorted(matches, key=lambda match: -len(broader(match.topic_id, topics)))

"""Bursts: one invented event, and eight reports of it at the same moment, for workers that join stories together.

The reports of an event are about the same invented names and words, and published at a time when nothing else happens:
whoever takes them one after the other makes one story of each event, which is not what is tested here. Run by ``work``
they go the way of every entry: claimed by lease, matched, joined to their story, and told.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from tests.builders import NOON, feed, topic
from tests.rows import new
from tests.service.entry import change
from worker.alerts.policy import Policy, Route
from worker.errors import LedgerAway
from worker.feeds.polling import Polling
from worker.ledger import entries, tables
from worker.ledger.engine import Ledger
from worker.model import Entry, Role
from worker.stages import placing, read
from worker.stages.pipeline import Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.response import Response

#: Reports of one event.
REPORTS: Final = 8
#: More than the window in which an article joins a story.
_APART: Final = timedelta(days=4)
#: Seconds that a lease lasts, so that what a killed worker had in hand is soon another's.
CONSTANTS: Final = {"worker.ledger.leases.LEASE": 2.0, "worker.ledger.leases.BASE": 0.05}
_ONSETS = (*"bcdfghjklmnprstvwz", "br", "dr", "gl", "kr", "pl", "tr", "st")
_VOWELS = (*"aeiou", "ai", "ea", "io", "ou")
#: N and a figure stand for a name of the event, w and a figure for a word of it.
_TITLES = (
    "Alarm at N1 over w1 w2",
    "N2 raises alarm over w1 w2 in N1",
    "N1: w2 alarm reaches N3",
    "Alarm in N1: w1 and N3",
)
_OPENINGS = (
    "The alarm was raised over w1 w2 near N1 on Monday by N2 of N3.",
    "N1 woke to an alarm on Monday when w1 w2 reached N3, N2 said.",
    "An alarm sent N2 to N1 on Monday, where N3 had found w1 and w2.",
    "It was N2 who gave the alarm at N1 on Monday: w1 w2, and N3 could do nothing.",
)
_SENTENCES = (
    "At N3 they had never seen so much w1 in w3, said N4.",
    "The w4 of N4 was closed, and N5 sent w3 for those who had to leave N1.",
    "Nobody in N5 would say whether the w2 had come from N3 or from the w5.",
    "N4 and N2 met in N1 in the evening to talk of w5 and of w1.",
    "What the w2 will cost N3 is unknown; N5 spoke of w4.",
    "Years ago N4 had warned N1 of w1 without w4.",
    "The people of N1 carried their w3 past the w5 of N3.",
    "N5 asked N2 for w4, w3 and w5 before the night.",
)


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A web that is not asked: the feed carries whole articles."""

    def get(self, url: str, **_: Any) -> Response:
        """Fail."""
        raise AssertionError(f"asked for {url}")


def reports(number: int) -> list[Entry]:
    """Return the eight reports of the event with this number, the same in every process."""
    chance = random.Random(f"burst {number}")  # noqa: S311 - invents words, guards nothing
    names = {f"N{at}": _word(chance).capitalize() for at in range(1, 6)}
    words = names | {f"w{at}": _word(chance) for at in range(1, 6)}
    return [_report(number, desk, words, chance) for desk in range(REPORTS)]


def _report(number: int, desk: int, words: Mapping[str, str], chance: random.Random) -> Entry:
    url = f"https://desk{desk}.example/{number}"
    frames = [_OPENINGS[desk % len(_OPENINGS)], *chance.sample(_SENTENCES, 5)]
    return Entry(
        feed_id="wire",
        key=url,
        url=url,
        title=_filled(_TITLES[desk % len(_TITLES)], words),
        text=" ".join(_filled(frame, words) for frame in frames),
        outlet=f"Desk {desk}",
        published_at=NOON - number * _APART + timedelta(seconds=desk),
        language="en",
    )


def _filled(frame: str, words: Mapping[str, str]) -> str:
    for sign, word in words.items():
        frame = frame.replace(sign, word)
    return frame


def _word(chance: random.Random) -> str:
    return "".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(4))


def fill(ledger: Ledger, bursts: int) -> None:
    """Have the reports of so many events due now, those of one event together."""
    with ledger.write() as t:
        entries.add(t, new(*(report for number in range(bursts) for report in reports(number))), now=NOON)


def pipeline(ledger: Ledger) -> Pipeline:
    """Return a pipeline that reads the bursts and tells of them on one channel, to which nothing is delivered."""
    watched = topic(id="alarm", topic="alarm", any=("alarm",))
    wire = feed(full_text=True)
    return Pipeline(
        feeds={wire.id: wire},
        topics={watched.id: watched},
        matcher=compile_topics([watched]),
        rarity=rarity.load(),
        routes=(Route(channels=("screen",)),),
        policy=Policy(per_hour=0),
        polling=Polling(first_poll="all"),
        ledger=ledger,
        web=Nowhere(),
        channels={},
        jitter=lambda: 0.0,
    )


def work(url: str) -> None:
    """Be a worker, until nothing is left to be read: one entry at a time, so that all workers are at one event."""
    change(CONSTANTS)
    ledger = Ledger(url, durable=False)
    p = pipeline(ledger)
    while left(ledger):
        try:
            if not read.run(p, now=ledger.clock(), limit=1):
                time.sleep(0.05)  # what is left is in the hands of others
        except LedgerAway:
            continue  # they hold it for longer than it waits
    ledger.close()


def work_unchecked(url: str) -> None:
    """Be a worker who does not ask whether others have joined meanwhile, for a negative control."""
    placing._has_changed = lambda *_: False
    work(url)


def left(ledger: Ledger) -> int:
    """Return how many entries are still to be read."""
    with ledger.read() as t:
        return t.execute(select(func.count()).where(tables.entry.c.work == tables.OPEN)).scalar_one()


@dataclass(slots=True)
class Joined:
    """What became of the bursts."""

    #: Events by the number of stories that they are.
    stories: Counter[int] = field(default_factory=Counter)
    #: Events by the number of their first alerts.
    told: Counter[int] = field(default_factory=Counter)
    #: Articles that are in no story, and entries that were given up.
    lost: int = 0
    #: Stories that hold articles of several events.
    mixed: int = 0


def joined(ledger: Ledger, bursts: int) -> Joined:
    """Return what became of so many bursts."""
    article, member, alert = tables.article, tables.member, tables.alert
    with ledger.read() as t:
        members = t.execute(select(article.c.url, member.c.story_id).join(member, member.c.article_id == article.c.id))
        of = {row.url: row.story_id for row in members}
        firsts = t.execute(select(alert.c.story_id).where(alert.c.role == Role.FIRST, alert.c.work != tables.OFF))
        told = Counter(firsts.scalars())
    found = Joined()
    events = Counter[str]()
    for number in range(bursts):
        ids: Sequence[str | None] = [of.get(report.url) for report in reports(number)]
        found.lost += ids.count(None)
        stories = {story_id for story_id in ids if story_id}
        found.stories[len(stories)] += 1
        found.told[sum(told[story_id] for story_id in stories)] += 1
        events.update(stories)
    found.mixed = sum(count > 1 for count in events.values())
    return found

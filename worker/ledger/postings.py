"""Postings: the rarest terms of the articles in stories, by which a story is found again.

However many stories there are, a search looks at no more than ``PER_TERM`` postings of each term that is asked for: the
newest within the time that is asked for, since what a term meant lately is what it means now.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import bindparam, insert, update

from worker.ledger import ready
from worker.ledger.engine import Transaction
from worker.ledger.leases import walk_indexes
from worker.ledger.ready import Ready
from worker.ledger.tables import Instant, posting

#: How long a posting is kept: nothing looks further back (``worker.stories.joining.HORIZON``).
KEPT: Final = timedelta(days=90)
#: Postings of a term that are looked at. Among 10,000 stories the right one was among the best eight in 99 of 100
#: searches, with 16 as with 64.
PER_TERM: Final = 24
#: A story that shares less than this part of what the best one shares is not looked at: the stories that come of it are
#: as good, at half the comparisons.
_ENOUGH: Final = 0.2
# The search is written in the database's own way and not bound by SQLAlchemy, which would take as long to look its many
# parameters over as the database takes to run it. So its times have to be made what the database has.
_INSTANT: Final = Instant()


def add(t: Transaction, article_id: str, terms: Iterable[str], *, story_id: str, at: datetime) -> None:
    """Record the terms by which a story is found: those of one of its articles, which was published ``at``."""
    rows = [{"article_id": article_id, "term": term, "at": at, "story_id": story_id} for term in dict.fromkeys(terms)]
    if rows:
        _INSERTION.run_all(t, rows)


def move(t: Transaction, articles: Mapping[str, str]) -> None:
    """Have the terms of articles lead to other stories, given by the ids of the articles."""
    if articles:
        _MOVING.run_all(t, [{"article": article_id, "to": story_id} for article_id, story_id in articles.items()])


def best(t: Transaction, weights: Mapping[str, float], *, since: datetime, until: datetime, limit: int) -> list[str]:
    """Return the ids of the at most ``limit`` stories that share the most with an article, best first.

    ``weights`` are the article's terms, each with its rarity in news. A term counts for less the more stories it was
    found in, because everybody has it just now. Stories that share much less than the best one are left out. Only
    articles published from ``since`` to ``until`` are looked at.
    """
    terms = list(weights)
    if not terms:
        return []
    walk_indexes(t)
    first, last = (_INSTANT.process_bind_param(at, t.dialect) for at in (since, until))
    values = tuple(value for term in terms for value in (term, first, last))
    # A story counts once for a term, however many of its articles have it.
    found = dict.fromkeys(map(tuple, ready.rows(t, _search(len(terms), _PLACE[t.dialect.name]), values)))
    stories = Counter(map(itemgetter(0), found))
    weight = {number: weights[terms[number]] * math.log(1 + 2 * PER_TERM / count) for number, count in stories.items()}
    scores: defaultdict[str, float] = defaultdict(float)
    for number, story_id in found:
        scores[story_id] += weight[number]
    enough = _ENOUGH * max(scores.values(), default=0.0)
    good = [story_id for story_id, score in scores.items() if score >= enough]
    return sorted(good, key=lambda story_id: (-scores[story_id], story_id))[:limit]


def _moving(_: str) -> Any:  # noqa: ANN401 - an UPDATE
    return update(posting).where(posting.c.article_id == bindparam("article")).values(story_id=bindparam("to"))


@cache
def _search(terms: int, place: str) -> str:
    """Return the search for so many terms, where ``place`` stands for a value. The index has all that it asks for."""
    newest = (
        f"SELECT * FROM (SELECT {number} AS asked, story_id FROM posting WHERE term = {place} "  # noqa: S608 - numbers
        f"AND at >= {place} AND at <= {place} ORDER BY at DESC, story_id DESC LIMIT {PER_TERM}) AS newest{number}"
        for number in range(terms)
    )
    return " UNION ALL ".join(newest)


_MOVING: Final = Ready(_moving)
_INSERTION: Final = Ready(lambda _: insert(posting), "article_id", "term", "at", "story_id")
#: Where a value goes, as sqlite3 and psycopg have it.
_PLACE: Final = {"sqlite": "?", "postgresql": "%s"}

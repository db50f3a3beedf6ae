"""Postings: the rarest terms of the articles in stories, by which a story is found again.

However many stories there are, a search looks at no more than ``PER_TERM`` postings of each term that is asked for: the
newest within the time that is asked for, since what a term meant lately is what it means now.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import insert, text

from worker.ledger.engine import Transaction
from worker.ledger.leases import walk_indexes
from worker.ledger.tables import Instant, posting

#: How long a posting is kept: nothing looks further back (``worker.stories.joining.HORIZON``).
KEPT: Final = timedelta(days=90)
#: Postings of a term that are looked at. Among 10,000 stories the right one was among the best eight in 99 of 100
#: searches, with 16 as with 64.
PER_TERM: Final = 24
#: A story that shares less than this part of what the best one shares is not looked at: the stories that come of it are
#: as good, at half the comparisons.
_ENOUGH: Final = 0.2
# A time stands in the search once for each term: it is made what the database has only once.
_INSTANT: Final = Instant()


def add(t: Transaction, article_id: str, terms: Sequence[str], *, at: datetime) -> None:
    """Record the terms by which the story of an article that was published ``at`` is found."""
    if terms:
        t.execute(_insertion(), [{"article_id": article_id, "term": term, "at": at} for term in dict.fromkeys(terms)])


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
    values: dict[str, Any] = {f"term{number}": term for number, term in enumerate(terms)}
    found: defaultdict[int, list[str]] = defaultdict(list)
    values |= {name: _INSTANT.process_bind_param(at, t.dialect) for name, at in (("since", since), ("until", until))}
    rows = t.execute(_search(len(terms)), values).all()
    for number, story_id in rows:
        found[number].append(story_id)
    scores: defaultdict[str, float] = defaultdict(float)
    for number, story_ids in found.items():
        weight = weights[terms[number]] * math.log(1 + 2 * PER_TERM / len(story_ids))
        for story_id in story_ids:
            scores[story_id] += weight
    enough = _ENOUGH * max(scores.values(), default=0.0)
    good = [story_id for story_id, score in scores.items() if score >= enough]
    return sorted(good, key=lambda story_id: (-scores[story_id], story_id))[:limit]


@cache
def _insertion() -> Any:  # noqa: ANN401 - an INSERT
    return insert(posting)


@cache
def _search(terms: int) -> Any:  # noqa: ANN401 - a SELECT
    """Return the search for so many terms. As SQL: to look it over would take SQLAlchemy as long as to run it."""
    newest = (
        f"SELECT * FROM (SELECT {number} AS asked, article_id FROM posting WHERE term = :term{number} "  # noqa: S608 - numbers
        f"AND at >= :since AND at <= :until ORDER BY at DESC LIMIT {PER_TERM}) AS newest{number}"
        for number in range(terms)
    )
    shared = f"SELECT DISTINCT shared.asked, member.story_id FROM ({' UNION ALL '.join(newest)}) AS shared "  # noqa: S608
    joined = f"{shared}JOIN member ON member.article_id = shared.article_id"
    return text(joined)

"""The archive: every article that is kept, found again by its words.

Words are compared without case; on SQLite without accents, too. Nobody's words are a syntax error: what is no word is
passed over. Both databases keep an index of words that changes with the articles (migration 0007).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    Text,
    column,
    func,
    literal_column,
    select,
    table,
    tuple_,
    type_coerce,
)

from worker.ledger.article_rows import article_from_row
from worker.ledger.engine import Transaction
from worker.ledger.entries import evidence_from_json
from worker.ledger.tables import Instant, article, match, member
from worker.model import Article, Evidence

#: Articles on one page of results.
PAGE: Final = 25
#: Units of a search that are looked at, and characters of a unit.
_UNITS: Final = 16
_UNIT: Final = 200
#: A phrase in quotes (straight or curly, closed or not), or a word; before it a minus, after a word an asterisk.
_PART: Final = re.compile(r'(?P<not>(?<!\S)-)?(?:["“”„](?P<phrase>[^"“”„]*)["“”„]?|(?P<word>[^\s"“”„]+))')
_WORDY: Final = re.compile(r"[^\W_]")
#: What neither database can be given: half a pair of characters, and the character 0.
_UNTOLD: Final = re.compile("[\x00\ud800-\udfff]")
#: Punctuation that would have PostgreSQL take several words for one: as in the index.
_PARTED: Final = str.maketrans("-/.@_:+&=?#~", " " * 12)
_CURSOR: Final = re.compile(r"\d{1,18}(?:~.{1,400})?", re.DOTALL)

#: SQLite's: the words, and the numbers by which they know articles. Neither is in ``tables``: PostgreSQL has none.
_archive = table("archive", column("rowid", Integer), column("archive", Text))
_archived = table(
    "archived",
    column("id", Integer),
    column("article_id", Text),
    column("outlet", Text),
    column("published_at", Instant),
)
_OURS: Final = re.compile(r"archive(d|_\w+)?|ix_article_words")
#: PostgreSQL's: the same expression as that of the index, and so without a parameter in it.
_WORDS: Final[ColumnElement[Any]] = literal_column(
    "to_tsvector('simple', translate(left(article.title, 1000) || ' ' || left(article.text, 100000), "
    "'-/.@_:+&=?#~', '            '))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Words that must stand in an article one after another; a single word is one, too."""

    text: str
    #: Articles with it are left out.
    excluded: bool = False
    #: The last word may go on: ``negotia*``.
    prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An article that was found."""

    article: Article
    story_id: str | None
    #: The topics that it matched, and on what evidence, the best first.
    matches: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page of what was found, the articles read last first."""

    hits: tuple[Hit, ...]
    #: What the next page is asked with; empty after the last one.
    after: str = ""


def compared(name: str | None, type_: str, parents: object) -> bool:  # noqa: ARG001 - Alembic's ``include_name``
    """Return whether Alembic compares something by this name with ``tables``: not what belongs to an index of words."""
    return name is None or _OURS.fullmatch(name) is None


def units(query: str) -> tuple[Unit, ...]:
    """Return what a person has asked for: words and "exact phrases", -without, and begin* of a word."""
    found = []
    for part in _PART.finditer(_UNTOLD.sub(" ", query)):
        text = (part["phrase"] if part["word"] is None else part["word"])[:_UNIT]
        if _WORDY.search(text):
            prefix = part["word"] is not None and text.endswith("*")
            found.append(Unit(text=text.strip(), excluded=part["not"] is not None, prefix=prefix))
    return tuple(found[:_UNITS])


def search(
    t: Transaction,
    wanted: Iterable[Unit] = (),
    *,
    outlet: str = "",
    topic: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    after: str = "",
    limit: int = PAGE,
) -> Hits:
    """Return a page of the articles with all that is ``wanted``, those read last first.

    Args:
        t: The transaction.
        wanted: What they say, as ``units`` gives it; without a unit that is not excluded nothing is asked of words.
        outlet: Who has published them; empty for everybody.
        topic: The topic that they have matched; empty for any and none.
        since: Published at this time or later.
        until: Published before this time.
        after: ``Hits.after`` of the page before; what is no such thing asks for the first page.
        limit: Articles on the page.
    """
    asked = tuple(wanted)
    cursor = after if _CURSOR.fullmatch(after) else ""
    way = _on_postgres if t.dialect.name == "postgresql" else _on_sqlite
    query, mark = way(asked, cursor)
    place = article if t.dialect.name == "postgresql" else _archived
    if outlet:
        query = query.where(place.c.outlet == outlet)
    if since is not None:
        query = query.where(place.c.published_at >= since)
    if until is not None:
        query = query.where(place.c.published_at < until)
    if topic:
        of = place.c.id if place is article else place.c.article_id
        query = query.where(of.in_(select(match.c.article_id).where(match.c.topic_id == topic)))
    rows = t.execute(query.limit(limit + 1)).all()
    chosen = rows[:limit]
    hits = _hits(t, [row.article_id for row in chosen])
    return Hits(hits=hits, after=mark(chosen[-1]) if len(rows) > limit else "")


def _on_sqlite(asked: tuple[Unit, ...], cursor: str) -> tuple[Select[Any], Any]:
    """Return the query for the numbers of articles, newest first, and what makes a cursor of its last row."""
    said = _said(asked)
    query = select(_archived.c.id.label("number"), _archived.c.article_id)
    number = _archived.c.id
    if said:
        number = _archive.c.rowid
        query = query.select_from(_archive.join(_archived, _archived.c.id == _archive.c.rowid))
        query = query.where(_archive.c.archive.op("MATCH")(said))
    if cursor:
        query = query.where(number < int(cursor.partition("~")[0]))
    return query.order_by(number.desc()), lambda row: str(row.number)


def _said(asked: tuple[Unit, ...]) -> str:
    """Return a query of FTS5, in which all that people have written stands in quotes.

    Source: https://www.sqlite.org/fts5.html#full_text_query_syntax
    """
    good = " AND ".join(_quoted(unit) for unit in asked if not unit.excluded)
    bad = " OR ".join(_quoted(unit) for unit in asked if unit.excluded)
    return f"({good}) NOT ({bad})" if good and bad else good


def _quoted(unit: Unit) -> str:
    text = unit.text.removesuffix("*") if unit.prefix else unit.text
    return '"' + text.replace('"', '""') + '"' + ("*" if unit.prefix else "")


def _on_postgres(asked: tuple[Unit, ...], cursor: str) -> tuple[Select[Any], Any]:
    """Return the same for PostgreSQL, which has no numbers: there the time of reading and the id are the cursor."""
    moment = type_coerce(article.c.read_at, BigInteger)
    query = select(article.c.id.label("article_id"), moment.label("moment"))
    if any(not unit.excluded for unit in asked):
        for unit in asked:
            found = _WORDS.op("@@")(_phrase(unit))
            query = query.where(~found if unit.excluded else found)
    if cursor:
        at, _, article_id = cursor.partition("~")
        query = query.where(tuple_(moment, article.c.id) < tuple_(int(at), article_id))
    return query.order_by(article.c.read_at.desc(), article.c.id.desc()), _mark


def _mark(row: Row[Any]) -> str:
    return f"{row.moment}~{row.article_id}"


def _phrase(unit: Unit) -> ColumnElement[Any]:
    # Of a phrase only the last word goes on.
    parts = [f"'{part}'" for part in re.findall(r"[^\W_]+", unit.text)]
    if not unit.prefix or not parts:
        return func.phraseto_tsquery(literal_column("'simple'"), unit.text.translate(_PARTED))
    return func.to_tsquery(literal_column("'simple'"), " <-> ".join([*parts[:-1], f"{parts[-1]}:*"]))


def _hits(t: Transaction, ids: list[str]) -> tuple[Hit, ...]:
    found = {row.id: article_from_row(row) for row in t.execute(select(article).where(article.c.id.in_(ids)))}
    joined = select(member.c.article_id, member.c.story_id).where(member.c.article_id.in_(ids))
    stories = {row.article_id: row.story_id for row in t.execute(joined)}
    matches: dict[str, dict[str, tuple[Evidence, ...]]] = {}
    best = select(match.c.article_id, match.c.topic_id, match.c.evidence).where(match.c.article_id.in_(ids))
    for row in t.execute(best.order_by(match.c.matched_at)):
        matches.setdefault(row.article_id, {})[row.topic_id] = evidence_from_json(row.evidence)
    return tuple(
        Hit(article=found[article_id], story_id=stories.get(article_id), matches=matches.get(article_id, {}))
        for article_id in ids
        if article_id in found
    )

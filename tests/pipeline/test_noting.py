"""Writing down what was read: what nothing follows from together, and each of it as if it were alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.engine import Engine

from tests.builders import NOON, at, entry, topic
from tests.pipeline.conftest import House, ScriptedWeb
from tests.pipeline.test_stages import HARVEST, MISSILES
from tests.rows import new
from worker.alerts.policy import Policy, Route
from worker.errors import Retryable
from worker.feeds.polling import Polling
from worker.ledger import decided, entries, tables
from worker.ledger.engine import Ledger, open_file
from worker.ledger.leases import LEASE, Claim
from worker.ledger.tables import article as article_table
from worker.ledger.tables import entry as entry_table
from worker.model import Reason
from worker.stages import noting
from worker.stages.noting import Read, Reading
from worker.stages.pipeline import Outcome, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics

_RARITY = rarity.load()
_WATCHED = topic()
#: What came of a page: its text, and where it was found.
Page = tuple[str, str]


def _queue(ledger: Ledger, count: int) -> list[Claim[entries.Due]]:
    """Queue entries 1 to ``count`` at noon, and claim them."""
    with ledger.write() as t:
        entries.add(t, new(*(entry(n) for n in range(1, count + 1))), now=NOON)
    with ledger.write() as t:
        return entries.claim(t, now=NOON, limit=count)


def _read(claim: Claim[entries.Due], text: str = HARVEST, page: str = "", **changes: Any) -> Read:
    base: dict[str, Any] = {
        "title": claim.value.entry.title,
        "text": text,
        "language": "en",
        "published_at": NOON,
        "source": Reason.PAGE,
        "page": page or claim.value.entry.url,
    }
    return Read(claim=claim, result=Reading(**base | changes))


def _reasons(outcomes: Iterable[Outcome]) -> list[Reason]:
    return [outcome.reason for outcome in outcomes]


def _commits(work: Callable[[], object]) -> int:
    """Return how many transactions ``work`` has committed."""
    seen: list[object] = []

    def count(connection: object) -> None:
        seen.append(connection)

    event.listen(Engine, "commit", count)
    try:
        work()
    finally:
        event.remove(Engine, "commit", count)
    return len(seen)


def test_articles_that_match_nothing_are_written_in_one_transaction(house: House) -> None:
    """Nine of them cost one commit, and each has its article and its end."""
    claims = _queue(house.p.ledger, 9)
    outcomes: list[Outcome] = []
    commits = _commits(lambda: outcomes.extend(noting.note(house.p, map(_read, claims), now=NOON)))
    assert commits == 1
    assert _reasons(outcomes) == [Reason.PAGE] * 9
    assert [outcome.subject for outcome in outcomes] == [one.value.entry.url for one in claims]
    with house.p.ledger.read() as t:
        kept = entries.known_articles(t, [str(outcome.facts["article"]) for outcome in outcomes])
        assert len(kept) == 9
        assert {row.work for row in t.execute(select(entry_table))} == {tables.DONE}


def test_an_entry_that_was_taken_meanwhile_keeps_no_neighbour_from_being_written(house: House) -> None:
    """Its lease ran out and another worker has it: that one's work counts, and the others' is kept."""
    mine = _queue(house.p.ledger, 3)
    with house.p.ledger.write() as t:
        (theirs,) = entries.claim(t, now=NOON + LEASE, limit=1)
    outcomes = noting.note(house.p, map(_read, mine), now=at(3))
    lost = [outcome for outcome in outcomes if outcome.reason is Reason.RETRY]
    assert sorted(_reasons(outcomes)) == sorted([Reason.PAGE, Reason.PAGE, Reason.RETRY])
    assert [outcome.subject for outcome in lost] == [theirs.value.entry.url]
    assert "lease" in lost[0].detail
    with house.p.ledger.read() as t:
        open_ = t.execute(select(entry_table.c.id).where(entry_table.c.work == tables.OPEN)).scalars().all()
        assert open_ == [theirs.id]
        kept = set(t.execute(select(article_table.c.id)).scalars())
    assert kept == {outcome.facts["article"] for outcome in outcomes if outcome not in lost}
    assert _reasons(noting.note(house.p, [_read(theirs)], now=at(3))) == [Reason.PAGE]


def test_of_two_entries_with_one_page_the_first_is_the_article(house: House) -> None:
    """Both lead to it, and only one text is kept, whichever addresses they came by."""
    first, second = _queue(house.p.ledger, 2)
    page = "https://wire.example/moved"
    outcomes = noting.note(house.p, [_read(first, page=page), _read(second, page=page)], now=NOON)
    assert _reasons(outcomes) == [Reason.PAGE, Reason.DUPLICATE]
    assert {outcome.facts["article"] for outcome in outcomes} == {noting.article_id(first.value.entry)}


def test_what_was_read_first_is_written_first_also_before_one_that_matches(house: House) -> None:
    """A page that another entry has led to already is told of nobody, though this entry's title would match."""
    first, second = _queue(house.p.ledger, 2)
    page = "https://wire.example/moved"
    plain, matching = _read(first, page=page), _read(second, MISSILES, page=page)
    assert _reasons(noting.note(house.p, [plain, matching], now=NOON)) == [Reason.PAGE, Reason.DUPLICATE]
    with house.p.ledger.read() as t:
        assert decided.about(t, noting.article_id(first.value.entry)) == []


def test_what_matches_is_told_although_others_are_written_with_it(house: House) -> None:
    """An article in the midst of plain ones has its story and its alert."""
    claims = _queue(house.p.ledger, 3)
    texts = (HARVEST, MISSILES, HARVEST)
    outcomes = noting.note(house.p, [_read(*each) for each in zip(claims, texts, strict=True)], now=NOON)
    assert [outcome.facts["topics"] for outcome in outcomes] == ["", "missiles", ""]
    with house.p.ledger.read() as t:
        assert len(decided.about(t, str(outcomes[1].facts["article"]))) == 1


_PAGES: st.SearchStrategy[Sequence[Page | str | None]] = st.lists(
    st.one_of(
        st.none(),
        st.just("nothing"),
        st.tuples(
            st.sampled_from([HARVEST, MISSILES]), st.sampled_from(["", "https://wire.example/a", "https://b.example/"])
        ),
    ),
    min_size=1,
    max_size=7,
)


@given(pages=_PAGES)
def test_what_is_written_together_is_as_if_each_had_been_written_alone(pages: Sequence[Page | str | None]) -> None:
    """Any mix of pages, of pages without text and of failures: the outcomes and every table are the same."""
    together = _after(pages, lambda p, done: noting.note(p, done, now=at(1)))
    alone = _after(pages, lambda p, done: [outcome for one in done for outcome in noting.note(p, [one], now=at(1))])
    assert together == alone


def _after(
    pages: Sequence[Page | str | None], work: Callable[[Pipeline, Sequence[Read]], list[Outcome]]
) -> tuple[list[Outcome], dict[str, list[tuple[Any, ...]]]]:
    """Return the outcomes of reading these pages, and what stands in the ledger afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_file(Path(folder) / "l.sqlite", durable=False)) as ledger,
    ):
        claims = _queue(ledger, len(pages))
        done = [_result(claim, page) for claim, page in zip(claims, pages, strict=True)]
        outcomes = work(_pipeline(ledger), done)
        with ledger.read() as t:
            # Whatever differs from run to run, such as the token of a lease, is gone by now.
            held = {
                table.name: sorted(map(tuple, t.execute(select(table))), key=repr)
                for table in tables.metadata.sorted_tables
            }
        return outcomes, held


def _result(claim: Claim[entries.Due], page: Page | str | None) -> Read:
    if page is None:
        return Read(claim=claim, result=Retryable("the server answered 503"))
    if isinstance(page, str):
        return _read(claim, "", title="", source=Reason.FEED_TEXT, detail="not-html")
    text, found_at = page
    return _read(claim, text, page=found_at)


def _pipeline(ledger: Ledger) -> Pipeline:
    return Pipeline(
        feeds={},
        topics={_WATCHED.id: _WATCHED},
        matcher=compile_topics([_WATCHED]),
        rarity=_RARITY,
        routes=(Route(channels=("screen",)),),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=ScriptedWeb(),
        channels={},
        jitter=lambda: 0.0,
    )

"""The archive on both databases: what is found, in which order, and that nobody's words are a syntax error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.builders import NOON, article, at, match
from worker.ledger import archive, entries
from worker.ledger.engine import Ledger

TEXT = "Tehran says its missile programme is non-negotiable. Talks may go on without it."


def keep(ledger: Ledger, *several: dict[str, Any]) -> None:
    """Record articles, numbered from 1, one a minute."""
    with ledger.write() as t:
        for number, changes in enumerate(several, start=1):
            entries.add_article(t, article(number, **changes), now=at(number))


def found(ledger: Ledger, query: str, **narrowed: Any) -> list[str]:
    """Return the ids of what a search finds on its first page."""
    with ledger.read() as t:
        return [hit.article.id for hit in archive.search(t, archive.units(query), **narrowed).hits]


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        pytest.param("missile", True, id="word"),
        pytest.param("MISSILE", True, id="without-case"),
        pytest.param("missil", False, id="part-of-a-word"),
        pytest.param("missil*", True, id="beginning"),
        pytest.param("tehran talks", True, id="all-words"),
        pytest.param("tehran budget", False, id="a-word-that-is-missing"),
        pytest.param('"missile programme"', True, id="phrase"),
        pytest.param('"programme missile"', False, id="phrase-in-another-order"),
        pytest.param("“missile programme”", True, id="curly-quotes"),
        pytest.param('"missile programme', True, id="quote-left-open"),
        pytest.param("non-negotiable", True, id="hyphen"),
        pytest.param("negotiable", True, id="second-half-of-a-hyphen"),
        pytest.param("missile -talks", False, id="excluded"),
        pytest.param("missile -budget", True, id="excluded-and-absent"),
        pytest.param('missile -"talks must"', True, id="excluded-phrase"),
        pytest.param("-missile", True, id="only-excluded-asks-nothing"),
        pytest.param("headline", True, id="title"),
        pytest.param("missile AND budget", False, id="and-is-a-word"),
        pytest.param("missile NOT talks", False, id="not-is-a-word"),
        pytest.param('title:"missile"', False, id="no-columns"),
        pytest.param("negot*", True, id="beginning-of-a-second-half"),
        pytest.param("non-negot*", True, id="beginning-of-a-phrase"),
    ],
)
def test_words_and_phrases_find_what_says_them(either_ledger: Ledger, query: str, finds: bool) -> None:
    """The same on both databases."""
    keep(either_ledger, {"text": TEXT})
    assert found(either_ledger, query) == (["a-1"] if finds else [])


def test_what_is_parted_by_signs_is_found_by_its_parts(either_ledger: Ledger) -> None:
    """PostgreSQL would take each of these for one word of its own kind: a path, a host, an address."""
    keep(
        either_ledger,
        {"text": "carrots/sticks, see wire.example/story or mail desk@wire.example about U.S.-Iran_talks"},
    )
    for query in ("sticks", "story", "wire", "desk", "iran", "talks", '"wire example"', "carrots/sticks"):
        assert found(either_ledger, query) == ["a-1"], query


def test_an_article_is_found_by_what_it_says_now_and_not_after_it_is_erased(either_ledger: Ledger) -> None:
    """The words follow the article in the same transaction."""
    keep(either_ledger, {"text": TEXT}, {"text": "A budget."})
    with either_ledger.write() as t:
        entries.change_article(t, article(1, text="A truce."), now=at(9))
    assert found(either_ledger, "missile") == []
    assert found(either_ledger, "truce") == ["a-1"]
    with either_ledger.write() as t:
        t.execute(text("DELETE FROM article WHERE id = 'a-1'"))
    assert found(either_ledger, "truce") == []
    assert found(either_ledger, "budget") == ["a-2"]


def test_a_transaction_that_is_rolled_back_leaves_no_words(either_ledger: Ledger) -> None:
    """Neither the article nor a way to it."""
    with pytest.raises(RuntimeError), either_ledger.write() as t:
        entries.add_article(t, article(1, text=TEXT), now=NOON)
        raise RuntimeError
    assert found(either_ledger, "missile") == []
    keep(either_ledger, {"text": TEXT})
    assert found(either_ledger, "missile") == ["a-1"]


def test_what_was_read_last_comes_first_and_pages_meet_without_a_gap(either_ledger: Ledger) -> None:
    """Every article is on exactly one page, also when others come in between two pages."""
    keep(either_ledger, *({"text": TEXT} for _ in range(11)))
    seen, after = [], ""
    for page in range(9):
        with either_ledger.read() as t:
            hits = archive.search(t, archive.units("missile"), after=after, limit=3)
        seen += [hit.article.id for hit in hits.hits]
        after = hits.after
        with either_ledger.write() as t:
            entries.add_article(t, article(100 + page, text=TEXT), now=at(100 + page))
        if not after:
            break
    assert seen == [f"a-{number}" for number in range(11, 0, -1)]


def test_a_search_is_narrowed_by_outlet_topic_and_day(either_ledger: Ledger) -> None:
    """All of them hold together, with words and without."""
    later = NOON + timedelta(days=2)
    keep(either_ledger, {"text": TEXT}, {"text": TEXT, "outlet": "Courier"}, {"text": "x", "published_at": later})
    with either_ledger.write() as t:
        entries.add_match(t, match(2), now=NOON)
    assert found(either_ledger, "missile", outlet="Courier") == ["a-2"]
    assert found(either_ledger, "missile", topic="missiles") == ["a-2"]
    assert found(either_ledger, "missile", topic="other") == []
    assert found(either_ledger, "", since=later) == ["a-3"]
    assert found(either_ledger, "", until=later, outlet="Wire") == ["a-1"]
    assert found(either_ledger, "") == ["a-3", "a-2", "a-1"]


def test_a_hit_says_what_it_matched_and_in_which_story_it_is(either_ledger: Ledger) -> None:
    """With the evidence of the match."""
    keep(either_ledger, {})
    with either_ledger.write() as t:
        entries.add_match(t, match(1), now=NOON)
    with either_ledger.read() as t:
        (hit,) = archive.search(t, archive.units("missiles")).hits
    assert hit.matches == {"missiles": match(1).evidence}
    assert hit.story_id is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.text(max_size=60)
    | st.lists(
        st.sampled_from(['"', "'", "*", "-", "(", "AND", "NOT", "NEAR", ":", "\\", "^", "&", "|", "!", "a", " "])
    ).map("".join)
)
def test_no_words_are_a_syntax_error(either_ledger: Ledger, query: str) -> None:
    """Whatever somebody types is answered, also by itself as a cursor."""
    with either_ledger.read() as t:
        archive.search(t, archive.units(query), after=query, outlet="x")
    quoted = f'"{query}'
    with either_ledger.read() as t:
        archive.search(t, archive.units(quoted))


@pytest.mark.parametrize(
    ("said", "finds"),
    [('a" OR "missile', False), ("missile' | 'x", False), ("missile:*", True), ('"', False), ("missile'::x", False)],
)
def test_a_unit_is_never_more_than_its_words(either_ledger: Ledger, said: str, finds: bool) -> None:
    """Whoever makes one: no sign in it is an operator."""
    keep(either_ledger, {"text": TEXT})
    with either_ledger.read() as t:
        for prefix in (False, True):
            found = archive.search(t, [archive.Unit(text=said, prefix=prefix)]).hits
            assert [hit.article.id for hit in found] == (["a-1"] if finds else [])


def test_both_databases_answer_from_their_index_of_words(either_ledger: Ledger) -> None:
    """Not by reading every article."""
    keep(either_ledger, {"text": TEXT})
    with either_ledger.read() as t:
        postgres = t.dialect.name == "postgresql"
        if postgres:
            t.execute(text("SET LOCAL enable_seqscan = off"))
            t.execute(text("SET LOCAL enable_indexscan = off"))
        query, _ = (archive._on_postgres if postgres else archive._on_sqlite)(archive.units("missile"), "")
        explain = "EXPLAIN " if postgres else "EXPLAIN QUERY PLAN "
        compiled = query.compile(t, compile_kwargs={"literal_binds": True})
        plan = str(t.exec_driver_sql(explain + str(compiled)).all())
    assert ("ix_article_words" if postgres else "VIRTUAL TABLE INDEX") in plan
    assert postgres or "SCAN article" not in plan


def test_numbers_of_articles_survive_a_vacuum(ledger: Ledger, tmp_path: Any) -> None:
    """A copy made by VACUUM INTO, as a backup is, finds the right articles."""
    import sqlite3

    keep(ledger, *({"text": f"word{number}"} for number in range(1, 6)))
    with ledger.write() as t:
        t.execute(text("DELETE FROM article WHERE id IN ('a-1', 'a-3')"))
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("VACUUM")
        connection.execute("INSERT INTO archive (archive) VALUES ('integrity-check')")
    connection.close()
    assert found(ledger, "word4") == ["a-4"]
    assert found(ledger, "word3") == []

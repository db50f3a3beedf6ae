"""An entry is known by every name that its feed may give it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, feed
from worker.feeds.items import Item, entries
from worker.feeds.titles import normal_title
from worker.model import Entry


def made(*items: Item, home: str = "https://wire.example/") -> tuple[Entry, ...]:
    """Return the entries of a document with these items."""
    return entries(items, feed=feed(), home=home, language=None)


def aliases(*items: Item, home: str = "https://wire.example/") -> dict[str, tuple[str, ...]]:
    """Return the identities of entries by their titles."""
    return {entry.title: entry.aliases for entry in made(*items, home=home)}


def test_an_entry_is_known_by_guid_link_and_dated_title() -> None:
    """The key comes first; tracking parameters and the scheme are no part of an identity."""
    (entry,) = made(Item(guid="g1", link="http://www.wire.example/1?utm_source=x", title="One", published_at=NOON))
    assert entry.key == "g1"
    assert entry.aliases[:2] == ("g1", "https://wire.example/1")
    assert entry.aliases[2].startswith("title:")
    assert len(entry.aliases) == 3


def test_the_title_is_an_identity_only_together_with_its_time() -> None:
    """The same headline at another time is another article; spelled another way it is the same."""
    titles = [("Talks end", NOON), ("TALKS END!", NOON), ("Talks end", NOON + timedelta(hours=1)), ("Talks end", None)]
    first, same, later, undated = (
        made(Item(guid="g", link="https://wire.example/1", title=title, published_at=when))[0].aliases
        for title, when in titles
    )
    assert first == same
    assert first[2] != later[2]
    assert len(undated) == 2


def test_a_link_that_entries_share_identifies_none_of_them() -> None:
    """The updates of a live blog all link to one page."""
    blog = "https://wire.example/live"
    names = aliases(
        Item(guid="1", link=blog, title="a"), Item(guid="2", link=blog, title="b"), Item(guid="3", link="/3", title="c")
    )
    assert names == {"a": ("1",), "b": ("2",), "c": ("3", "https://wire.example/3")}


@pytest.mark.parametrize(
    "link", ["https://wire.example/", "http://www.wire.example", "https://wire.example/news?utm_x=1"]
)
def test_a_link_to_the_home_page_identifies_nothing(link: str) -> None:
    """Neither the root of a site nor the page of the whole channel is an article."""
    assert aliases(Item(guid="1", link=link, title="a"), home="https://wire.example/news") == {"a": ("1",)}


def test_entries_without_guid_that_link_home_are_known_by_their_titles() -> None:
    """Otherwise a feed of ten headlines would be one entry."""
    keys = [e.key for e in made(*(Item(link="https://wire.example/", title=title) for title in "abc"))]
    assert len(set(keys)) == 3
    assert all(key.startswith("title:") for key in keys)


def test_a_guid_that_three_entries_with_different_links_share_is_none() -> None:
    """Some software writes one guid on everything."""
    items = [Item(guid="same", link=f"https://wire.example/{n}", title=f"t{n}") for n in range(3)]
    assert sorted(e.key for e in made(*items)) == [f"https://wire.example/{n}" for n in range(3)]
    assert all("same" not in e.aliases for e in made(*items))


def test_entries_with_one_guid_are_one_entry() -> None:
    """Al-Monitor repeats a guid four times in one document, with one link."""
    (entry,) = made(*(Item(guid="same", link=f"https://wire.example/1?utm_x={n}", title=f"t{n}") for n in range(4)))
    assert (entry.title, entry.aliases) == ("t0", ("same", "https://wire.example/1"))


def test_of_entries_with_one_guid_the_newest_wins() -> None:
    """By their dates, wherever they stand; by their order when they have none."""
    old, new = (
        Item(guid="g", title="old", published_at=NOON),
        Item(guid="g", title="new", published_at=NOON + timedelta(1)),
    )
    assert [e.title for e in made(old, new)] == [e.title for e in made(new, old)] == ["new"]
    assert [e.title for e in made(Item(guid="g", title="first"), Item(guid="g", title="second"))] == ["first"]


def test_twins_are_not_known_by_their_title() -> None:
    """Two entries of one title and time must not be taken for each other."""
    items = [Item(guid=g, link=f"/{g}", title="Briefing", published_at=NOON) for g in "ab"]
    assert all(len(e.aliases) == 2 for e in made(*items))


@given(
    st.lists(
        st.builds(
            Item,
            guid=st.sampled_from(["", "g", "h", "https://wire.example/1"]),
            link=st.sampled_from(["", "/", "/1", "/2", "https://other.example/x"]),
            title=st.sampled_from(["", "One", "one!", "Two"]),
            published_at=st.sampled_from([None, NOON, datetime(2026, 1, 1, tzinfo=UTC)]),
        ),
        max_size=12,
    )
)
def test_keys_are_unique_and_among_the_aliases(items: list[Item]) -> None:
    """No two entries of one document share a key, every entry has its own first, and dated ones stand in order."""
    found = made(*items)
    assert len({e.key for e in found}) == len(found)
    assert all(e.key == e.aliases[0] and len(set(e.aliases)) == len(e.aliases) for e in found)
    dated = [e.published_at for e in found if e.published_at]
    assert dated == sorted(dated)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Talks end", " TALKS\u00a0 end. "),
        ("Don’t look", "don't look!"),
        ("STRASSE", "Straße"),
        ("“Quoted” – said", '"quoted" - said'),
        ("ﬁrst", "first"),
    ],
)
def test_titles_that_differ_in_case_punctuation_and_space_are_equal(one: str, other: str) -> None:
    """They are the same headline in another house style."""
    assert normal_title(one) == normal_title(other) != ""


def test_titles_that_differ_in_a_word_are_not_equal() -> None:
    """And a title without any word says nothing."""
    assert normal_title("Talks end") != normal_title("Talks ended")
    assert normal_title("?!") == ""

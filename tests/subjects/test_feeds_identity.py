"""Which entries are new, which are old ones under new names, and which have changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, at, entry
from worker.feeds.identity import fingerprint, identities, rekeyed, sort_out, title_key
from worker.model import Entry, KnownEntry


def known(*entries: Entry, edits: int = 0) -> dict[str, KnownEntry]:
    """Return what is remembered of entries, by identity."""
    return {
        key: KnownEntry(id=number, title_key=title_key(e), fingerprint=fingerprint(e), edits=edits, seen_at=NOON)
        for number, e in enumerate(entries)
        for key in identities(e)
    }


def under(number: int, *aliases: str, **changes: object) -> Entry:
    """Return an entry that is known under these identities."""
    return entry(number, **{"key": aliases[0], "aliases": aliases} | changes)


def test_an_entry_is_known_by_any_of_its_identities() -> None:
    """A guid that counts up with every edit says nothing while the link stays."""
    old = under(1, "story#0", "https://wire.example/1")
    found = sort_out([under(1, "story#1", "https://wire.example/1")], known(old))
    assert (found.unknown, found.changed) == ((), ())
    assert found.shown[0][1] == ("story#1", "https://wire.example/1")


def test_the_guid_decides_before_the_link() -> None:
    """An entry whose guid is one old entry and whose link is another's is the first."""
    first, second = under(1, "a", "https://wire.example/1"), under(2, "b", "https://wire.example/2")
    found = sort_out([under(2, "b", "https://wire.example/1")], known(first, second))
    assert [k.id for k, _ in found.shown] == [1]


def test_a_changed_title_or_text_is_an_edit_and_white_space_is_none() -> None:
    """Only what a reader would see as another text is read again."""
    old = entry(1, text="One two")
    for new, again in (
        (entry(1, text="One  two"), []),
        (entry(1, text="One three"), [True]),
        (entry(1, title="Another", text="One two"), [True]),
        (entry(1, title="HEADLINE 1!", text="One two"), []),
    ):
        assert [change.again for change in sort_out([new], known(old)).changed] == again


def test_an_entry_that_changes_for_ever_is_not_read_for_ever() -> None:
    """A text that counts its comments is read again five times, a title twenty times."""
    old = entry(1, text="4 comments")
    for edits, text, title in ((4, True, True), (5, False, True), (19, False, True), (20, False, False)):
        remembered = known(old, edits=edits)
        assert sort_out([entry(1, text="5 comments")], remembered).changed[0].again is text
        assert sort_out([entry(1, title="Other")], remembered).changed[0].again is title


def test_a_feed_in_a_new_form_is_not_read_again_as_a_whole() -> None:
    """When most entries change at once, it is their form that has changed."""
    old = [entry(n) for n in range(8)]
    new = [entry(n, title=f"Headline {n} | The Wire") for n in range(8)]
    found = sort_out(new, known(*old))
    assert len(found.changed) == 8
    assert not any(change.again for change in found.changed)
    assert sum(c.again for c in sort_out([*new[:3], *old[3:]], known(*old)).changed) == 3


def test_an_entry_of_a_version_that_took_no_fingerprints_is_not_an_edit() -> None:
    """It learns its fingerprint and is left alone."""
    remembered = {"k": KnownEntry(id=1, title_key="", fingerprint="", edits=0, seen_at=NOON)}
    (change,) = sort_out([under(1, "k")], remembered).changed
    assert not change.again


def test_many_new_identities_with_known_titles_are_the_old_entries() -> None:
    """A publisher who changes his system alerts nobody."""
    moved = [under(n, f"new-{n}") for n in range(6)]
    titles = {title_key(e): n for n, e in enumerate(moved)}
    assert rekeyed(moved, titles, last_seen=at(60)) == {f"new-{n}": n for n in range(6)}


def test_what_is_really_new_among_them_stays_new() -> None:
    """Only entries with known titles are taken for old ones."""
    moved = [under(n, f"new-{n}") for n in range(4)]
    titles = {title_key(e): n for n, e in enumerate(moved)}
    found = rekeyed([*moved, under(9, "new-9", title="Really new")], titles, last_seen=at(60))
    assert found.keys() == {"new-0", "new-1", "new-2", "new-3"}


def test_titles_that_come_back_are_news() -> None:
    """Three columns with the titles of yesterday's, dated today, are not yesterday's columns."""
    columns = [under(n, f"new-{n}", title=f"Column {n}", published_at=at(90)) for n in range(3)]
    titles = {title_key(e): n for n, e in enumerate(columns)}
    assert rekeyed(columns, titles, last_seen=at(60)) == {}


def test_one_known_title_among_many_new_ones_is_a_coincidence() -> None:
    """A crowd is needed, and it must be most of what is new."""
    fresh = [under(n, f"new-{n}") for n in range(20)]
    titles = {title_key(e): n for n, e in enumerate(fresh[:5])}
    assert rekeyed(fresh, titles, last_seen=at(60)) == {}


@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.integers(0, 30), unique=True))
def test_every_entry_is_either_new_or_known(before: list[int], now: list[int]) -> None:
    """Nothing is lost and nothing counted twice."""
    found = sort_out([entry(n) for n in now], known(*(entry(n) for n in before)))
    assert len(found.unknown) + len(found.shown) == len(now)
    assert {e.key for e in found.unknown} == {entry(n).key for n in now if n not in before}

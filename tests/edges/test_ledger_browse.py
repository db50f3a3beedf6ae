"""Stories as people read them, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import NOON, alert, article, at, entry, match
from tests.rows import new
from worker.ledger import browse, decided, entries, stories
from worker.ledger.engine import Ledger
from worker.ledger.tables import alert as alert_table
from worker.model import Evidence, Member, Reason, Role, Story

#: What an address may hold: the console refuses the character 0, which no database of PostgreSQL takes.
READABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def tell(ledger: Ledger, story_id: str, *numbers: int, minutes: float | None = None, **changes: Any) -> None:
    """Record a story of articles, a minute apart, of which each is published by its own outlet and matched."""
    members = tuple(
        Member(
            article_id=f"a-{n}",
            role=Role.FIRST if n == numbers[0] else Role.REPORT,
            outlet=f"Outlet {n}",
            origin="Agency",
            published_at=at(n),
        )
        for n in numbers
    )
    newest = at(numbers[-1] if minutes is None else minutes)
    found = Story(id=story_id, first_at=at(numbers[0]), newest_at=newest, members=members)
    with ledger.write() as t:
        for member in members:
            n = int(member.article_id[2:])
            told = article(n, outlet=member.outlet, published_at=member.published_at, **changes)
            entries.add_article(t, told, now=at(n + 1))
            entries.add_match(t, match(n), now=at(n + 1))
            stories.save(t, found, new=member, now=at(n + 1), turn=1)


def ids(ledger: Ledger, **narrowed: Any) -> list[str]:
    """Return the stories of the first page."""
    with ledger.read() as t:
        return [one.id for one in browse.headlines(t, **narrowed).stories]


def send(ledger: Ledger, story_id: str, number: int, work: str, why: str | None = None) -> None:
    """Record an alert about a story that has come so far."""
    with ledger.write() as t:
        made = alert(number, story_id=story_id, article_id=f"a-{number}")
        decided.add(t, made)
        t.execute(alert_table.update().where(alert_table.c.key == made.key).values(work=work, last_error=why))


def test_a_headline_says_what_a_reader_wants_to_know(either_ledger: Ledger) -> None:
    """Sizes, the first article, its topics with their evidence, and what became of the alerts."""
    tell(either_ledger, "s-1", 1, 2, 3)
    send(either_ledger, "s-1", 1, "done")
    send(either_ledger, "s-1", 2, "off", "silenced: by me")
    with either_ledger.read() as t:
        (one,) = browse.headlines(t).stories
    assert (one.articles, one.outlets, one.origins) == (3, 3, 1)
    assert one.article == article(1, outlet="Outlet 1", published_at=at(1))
    assert one.topics == {"missiles": match(1).evidence}
    assert (dict(one.alerts), one.why_not) == ({"done": 1, "off": 1}, "silenced: by me")
    assert (one.first_at, one.newest_at) == (at(1), at(3))


def test_a_story_nobody_was_told_of_says_why(either_ledger: Ledger) -> None:
    """By the last decision about its first article."""
    tell(either_ledger, "s-1", 1)
    with either_ledger.write() as t:
        for minute, reason in ((1, Reason.QUEUED), (2, Reason.NO_ROUTE)):
            decided.add_decision(
                t, article_id="a-1", topic_id="missiles", channel_id="", reason=reason, detail="none", now=at(minute)
            )
    with either_ledger.read() as t:
        assert browse.headlines(t).stories[0].why_not == "no-route: none"


def test_stories_are_narrowed_by_topic_outlet_and_what_became_of_them(either_ledger: Ledger) -> None:
    """Each filter by itself, and all together."""
    for n, work in ((1, "done"), (2, "open"), (3, "off"), (4, "dead"), (5, "gathered"), (6, "unknown")):
        tell(either_ledger, f"s-{n}", n)
        send(either_ledger, f"s-{n}", n, work)
    tell(either_ledger, "s-7", 7)
    with either_ledger.write() as t:
        entries.add_match(t, match(2, topic_id="other"), now=NOON)
    assert ids(either_ledger) == ["s-7", "s-6", "s-5", "s-4", "s-3", "s-2", "s-1"]
    assert ids(either_ledger, topic="other") == ["s-2"]
    assert ids(either_ledger, outlet="Outlet 4") == ["s-4"]
    assert ids(either_ledger, state="told") == ["s-1"]
    assert ids(either_ledger, state="waiting") == ["s-5", "s-2"]
    assert ids(either_ledger, state="trouble") == ["s-6", "s-4"]
    assert ids(either_ledger, state="untold") == ["s-7", "s-3"]
    assert ids(either_ledger, topic="other", outlet="Outlet 2", state="waiting") == ["s-2"]
    assert ids(either_ledger, topic="other", outlet="Outlet 2", state="told") == []


def test_pages_of_stories_meet_without_a_gap_also_at_one_moment(either_ledger: Ledger) -> None:
    """Several stories of one time fall on two pages, and one that comes in between changes nothing behind."""
    for n in range(1, 8):
        tell(either_ledger, f"s-{n}", n, minutes=max(n, 5))
    seen, after = [], ""
    for page in range(9):
        with either_ledger.read() as t:
            found = browse.headlines(t, after=after, limit=2)
        seen += [one.id for one in found.stories]
        tell(either_ledger, f"s-9{page}", 90 + page)
        if not (after := found.after):
            break
    assert seen == ["s-7", "s-6", "s-5", "s-4", "s-3", "s-2", "s-1"]


def test_a_story_that_turned_out_to_be_another_is_not_listed(either_ledger: Ledger) -> None:
    """It is led to by its old id only."""
    tell(either_ledger, "s-1", 1)
    tell(either_ledger, "s-2", 2)
    from worker.ledger.tables import story

    with either_ledger.write() as t:
        t.execute(story.update().where(story.c.id == "s-2").values(merged="s-1"))
    assert ids(either_ledger) == ["s-1"]


def test_a_story_whose_articles_are_no_longer_kept_is_still_a_line(either_ledger: Ledger) -> None:
    """With its times, and no headline."""
    tell(either_ledger, "s-1", 1)
    from worker.ledger.tables import article as article_table

    with either_ledger.write() as t:
        t.execute(article_table.delete())
    with either_ledger.read() as t:
        (one,) = browse.headlines(t).stories
        (chapter,) = browse.chapters(t, "s-1")
    assert (one.article, one.articles) == (None, 1)
    assert (chapter.article, chapter.article_id, chapter.read_at) == (None, "a-1", None)


def test_the_chapters_of_a_story_have_their_times_and_matches(either_ledger: Ledger) -> None:
    """In the order of publication; the newest match of each topic counts."""
    tell(either_ledger, "s-1", 1, 2, 3)
    newer = match(
        1, topic_version="v2", score=0.5, evidence=(Evidence(field="title", start=0, end=8, text="Headline"),)
    )
    with either_ledger.write() as t:
        entries.add(t, new(entry(1), entry(2)), now=at(4))
        entries.note_article(t, 1, "a-1")
        entries.add_match(t, newer, now=at(60))
    with either_ledger.read() as t:
        seen = entries_by_article(t)
        chapters = browse.chapters(t, "s-1")
        assert [chapter.article_id for chapter in browse.chapters(t, "s-1", skip=1, limit=1)] == ["a-2"]
    assert [chapter.article_id for chapter in chapters] == ["a-1", "a-2", "a-3"]
    assert chapters[0].matches == (newer,)
    assert chapters[1].matches == (match(2),)
    assert (chapters[0].published_at, chapters[0].read_at) == (at(1), at(2))
    assert (chapters[0].seen_at, chapters[1].seen_at) == (at(4) if seen else None, None)


def entries_by_article(t: Any) -> bool:
    """Return whether the article's entry is found by it."""
    return [row.title for row in browse.entries_of_article(t, "a-1")] == ["Headline 1"]


def test_the_latest_entries_of_a_feed_come_newest_first(either_ledger: Ledger) -> None:
    """And no more than were asked for."""
    with either_ledger.write() as t:
        entries.add(t, new(*(entry(n) for n in range(1, 6)), entry(7, feed_id="other")), now=NOON)
    with either_ledger.read() as t:
        found = browse.entries_of_feed(t, "wire", limit=3)
    assert [row.title for row in found] == ["Headline 5", "Headline 4", "Headline 3"]
    assert {row.reason for row in found} == {"queued"}


def test_the_outlets_of_stories_are_offered_once_each(either_ledger: Ledger) -> None:
    """In alphabetical order."""
    tell(either_ledger, "s-2", 3, 4)
    tell(either_ledger, "s-1", 1)
    with either_ledger.read() as t:
        assert browse.outlets(t) == ["Outlet 1", "Outlet 3", "Outlet 4"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(READABLE, max_size=40) | st.builds("{}~{}".format, st.integers(), st.text(READABLE, max_size=9)))
def test_any_text_may_come_as_a_filter_or_a_cursor(either_ledger: Ledger, text: str) -> None:
    """What is no cursor asks for the first page."""
    with either_ledger.read() as t:
        assert browse.headlines(t, topic=text, outlet=text, state=text, after=text).stories == ()


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(days=-40_000)])
def test_a_story_of_any_time_has_a_next_page(either_ledger: Ledger, offset: timedelta) -> None:
    """Also one that was published before 1970, as its publisher says."""
    moment: datetime = NOON + offset
    for n in (1, 2):
        with either_ledger.write() as t:
            stories.write(t, Story(id=f"s-{n}", first_at=moment, newest_at=moment, members=()))
    with either_ledger.read() as t:
        first = browse.headlines(t, limit=1)
        second = browse.headlines(t, limit=1, after=first.after)
    assert [one.id for one in (*first.stories, *second.stories)] == ["s-2", "s-1"]

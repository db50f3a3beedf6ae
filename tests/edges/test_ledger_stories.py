"""Stories in the ledger: found again, joined by many at once, merged, and forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from tests.builders import NOON, alert, article, at, match
from tests.edges.test_ledger_migrations import walk
from tests.faults import bursts
from worker.ledger import decided, entries, migrate, postings, regrouping, stories, sweep, tables
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.regrouping import Moves, regroup
from worker.ledger.retention import Retention
from worker.model import Article, Entry, Member, Reason, Role, Story
from worker.stages import placing
from worker.stages.known import Known, size
from worker.stages.placing import Placed, Prepared, place, prepare
from worker.stories import joining, rarity
from worker.stories.features import features

ALWAYS = {"since": NOON - timedelta(days=1), "until": NOON + timedelta(days=1)}


def member(number: int, **changes: Any) -> Member:
    """Return the member that article ``number`` is."""
    base: dict[str, Any] = {
        "article_id": f"a-{number}",
        "role": Role.REPORT,
        "outlet": "Wire",
        "origin": "Wire",
        "published_at": NOON,
    }
    return Member(**base | changes)


def put(t: Transaction, story_id: str, number: int, *terms: str, turn: int = 0, **changes: Any) -> None:
    """Have article ``number`` join a story, and be found by ``terms``."""
    one = member(number, **changes)
    first, newest = one.published_at, one.published_at
    if (before := stories.get(t, story_id)) is not None:
        first, newest = min(first, before.first_at), max(newest, before.newest_at)
    grown = Story(id=story_id, first_at=first, newest_at=newest, members=(one,))
    stories.save(t, grown, new=one, now=one.published_at, turn=turn)
    postings.add(t, one.article_id, terms, story_id=grown.id, at=one.published_at)


def told(number: int, story_id: str, **changes: Any) -> Any:
    """Return an alert of article ``number`` in a story, with a key of its own."""
    return alert(number, key=f"key-{number:04}", story_id=story_id, **changes)


# what is written and read


def test_a_story_comes_back_as_it_was_saved(either_ledger: Ledger) -> None:
    """Its members are in the order of publication, with their roles and why; what they are compared by is apart."""
    features_, shingles = {"lead": {"dam": 0.5}, "names": {"é\n": 1.0}}, b"\x00\x01\xff"
    with either_ledger.write() as t:
        put(t, "s-1", 2, published_at=at(5), role=Role.DEVELOPMENT, why="31 killed where 12 were said")
        put(t, "s-1", 1, role=Role.FIRST, features=features_, shingles=shingles)
    with either_ledger.read() as t:
        found = stories.get(t, "s-1")
        assert found is not None
        assert (found.first_at, found.newest_at) == (NOON, at(5))
        assert [(m.article_id, m.role, m.why) for m in found.members] == [
            ("a-1", Role.FIRST, ""),
            ("a-2", Role.DEVELOPMENT, "31 killed where 12 were said"),
        ]
        assert stories.features(t, ["a-1", "a-9"]) == {"a-1": (features_, shingles)}
        assert stories.get(t, "s-9") is None
        assert (stories.of_article(t, "a-2"), stories.of_article(t, "a-9")) == ("s-1", None)


@pytest.mark.parametrize("many", [stories.COMPARED + 20, stories._SOME + 20], ids=["great", "too-great-to-read-whole"])
def test_of_a_great_story_the_newest_members_are_compared_and_the_first(either_ledger: Ledger, many: int) -> None:
    """The cost of a join stays bounded, and the beginning of the story is not forgotten."""
    with either_ledger.write() as t:
        for number in range(many):
            put(t, "s-1", number, published_at=at(number), role=Role.REPORT if number else Role.FIRST)
        put(t, "s-2", many)
    with either_ledger.read() as t:
        found, joined_at = stories.compared(t, ["s-1", "s-2", "s-9"])
    by_id = {story.id: [m.article_id for m in story.members] for story in found}
    newest = range(many - stories.COMPARED, many)
    assert by_id == {"s-1": ["a-0", *(f"a-{n}" for n in newest)], "s-2": [f"a-{many}"]}
    assert joined_at["a-0"] == NOON


# finding


def test_the_stories_that_share_the_most_are_found(either_ledger: Ledger) -> None:
    """One rare term counts for more than one that everybody has, and two for more than one."""
    with either_ledger.write() as t:
        put(t, "s-one", 1, "karvel")
        put(t, "s-two", 2, "karvel", "ostria")
        put(t, "s-two", 3, "brandt")
        put(t, "s-common", 4, "dam")
        put(t, "s-other", 5, "ferry")
    weights = {"karvel": 6.0, "ostria": 6.0, "brandt": 6.0, "dam": 4.0}
    with either_ledger.read() as t:
        assert postings.best(t, weights, **ALWAYS, limit=9) == ["s-two", "s-one", "s-common"]
        assert postings.best(t, weights, **ALWAYS, limit=1) == ["s-two"]
        # A fifth of what the best shares is not enough.
        assert postings.best(t, weights | {"dam": 2.0}, **ALWAYS, limit=9) == ["s-two", "s-one"]
        assert postings.best(t, {}, **ALWAYS, limit=9) == []


def test_a_term_counts_for_less_the_more_stories_have_it(either_ledger: Ledger) -> None:
    """Of two names that are equally rare in news, the one that ten stories of the day have says less."""
    with either_ledger.write() as t:
        for number in range(10):
            put(t, f"s-{number}", number, "everybody")
        put(t, "s-x", 10, "nobody")
    with either_ledger.read() as t:
        assert postings.best(t, {"everybody": 5.0, "nobody": 5.0}, **ALWAYS, limit=1) == ["s-x"]


def test_only_what_was_published_in_the_window_is_found(either_ledger: Ledger) -> None:
    """Both ends belong to the window."""
    with either_ledger.write() as t:
        for number, minutes in enumerate((0, 1, 2, 3)):
            put(t, f"s-{number}", number, "dam", published_at=at(minutes))
    with either_ledger.read() as t:
        assert postings.best(t, {"dam": 1.0}, since=at(1), until=at(2), limit=9) == ["s-1", "s-2"]


def test_of_a_term_that_is_everywhere_the_newest_postings_are_looked_at(either_ledger: Ledger) -> None:
    """However many stories there are, a search is bounded."""
    many = postings.PER_TERM + 6
    with either_ledger.write() as t:
        for number in range(many):
            put(t, f"s-{number}", number, "dam", published_at=at(number))
    with either_ledger.read() as t:
        found = postings.best(t, {"dam": 1.0}, **ALWAYS, limit=many)
    assert sorted(found) == sorted(f"s-{number}" for number in range(6, many))


def test_terms_lead_to_the_story_where_their_article_is_now(either_ledger: Ledger) -> None:
    """A search looks at nothing but postings, so they go with their articles, and those of the others stay."""
    two_stories(either_ledger)
    with either_ledger.write() as t:
        put(t, "s-other", 3, "karvel", "dam")
    merge(either_ledger, "s-old", "s-new")
    with either_ledger.read() as t:
        assert sorted(postings.best(t, {"karvel": 5.0}, **ALWAYS, limit=9)) == ["s-old", "s-other"]
        joined = select(tables.posting.c.story_id, tables.member.c.story_id)
        joined = joined.join(tables.member, tables.member.c.article_id == tables.posting.c.article_id)
        rows = t.execute(joined).all()
    assert sorted(map(tuple, rows)) == [("s-old", "s-old")] * 2 + [("s-other", "s-other")] * 2


def test_postings_of_a_ledger_of_before_lead_to_their_stories(either_ledger: Ledger) -> None:
    """They are looked up once; those of an article that is gone go, too."""
    two_stories(either_ledger)
    with either_ledger.write() as t:
        postings.add(t, "a-gone", ["karvel"], story_id="s-gone", at=NOON)
    walk(either_ledger, to="0004")
    with either_ledger.read() as t:
        columns = t.execute(text("SELECT * FROM posting")).keys()
    assert "story_id" not in columns
    walk(either_ledger, to=migrate.HEAD)
    with either_ledger.read() as t:
        assert sorted(postings.best(t, {"karvel": 5.0}, **ALWAYS, limit=9)) == ["s-new", "s-old"]


def test_postings_are_kept_as_long_as_stories_are_linked() -> None:
    """The ledger does not know the stories' horizon; this does."""
    assert joining.HORIZON == postings.KEPT


# joining by many at once


def test_turns_are_numbered_in_the_order_of_their_commits(either_ledger: Ledger) -> None:
    """A reader knows the last one that was committed, and one that was rolled back leaves no gap."""

    class Rolled(Exception):  # noqa: N818 - it is no error
        """The transaction is not to be kept."""

    with either_ledger.read() as t:
        assert stories.turn(t) == 0
    with either_ledger.write() as t:
        assert stories.take_turn(t) == 1
    with pytest.raises(Rolled), either_ledger.write() as t:
        assert stories.take_turn(t) == 2
        raise Rolled
    with either_ledger.write() as t:
        assert stories.take_turn(t) == 2
    with either_ledger.read() as t:
        assert stories.turn(t) == 2


@pytest.mark.parametrize(
    ("seen", "story_ids", "terms", "matters"),
    [
        (1, ["s-1"], ["brandt"], True),
        (1, ["s-1"], [], True),
        (1, [], ["brandt"], True),
        (1, ["s-9"], ["ferry"], False),
        (1, [], [], False),
        (2, ["s-1"], ["brandt"], False),
        (0, [], ["karvel"], True),
    ],
)
def test_who_has_joined_since_matters_by_a_term_or_by_a_story(
    either_ledger: Ledger, seen: int, story_ids: Sequence[str], terms: Sequence[str], *, matters: bool
) -> None:
    """And whoever joined before was seen."""
    with either_ledger.write() as t:
        put(t, "s-1", 1, "karvel", turn=1)
        put(t, "s-1", 2, "brandt", turn=2)
    with either_ledger.read() as t:
        assert stories.joined_since(t, seen, story_ids=story_ids, terms=terms) is matters


def as_article(report: Entry) -> Article:
    """Return the article that a report of a burst is read as."""
    return article(
        id=f"a-{report.key}",
        url=report.url,
        title=report.title,
        text=report.text,
        outlet=report.outlet,
        published_at=report.published_at or NOON,
        language="en",
    )


def join_at_once(ledger: Ledger, burst: int) -> list[str]:
    """Have eight workers join the reports of an event, all of which have read before any of them writes."""
    all_have_read = threading.Barrier(bursts.REPORTS)

    def worker(report: Entry) -> str:
        p, one = bursts.pipeline(ledger), as_article(report)
        prepared = prepare(p, one)
        all_have_read.wait(30)
        with ledger.write() as t:
            story, *_ = place(t, p, one, now=NOON, prepared=prepared)
        return story.id

    with ThreadPoolExecutor(bursts.REPORTS) as workers:
        return list(workers.map(worker, bursts.reports(burst)))


def test_eight_reports_at_once_are_one_story(either_ledger: Ledger) -> None:
    """Each has read that there is none yet, and those that come too late see it when their turn comes."""
    for burst in range(5):
        join_at_once(either_ledger, burst)
    with either_ledger.read() as t:
        # Two that were taken for two events at first may be one by the third report.
        assert len({one.story_id for one in stories.memberships(t).values()}) == 5
        assert stories.turn(t) == 5 * bursts.REPORTS
        roles = list(t.execute(select(tables.member.c.role)).scalars())
    assert roles.count(Role.FIRST) == 5


def test_without_the_check_they_are_split(either_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: who believes what was read before the turn opens a story for each."""
    monkeypatch.setattr(placing, "_has_changed", lambda *_: False)
    assert len(set(join_at_once(either_ledger, 0))) == bursts.REPORTS


def prepared(ledger: Ledger, one: Article) -> Prepared:
    """Return where an article goes as things stand."""
    found = prepare(bursts.pipeline(ledger), one)
    assert found is not None
    return found


def placed(ledger: Ledger, one: Article, ready: Prepared | None = None) -> Placed:
    """Place an article in a transaction of its own."""
    with ledger.write() as t:
        return place(t, bursts.pipeline(ledger), one, now=NOON, prepared=ready)


def test_what_was_prepared_is_what_is_placed(either_ledger: Ledger) -> None:
    """With nobody between, thinking before the turn and thinking in it come to the same."""
    one, two, three = (as_article(report) for report in bursts.reports(0)[:3])
    first, *_ = placed(either_ledger, one)
    story, role, _ = placed(either_ledger, two, prepared(either_ledger, two))
    assert story.id == first.id
    assert role is not Role.FIRST
    story, role, _ = placed(either_ledger, three)
    assert (story.id, [m.article_id for m in story.members]) == (first.id, [one.id, two.id, three.id])


def test_an_article_that_has_a_story_stays_there(either_ledger: Ledger) -> None:
    """Placed again after a crash, or edited, it changes nothing; who was first is one more report then."""
    one, two = (as_article(report) for report in bursts.reports(0)[:2])
    placed(either_ledger, one)
    _, role, _ = placed(either_ledger, two)
    before = everything(either_ledger)
    ready = prepare(bursts.pipeline(either_ledger), one)
    assert ready is None
    edited = replace(one, text=bursts.reports(1)[0].text)
    assert [placed(either_ledger, each)[1] for each in (edited, two)] == [Role.REPORT, role]
    assert everything(either_ledger) == before


def test_an_article_that_was_placed_by_another_meanwhile_stays_there(either_ledger: Ledger) -> None:
    """Whose lease ran out has prepared for nothing."""
    (one,) = (as_article(report) for report in bursts.reports(0)[:1])
    ready = prepared(either_ledger, one)
    placed(either_ledger, one)
    before = everything(either_ledger)
    placed(either_ledger, one, ready)
    assert everything(either_ledger) == before


def test_what_was_prepared_for_another_text_is_not_placed(either_ledger: Ledger) -> None:
    """The address of the article turned out to be known by another id, or the text was changed."""
    one, two = as_article(bursts.reports(0)[0]), as_article(bursts.reports(1)[0])
    placed(either_ledger, as_article(bursts.reports(1)[1]))
    ready = prepared(either_ledger, one)
    story, *_ = placed(either_ledger, replace(two, id=one.id), ready)
    assert len(story.members) == 2


def everything(ledger: Ledger) -> list[Any]:
    """Return all that the ledger has of stories."""
    with ledger.read() as t:
        return [
            sorted(tuple(str(value) for value in row) for row in t.execute(select(table)))
            for table in (tables.story, tables.member, tables.posting)
        ]


def test_times_at_the_ends_of_the_calendar_are_placed(either_ledger: Ledger) -> None:
    """The window of such an article ends with the calendar."""
    early, late = (replace(as_article(r), id=r.key) for r in bursts.reports(0)[:2])
    early = replace(early, published_at=datetime.min.replace(tzinfo=NOON.tzinfo))
    late = replace(late, published_at=datetime.max.replace(tzinfo=NOON.tzinfo))
    assert placed(either_ledger, early)[0].id != placed(either_ledger, late)[0].id


def test_an_older_story_is_linked_and_not_joined(either_ledger: Ledger) -> None:
    """Beyond the window and within the horizon; its postings are looked for only when a story is opened."""
    one, two, three = (as_article(report) for report in bursts.reports(0)[:3])
    days = timedelta(days=1)
    before, *_ = placed(either_ledger, one)
    after, role, _ = placed(either_ledger, replace(two, published_at=two.published_at + 30 * days))
    assert (after.linked, role) == (before.id, Role.FIRST)
    far = replace(three, published_at=three.published_at + 30 * days + joining.HORIZON + days)
    assert placed(either_ledger, far)[0].linked is None


def test_a_story_that_still_goes_on_is_no_earlier_one(either_ledger: Ledger) -> None:
    """Of one that is found by an old article only, the newest counts."""
    one, two = (as_article(report) for report in bursts.reports(0)[:2])
    days = timedelta(days=1)
    old, *_ = placed(either_ledger, one)
    with either_ledger.write() as t:
        put(t, old.id, 9, published_at=one.published_at + 4 * days)
        t.execute(update(tables.story).values(linked="s-before"))
    after, role, _ = placed(either_ledger, replace(two, published_at=two.published_at + 5 * days))
    assert (after.linked, role) == (None, Role.FIRST)


def test_of_a_great_story_the_whole_span_is_kept(either_ledger: Ledger) -> None:
    """Also where its earliest article is not among those that are compared."""
    reports = [as_article(report) for report in bursts.reports(0)]
    for one in reports[:3]:
        placed(either_ledger, one)
    of = placed(either_ledger, reports[3])[0].id
    early = NOON - timedelta(hours=3)
    with either_ledger.write() as t:
        for number in range(stories.COMPARED):
            put(t, of, number, published_at=NOON - timedelta(hours=2) if number else early)
    placed(either_ledger, reports[4])
    with either_ledger.read() as t:
        found = stories.get(t, of)
    assert found is not None
    assert (found.first_at, len(found.members)) == (early, stories.COMPARED + 5)


def test_features_that_were_read_before_are_not_read_again(either_ledger: Ledger) -> None:
    """They never change; but an article that is forgotten and comes again is another member."""
    one, two, three = (as_article(report) for report in bursts.reports(0)[:3])
    p = bursts.pipeline(either_ledger)
    placed(either_ledger, one)
    with either_ledger.write() as t:
        place(t, p, two, now=NOON)
        # What is kept is used, so this is not seen.
        t.execute(update(tables.member).values(features={}))
    with either_ledger.write() as t:
        assert len(place(t, p, three, now=NOON)[0].members) == 3
    assert p.known.get({one.id: NOON}).keys() == {one.id}
    assert p.known.get({one.id: at(1)}) == {}


def test_no_more_features_are_kept_than_there_is_room_for() -> None:
    """Those that were not asked for longest go; what is too great by itself is not kept."""
    mine = features(article(), rarity=rarity.load())
    room = Known(most=2 * size(mine))
    for number in (1, 2, 2):
        room.add(f"a-{number}", NOON, mine)
    assert room.get({"a-1": NOON})["a-1"] is mine
    room.add("a-3", NOON, mine)
    assert room.get({f"a-{number}": NOON for number in (1, 2, 3)}).keys() == {"a-1", "a-3"}
    none = Known(most=1)
    assert none.add("a-1", NOON, mine) is mine
    assert none.get({"a-1": NOON}) == {}


# merging


def merge(ledger: Ledger, into: str, gone: str, *, turn: int = 9, now: datetime = NOON) -> None:
    """Have one story turn out to be another."""
    with ledger.write() as t:
        were = [found for story_id in (into, gone) if (found := stories.get(t, story_id))]
        united = joining.merge(were[0], were[1])
        regroup(t, [united], Moves.between(were, [united], gone=[gone], into=into), turn=turn, now=now)


def two_stories(ledger: Ledger, *alerts: tuple[int, str, dict[str, Any], dict[str, Any]]) -> None:
    """Write the story ``s-old`` with article 1 and ``s-new`` with article 2, and alerts: what they say, and columns."""
    with ledger.write() as t:
        put(t, "s-old", 1, "karvel", role=Role.FIRST, turn=1)
        put(t, "s-new", 2, "karvel", role=Role.FIRST, published_at=at(1), turn=2)
        for number, story_id, says, columns in alerts:
            decided.add(t, told(number, story_id, **says))
            if columns:
                t.execute(update(tables.alert).where(tables.alert.c.key == f"key-{number:04}").values(**columns))


def states(ledger: Ledger) -> dict[int, str]:
    """Return what has become of the alerts."""
    with ledger.read() as t:
        rows = t.execute(select(tables.alert.c.key, tables.alert.c.story_id, tables.alert.c.work)).all()
    assert {row.story_id for row in rows} <= {"s-old", ""}
    return {int(row.key.removeprefix("key-")): row.work for row in rows}


def test_a_story_that_turned_out_to_be_another_leads_to_it(either_ledger: Ledger) -> None:
    """Its articles are there, with one first among them, and its id finds them, over several merges."""
    two_stories(either_ledger)
    with either_ledger.write() as t:
        put(t, "s-oldest", 3, role=Role.FIRST, published_at=at(-5))
    merge(either_ledger, "s-old", "s-new")
    merge(either_ledger, "s-oldest", "s-old")
    with either_ledger.read() as t:
        for story_id in ("s-new", "s-old", "s-oldest"):
            found = stories.get(t, story_id)
            assert found is not None
            assert stories.current(t, story_id) == found.id == "s-oldest"
            assert [(m.article_id, m.role) for m in found.members] == [
                ("a-3", Role.FIRST),
                ("a-1", Role.REPORT),
                ("a-2", Role.REPORT),
            ]
            assert (found.first_at, found.newest_at) == (at(-5), at(1))
        assert stories.of_article(t, "a-2") == "s-oldest"
        assert stories.joined_since(t, 8, story_ids=[], terms=["karvel"])
        assert {one.story_id for one in stories.memberships(t).values()} == {"s-oldest"}


_SENT, _IN_HAND = {"work": tables.DONE}, {"lease_until": at(2), "lease_token": "x"}


@pytest.mark.parametrize(
    ("of_old", "of_new", "after_old", "after_new"),
    [
        ({}, {}, "open", "off"),
        (_SENT, {}, "done", "off"),
        (_IN_HAND, {}, "open", "off"),
        ({}, _SENT, "off", "done"),
        ({}, _IN_HAND, "off", "open"),
        ({}, {"started_at": at(1)}, "off", "open"),
        ({"work": tables.UNKNOWN}, {}, "unknown", "off"),
        (_SENT, _SENT, "done", "done"),
        (_SENT, _IN_HAND, "done", "open"),
        ({"work": tables.DEAD}, {}, "dead", "open"),
        ({"work": tables.OFF}, {}, "off", "open"),
    ],
)
def test_of_two_stories_that_are_one_nobody_is_told_twice(
    either_ledger: Ledger, of_old: dict[str, Any], of_new: dict[str, Any], after_old: str, after_new: str
) -> None:
    """What waits is told no more where the other was told or will be; what a worker has in hand is left alone."""
    two_stories(either_ledger, (1, "s-old", {}, of_old), (2, "s-new", {}, of_new))
    merge(either_ledger, "s-old", "s-new")
    assert states(either_ledger) == {1: after_old, 2: after_new}


def test_other_topics_and_channels_are_told_all_the_same(either_ledger: Ledger) -> None:
    """Only what would be the second time is left out; corrections and later developments of the told one are not."""
    two_stories(
        either_ledger,
        (1, "s-old", {}, _SENT),
        (2, "s-new", {"topic_id": "ferries"}, {}),
        (3, "s-new", {"channel_id": "siem"}, {}),
        (4, "s-new", {"role": Role.CORRECTION}, {}),
        (5, "s-old", {"role": Role.DEVELOPMENT}, {}),
        (6, "s-new", {"role": Role.REPORT}, {}),
    )
    merge(either_ledger, "s-old", "s-new")
    assert states(either_ledger) == {1: "done", 2: "open", 3: "open", 4: "open", 5: "open", 6: "off"}


@pytest.mark.parametrize(("digest", "after"), [({}, "off"), (_IN_HAND, "gathered"), ({"work": "done"}, "gathered")])
def test_what_waits_in_a_digest_is_taken_out_unless_that_is_being_sent(
    either_ledger: Ledger, digest: dict[str, Any], after: str
) -> None:
    """A digest that a worker has in hand tells what it had when it was begun."""
    two_stories(
        either_ledger,
        (1, "s-old", {}, _SENT),
        (2, "s-new", {"digest": "key-0009"}, {}),
        (9, "", {"role": Role.DIGEST, "topic_id": "", "article_id": ""}, digest),
    )
    merge(either_ledger, "s-old", "s-new")
    assert states(either_ledger)[2] == after


def test_what_is_taken_up_between_reading_and_writing_is_left_alone(either_ledger: Ledger) -> None:
    """A worker may claim an alert, or its digest, while stories are put together."""
    two_stories(
        either_ledger,
        (1, "s-old", {}, {}),
        (2, "s-old", {"digest": "key-0009"}, {}),
        (9, "", {"role": Role.DIGEST, "topic_id": "", "article_id": ""}, {}),
    )
    with either_ledger.read() as t:
        rows = t.execute(select(tables.alert).where(tables.alert.c.story_id == "s-old")).all()
    with either_ledger.write() as t:
        t.execute(update(tables.alert).values(**_IN_HAND))
    with either_ledger.write() as t:
        assert [regrouping._turn_off(t, r, "late") for r in rows] == [False, False]
    assert states(either_ledger) == {1: "open", 2: "gathered", 9: "open"}


def test_why_an_alert_was_left_out_is_written_down(either_ledger: Ledger) -> None:
    """Beside what was decided of its article before, and at the very same moment."""
    two_stories(either_ledger, (1, "s-old", {}, _SENT), (2, "s-new", {}, {}))
    about = {"article_id": "a-2", "topic_id": "missiles", "channel_id": "screen"}
    with either_ledger.write() as t:
        decided.add_decision(t, **about, reason=Reason.QUEUED, alert_key="key-0002", now=at(3))
    merge(either_ledger, "s-old", "s-new", now=at(3))
    with either_ledger.read() as t:
        before, after = t.execute(select(tables.decision).order_by(tables.decision.c.at)).all()
        left_out = t.execute(select(tables.alert.c.last_error).where(tables.alert.c.key == "key-0002")).scalar_one()
    assert (before.reason, after.reason, after.alert_key) == (Reason.QUEUED, Reason.STORY_MERGED, "key-0002")
    assert after.detail == "its article belongs to s-old, which is told of already"
    assert left_out == f"story-merged: {after.detail}"


def test_who_prepared_for_a_story_that_is_gone_joins_the_other(
    either_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge is a change for everybody who would have joined either."""
    *two, third = (as_article(report) for report in bursts.reports(0)[:3])
    with monkeypatch.context() as patched:
        patched.setattr(placing, "_has_changed", lambda *_: False)
        ready = [prepared(either_ledger, one) for one in two]
        split = [placed(either_ledger, one, each)[0].id for one, each in zip(two, ready, strict=True)]
    would_join = prepared(either_ledger, third)
    gone = would_join.joined.story.id
    (other,) = set(split) - {gone}
    with either_ledger.write() as t:
        turn = stories.take_turn(t)
    merge(either_ledger, other, gone, turn=turn)
    story, *_ = placed(either_ledger, third, would_join)
    assert (story.id, len(story.members)) == (other, 3)


def leave(ledger: Ledger, number: int, *, of: str, to: str) -> None:
    """Have article ``number`` go from one story to another, which is opened where there is none."""
    with ledger.write() as t:
        found = [stories.get(t, story_id) for story_id in (of, to)]
        were = [story for story in found if story and story.id in {of, to}]
        were = list({story.id: story for story in were}.values())
        (one,) = (m for m in were[0].members if m.article_id == f"a-{number}")
        rest = replace(were[0], members=tuple(m for m in were[0].members if m is not one))
        there = were[1].members if len(were) > 1 else ()
        home = Story(id=to, first_at=NOON, newest_at=NOON, members=(*there, one))
        regroup(t, [rest, home], Moves.between(were, [rest, home], gone=(), into=to), turn=9, now=NOON)


def test_an_alert_goes_where_its_article_goes(either_ledger: Ledger) -> None:
    """So the story that the article was taken into by mistake is untold, and the one that it is about is told."""
    two_stories(either_ledger, (1, "s-old", {}, _SENT), (2, "s-new", {}, {}))
    with either_ledger.write() as t:
        put(t, "s-old", 3, published_at=at(2), turn=3)
        for number in (1, 2, 3):
            entries.add_match(t, match(number), now=NOON)
    leave(either_ledger, 1, of="s-old", to="s-new")
    with either_ledger.read() as t:
        rows = t.execute(select(tables.alert.c.article_id, tables.alert.c.story_id, tables.alert.c.work)).all()
        assert sorted(map(tuple, rows)) == [("a-1", "s-new", "done"), ("a-2", "s-new", "off")]
        # Article 3 was folded into the alert of article 1.
        assert regrouping.untold(t, ["s-old", "s-new"]) == [match(3)]
        assert stories.joined_since(t, 8, story_ids=["s-old"], terms=[])
        assert stories.joined_since(t, 8, story_ids=["s-new"], terms=[])
    with either_ledger.write() as t:
        decided.add(t, told(3, "s-old"))
        assert regrouping.untold(t, ["s-old", "s-new"]) == []


def test_a_story_that_was_part_of_another_for_a_time_is_its_own_again(either_ledger: Ledger) -> None:
    """An article that is put apart for the second time finds its id taken by what leads to the other story."""
    two_stories(either_ledger)
    merge(either_ledger, "s-old", "s-new")
    leave(either_ledger, 2, of="s-old", to="s-new")
    with either_ledger.read() as t:
        assert stories.current(t, "s-new") == "s-new"
        found = stories.get(t, "s-new")
        assert found is not None
        assert [m.article_id for m in found.members] == ["a-2"]


_STATES: dict[str, Callable[[], dict[str, Any]]] = {
    "waits": dict,
    "gathered": lambda: {"work": tables.GATHERED},
    "in hand": lambda: {"lease_until": NOON},
    "sent": lambda: {"work": tables.DONE},
    "unknown": lambda: {"work": tables.UNKNOWN},
}


def row(number: int, story_id: str, role: Role, state: str) -> Any:
    """Return a row of the outbox as far as merging looks at it."""
    values = {"work": tables.OPEN, "lease_until": None, "started_at": None} | _STATES[state]()
    return SimpleNamespace(id=number, story_id=story_id, role=role, **values)


_STORIES, _ANY_STATE = st.sampled_from(["into", "gone"]), st.sampled_from(sorted(_STATES))
_LATER = st.tuples(_STORIES, st.sampled_from([Role.REPORT, Role.DEVELOPMENT]), _ANY_STATE)


@given(firsts=st.dictionaries(_STORIES, _ANY_STATE), later=st.lists(_LATER, max_size=4))
def test_whatever_is_left_out_somebody_was_or_will_be_told(
    firsts: dict[str, str], later: list[tuple[str, Role, str]]
) -> None:
    """Law: nothing is touched that was begun, a channel that had an alert keeps one, and no first waits in vain."""
    given_ = [*((story_id, Role.FIRST, state) for story_id, state in firsts.items()), *later]
    assume(given_)
    rows = [row(number, *one) for number, one in enumerate(given_)]
    off = regrouping._once_too_often(cast("Any", rows), "into")
    left = [r for r in rows if r not in off]
    assert all(regrouping._waits(r) for r in off)
    assert left
    told_of = [r for r in left if r.role is Role.FIRST]
    assert len(told_of) < 2 or not any(regrouping._waits(r) for r in told_of), "one waits that the other tells of"


# forgetting


def test_a_story_that_leads_to_a_kept_one_is_kept(either_ledger: Ledger) -> None:
    """It goes when neither the story that it leads to nor an alert about that is kept any more."""
    two_stories(either_ledger, (1, "s-old", {}, _SENT))
    with either_ledger.write() as t:
        for number in (1, 2):
            entries.add_article(t, article(number), now=NOON)
    merge(either_ledger, "s-old", "s-new")
    with either_ledger.write() as t:
        assert sweep.sweep(t, Retention(), now=at(1))["story"] == 0
        erased = sweep.sweep(t, Retention(), now=NOON + timedelta(days=40))
        assert (erased["article"], erased["member"], erased["posting"]) == (2, 2, 0)
        # Its articles are gone, but its alert can still be asked for, under either id.
        assert stories.current(t, "s-new") == "s-old"
        assert t.execute(select(tables.posting)).all() == []
        for _ in range(2):
            sweep.sweep(t, Retention(), now=NOON + timedelta(days=400))
        assert t.execute(select(tables.story)).all() == []


def test_what_nobody_looks_for_any_more_is_erased(either_ledger: Ledger) -> None:
    """Postings beyond the horizon, silences that ended long ago, and channels that nothing stands in the way of."""
    days = timedelta(days=1)
    silence = {"topic": "x", "outlet": "", "channel": "", "story": "", "author": "anna", "comment": "maintenance"}
    with either_ledger.write() as t:
        put(t, "s-1", 1, "old", published_at=NOON)
        put(t, "s-1", 2, "young", published_at=NOON + 350 * days)
        for end in (1, 350):
            values = {"created_at": NOON, "starts_at": NOON, "ends_at": NOON + end * days}
            t.execute(tables.silence.insert().values(**silence, **values))
        for name, columns in {"held": {"hold_until": NOON}, "broken": {"disabled_at": NOON}, "new": {}}.items():
            t.execute(tables.channel.insert().values(id=name, **columns))
    with either_ledger.write() as t:
        erased = sweep.sweep(t, Retention(), now=NOON + 400 * days)
        assert {name: erased[name] for name in ("posting", "silence", "channel")} == {
            "posting": 1,
            "silence": 1,
            "channel": 1,
        }
        assert list(t.execute(select(tables.posting.c.term)).scalars()) == ["young"]
        assert sorted(t.execute(select(tables.channel.c.id)).scalars()) == ["broken", "new"]

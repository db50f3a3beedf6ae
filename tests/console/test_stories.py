"""Stories, articles, search and feeds as pages: what they show, and that strangers' text stays text."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from starlette.testclient import TestClient

from tests.builders import NOON, alert, article, at, entry, feed, match, topic
from tests.console import desks
from tests.rows import new
from worker.console.routes import ROUTES
from worker.console.visible import visible
from worker.ledger import decided, entries, feeds, stories, tallies
from worker.ledger.engine import Ledger
from worker.ledger.tables import story as story_table
from worker.model import Evidence, Member, Reason, Role, Story
from worker.settings import Settings

TEXT = "A budget was passed.\nThe minister said on Monday that missiles are not for sale. Others left.\nMore."
SPAN = TEXT.index("missiles"), TEXT.index("missiles") + len("missiles are not for sale")
SAID = Evidence(field="text", start=SPAN[0], end=SPAN[1], text=TEXT[slice(*SPAN)])
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "{{ 7*7 }}{% raw %}",
    "\u202etxet\u202c \x1b[31m \x07 \ufeff\u2066",
    "&lt;b&gt; &amp;",
)


def keep(ledger: Ledger, *numbers: int, **changes: Any) -> None:
    """Record one story of articles that say that missiles are not for sale, with an entry each."""
    members = tuple(
        Member(
            article_id=f"a-{n}",
            role=Role.FIRST if n == numbers[0] else Role.COPY,
            outlet=f"Outlet {n}",
            origin="Agency",
            published_at=at(n),
            why="0.62 of a member's text" if n != numbers[0] else "",
        )
        for n in numbers
    )
    whole = Story(id="s-1", first_at=at(numbers[0]), newest_at=at(numbers[-1]), members=members)
    with ledger.write() as t:
        entries.add(t, new(*(entry(n) for n in numbers)), now=at(9))
        for number, member in enumerate(members, start=1):
            n = int(member.article_id[2:])
            values = {"outlet": member.outlet, "published_at": member.published_at, "text": TEXT} | changes
            entries.add_article(t, article(n, **values), now=at(10))
            entries.note_article(t, number, member.article_id)
            entries.add_match(t, match(n, evidence=(SAID,)), now=at(10))
            stories.save(t, whole, new=member, now=at(10), turn=1)


def words(text: str) -> str:
    """Return what a page says, without its elements."""
    body = re.sub(r"<[^>]*>", "", text.partition("<main")[2].partition("</main>")[0])
    return " ".join(html.unescape(body).split())


def test_the_list_shows_a_story_with_its_evidence_and_what_became_of_it(browser: TestClient, ledger: Ledger) -> None:
    """As a reader wants it: who, how many, which topic, what was said, and whether anybody was told."""
    keep(ledger, 1, 2)
    with ledger.write() as t:
        decided.add(t, alert(1))
    page = browser.get("/stories")
    assert "2 articles, 2 outlets, 1 origin" in page.text
    assert "<mark>missiles are not for sale</mark>" in page.text
    assert "waiting" in words(page.text)
    assert 'href="/stories/s-1"' in page.text
    assert 'href="/stories?topic=missiles"' in page.text


def test_the_list_that_is_asked_for_again_is_sent_only_when_it_is_another(browser: TestClient, ledger: Ledger) -> None:
    """So that nothing moves under the eyes and the cursor of a reader."""
    keep(ledger, 1)
    renew = re.search(r'hx-get="(/stories/list\?seen=[0-9a-f]+)"', browser.get("/stories").text)
    assert renew is not None
    assert browser.get(renew[1]).status_code == 204
    with ledger.write() as t:
        decided.add(t, alert(1))
    changed = browser.get(renew[1])
    assert changed.status_code == 200
    assert changed.text.startswith('<div id="list" hx-get="/stories/list?seen=')
    assert renew[1] not in changed.text


def test_a_filter_keeps_its_address_and_a_page_further_down_stands_still(browser: TestClient, ledger: Ledger) -> None:
    """The address can be sent to somebody; older pages are not asked for again."""
    keep(ledger, 1)
    headers = {"HX-Request": "true", "HX-Trigger": "filters"}
    answer = browser.get("/stories/list?topic=missiles&outlet=&state=untold", headers=headers)
    assert answer.headers["hx-push-url"] == "/stories?topic=missiles&state=untold"
    assert "hx-push-url" not in browser.get("/stories/list?topic=missiles").headers
    assert "every 15s" not in browser.get("/stories?after=1~x").text
    assert "No story is like that" in browser.get("/stories?topic=other").text


def test_a_story_shows_its_articles_newest_first_with_why_and_how_late(browser: TestClient, ledger: Ledger) -> None:
    """Roles, origins, evidence in its paragraph alone, decisions, and the link to the publisher."""
    keep(ledger, 1, 3)
    with ledger.write() as t:
        decided.add(t, alert(1))
        decided.add_decision(
            t, article_id="a-3", topic_id="missiles", channel_id="screen", reason=Reason.COPY, detail="of a-1", now=NOON
        )
    page = browser.get("/stories/s-1")
    said = words(page.text)
    assert said.index("Headline 3") < said.index("Outlet 1")
    assert "The minister said on Monday that <mark>missiles are not for sale</mark>. Others left." in page.text
    assert "A budget was passed" not in page.text
    assert "after Agency copy" in said
    assert "0.62 of a member's text" in said
    assert "missiles to screen: copy of a-1" in said
    assert "6 min after publication" in said
    assert '<a href="https://wire.example/3" rel="noopener noreferrer">' in page.text
    assert 'href="/deliveries/key-0001"' in page.text


def test_an_id_of_a_story_that_became_another_leads_there_for_good(browser: TestClient, ledger: Ledger) -> None:
    """Links in old alerts go on working; an id that never was is not found."""
    keep(ledger, 1)
    with ledger.write() as t:
        stories.write(t, Story(id="s-0/odd?", first_at=NOON, newest_at=NOON, members=()))
        t.execute(story_table.update().where(story_table.c.id == "s-0/odd?").values(merged="s-1"))
    answer = browser.get("/stories/s-0%2Fodd%3F")
    assert (answer.status_code, answer.headers["location"]) == (308, "/stories/s-1")
    assert browser.get("/stories/s-9").status_code == 404


def test_a_long_story_comes_in_pages(browser: TestClient, ledger: Ledger) -> None:
    """Every article is on one of them."""
    keep(ledger, *range(1, 41))
    first = browser.get("/stories/s-1").text
    second = browser.get("/stories/s-1?skip=25").text
    seen = [re.findall(r'href="/articles/(a-\d+)"', page) for page in (first, second)]
    assert [len(page) for page in seen] == [25, 15]
    assert seen[0] + seen[1] == [f"a-{n}" for n in range(40, 0, -1)]
    assert 'href="/stories/s-1?skip=25"' in first
    assert browser.get("/stories/s-1?skip=99999999999999999999").status_code == 200


def test_an_article_shows_its_whole_path_and_every_mark(browser: TestClient, ledger: Ledger) -> None:
    """Feed, reading, topics, story and decisions, as ``wirewatch why`` does."""
    keep(ledger, 1, 2)
    with ledger.write() as t:
        decided.add_decision(
            t, article_id="a-1", topic_id="missiles", channel_id="screen", reason=Reason.QUEUED, now=NOON
        )
    page = browser.get("/articles/a-1")
    said = words(page.text)
    assert "A budget was passed." in said
    assert "that <mark>missiles are not for sale</mark>. Others" in page.text
    for part in ("wire first seen 2026-02-11 12:09", "score 0.90 by rule: any: missile", "2 articles first", "queued"):
        assert part in said, part
    assert browser.get("/articles/a-9").status_code == 404


def test_every_topic_in_force_is_asked_when_a_reader_wants_to_know(ledger: Ledger, tmp_path: Path) -> None:
    """Matches first, then what came nearest, each with its reason and the clause that was missing."""
    keep(ledger, 1)
    known = Settings(topics=(topic(any=("budgets",)), topic(id="other", any=("comet",), topic="")))
    with desks.client(desks.desk(ledger, settings=known, state=tmp_path)) as browser:
        assert "What the topics say now" not in browser.get("/articles/a-1").text
        said = words(browser.get("/articles/a-1?ask=1").text)
    assert "missiles: matched" in said
    assert re.search(r"other: no-match 0\.00 · any", said)


def test_evidence_that_the_article_holds_no_longer_is_shown_by_itself(browser: TestClient, ledger: Ledger) -> None:
    """The article was changed since: its old offsets would mark something else."""
    keep(ledger, 1)
    with ledger.write() as t:
        entries.change_article(
            t, article(1, text="Something else altogether, and long enough to be marked."), now=at(20)
        )
    assert "<mark>missiles are not for sale</mark>" in browser.get("/stories/s-1").text
    assert "<mark>" not in browser.get("/articles/a-1").text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_strangers_write_is_shown_as_text_on_every_page(browser: TestClient, ledger: Ledger, hostile: str) -> None:
    """Titles, texts, outlets, ids, clauses, errors: nothing of it becomes an element or turns what follows."""
    said = Evidence(field="text", start=0, end=len(hostile), text=hostile)
    title = Evidence(field="title", start=0, end=2, text=hostile[:2])
    with ledger.write() as t:
        feeds.sync(t, [feed(outlet=hostile)], now=NOON)
        entries.add(t, new(entry(1, title=hostile, outlet=hostile)), now=NOON)
        entries.note_article(t, 1, "a-1")
        entries.add_article(
            t, article(1, title=hostile, text=hostile * 2, outlet=hostile, url="javascript:alert(1)"), now=NOON
        )
        entries.add_match(t, match(1, topic_id=hostile, clause=hostile, evidence=(said, title)), now=NOON)
        member = Member(
            article_id="a-1", role=Role.FIRST, outlet=hostile, origin=hostile, published_at=NOON, why=hostile
        )
        stories.save(t, Story(id="s-1", first_at=NOON, newest_at=NOON, members=(member,)), new=member, now=NOON, turn=1)
        decided.add(t, alert(1, topic_id=hostile, clause=hostile, detail=hostile))
        decided.add_decision(
            t, article_id="a-1", topic_id=hostile, channel_id=hostile, reason=Reason.QUEUED, detail=hostile, now=NOON
        )
    shown = "".join(visible(hostile).split())
    for path in ("/stories", "/stories/s-1", "/articles/a-1", "/search", "/feeds/wire", "/deliveries", "/topics"):
        page = browser.get(path)
        assert page.status_code == 200, (path, page.text)
        inside = page.text.partition("<body")[2]
        assert "<script" not in inside, path
        assert "<img" not in inside, path
        assert "javascript:" not in re.findall(r'(?:href|src)="([^"]*)"', inside), path
        assert not re.search(r'(?:href|src|action)="\s*javascript', inside), path
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", page.text), path
        assert shown in "".join(words(page.text).split()), path


def test_search_finds_words_and_marks_them(browser: TestClient, ledger: Ledger) -> None:
    """In their form in the text, and with the words around them."""
    keep(ledger, 1, 2)
    page = browser.get("/search", params={"q": 'MISSILES "not for sale" -comet'})
    assert page.text.count("<mark>missiles</mark> are <mark>not for sale</mark>") == 2
    assert "No article in the archive" in browser.get("/search?q=comet").text
    assert "Headline 2" in browser.get("/search?outlet=Outlet+2").text
    assert "Headline 1" not in browser.get("/search?outlet=Outlet+2").text


@pytest.mark.parametrize("query", ['"', "AND", "NEAR(", "a:b", "*", "-", "'", "\\", "(((", '"a" OR', "%", "_", "☃"])
def test_no_query_is_an_error(browser: TestClient, ledger: Ledger, query: str) -> None:
    """The page comes back with what was typed."""
    keep(ledger, 1)
    page = browser.get("/search", params={"q": query})
    assert page.status_code == 200
    assert f'value="{Markup.escape(query)}"' in page.text


def test_days_that_are_none_are_named_beside_their_field(browser: TestClient, ledger: Ledger) -> None:
    """And both days of a span are within it."""
    keep(ledger, 1)
    page = browser.get("/search?since=11.02.2026&until=9999-12-31")
    assert page.status_code == 422
    assert page.text.count("write a day such as 2026-02-11") == 2
    assert "Headline 1" in browser.get("/search?since=2026-02-11&until=2026-02-11").text
    assert "Headline 1" not in browser.get("/search?since=2026-02-12").text


def test_feeds_show_how_they_do_and_those_in_trouble_alone(ledger: Ledger, tmp_path: Path) -> None:
    """With their entries of two weeks, and in pages."""
    known = [feed(id=f"feed-{n:03}", url=f"https://{n}.example/feed") for n in range(120)]
    with ledger.write() as t:
        feeds.sync(t, known, now=NOON)
        t.exec_driver_sql("UPDATE feed SET state = 'failing', error = 'HTTP 503' WHERE id = 'feed-007'")
        tallies.count(t, tallies.ENTRIES, "feed-007", now=ledger.clock() - timedelta(days=1), n=7)
    with desks.client(desks.desk(ledger, settings=Settings(feeds=tuple(known)), state=tmp_path)) as browser:
        page, trouble = browser.get("/feeds").text, browser.get("/feeds?only=unhealthy").text
        more = browser.get("/feeds?after=feed-099").text
        one = browser.get("/feeds/feed-007")
    assert len(re.findall(r'href="/feeds/feed-\d+"', page)) == 100
    assert "7 entries in 14 days" in page
    assert 'href="/feeds?after=feed-099"' in page
    assert len(re.findall(r'href="/feeds/feed-\d+"', more)) == 20
    assert re.findall(r'href="/feeds/(feed-\d+)"', trouble) == ["feed-007"]
    assert "HTTP 503" in trouble
    assert one.status_code == 200
    assert browser.get("/feeds/none").status_code == 404


def test_an_address_with_the_character_0_is_refused(browser: TestClient) -> None:
    """PostgreSQL could not even be asked for it; a form may hold it, and keeps a sign in its place."""
    for path in ("/stories/a%00b", "/stories?topic=%00", "/search?q=%00"):
        assert browser.get(path).status_code == 400, path
    sent = browser.post("/silences", data={"topic": "a\x00b"})
    assert sent.status_code == 422
    assert "\ufffd" in sent.text


def test_every_page_answers_on_both_databases(either_ledger: Ledger, tmp_path: Path) -> None:
    """With a story in the ledger, and with every filter set."""
    keep(either_ledger, 1, 2)
    with either_ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        decided.add(t, alert(1))
    known = Settings(feeds=(feed(),), topics=(topic(),))
    paths = [route.path for route in ROUTES if route.methods and "GET" in route.methods and "{" not in route.path]
    paths += ["/stories/s-1", "/articles/a-1?ask=1", "/feeds/wire", "/deliveries/key-0001"]
    paths += ["/stories?topic=missiles&outlet=Outlet+1&state=waiting&after=1770811200000000~s-0"]
    paths += ["/search?q=missiles+-comet+sale*&outlet=Outlet+1&topic=missiles&since=2026-02-01&until=2026-03-01"]
    with desks.client(desks.desk(either_ledger, settings=known, state=tmp_path)) as browser:
        answers = {path: browser.get(path).status_code for path in paths}
    assert {path: code for path, code in answers.items() if code != 200} == {"/": 307}


def test_the_ledger_of_a_replay_is_called_one(ledger: Ledger, tmp_path: Path) -> None:
    """Nobody is missed there, and nobody takes it for the service's."""
    keep(ledger, 1)
    with desks.client(desks.desk(ledger, recorded=True, state=tmp_path)) as browser:
        assert "This is the ledger of a replay" in browser.get("/stories").text
        health = words(browser.get("/health").text)
    assert "replayed" in health
    assert "not ready" not in health


def test_health_says_what_is_missing(browser: TestClient) -> None:
    """In the words of ``wirewatch status``."""
    said = words(browser.get("/health").text)
    assert "nothing has worked on this ledger yet" in said
    assert "not ready" in said

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Feed
from worker.replay.feeds import SUMMARY, summary
from worker.replay.web import ENTRIES, FRESH, RecordedArticle, RecordedWeb
from worker.web.response import Response

START = datetime(2026, 2, 11, 9, tzinfo=UTC)
FEED = "https://mill.example/feed.xml"
ATOM = "https://echo.example/feed.xml"
_NAME = {"rss": "item", "atom": "{http://www.w3.org/2005/Atom}entry"}


def article(
    number: int, *, after: timedelta, outlet: str = "The Mill", text: str = "The text of it."
) -> RecordedArticle:
    """Return an article published ``after`` the start."""
    return RecordedArticle(
        id=f"n{number}",
        url=f"https://mill.example/{number}",
        title=f"Title {number}",
        text=text,
        outlet=outlet,
        published_at=START + after,
    )


def web(*articles: RecordedArticle) -> RecordedWeb:
    """Return a web of two outlets, the first with RSS and the second with Atom."""
    feeds = {
        "The Mill": Feed(id="mill", url=FEED, outlet="The Mill"),
        "Echo": Feed(id="echo", url=ATOM, outlet="Echo"),
    }
    return RecordedWeb(articles, feeds, start=START)


def get(of: RecordedWeb, url: str, *, after: timedelta, **headers: str) -> Response:
    """Return the answer at ``after`` the start."""
    return of.get(url, now=START + after, headers={k.replace("_", "-"): v for k, v in headers.items()})


def ids(response: Response) -> list[str]:
    """Return the identities of the entries of a feed, in its order."""
    root = ET.fromstring(response.body)  # noqa: S314 - a document of our own
    found = [*root.iter("guid"), *(e for n in root.iter(_NAME["atom"]) for e in n.findall("{*}id"))]
    return [element.text or "" for element in found]


_MINUTES = st.lists(st.integers(0, 300), min_size=1, max_size=70)


def test_a_feed_shows_only_what_was_published_newest_first() -> None:
    """The future is not told, and what is equally old keeps its order."""
    of = web(*(article(n, after=timedelta(hours=n)) for n in range(1, 4)))
    assert ids(get(of, FEED, after=timedelta(0))) == []
    assert ids(get(of, FEED, after=timedelta(hours=2))) == ["n2", "n1"]
    assert ids(get(of, FEED, after=timedelta(days=9))) == ["n3", "n2", "n1"]


def test_a_page_is_not_there_before_it_is_published() -> None:
    """A page is 404 until its moment, and so is what nobody recorded."""
    of = web(article(1, after=timedelta(hours=1)))
    page = "https://mill.example/1"
    assert get(of, page, after=timedelta(minutes=59)).status == 404
    shown = get(of, page, after=timedelta(hours=1))
    assert (shown.status, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert get(of, "https://mill.example/2", after=timedelta(hours=2)).status == 404


@given(_MINUTES, st.integers(0, 400))
def test_a_feed_shows_the_newest_twenty_and_all_of_the_last_hour(minutes: list[int], later: int) -> None:
    """However many share an hour, an obedient poller misses none of them."""
    of = web(*(article(n, after=timedelta(minutes=m)) for n, m in enumerate(minutes)))
    shown = ids(get(of, FEED, after=timedelta(minutes=later)))
    published = sorted(m for m in minutes if m <= later)
    recent = [m for m in published if m > published[-1] - 60]
    assert len(shown) == min(len(published), max(ENTRIES, len(recent)))


@given(_MINUTES)
def test_a_poller_that_obeys_max_age_sees_every_article_at_its_moment(minutes: list[int]) -> None:
    """The answer says when to ask again, and then there is something new."""
    of = web(*(article(n, after=timedelta(minutes=m)) for n, m in enumerate(minutes)))
    now, seen, moments = timedelta(0), set[str](), 0
    while True:
        answer = get(of, FEED, after=now)
        new = set(ids(answer)) - seen
        assert moments == 0 or new
        seen |= new
        fresh = int(answer.headers["cache-control"].removeprefix("max-age="))
        if fresh == FRESH:
            break
        now, moments = now + timedelta(seconds=fresh), moments + 1
    assert len(seen) == len(minutes)
    assert moments == len({m for m in minutes if m > 0})


def test_max_age_is_rounded_up_to_whole_seconds() -> None:
    """A poller that wakes too early would find nothing and wait for long."""
    of = web(article(1, after=timedelta(seconds=90, microseconds=1)))
    assert get(of, FEED, after=timedelta(0)).headers["cache-control"] == "max-age=91"


@pytest.mark.parametrize("header", ["etag", "weak", "list", "star", "date"])
def test_what_did_not_change_is_answered_with_304(header: str) -> None:
    """Both validators work, and an entity tag in any of its forms (RFC 9110 section 13)."""
    of = web(article(1, after=timedelta(hours=1)), article(2, after=timedelta(hours=3)))
    first = get(of, FEED, after=timedelta(hours=1))
    tag, date = first.headers["etag"], first.headers["last-modified"]
    asked = {
        "etag": {"If_None_Match": tag},
        "weak": {"If_None_Match": f"W/{tag}"},
        "list": {"if_none_match": f'"other", {tag}'},
        "star": {"if_none_match": "*"},
        "date": {"If_Modified_Since": date},
    }[header]
    again = get(of, FEED, after=timedelta(hours=2), **asked)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "max-age=3600"
    changed = get(of, FEED, after=timedelta(hours=3), **asked)
    assert changed.status == (304 if header == "star" else 200)


def test_an_entity_tag_goes_before_a_date() -> None:
    """If-Modified-Since is not asked when If-None-Match is there (RFC 9110 section 13.2.2)."""
    of = web(article(1, after=timedelta(0)))
    answer = get(
        of, FEED, after=timedelta(0), if_none_match='"x"', if_modified_since=format_datetime(START, usegmt=True)
    )
    assert answer.status == 200


@pytest.mark.parametrize("date", ["", "nonsense", "Wed, 11 Feb 2026 09:00:00 -0000"])
def test_a_date_that_cannot_be_read_gets_the_document(date: str) -> None:
    """A broken validator is as good as none."""
    assert get(web(article(1, after=timedelta(0))), FEED, after=timedelta(0), if_modified_since=date).status == 200


def test_a_feed_stays_the_same_between_two_changes() -> None:
    """The hour of recent entries is counted from the last change, or the document would change by itself."""
    of = web(*(article(n, after=timedelta(minutes=n)) for n in range(40)))
    one, other = (get(of, FEED, after=timedelta(hours=h)) for h in (1, 9))
    assert (one.body, one.headers["etag"]) == (other.body, other.headers["etag"])


def test_the_web_tells_when_it_changes() -> None:
    """The loop of a replay jumps from change to change."""
    of = web(article(1, after=timedelta(hours=1)), article(2, after=timedelta(hours=2), outlet="Echo"))
    assert of.next_change_after(START) == START + timedelta(hours=1)
    assert of.next_change_after(START + timedelta(hours=1)) == START + timedelta(hours=2)
    assert of.next_change_after(START + timedelta(hours=2)) is None
    assert of.last_change(FEED) == START + timedelta(hours=1)
    assert of.last_change(ATOM) == START + timedelta(hours=2)
    assert of.last_change("https://nobody.example/feed.xml") is None


@pytest.mark.parametrize("url", [FEED, ATOM], ids=["rss", "atom"])
def test_a_feed_of_anything_is_well_formed(url: str) -> None:
    """Markup, control characters and halves of characters do not break the document."""
    outlet = "The Mill" if url == FEED else "Echo"
    odd = "<b>&amp;]]> \x00\x08\ud800\ufffe \u2028 é"
    of = RecordedWeb(
        [
            RecordedArticle(
                id=odd, url="https://mill.example/?a=1&b=2", title=odd, text=odd * 9, outlet=outlet, published_at=START
            )
        ],
        {"The Mill": Feed(id="a", url=FEED, outlet=odd), "Echo": Feed(id="b", url=ATOM, outlet=odd)},
        start=START,
    )
    root = ET.fromstring(of.get(url, now=START, headers={}).body)  # noqa: S314 - a document of our own
    title = next(e.text for n in root.iter() if n.tag.endswith(("item", "entry")) for e in n if e.tag.endswith("title"))
    assert title == "<b>&amp;]]> é"


def test_an_entry_without_a_date_is_listed_without_one() -> None:
    """What the recording does not know, its feeds do not say."""
    one = RecordedArticle(
        id="1", url="https://mill.example/1", title="T", text="", outlet="The Mill", published_at=START, dated=False
    )
    body = get(web(one), FEED, after=timedelta(0)).body
    assert b"<item>" in body
    assert b"pubDate" not in body


@given(st.text(max_size=900))
def test_a_description_never_holds_a_whole_text(text: str) -> None:
    """Pages must be read: the feed gives a beginning of a few words."""
    told = summary(text)
    words = " ".join(told.removesuffix(" ...").split())
    assert len(told) <= SUMMARY + 4
    assert not words or len(words) < len(" ".join(text.split()))

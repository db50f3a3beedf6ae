from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.articles.quality import FEWEST_WORDS, judge
from worker.text import terms

_REFUSALS = [
    ("checking-browser", "", "Checking your browser before accessing the site. This process is automatic."),
    ("checking-browser", "Just a moment...", "Enable JavaScript and cookies to continue"),
    ("checking-browser", "", "Verify you are human by completing the action below.\nRay ID: 8a1f2b"),
    ("javascript-only", "", "You need to enable JavaScript to run this app."),
    ("javascript-only", "", "JavaScript is disabled in your browser. Please enable JavaScript to proceed."),
    (
        "consent-wall",
        "We value your privacy",
        "We and our 842 partners store and/or access information on a device. You may manage your choices at any time.",
    ),
    (
        "consent-wall",
        "",
        "This website uses cookies. By clicking Accept all you agree to our privacy policy.\nAccept all\nReject all",
    ),
    ("consent-wall", "", "Wir und unsere Partner verwenden Cookies. Ihre Einwilligung können Sie widerrufen."),
    ("error-page", "404 Not Found", "Sorry, the page you requested could not be found."),
    ("error-page", "429 Too Many Requests", "nginx and nothing else"),
    ("error-page", "Access Denied", "You don't have permission to access this resource.\nReference #18.2f"),
    ("error-page", "", "503 Service Unavailable. The server is busy."),
    (
        "paywall-teaser",
        "Ministers meet",
        "Ministers met on Monday about the budget. They were expected to agree.\nSubscribe to continue reading\nLog in",
    ),
    (
        "paywall-teaser",
        "",
        "The first line of a long report about the harbour. This article is reserved for subscribers.",
    ),
    ("javascript-only", "", ""),
    ("empty", "", "Menu"),
]

_LAW = """\
Parliament passed a law on cookies on Monday. It says that sites may not track readers who refuse.
The minister said the rule protects a legitimate interest of citizens."""
_RULING = """\
The court ruled that the newspaper may ask readers to subscribe to continue reading. Its price will stay the same.
Readers had complained.
The union of editors welcomed the ruling.
A second case is pending.
It will be heard in May."""
_OUTAGE = """\
The bank's site said "service unavailable" for an hour on Monday. Customers could not pay.
The bank apologised. It blamed a supplier."""
_NEWS = [
    _OUTAGE,
    "Iran says its missiles are not open to negotiation.",
    "Inspectors' access is denied at three sites, the agency said on Tuesday.",
    _LAW,
    "The court found that the state has a legitimate interest in the talks.",
    _RULING,
    "The reactor is under maintenance until June. Output falls by a tenth.",
    "The treaty no longer exists, the minister said.",
    "NATO membership is open to members of the union. The Houthi agree to a pause.",
    "\n".join(f"Line {n} of the poem ends without a stop," for n in range(6)),
    "The results:\n" + "\n".join(f"| Team {n} | {n} | points |" for n in range(30)),
    "外交部发言人周一表示，导弹计划不容谈判。",
    "Police shot one man. He died. Two were hurt. The mayor spoke.",
]


@pytest.mark.parametrize(("detail", "title", "text"), _REFUSALS)
def test_a_page_that_refuses_is_called_by_its_name(detail: str, title: str, text: str) -> None:
    """Walls, challenges, errors and teasers come with status 200 and must not pass for news."""
    assert judge(text, title=title, scripted=True) == detail


@pytest.mark.parametrize("text", _NEWS, ids=lambda text: text[:30])
def test_short_news_that_speaks_of_such_things_is_news(text: str) -> None:
    """A report about cookies, prices, denied access or maintenance is not the thing itself."""
    assert judge(text, title="A headline of a report that has more than six words") is None


def test_a_page_without_words_waits_for_javascript_only_if_it_has_scripts() -> None:
    """An empty page is told from one that a script would fill."""
    assert (judge("", scripted=True), judge("", scripted=False)) == ("javascript-only", "empty")


def test_headlines_in_a_row_are_a_link_list() -> None:
    """An index page has many lines and no sentences."""
    index = "\n".join(f"Town council opens the new bridge number {n}" for n in range(12))
    assert judge(index) == "link-list"


def test_an_article_that_holds_a_list_is_an_article() -> None:
    """A list among sentences does not make an article an index."""
    items = "\n".join(f"item {n}" for n in range(10))
    assert judge(f"The minister named ten points that the plan will have to meet by June.\n{items}") is None


def test_a_long_text_is_judged_by_its_shape_alone() -> None:
    """A long text about cookies and paywalls is an article about cookies and paywalls."""
    assert judge("This website uses cookies, and you must accept all of them to continue reading. " * 30) is None


@given(st.text(max_size=300))
def test_every_text_gets_an_answer(text: str) -> None:
    """The gate never fails, and never lets a text without words through."""
    answer = judge(text)
    assert answer is not None or len(terms(text)) >= FEWEST_WORDS

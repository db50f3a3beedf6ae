"""Every page in a real browser: nothing to complain of, and what strangers have written shown as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import PHONE, Tab
from tests.browser.houses import HOSTILE, House
from worker.build import SERVICE_LEDGER
from worker.console.visible import visible
from worker.ledger import entries
from worker.ledger.engine import open_file
from worker.ledger.tables import story

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

PAGES = ("/stories", "/search", "/topics", "/workbench", "/feeds", "/deliveries", "/dead", "/silences", "/health")


def hrefs(page: Page, selector: str) -> list[str]:
    """Return where links lead."""
    return [str(found.get_attribute("href")) for found in page.locator(selector).all()]


def test_every_page_is_complete_and_has_nothing_to_complain_of(library: House, open_tab: Callable[..., Tab]) -> None:
    """One heading, the right entry of the navigation, our styles at work; ``open_tab`` sees to errors of any kind."""
    tab = open_tab(library)
    for path in PAGES:
        page = tab.go(path)
        assert page.locator("h1").count() == 1, path
        assert hrefs(page, "nav [aria-current=page]") == [path.replace("/workbench", "/topics")]
        assert page.locator("header").evaluate("e => getComputedStyle(e).display") == "flex", path


def test_a_reader_gets_from_the_list_to_the_evidence_to_the_article_and_back(
    library: House, open_tab: Callable[..., Tab]
) -> None:
    """By links alone, on the replayed seeds."""
    page = open_tab(library).go("/stories?topic=missile-stance&state=told")
    page.get_by_role("link", name="Iran's missile programme is purely defensive").click()
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.locator("blockquote mark").first).to_be_visible()
    page.get_by_role("article").last.get_by_role("link", name="Iran's missile programme").click()
    expect(page.locator(".prose mark").first).to_be_visible()
    assert "programme" in page.locator(".prose mark").first.inner_text()
    page.get_by_role("link", name="3 articles").click()
    expect(page).to_have_url(re.compile(r"/stories/s-[0-9a-f]+$"))


def test_what_strangers_wrote_is_shown_as_text(library: House, open_tab: Callable[..., Tab]) -> None:
    """Titles with scripts, images, handlers and turned text, in the list, the story, the article and the search."""
    tab = open_tab(library)
    page = tab.go("/search?q=spokesman+office")
    titles = page.locator(".story h2").all_inner_texts()
    for hostile in HOSTILE:
        assert " ".join(visible(hostile).split()) in titles
    for path in hrefs(page, ".story h2 a"):
        heading = tab.go(path).locator("h1").inner_text()
        assert heading in titles
        assert "<b onmouseover=alert(1)>It will not</b>" in page.locator(".prose").inner_text()
        assert page.locator("a[href^='javascript' i], main img, main script, .prose b").count() == 0
    shown = tab.go("/stories").locator("main").inner_html()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_the_list_renews_itself_and_leaves_the_reader_where_he_is(
    own_house: Callable[..., House], open_tab: Callable[..., Tab]
) -> None:
    """A new story comes on top within some seconds; the link that has the focus keeps it."""
    house = own_house(service=True)
    tab = open_tab(house)
    page = tab.go("/stories")
    # The clock of the page is turned, so that nobody waits for a quarter of a minute.
    page.clock.install()
    page.reload(wait_until="networkidle")
    link = page.locator(".story h2 a").last
    link.focus()
    focused = link.get_attribute("id")
    with closing(open_file(house.state / SERVICE_LEDGER)) as ledger, ledger.write() as t:
        newest = t.execute(story.select().order_by(story.c.newest_at.desc())).first()
        assert newest is not None
        members = t.exec_driver_sql("SELECT article_id FROM member WHERE story_id = ?", (newest.id,)).scalars().all()
        known = entries.get_article(t, members[0])
        assert known is not None
        t.exec_driver_sql("UPDATE article SET title = 'Another headline' WHERE id = ?", (known.id,))
    page.clock.run_for(16_000)
    expect(page.get_by_role("link", name="Another headline")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == focused


def test_a_filter_narrows_the_list_without_a_new_page(library: House, open_tab: Callable[..., Tab]) -> None:
    """By htmx, with an address that shows the same when it is opened anew."""
    page = open_tab(library).go("/stories")
    everything = page.locator(".story").count()
    page.evaluate("window.same = true")
    page.get_by_label("Outlet").fill("Kurdistan24")
    page.get_by_label("Outlet").press("Enter")
    expect(page.locator(".story")).to_have_count(1)
    assert page.evaluate("window.same") is True
    assert everything > 1
    page.wait_for_url("**/stories?outlet=Kurdistan24")
    page.reload(wait_until="networkidle")
    assert page.locator(".story").count() == 1


def test_everything_can_be_read_without_javascript(
    library: House, chrome: object, open_tab: Callable[..., Tab]
) -> None:
    """Filters are forms, and buttons that ask again unfold by themselves."""
    del chrome
    tab = open_tab(library, scripts=False)
    page = tab.go("/stories")
    page.get_by_label("Outlet").fill("Kurdistan24")
    page.get_by_role("button", name="Filter").click()
    assert page.locator(".story").count() == 1
    page = tab.go("/search?q=missile")
    assert page.locator(".story mark").count() > 5


def test_no_page_is_wider_than_a_phone(library: House, open_tab: Callable[..., Tab]) -> None:
    """What is wide scrolls inside its own box, and nothing moves when the page is there."""
    tab = open_tab(library, viewport=PHONE)
    tab.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { list.getEntries().forEach(e => window.shift += e.value) })"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    story_path = hrefs(tab.go("/stories"), ".story h2 a")[0]
    for path in (*PAGES, story_path):
        page = tab.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.evaluate("window.shift") < 0.02, path


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(library: House, open_tab: Callable[..., Tab]) -> None:
    """The skip link first, then the navigation, the filters and the stories, each with a visible focus."""
    page = open_tab(library).go("/stories")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(":focus").bounding_box() is not None
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "state"
    order = []
    for _ in range(10):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", order[-1]
        page.keyboard.press("Tab")
    assert order[:4] == ["f-state", "f-topic", "f-outlet", "Filter"]
    assert order[4].startswith("s-s-")
    assert len(set(order)) == 8  # the same topic three times

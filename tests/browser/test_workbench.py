"""The topic workbench in a real browser, over the replayed seeds."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import PHONE, Tab, grave
from tests.browser.houses import House

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

PHRASE = "missile program non-negotiable"
#: Milliseconds; the models are opened first, on a machine that others use as well.
SOON = 60_000


def bench(tab: Tab, path: str = "/workbench") -> Page:
    """Open the workbench, looking back far enough for the seeds."""
    page = tab.go(path)
    page.get_by_label("Days back").fill("365")
    return page


def try_it(page: Page) -> None:
    """Press the button, and wait until the trial has ended."""
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial h2").first).to_contain_text("match", timeout=SOON)


def test_a_bare_phrase_finds_all_five_seeds_in_the_archive(library: House, open_tab: Callable[..., Tab]) -> None:
    """A new topic is begun from a phrase, tried, and shows what it found with the evidence marked."""
    page = open_tab(library).go("/workbench")
    page.get_by_label("A new topic from a phrase").fill(PHRASE)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_label("The topic, as in topics.yaml")).to_have_value(re.compile(f"^- topic: {PHRASE}\n"))
    page.get_by_label("Days back").fill("365")
    try_it(page)
    matches = page.get_by_label("Matches", exact=True)
    outlets = [text.partition(" · ")[0] for text in matches.locator(".hit .where").all_inner_texts()]
    assert len([outlet for outlet in outlets if not outlet.startswith("Out<i>let</i>")]) == 5
    assert matches.locator("mark").count() >= 5
    expect(page.get_by_text("a phrase alone is less sure")).to_be_visible()


def test_a_topic_in_force_opens_with_its_authors_comments(library: House, open_tab: Callable[..., Tab]) -> None:
    """From the list of topics to the bench, where its examples pass."""
    page = open_tab(library).go("/topics")
    page.get_by_role("link", name="Try missile-stance on the workbench").click()
    expect(page.get_by_label("The topic, as in topics.yaml")).to_have_value(re.compile("^- id: missile-stance\n"))
    page.get_by_label("Its own examples alone").check()
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("Its examples: all 7 pass")).to_be_visible(timeout=SOON)


def test_a_near_miss_is_shown_with_its_reason(library: House, open_tab: Callable[..., Tab]) -> None:
    """A stricter topic leaves articles out, and says what they lacked."""
    page = bench(open_tab(library))
    page.get_by_label("The topic, as in topics.yaml").fill("- {id: x, all: [missile, 'submarine fleet']}\n")
    try_it(page)
    near = page.get_by_label("Near misses")
    expect(near.locator(".hit").first).to_contain_text("no-match")
    expect(near.locator(".hit").first).to_contain_text("submarine fleet")
    expect(page.get_by_text("0 matches in 9 articles")).to_be_visible()


def test_a_pasted_text_is_answered_at_once(library: House, open_tab: Callable[..., Tab]) -> None:
    """Only the fields of what was chosen are shown; markup in the text is text."""
    page = bench(open_tab(library))
    expect(page.get_by_label("Text", exact=True)).to_be_hidden()
    page.get_by_label("A pasted text").check()
    expect(page.get_by_label("Days back")).to_be_hidden()
    page.get_by_label("The topic, as in topics.yaml").fill("- {id: x, any: [missile]}\n")
    page.get_by_label("Text", exact=True).fill("<script>alert(1)</script> A missile <b>flew</b>.")
    try_it(page)
    expect(page.get_by_label("Matches", exact=True).locator("mark")).to_have_text("missile")
    expect(page.get_by_label("Matches", exact=True)).to_contain_text("<script>alert(1)</script>")


def test_a_mistake_leads_to_its_line(library: House, open_tab: Callable[..., Tab]) -> None:
    """The place is a link that puts the cursor there."""
    page = bench(open_tab(library))
    area = page.get_by_label("The topic, as in topics.yaml")
    area.fill("- id: x\n  any: [missile]\n  treshold: 0.4\n")
    page.get_by_role("button", name="Try it").click()
    place = page.get_by_role("link", name="topics.yaml:3:3")
    expect(page.get_by_text('did you mean "threshold"?')).to_be_visible()
    place.click()
    expect(area).to_be_focused()
    assert area.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)") == "treshold: 0.4"


def test_the_topic_is_copied(library: House, open_tab: Callable[..., Tab]) -> None:
    """The clipboard has the YAML, to be put into topics.yaml."""
    tab = open_tab(library)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = bench(tab)
    page.get_by_label("The topic, as in topics.yaml").fill("- {id: x, any: [missile]}\n")
    page.get_by_role("button", name="Copy the YAML").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "- {id: x, any: [missile]}\n"


def test_the_bench_works_without_scripts(library: House, chrome: Browser) -> None:
    """The form is sent and answered as a whole page."""
    context = chrome.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{library.origin}/workbench")
    page.get_by_label("The topic, as in topics.yaml").fill("- {id: x, any: [missile]}\n")
    page.get_by_label("Days back").fill("365")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_label("Matches", exact=True).locator("mark").first).to_be_visible(timeout=SOON)
    expect(page.get_by_role("button", name="Copy the YAML")).to_be_hidden()
    context.close()


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"viewport": PHONE}], ids=["light", "dark", "phone"])
def test_a_trial_is_accessible(library: House, open_tab: Callable[..., Tab], look: dict[str, object]) -> None:
    """With matches, near misses, remarks and examples on the page; nothing is wider than a phone."""
    page = bench(open_tab(library, **look))
    page.get_by_label("The topic, as in topics.yaml").fill(
        "- {id: x, all: [missile, script], examples: {match: [A missile and a script., A ferry.]}}\n"
    )
    try_it(page)
    expect(page.get_by_label("Near misses")).to_be_visible()
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

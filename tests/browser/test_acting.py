"""The pages on which people act, in a real browser: redeliver, redrive, silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import PHONE, Tab, grave
from tests.browser.houses import HOSTILE, House
from tests.builders import NOON, entry
from tests.console import endings
from tests.rows import new
from worker.build import REPLAY_LEDGER
from worker.ledger import dead, deliveries, entries, silences
from worker.ledger.engine import Transaction, open_file

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

LOOKS = pytest.mark.parametrize("look", [{}, {"dark": True}, {"viewport": PHONE}], ids=["light", "dark", "phone"])


@contextmanager
def writing(house: House) -> Iterator[Transaction]:
    """Give a transaction on the ledger that the console shows."""
    with closing(open_file(house.state / REPLAY_LEDGER)) as ledger, ledger.write() as t:
        yield t


def filled(house: House) -> House:
    """Have alerts come to every end in the ledger that the console shows, and the reading of a page be given up."""
    with closing(open_file(house.state / REPLAY_LEDGER)) as ledger:
        endings.fill(ledger)
    with writing(house) as t:
        bad = entry(77, url="javascript:alert(1)", title=HOSTILE[0])
        entries.add(t, new(bad), now=NOON)
        (claim,) = entries.claim(t, now=NOON, limit=1)
        dead.bury(t, claim, kind="entry", subject=bad.url, reason="took too long <script>", now=NOON)
    return house


def test_an_alert_is_redelivered_after_a_word_of_what_happens(
    own_house: Callable[..., House], open_tab: Callable[..., Tab]
) -> None:
    """From the list, by the filter, to the alert; the first click unfolds what will happen, the second one acts."""
    house = filled(own_house())
    page = open_tab(house).go("/deliveries")
    page.get_by_label("State").select_option("unknown")
    page.get_by_role("button", name="Show").click()
    page.locator("tbody a").click()
    expect(page.get_by_text("the answer was lost").first).to_be_visible()
    again = page.get_by_role("button", name="Redeliver")
    expect(again).to_be_hidden()
    page.locator("summary", has_text="Redeliver").click()
    expect(page.get_by_text("Nobody knows whether screen has this alert")).to_be_visible()
    again.click()
    expect(page.get_by_role("status")).to_have_text("It is sent to screen again.")
    with writing(house) as t:
        (one,) = deliveries.find(t, endings.key(endings.UNKNOWN))
    assert (one.state, one.alert.repeat) == ("open", True)


def test_dead_letters_are_given_back_one_by_one_and_all_together(
    own_house: Callable[..., House], open_tab: Callable[..., Tab]
) -> None:
    """The number in the navigation falls with them."""
    house = filled(own_house())
    page = open_tab(house).go("/dead")
    expect(page.locator("nav .count").first).to_have_text("2")
    page.get_by_role("button", name="Give letter 2 back").click()
    expect(page.get_by_role("status")).to_contain_text("Letter 2 is given back: 1 article is read and matched again")
    page.locator("summary", has_text="Give all back").click()
    expect(page.get_by_text("1 alert is sent again, from the first attempt.")).to_be_visible()
    page.get_by_role("button", name="Give all back").click()
    expect(page.get_by_text("No dead letters")).to_be_visible()
    with writing(house) as t:
        assert dead.letters(t) == []


def test_a_silence_is_added_and_ended(own_house: Callable[..., House], open_tab: Callable[..., Tab]) -> None:
    """A mistake is named beside its field and what was written stays; then it holds, and then it has ended."""
    house = own_house()
    tab = open_tab(house)
    tab.expect_status(422)
    page = tab.go("/silences?topic=missile-*")
    expect(page.get_by_label("Topic")).to_have_value("missile-*")
    page.get_by_label("Who says so").fill("Anna")
    page.get_by_label("Why").fill("exercise <script>alert(1)</script>")
    page.get_by_label("How long").fill("a while")
    page.get_by_role("button", name="Silence it").click()
    expect(page.locator("#d-length.error")).to_contain_text("30s")
    expect(page.get_by_label("Who says so")).to_have_value("Anna")
    page.get_by_label("How long").fill("2h")
    page.get_by_role("button", name="Silence it").click()
    expect(page.get_by_role("status")).to_contain_text("Silence 1 holds until")
    expect(page.get_by_text("exercise <script>alert(1)</script>")).to_be_visible()
    page.get_by_role("button", name="End silence 1").click()
    expect(page.get_by_role("status")).to_contain_text("Silence 1 has ended")
    expect(page.get_by_text("Nothing is silenced.")).to_be_visible()
    with writing(house) as t:
        (one,) = silences.listed(t)
    assert one.ends_at > one.starts_at


@LOOKS
def test_pages_with_something_on_them_are_accessible(
    own_house: Callable[..., House], open_tab: Callable[..., Tab], look: dict[str, object]
) -> None:
    """Lists, an alert, a digest, letters, silences in every state, plots; nothing is wider than a phone."""
    house = filled(own_house())
    with writing(house) as t:
        for hours in (1, 48):
            silences.add(
                t,
                topic="missile-*",
                author="Anna",
                comment=HOSTILE[1],
                starts_at=NOON.replace(year=2990 if hours == 48 else 2026),
                ends_at=NOON.replace(year=2999),
                now=NOON,
            )
    tab = open_tab(house, **look)
    paths = ("/deliveries", "/dead", "/silences", "/topics", *(f"/deliveries/{endings.key(n)}" for n in (2, 8)))
    for path in paths:
        page = tab.go(path)
        for summary in page.locator("main details > summary").all():
            summary.click()
        assert (path, grave(page)) == (path, [])
        assert (path, page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")) == (path, True)

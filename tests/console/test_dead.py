"""The page of dead letters, and giving them back."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.builders import NOON, entry
from tests.console import desks, endings
from tests.rows import new
from worker.ledger import dead, deliveries, entries
from worker.ledger.engine import Ledger

HOSTILE = "javascript:alert(1)"


def bury(ledger: Ledger, number: int, reason: str = "not read in 8 attempts") -> None:
    """Give up the reading of an entry."""
    with ledger.write() as t:
        entries.add(t, new(entry(number, url=HOSTILE if number == 13 else f"https://wire.example/{number}")), now=NOON)
        (claim,) = entries.claim(t, now=NOON, limit=1)
        dead.bury(t, claim, kind="entry", subject=claim.value.entry.url, reason=reason, now=NOON)


def waiting(ledger: Ledger) -> list[int]:
    """Return the letters that were not given back."""
    with ledger.read() as t:
        return [letter.id for letter in dead.letters(t)]


def test_letters_are_listed_with_their_reasons(ledger: Ledger, browser: TestClient) -> None:
    """The newest first, each with what it is about; an address that is no page is no link."""
    bury(ledger, 12, "took too long <b>")
    bury(ledger, 13)
    page = browser.get("/dead").text
    assert page.index("letter-2") < page.index("letter-1")
    assert "took too long &lt;b&gt;" in page
    assert 'href="https://wire.example/12"' in page
    assert f'href="{HOSTILE}' not in page
    assert HOSTILE in page


def test_one_letter_is_given_back(ledger: Ledger, browser: TestClient) -> None:
    """Its entry is due again, the others stay, and the page says so."""
    bury(ledger, 1)
    bury(ledger, 2)
    answer = browser.post("/dead/1/redrive")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dead")
    assert waiting(ledger) == [2]
    with ledger.write() as t:
        assert [claim.value.entry.url for claim in entries.claim(t, now=NOON.replace(year=2999), limit=5)] == [
            "https://wire.example/1"
        ]
    assert "Letter 1 is given back: 1 article is read and matched again" in browser.get("/dead").text


def test_a_letter_is_given_back_once(ledger: Ledger, browser: TestClient) -> None:
    """The second time it is said that it was done before."""
    bury(ledger, 1)
    browser.post("/dead/1/redrive")
    browser.get("/dead")
    browser.post("/dead/1/redrive")
    assert "given back before" in browser.get("/dead").text


def test_all_letters_are_given_back_with_a_word_of_what_happens(ledger: Ledger, browser: TestClient) -> None:
    """Entries and alerts, each in its own words; what came after the page was looked at stays."""
    endings.fill(ledger)
    bury(ledger, 21)
    bury(ledger, 22)
    page = browser.get("/dead").text
    assert "2 articles are read and matched again and 1 alert is sent again" in page
    newest = max(waiting(ledger))
    assert f'name="newest" value="{newest}"' in page
    bury(ledger, 23)
    browser.post("/dead/redrive", data={"newest": str(newest)})
    assert waiting(ledger) == [newest + 1]
    with ledger.read() as t:
        (one,) = deliveries.find(t, endings.key(endings.DEAD))
    assert one.state == "open"


def test_what_was_given_back_is_shown_when_asked_for(ledger: Ledger, browser: TestClient) -> None:
    """It leaves the list, and stays in the other one, without a button."""
    bury(ledger, 1)
    browser.post("/dead/1/redrive")
    browser.get("/dead")
    assert "letter-1" not in browser.get("/dead").text
    page = browser.get("/dead?all=1").text
    assert "letter-1" in page
    assert "/dead/1/redrive" not in page


@pytest.mark.parametrize("newest", ["", "0", "nonsense", "9" * 400, "-1"])
def test_a_form_without_sense_gives_nothing_back(ledger: Ledger, browser: TestClient, newest: str) -> None:
    """No number, a great one and a negative one: nothing happens, and no page breaks."""
    bury(ledger, 1)
    assert browser.post("/dead/redrive", data={"newest": newest}).status_code == 303
    assert waiting(ledger) == [1]


@pytest.mark.parametrize("number", ["7", str(2**64)])
def test_a_letter_that_is_not_there_is_a_404(browser: TestClient, number: str) -> None:
    """Also one whose number no database could hold."""
    assert browser.post(f"/dead/{number}/redrive").status_code == 404


def test_an_empty_page_says_that_nothing_was_given_up(browser: TestClient) -> None:
    """There is no button then."""
    page = browser.get("/dead").text
    assert "No dead letters" in page
    assert "<button" not in page


def test_both_databases_give_back(either_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On SQLite and on PostgreSQL."""
    bury(either_ledger, 1)
    (number,) = waiting(either_ledger)
    with desks.client(desks.desk(either_ledger, state=tmp_path_factory.mktemp("state"))) as browser:
        browser.post(f"/dead/{number}/redrive")
    assert waiting(either_ledger) == []

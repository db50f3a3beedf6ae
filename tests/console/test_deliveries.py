"""The pages of deliveries: lists, one alert, and sending it again."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from tests.builders import at
from tests.console import desks, endings
from tests.console.endings import HOSTILE, key
from worker.ledger import deliveries, outbox
from worker.ledger.deliveries import Told
from worker.ledger.engine import Ledger


@pytest.fixture
def told(ledger: Ledger, browser: TestClient) -> TestClient:
    """Give a console over alerts that have come to every end."""
    endings.fill(ledger)
    return browser


def state_of(ledger: Ledger, number: int) -> Told:
    """Return an alert as the ledger has it."""
    with ledger.read() as t:
        (one,) = deliveries.find(t, key(number))
    return one


def numbers(page: str) -> list[int]:
    """Return the numbers of the alerts that a page lists."""
    return [int(found[:8], 16) for found in re.findall(r'href="/deliveries/([0-9a-f]{32})" dir', page)]


def test_alerts_are_listed_newest_first(told: TestClient) -> None:
    """Every alert is there, with its state and what came of it."""
    page = told.get("/deliveries").text
    assert numbers(page) == [9, 7, 6, 8, 5, 4, 3, 2, 1]
    for words in ("the answer was lost", "no such channel", "the receiver answered 500", "silence 1 by anna"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=unknown", [2]),
        ("state=open", [4]),
        ("state=delivered", [7, 6, 8, 1]),
        ("state=off&channel=screen", [5]),
        ("channel=nobody", []),
        ("topic=ferries", [9]),
        ("limit=2", [9, 7]),
        ("state=nonsense", [9, 7, 6, 8, 5, 4, 3, 2, 1]),
        ("limit=nonsense&state=dead", [3]),
    ],
)
def test_a_list_is_filtered(told: TestClient, query: str, expected: list[int]) -> None:
    """State, channel and topic narrow it; what makes no sense narrows nothing."""
    assert numbers(told.get(f"/deliveries?{query}").text) == expected


def test_an_alert_shows_what_was_sent_and_every_answer(told: TestClient) -> None:
    """The title as it was sent, the evidence marked, the attempt with its answer; no markup of strangers."""
    page = told.get(f"/deliveries/{key(endings.UNKNOWN)}").text
    assert "the answer was lost" in page
    assert "<mark>missiles</mark>" in page
    assert "ts-1" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_an_alert_is_found_by_the_beginning_of_its_key(told: TestClient) -> None:
    """Eight characters suffice, as for the command."""
    assert told.get(f"/deliveries/{key(1)[:8]}").status_code == 200
    assert told.get(f"/deliveries/{key(1)[:7]}").status_code == 404


def test_a_digest_shows_what_it_tells_and_its_items_show_it(told: TestClient) -> None:
    """The digest leads to its alerts and they lead back, with its attempts and no button of their own."""
    whole = told.get(f"/deliveries/{key(endings.DIGEST)}").text
    assert f"/deliveries/{key(endings.FIRST_TOLD)}" in whole
    item = told.get(f"/deliveries/{key(endings.FIRST_TOLD)}").text
    assert f"/deliveries/{key(endings.DIGEST)}" in item
    assert "Attempts of its digest" in item
    assert "/redeliver" not in item


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (endings.DELIVERED, "a second time, marked as a possible repeat"),
        (endings.UNKNOWN, "is asked first"),
        (endings.DEAD, "from the first attempt"),
        (endings.OFF, "silence 1 by anna"),
    ],
)
def test_it_is_said_what_will_happen_before_an_alert_is_sent_again(told: TestClient, number: int, words: str) -> None:
    """Each state has words of its own, beside the button."""
    page = told.get(f"/deliveries/{key(number)}").text
    assert words in page.partition("Redeliver")[2].partition("</form>")[0]


@pytest.mark.parametrize(
    ("number", "state", "repeat"),
    [
        (endings.DELIVERED, "delivered", True),
        (endings.UNKNOWN, "unknown", True),
        (endings.DEAD, "dead", False),
        (endings.OFF, "off", False),
    ],
)
def test_an_alert_is_sent_again(ledger: Ledger, told: TestClient, number: int, state: str, repeat: bool) -> None:
    """It is due at once, and marked as a possible repeat where it may have arrived."""
    answer = told.post(f"/deliveries/{key(number)}/redeliver", data={"state": state})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/deliveries/{key(number)}")
    one = state_of(ledger, number)
    assert (one.state, one.alert.repeat) == ("open", repeat)
    assert "It is sent to screen again" in told.get(answer.headers["location"]).text


def test_what_has_changed_since_it_was_looked_at_is_not_sent_again(ledger: Ledger, told: TestClient) -> None:
    """Who agreed to send what was given up has not agreed to send what has arrived a second time."""
    answer = told.post(f"/deliveries/{key(endings.DELIVERED)}/redeliver", data={"state": "dead"})
    assert state_of(ledger, endings.DELIVERED).state == "delivered"
    assert "Nothing was done" in told.get(answer.headers["location"]).text


@pytest.mark.parametrize("number", [endings.WAITS, endings.FIRST_TOLD])
def test_what_is_on_its_way_or_in_a_digest_is_left_alone(ledger: Ledger, told: TestClient, number: int) -> None:
    """A form that was made by hand changes nothing either, and is told why."""
    before = state_of(ledger, number)
    answer = told.post(f"/deliveries/{key(number)}/redeliver", data={"state": before.state})
    assert state_of(ledger, number) == before
    assert "Nothing was done" in told.get(answer.headers["location"]).text


def test_an_alert_that_is_not_there_is_a_404(told: TestClient) -> None:
    """To look at it and to send it, with what may have become of it."""
    for answer in (told.get("/deliveries/nonsense"), told.post("/deliveries/nonsense/redeliver")):
        assert answer.status_code == 404
    assert "retention" in told.get("/deliveries/nonsense").text


def test_another_site_sends_nothing_again(ledger: Ledger, told: TestClient) -> None:
    """A form of another site is refused before anything happens."""
    url = f"/deliveries/{key(endings.DELIVERED)}/redeliver"
    answer = told.post(url, data={"state": "delivered"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert state_of(ledger, endings.DELIVERED).state == "delivered"


def test_both_databases_list_and_send_again(either_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The list, an alert and its redelivery, on SQLite and on PostgreSQL."""
    endings.fill(either_ledger)
    with desks.client(desks.desk(either_ledger, state=tmp_path_factory.mktemp("state"))) as browser:
        assert numbers(browser.get("/deliveries").text) == [9, 7, 6, 8, 5, 4, 3, 2, 1]
        browser.post(f"/deliveries/{key(endings.UNKNOWN)}/redeliver", data={"state": "unknown"})
        assert "open" in browser.get(f"/deliveries/{key(endings.UNKNOWN)}").text
    with either_ledger.write() as t:
        due = {claim.value.alert.key for claim in outbox.claim(t, now=at(60 * 24 * 900), limit=10)}
    assert key(endings.UNKNOWN) in due

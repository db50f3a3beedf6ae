"""The page of silences: what holds, beginning one, and ending it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.builders import NOON, topic
from tests.console import desks
from worker.console.silences import checked
from worker.ledger import silences, snapshots
from worker.ledger.engine import Ledger
from worker.model import Silence

GOOD = {"topic": "missile-*", "author": "Anna", "comment": "exercise, announced", "length": "2h"}
EMPTY = dict.fromkeys(("topic", "outlet", "channel", "story", "author", "comment", "length", "starts"), "")


def kept(ledger: Ledger) -> list[Silence]:
    """Return all silences."""
    with ledger.read() as t:
        return list(silences.listed(t))


def test_a_silence_is_begun_and_shown(ledger: Ledger, browser: TestClient) -> None:
    """It holds for as long as was said, with who said so and why."""
    answer = browser.post("/silences", data=GOOD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/silences")
    (one,) = kept(ledger)
    assert (one.topic, one.author, one.comment) == ("missile-*", "Anna", "exercise, announced")
    assert one.ends_at - one.starts_at == timedelta(hours=2)
    page = browser.get("/silences").text
    assert "Silence 1 holds until" in page
    assert "<code>missile-*</code>" in page


def test_a_silence_may_begin_later(ledger: Ledger, browser: TestClient) -> None:
    """A time without an offset is in UTC; it stands among those to come."""
    browser.post("/silences", data=GOOD | {"starts": "2999-01-01T08:00"})
    (one,) = kept(ledger)
    assert one.starts_at.isoformat() == "2999-01-01T08:00:00+00:00"
    page = browser.get("/silences").text
    assert page.index("To come") < page.index("<code>missile-*</code>")


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        ({"topic": ""}, "topic", "say what to silence"),
        ({"author": " "}, "author", "say who you are"),
        ({"comment": ""}, "comment", "say why"),
        ({"length": ""}, "length", "30s"),
        ({"length": "soon"}, "length", "30s"),
        ({"length": "999999999d"}, "length", ""),
        ({"starts": "tomorrow"}, "starts", "write a time"),
        ({"starts": "2001-01-01T00:00"}, "length", "already"),
        ({"comment": "x" * 501}, "comment", "500 are taken"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    ledger: Ledger, browser: TestClient, change: dict[str, str], name: str, words: str
) -> None:
    """Nothing is recorded, what was written stays, and the message stands where the mistake is."""
    answer = browser.post("/silences", data=GOOD | change)
    assert answer.status_code == 422
    assert kept(ledger) == []
    shown = answer.text.partition(f'id="d-{name}" class="error">')[2].partition("</p>")[0]
    assert shown
    assert words in shown
    assert 'value="missile-*"' in answer.text or "topic" in change


def test_patterns_that_fit_nothing_are_noted(ledger: Ledger, browser: TestClient) -> None:
    """It is begun all the same: the topic may come."""
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=NOON)
    browser.post("/silences", data=GOOD | {"topic": "ferries", "story": "s-none"})
    page = browser.get("/silences").text
    assert "No topic in force fits ferries." in page
    assert "No story is called s-none." in page
    assert len(kept(ledger)) == 1


def test_a_silence_is_ended(ledger: Ledger, browser: TestClient) -> None:
    """It ends now, and leads the list of those that have ended; a second time it is said that it had."""
    browser.post("/silences", data=GOOD)
    browser.post("/silences/1/expire")
    (one,) = kept(ledger)
    assert one.ends_at - one.starts_at < timedelta(hours=1)
    page = browser.get("/silences").text
    assert "Silence 1 has ended" in page
    assert "/silences/1/expire" not in page
    assert "Ended: 1" in page
    browser.post("/silences/1/expire")
    assert "had ended already" in browser.get("/silences").text


@pytest.mark.parametrize("number", ["7", str(2**64)])
def test_a_silence_that_is_not_there_is_a_404(browser: TestClient, number: str) -> None:
    """Also one whose number no database could hold."""
    assert browser.post(f"/silences/{number}/expire").status_code == 404


def test_the_form_is_filled_in_from_the_address(browser: TestClient) -> None:
    """So that a story's page can lead here; what comes so is shown as text."""
    page = browser.get("/silences", params={"story": 's-1"><script>'}).text
    assert 'name="story" type="text" value="s-1&#34;&gt;&lt;script&gt;"' in page


_LENGTHS = st.sampled_from(["", "30m", "24h", "9999999d", "1e9", "-1h", "soon"])
_STARTS = st.sampled_from(
    ["", "2026-02-12T08:00", "2026-02-11T08:00+01:00", "0001-01-01T00:00+14:00", "9999-12-31", "x"]
)


@given(
    st.fixed_dictionaries(
        {name: st.text(max_size=20) for name in EMPTY}
        | {"length": _LENGTHS | st.text(max_size=9), "starts": _STARTS | st.text(max_size=9)}
    )
)
def test_no_form_breaks_the_page(values: dict[str, str]) -> None:
    """Whatever is written is a silence, or has at least one named mistake in one of its fields."""
    found = checked(values, now=NOON)
    assert set(found.errors) <= set(EMPTY)
    if not found.errors:
        assert found.starts_at is not None
        assert found.ends_at is not None
        assert found.ends_at > max(found.starts_at, NOON)


def test_both_databases_keep_silences(either_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On SQLite and on PostgreSQL."""
    with desks.client(desks.desk(either_ledger, state=tmp_path_factory.mktemp("state"))) as browser:
        browser.post("/silences", data=GOOD)
        assert "<code>missile-*</code>" in browser.get("/silences").text
        (one,) = kept(either_ledger)
        browser.post(f"/silences/{one.id}/expire")
    (one,) = kept(either_ledger)
    assert one.ends_at - one.starts_at < timedelta(hours=1)

"""The page of topics: what they found, and what was told of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.builders import NOON, article, match, topic
from tests.console import desks, endings
from worker.ledger import entries, snapshots, tallies
from worker.ledger.engine import Ledger


def row(page: str, name: str) -> str:
    """Return the row of a topic."""
    return page.partition(f">{name}</a>")[2].partition("</tr>")[0]


def test_a_topic_has_its_matches_and_a_way_to_the_bench(ledger: Ledger, browser: TestClient) -> None:
    """How it is looked for, how often it has matched, and when last, in words and in plots."""
    now = ledger.clock()
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic(), topic(id="meant", any=())], files=None, now=NOON)
        for number in (1, 2, 3):
            entries.add_article(t, article(number), now=now)
            entries.add_match(t, match(number), now=now - timedelta(days=number - 1))
    page = browser.get("/topics").text
    found = row(page, "missiles")
    assert "by its rule" in found
    assert 'data-name="matches">3<' in found
    assert now.date().isoformat() in found
    assert 'href="/workbench?topic=missiles"' in found
    assert "by its phrase alone" in row(page, "meant")
    assert "never" in row(page, "meant")
    assert page.count("missiles</title></rect>") == 3


def test_alerts_are_counted_by_topic_and_digests_are_no_topic(ledger: Ledger, tmp_path: Path) -> None:
    """A topic that is in force no longer is remembered; what has no topic has no row."""
    endings.fill(ledger)
    with desks.client(desks.desk(ledger, state=tmp_path, recorded=True)) as browser:
        page = browser.get("/topics").text
    assert "no longer in force" in row(page, "missiles")
    assert 'data-name="alerts">7<' in row(page, "missiles")
    assert 'href="/stories"></a>' not in page
    assert "</svg></li>" not in page  # a name in the legend that is none


def test_the_delay_from_publication_is_shown(ledger: Ledger, browser: TestClient) -> None:
    """As a histogram, with its median in words."""
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=NOON)
        for seconds in (4.0, 100.0, 110.0):
            tallies.observe(t, tallies.PUBLISH_TO_ALERT, seconds, now=NOON)
    page = browser.get("/topics").text
    assert "3 alerts; half of them within 2 min." in page
    assert "2 min: 2 alerts" in page


def test_plots_of_a_replay_end_where_it_ended(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its days may be long ago."""
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=NOON)
        entries.add_article(t, article(1), now=NOON)
        entries.add_match(t, match(1), now=NOON)
    state = tmp_path_factory.mktemp("state")
    with desks.client(desks.desk(ledger, state=state, recorded=True)) as browser:
        assert "2026-02-11: 1 missiles" in browser.get("/topics").text
    with desks.client(desks.desk(ledger, state=state)) as browser:
        assert "2026-02-11: 1 missiles" not in browser.get("/topics").text


def test_many_topics_are_narrowed_by_name(ledger: Ledger, browser: TestClient) -> None:
    """A page has a bound; the rest is found by part of its name."""
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic(id=f"t-{number:03}") for number in range(250)], files=None, now=NOON)
    page = browser.get("/topics").text
    assert "And 50 more" in page
    assert not row(page, "t-249")
    assert row(browser.get("/topics?name=T-249").text, "t-249")
    assert "No topic has" in browser.get("/topics?name=nobody").text


def test_without_topics_the_page_leads_to_the_bench(browser: TestClient) -> None:
    """And says that nothing can match."""
    page = browser.get("/topics").text
    assert "nothing can match" in page
    assert 'href="/workbench"' in page

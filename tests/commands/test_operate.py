"""``why``, ``status`` and ``dead``: what the ledger remembers, asked by a person or a script."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.builders import NOON, at, entry, feed
from tests.commands.shells import SEEDS, ends_well
from tests.processes import Ended, wirewatch
from tests.rows import new
from worker.build import REPLAY_LEDGER
from worker.ledger import dead, entries, feeds
from worker.ledger.engine import Ledger, open_file
from worker.ledger.feeds import Polled

_PAGES = [one["url"] for one in YAML(typ="safe", pure=True).load(SEEDS / "manifest.yaml")["articles"]]


def only(found: Ended) -> dict[str, Any]:
    """Return the one JSON line of an output."""
    (line,) = found.out.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@pytest.fixture
def buried(tmp_path: Path) -> Path:
    """Return a state directory in which two entries were given up."""
    ledger = open_file(tmp_path / "state" / REPLAY_LEDGER, durable=False)
    with ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        entries.add(t, new(entry(1), entry(2)), now=NOON)
        for claim in entries.claim(t, now=at(1), limit=2):
            url = claim.value.entry.url
            dead.bury(t, claim, kind="entry", subject=url, reason="not read in 5 attempts", now=at(1))
    ledger.close()
    return tmp_path / "state"


# why


def test_why_tells_the_whole_path_of_an_article(replayed: Path, tmp_path: Path) -> None:
    """Feed, page, article, topic with its evidence, story, alert."""
    url = "https://www.kurdistan24.net/en/story/iran-rejects-missile-negotiations"
    out = ends_well(wirewatch("why", url, "--state", replayed, cwd=tmp_path), 0).out
    said = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert said == ["feed", "read", "article", "topic", "story", "alert"]
    assert "missile-stance: matched, score" in out
    assert "»Rejects Missile Negotiations«" in out


@pytest.mark.parametrize("form", ["http://kurdistan24.net{}/?utm_source=x#top", "https://www.kurdistan24.net{}"])
def test_why_knows_a_page_by_any_form_of_its_address(replayed: Path, tmp_path: Path, form: str) -> None:
    """As it was copied from a browser or a mail."""
    url = form.format("/en/story/iran-rejects-missile-negotiations")
    found = only(ends_well(wirewatch("why", url, "--json", "--state", replayed, cwd=tmp_path), 0))
    assert found["article"]["outlet"] == "Kurdistan24"


def test_why_takes_an_alert_by_its_key_and_by_the_beginning_of_it(replayed: Path, tmp_path: Path) -> None:
    """The key that stands in the alert's own line."""
    key = json.loads((replayed / "alerts.jsonl").read_text("utf-8").splitlines()[0])["alert"]
    for ref in (key, key[:8]):
        found = only(ends_well(wirewatch("why", ref, "--json", "--state", replayed, cwd=tmp_path), 0))
        assert [decision["alert"] for decision in found["decisions"]] == [key]


@pytest.mark.parametrize("page", _PAGES)
def test_why_names_the_missing_clause_of_a_topic_about_something_else(
    replayed: Path, tmp_path: Path, page: str
) -> None:
    """For every seed, in text and in JSON."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: football, any: [football, goalkeeper]}\n")
    args = ("why", page, "--topics", "t.yaml", "--state", replayed)
    assert "football: no-match: any: one of football, goalkeeper" in ends_well(wirewatch(*args, cwd=tmp_path), 0).out
    (answer,) = only(wirewatch(*args, "--json", cwd=tmp_path))["topics"]
    assert (answer["matched"], answer["reason"]) == (False, "no-match")
    assert answer["clause"] == "any: one of football, goalkeeper"


def test_why_answers_for_the_topics_that_were_in_force(tmp_path: Path) -> None:
    """The replay had other topics than the configuration has now."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: football, any: [football]}\n")
    assert wirewatch("replay", SEEDS, "--topics", "t.yaml", cwd=tmp_path).code == 0
    found = only(ends_well(wirewatch("why", _PAGES[0], "--json", cwd=tmp_path), 0))
    assert [answer["topic"] for answer in found["topics"]] == ["football"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("https://never.example/x",), 1, "https://never.example/x: never seen; `wirewatch status` lists the feeds"),
        (("\x1b[2J",), 1, "never seen"),
        (("%",), 1, "never seen"),
        ((_PAGES[0], "--topic", "nope"), 2, "no topic nope; there are: missile-stance"),
        ((_PAGES[0], "--topics", "no.yaml"), 2, "no.yaml: cannot be read"),
        ((), 2, "Missing argument"),
    ],
    ids=["never-seen", "escape", "wildcard", "unknown-topic", "no-topics-file", "nothing"],
)
def test_why_says_what_it_cannot_tell(
    replayed: Path, tmp_path: Path, args: tuple[str, ...], code: int, said: str
) -> None:
    """An article that was never seen is a no; a topic that does not exist is a mistake."""
    found = ends_well(wirewatch("why", *args, "--state", replayed, cwd=tmp_path), code)
    assert said in found.err


@pytest.mark.parametrize("command", [("why", "x"), ("dead", "list"), ("dead", "redrive", "--all")], ids=str)
def test_a_state_directory_without_a_ledger_is_named_and_stays_as_it_was(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Asking makes nothing."""
    found = ends_well(wirewatch(*command, "--state", "none", cwd=tmp_path), 2)
    assert "none: no ledger here; run or replay something first" in found.err
    assert not (tmp_path / "none").exists()


# status


def test_status_is_one_object_with_what_the_design_names(replayed: Path, tmp_path: Path) -> None:
    """Feeds with their state, queues, channels, dead letters and topics."""
    found = only(ends_well(wirewatch("status", "--json", "--state", replayed, cwd=tmp_path), 0))
    assert (found["ready"], found["why_not"], found["dead"]) == (True, [], 0)
    assert found.keys() >= {"feeds", "queues", "channels", "topics"}
    assert {(one["state"], one["failures"]) for one in found["feeds"]} == {("ok", 0.0)}
    assert found["feeds"][0].keys() >= {
        "id",
        "url",
        "outcome",
        "error",
        "last_success_at",
        "next_poll_at",
        "interval_s",
    }
    assert [(one["id"], one["delivered"]) for one in found["channels"]] == [("screen", 5)]
    assert [(one["id"], one["matches"]) for one in found["topics"]] == [("missile-stance", 5)]


def test_status_in_words_says_the_same(replayed: Path, tmp_path: Path) -> None:
    """The first line is the answer."""
    out = ends_well(wirewatch("status", "--state", replayed, cwd=tmp_path), 0).out
    assert out.startswith("ready\n")
    assert "channel screen: 5 delivered, 0 open, 0 unknown, 0 dead" in out
    assert "dead letters: 0" in out


def test_status_without_a_ledger_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """The same object, with exit code 1, and nothing is made."""
    found = only(ends_well(wirewatch("status", "--json", "--state", "none", cwd=tmp_path), 1))
    assert found["ready"] is False
    assert "none: no ledger here" in found["why_not"][0]
    assert not (tmp_path / "none").exists()


# dead


def test_dead_letters_are_listed_shown_and_given_back(buried: Path, tmp_path: Path) -> None:
    """Given back once, they are due again and no longer listed; --all still shows them."""
    state = ("--state", buried)
    listed = ends_well(wirewatch("dead", "list", "--json", *state, cwd=tmp_path), 0).out.splitlines()
    assert [json.loads(line)["subject"] for line in listed] == ["https://wire.example/1", "https://wire.example/2"]
    shown = only(ends_well(wirewatch("dead", "show", "1", "--json", *state, cwd=tmp_path), 0))
    assert (shown["kind"], shown["reason"], shown["attempts"]) == ("entry", "not read in 5 attempts", 1)
    assert only(wirewatch("status", "--json", *state, cwd=tmp_path))["dead"] == 2
    assert ends_well(wirewatch("dead", "redrive", "1", *state, cwd=tmp_path), 0).out == "1: given back\n"
    assert ends_well(wirewatch("dead", "list", *state, cwd=tmp_path), 0).out.startswith("2  ")
    assert len(wirewatch("dead", "list", "--all", *state, cwd=tmp_path).out.splitlines()) == 2
    assert only(wirewatch("status", "--json", *state, cwd=tmp_path))["queues"]["read"]["open"] == 1
    assert ends_well(wirewatch("dead", "redrive", "--all", *state, cwd=tmp_path), 0).out == "2: given back\n"
    assert ends_well(wirewatch("dead", "list", *state, cwd=tmp_path), 0).out == "no dead letters\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("show", "9"), "no dead letter 9; `wirewatch dead list` shows them"),
        (("show", "one"), "'one' is not a valid integer"),
        (("show", "9" * 30), "is not in the range"),
        (("redrive",), "name the dead letters to give back, or --all"),
        (("redrive", "1", "--all"), "name the dead letters to give back, or --all"),
        (("redrive", "1", "9"), "no dead letter 9"),
    ],
    ids=["unknown", "word", "huge", "nothing", "both", "one-unknown"],
)
def test_dead_letters_that_do_not_exist_are_a_usage_error(
    buried: Path, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    """And when one of several does not exist, none is given back."""
    found = ends_well(wirewatch("dead", *args, "--state", buried, cwd=tmp_path), 2)
    assert said in found.err
    assert len(wirewatch("dead", "list", "--state", buried, cwd=tmp_path).out.splitlines()) == 2


def test_giving_nothing_back_is_said(replayed: Path, tmp_path: Path) -> None:
    """Silence could mean anything."""
    state = shutil.copytree(replayed, tmp_path / "state")
    assert (
        ends_well(wirewatch("dead", "redrive", "--all", "--state", state, cwd=tmp_path), 0).out == "no dead letters\n"
    )


# The ledger that service.yaml names


def _on(ledger: Ledger, tmp_path: Path, **changes: Any) -> None:
    """Write a configuration with one feed whose ledger is that database."""
    config = tmp_path / "config"
    config.mkdir()
    # The host of the query, a socket, goes before this one.
    url = ledger._engine.url.set(**{"host": "localhost"} | changes).render_as_string(hide_password=False)
    (config / "service.yaml").write_text(f"ledger: '{url}'\n")
    (config / "feeds.yaml").write_text("feeds: [{id: wire, url: 'https://wire.example/feed.xml', outlet: Wire}]\n")
    (config / "topics.yaml").write_text("topics: [{id: missiles, any: [missile]}]\n")


def test_commands_ask_the_ledger_that_the_configuration_names(postgres_ledger: Ledger, tmp_path: Path) -> None:
    """PostgreSQL: status, why and dead tell what stands there, and give work back there; no file is made."""
    _on(postgres_ledger, tmp_path)
    with postgres_ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        entries.add(t, new(entry(1)), now=NOON)
        (claim,) = entries.claim(t, now=NOON, limit=1)
        dead.bury(t, claim, kind="entry", subject=entry(1).url, reason="not read in 5 attempts", now=NOON)
    found = only(wirewatch("status", "--json", cwd=tmp_path))
    assert (found["dead"], [one["id"] for one in found["feeds"]]) == (1, ["wire"])
    assert only(ends_well(wirewatch("why", entry(1).url, "--json", cwd=tmp_path), 0))["feed"] == "wire"
    shown = only(ends_well(wirewatch("dead", "list", "--json", cwd=tmp_path), 0))
    assert ends_well(wirewatch("dead", "redrive", str(shown["id"]), cwd=tmp_path), 0).out.endswith("given back\n")
    with postgres_ledger.write() as t:
        assert len(entries.claim(t, now=postgres_ledger.clock(), limit=9)) == 1
    assert not (tmp_path / ".wirewatch").exists()


def test_a_feed_is_put_back_to_work_in_the_ledger_that_the_configuration_names(
    postgres_ledger: Ledger, tmp_path: Path
) -> None:
    """What is due then is by the database's clock."""
    _on(postgres_ledger, tmp_path)
    with postgres_ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        (claim,) = feeds.claim(t, now=NOON, limit=1)
        gone = replace(claim.value, state="gone")
        feeds.record(t, [Polled(claim=claim, state=gone, next_poll_at=at(9), host="wire.example")])
    said = wirewatch("poll", "--feed", "wire", "--resume", cwd=tmp_path).err
    assert "feed wire is polled again" in said
    with postgres_ledger.write() as t:
        assert [c.id for c in feeds.claim(t, now=postgres_ledger.clock(), limit=9)] == ["wire"]


@pytest.mark.parametrize("command", [("status",), ("dead", "list"), ("why", "x")], ids=lambda command: command[0])
def test_a_ledger_that_does_not_answer_is_said_without_a_password(
    postgres_ledger: Ledger, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Exit code 1: it may answer later."""
    _on(postgres_ledger, tmp_path, host="127.0.0.1", port=1, username="me", password="geheim", query={})
    found = ends_well(wirewatch(*command, cwd=tmp_path), 1)
    assert "127.0.0.1:1/postgres: the ledger does not answer" in found.err
    assert "geheim" not in found.err + found.out

"""What people really hand to a program: every case ends with a message that names the place, and the right code."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.shells import (
    CLAIM,
    CONFIG,
    SEEDS,
    alerts,
    ends_well,
    interrupted,
    jsonl,
    real,
    summary,
    told,
    under,
)
from tests.processes import wirewatch
from worker.replay.session import ALERTS

_TEXT = f"{CLAIM}\n\nThe ministry said on Monday that its missile programme is not negotiable, whatever is offered.\n"
_ITEM = f"<item><title>{CLAIM}</title><link>https://a.example/1</link></item>"


def _rss(items: str = _ITEM, *, before: str = "", title: str = "Wire") -> str:
    return f"<?xml version='1.0'?>{before}<rss version='2.0'><channel><title>{title}</title>{items}</channel></rss>"


# What cannot be replayed at all


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "empty.txt: is empty"),
        ("blank.txt", b" \n\n ", "blank.txt: is empty"),
        ("noise.txt", bytes(range(256)) * 9, "noise.txt: is binary data, not text"),
        ("report.txt", b"%PDF-1.7\n" + bytes(range(256)), "report.txt: is a PDF file, not text"),
        ("page.xml", b"<!doctype html><p>hello</p>", "page.xml: is not a feed"),
        ("empty.jsonl", b"\n\n", "empty.jsonl: holds no article"),
        ("manifest.yaml", b"", "manifest.yaml: needs a list of articles"),
        ("manifest.yaml", b"articles:\n\t- x", "manifest.yaml:2: not YAML"),
    ],
    ids=["empty", "blank", "binary", "pdf", "html-for-a-feed", "no-lines", "empty-manifest", "tab-in-manifest"],
)
def test_a_file_that_holds_nothing_to_replay_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """A usage error, with the file first in the line."""
    (tmp_path / name).write_bytes(content)
    found = ends_well(wirewatch("replay", name, cwd=tmp_path), 2)
    assert said in found.err
    assert not found.out


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The path, as it was given."""
    assert ends_well(wirewatch("replay", "no/such", cwd=tmp_path), 2).err.startswith("no/such: does not exist")


def test_an_empty_directory_says_what_could_be_put_there(tmp_path: Path) -> None:
    """Somebody who made a directory wants to know what goes into it."""
    (tmp_path / "here").mkdir()
    found = ends_well(wirewatch("replay", "here", cwd=tmp_path), 2)
    assert "here: holds nothing to replay: put .txt, .html, .jsonl or feed files" in found.err


def test_every_mistake_of_a_manifest_is_named_at_once(tmp_path: Path) -> None:
    """A missing file, a misspelt key, a bad date and a repeated id: four lines, four places."""
    (tmp_path / "first.txt").write_text(_TEXT)
    (tmp_path / "manifest.yaml").write_text(
        "articles:\n  - file: frst.txt\n  - {file: first.txt, titel: x}\n  - {text: a, id: b, published_at: soon}\n"
        "  - {text: a, id: b}\n"
    )
    err = ends_well(wirewatch("replay", tmp_path, cwd=tmp_path / "cwd"), 2).err
    for said in (
        ":2: frst.txt does not exist beside manifest.yaml; did you mean first.txt?",
        ":3: titel: unknown key; did you mean title?",
        ":4: published_at: 'soon' is not a time; write it like",
        ":5: id: b is the id of another article too (line 4)",
        "4 errors",
    ):
        assert said in err


def test_every_bad_line_of_a_recording_is_named_at_once(tmp_path: Path) -> None:
    """A recording is wanted whole, so bad lines are errors; each has its number, and broken JSON its column."""
    lines = ['{"id": 1', "null", "[1]", '{"id": {}, "title": "x"}', '{"title": 5}', "{}", "[" * 9000, '{"id": 1%s}']
    lines[-1] %= "0" * 6000
    (tmp_path / "bad.jsonl").write_text("\n".join([json.dumps({"title": CLAIM}), *lines]) + "\n")
    err = ends_well(wirewatch("replay", "bad.jsonl", cwd=tmp_path), 2).err
    assert [line.split(":")[1] for line in err.splitlines()[:8]] == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert "bad.jsonl:2: not JSON: Expecting ',' delimiter at column 9" in err


def test_an_address_that_no_reader_would_ask_for_is_refused(tmp_path: Path) -> None:
    """A longer address would be cut on its way, and the page then be missing."""
    jsonl(tmp_path / "a.jsonl", [{"title": CLAIM, "url": "https://a.example/" + "x" * 3000}])
    assert "a.jsonl:1: url: is longer than 2048" in ends_well(wirewatch("replay", "a.jsonl", cwd=tmp_path), 2).err


# What can be replayed in spite of what is wrong with it


def test_what_cannot_be_used_is_skipped_and_named_and_the_rest_is_replayed(tmp_path: Path) -> None:
    """In a directory one bad file stops nobody; it stands on stderr and in the summary."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "good.txt").write_text(_TEXT)
    (here / "empty.txt").touch()
    (here / "noise.txt").write_bytes(bytes(range(256)) * 9)
    (here / "picture.png").write_bytes(b"\x89PNG")
    found = ends_well(wirewatch("replay", here, "--json", cwd=tmp_path), 0)
    skipped = {Path(one["file"]).name: one["reason"] for one in summary(found.out)["skipped"]}
    assert skipped.keys() == {"empty.txt", "noise.txt", "picture.png"}
    assert all(f"{name}: {reason}" in found.err for name, reason in skipped.items())
    assert len(alerts(found.out)) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_a_text_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    """The accents arrive as they were written."""
    (tmp_path / "a.txt").write_bytes(_TEXT.replace("Iran", "Le café d'Orléans").encode(encoding))
    (alert,) = alerts(ends_well(wirewatch("replay", "a.txt", "--json", cwd=tmp_path), 0).out)
    assert alert["title"] == "Le café d'Orléans says its missile programme is not negotiable"


def test_a_guessed_encoding_is_said_to_be_a_guess(tmp_path: Path) -> None:
    """A person can tell from the note what went wrong with the letters."""
    (tmp_path / "a.txt").write_bytes(_TEXT.replace("Iran", "Orléans").encode("latin-1"))
    assert "a.txt: is not UTF-8; it was read as" in wirewatch("replay", "a.txt", cwd=tmp_path).err


def test_articles_without_date_or_title_get_both_and_it_is_said(tmp_path: Path) -> None:
    """The headline is the first sentence, the times follow each other, and a note tells."""
    jsonl(tmp_path / "a.jsonl", [{"text": f"{CLAIM}. More."}, {"title": "Rain", "text": "It rained all day long."}])
    found = ends_well(wirewatch("replay", "a.jsonl", "--json", cwd=tmp_path), 0)
    assert [(alert["title"], alert["published_at"]) for alert in alerts(found.out)] == [
        (f"{CLAIM}.", "2026-01-01T00:00:00Z")
    ]
    assert "2 of 2 articles have no date" in found.err


def test_halves_of_characters_are_replaced(tmp_path: Path) -> None:
    """JSON can spell a lone surrogate, which no ledger takes; the article is read all the same."""
    line = json.dumps({"id": "\ud800", "title": f"{CLAIM} \udfff", "outlet": "Wire \ud800", "text": f"\ud83d {CLAIM}."})
    (tmp_path / "a.jsonl").write_text(line)
    (alert,) = alerts(ends_well(wirewatch("replay", "a.jsonl", "--json", cwd=tmp_path), 0).out)
    assert (alert["article"], alert["outlet"]) == ("\ufffd", "Wire \ufffd")


@pytest.mark.parametrize("option", ["", "--json"], ids=["table", "json"])
def test_nothing_that_a_terminal_obeys_comes_through(tmp_path: Path, option: str) -> None:
    """Escape sequences, NULs and C1 controls in any field, and in the name of the file."""
    evil = "\x1b[2J\x1b]0;title\x07\x00\x7f\x9b31m"
    jsonl(
        tmp_path / "a\x1b[31m\x9b\x07.jsonl",
        [{"id": f"{evil}{n}", "title": f"{CLAIM} {evil}", "text": f"{evil} text", "outlet": evil} for n in range(2)],
    )
    args = [option] if option else []
    found = ends_well(wirewatch("replay", tmp_path / "a\x1b[31m\x9b\x07.jsonl", *args, cwd=tmp_path), 0)
    assert CLAIM in found.out


def test_ids_that_a_feed_cannot_carry_stay_apart(tmp_path: Path) -> None:
    """Long ones, ones with controls or blanks, and ones that are addresses or paths, in both kinds of feed."""
    ids = ["x" * 9000, "x" * 9001, "a\x01", "a\x02", "a b", "a  b", "https://i.example/#1", "https://i.example/#2"]
    ids += ["<b>", "&lt;b>", "c/../d", "d", "e", "e#f", "g", "g?utm_source=h"]
    articles = [{"id": f"{name}{kind}", "outlet": kind, "title": name[:30]} for kind in ("rss", "atom") for name in ids]
    jsonl(tmp_path / "a.jsonl", articles)
    found = ends_well(wirewatch("replay", "a.jsonl", "--json", cwd=tmp_path), 0)
    assert summary(found.out)["articles"] == len(articles)


def test_articles_at_one_address_are_all_read_and_it_is_said(tmp_path: Path) -> None:
    """An address that only looks different (tracking, fragment) is the same page, and nothing is lost for that."""
    urls = ["https://a.example/x", "https://a.example/x", "http://www.a.example/x/?utm_source=b#c"]
    jsonl(tmp_path / "a.jsonl", [{"title": f"Headline {n}", "url": url} for n, url in enumerate(urls)])
    found = ends_well(wirewatch("replay", "a.jsonl", "--json", cwd=tmp_path), 0)
    assert summary(found.out)["articles"] == len(urls)
    assert "a.jsonl:2: another article has the URL https://a.example/x too" in found.err


def test_five_megabytes_of_text_are_matched_to_the_last_sentence(tmp_path: Path) -> None:
    """The claim stands at the very end, and the memory stays within bounds."""
    filler = "".join(
        f"On day {n} the council met again and spoke of roads, bridges and the school.\n" for n in range(400)
    )
    lines = [filler.replace("\n", " ") + f"Chapter {n} ended.\n" for n in range(5_000_000 // len(filler) + 1)]
    (tmp_path / "big.txt").write_text("A long report\n\n" + "".join(lines) + f"At last {CLAIM}.\n")
    assert (tmp_path / "big.txt").stat().st_size > 5_000_000
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    (alert,) = alerts(ends_well(wirewatch("replay", "big.txt", "--json", cwd=tmp_path), 0).out)
    assert alert["evidence"][0]["start"] > 4_900_000
    assert max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) < 1024 * 1024


def test_a_text_that_passes_for_no_article_is_named(tmp_path: Path) -> None:
    """What reads like a consent wall is not read as an article, and a replay that leaves it out must say so."""
    jsonl(tmp_path / "a.jsonl", [{"title": "Cookies", "text": "We use cookies. Accept all cookies to continue."}])
    err = ends_well(wirewatch("replay", "a.jsonl", cwd=tmp_path), 0).err
    assert "https://recorded.example/a-1: feed-text: consent-wall: not taken for an article" in err


# Feeds


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.xml", _rss()),
        ("a.atom", f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><title>{CLAIM}</title></entry></feed>"),
        (
            "a.rdf",
            "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>"
            f"<channel/><item><title>{CLAIM}</title></item></rdf:RDF>",
        ),
        ("no-links.xml", _rss(_ITEM.replace("<link>https://a.example/1</link>", ""))),
        ("script-links.xml", _rss(_ITEM.replace("https://a.example/1", "javascript:x"))),
        ("broken-links.xml", _rss(_ITEM.replace("https://a.example/1", "http://[::"))),
        ("no-such-characters.xml", _rss(_ITEM.replace("Iran", "Iran &#xD800; &#55296; &#x99999999; &#27;[2J"))),
    ],
    ids=["rss", "atom", "rdf", "no-links", "script-links", "broken-links", "no-such-characters"],
)
def test_a_feed_document_is_replayed(tmp_path: Path, name: str, body: str) -> None:
    """Whatever its kind, and whatever its links and characters are like."""
    (tmp_path / name).write_text(body)
    (alert,) = alerts(ends_well(wirewatch("replay", name, "--json", cwd=tmp_path), 0).out)
    assert alert["evidence"][0]["text"] == "missile programme is not negotiable"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_rss()[:-30], "is not well-formed XML (line 1:"),
        (_rss("")[:50], "is not well-formed XML (line 1:"),
        (_rss(""), "has no entries"),
    ],
    ids=["end-missing", "nearly-all-missing", "no-items"],
)
def test_a_feed_that_is_not_all_there_is_named(tmp_path: Path, body: str, said: str) -> None:
    """What can be read is replayed, and a note says that it may not be everything."""
    (tmp_path / "a.xml").write_text(body)
    assert f"a.xml: {said}" in ends_well(wirewatch("replay", "a.xml", "--json", cwd=tmp_path), 0).err


def test_entities_neither_fill_the_memory_nor_read_files(tmp_path: Path) -> None:
    """The bomb of nested entities is not expanded, and an external one stays where it is."""
    levels = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    bomb = f"<!DOCTYPE r [<!ENTITY l0 'ha'>{levels}<!ENTITY file SYSTEM 'file://{tmp_path}/secret'>]>"
    (tmp_path / "secret").write_text("the launch codes")
    body = _rss(f"<item><title>Boom &l9; &file;</title><guid>2</guid></item>{_ITEM}", before=bomb, title="&l9;")
    (tmp_path / "a.xml").write_text(body)
    found = ends_well(wirewatch("replay", "a.xml", "--json", "--state", "state", cwd=tmp_path), 0)
    assert len(alerts(found.out)) == 1
    assert len(found.out) < 10_000
    assert b"launch codes" not in (tmp_path / "state" / "replay.sqlite").read_bytes()


# Topics


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ("topics:\n  - id: a\n    anchors: [[]]\n", ":3:15: anchors[0]: this group is empty"),
        ("topics:\n  - id: a\n    query: '(x AND y'\n", ":3:13: query: this parenthesis is never closed"),
        (
            "topics:\n  - {id: a, any: [x]}\n  - {id: a, any: [y]}\n",
            ':3:10: id: another topic has the id "a", on line 2',
        ),
        ("topics:\n  - {id: a, anny: [x]}\n", ':2:13: anny: unknown key; did you mean "any"?'),
        ("topics:\n  - id: a\n\t  any: [x]\n", ":3:1: a tab as indentation"),
        ("topics: [a, b\n", "topics.yaml:"),
        ("topics:\n  - {id: a, any: ['${NOT_SET_HERE}']}\n", "the environment variable NOT_SET_HERE is not set"),
    ],
    ids=["empty-group", "open-parenthesis", "two-with-one-id", "misspelt", "tab", "not-yaml", "unset-variable"],
)
def test_a_mistake_in_a_topic_file_is_named_by_line_and_column(tmp_path: Path, topics: str, said: str) -> None:
    """Nothing is replayed with topics that are not what their author meant."""
    (tmp_path / "topics.yaml").write_text(topics)
    found = ends_well(wirewatch("replay", SEEDS, "--topics", "topics.yaml", cwd=tmp_path), 2)
    assert said in found.err
    assert not found.out


def test_thirty_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """One run, thirty lines in the order of the file, and their number."""
    topic = "  - id: t{}\n    anny: [x]\n    threshold: 7\n    query: '(a'\n"
    (tmp_path / "t.yaml").write_text("topics:\n" + "".join(topic.format(n) for n in range(10)))
    *lines, count = ends_well(wirewatch("replay", SEEDS, "--topics", "t.yaml", cwd=tmp_path), 2).err.splitlines()
    places = [int(line.split(":")[1]) for line in lines]
    assert (len(places), count) == (30, "30 errors")
    assert places == sorted(places)


def test_a_phrase_says_that_it_cannot_match_when_meaning_is_off(tmp_path: Path) -> None:
    """Without a model a phrase matches nothing, which must not look like news about nothing."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: a, topic: missile program non-negotiable}\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "service.yaml").write_text("meaning: {model: off}\n")
    found = ends_well(wirewatch("replay", SEEDS, "--topics", "t.yaml", "--json", cwd=tmp_path), 0)
    assert "meaning disabled: meaning.model is off in service.yaml; topic a cannot match" in found.err
    assert summary(found.out)["matches"] == 0
    found = ends_well(wirewatch("check", "--topics", "t.yaml", cwd=tmp_path), 0)
    assert "t.yaml:2:5: warning: meaning disabled: meaning.model is off" in found.out


def test_a_phrase_alone_finds_the_seeds(tmp_path: Path) -> None:
    """What a person would type is a topic."""
    (tmp_path / "t.yaml").write_text("topics:\n  - {id: a, topic: missile program non-negotiable}\n")
    found = ends_well(wirewatch("replay", SEEDS, "--topics", "t.yaml", "--json", cwd=tmp_path), 0)
    assert summary(found.out)["matches"] == 5
    assert {line["by"] for line in map(json.loads, found.out.splitlines()) if line["kind"] == "alert"} == {"meaning"}


def test_no_topics_at_all_are_said_to_match_nothing(tmp_path: Path) -> None:
    """A file that lost its topics is no quiet day."""
    (tmp_path / "t.yaml").write_text("topics: []\n")
    found = ends_well(wirewatch("replay", SEEDS, "--topics", "t.yaml", cwd=tmp_path), 0)
    assert "there are no topics, so nothing can match" in found.err


# State directories


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A usage error before anything is read."""
    (tmp_path / "file").touch()
    found = ends_well(wirewatch("replay", SEEDS, "--state", "file", cwd=tmp_path), 2)
    assert "'--state': Directory 'file' is a file" in found.err


@pytest.mark.parametrize("state", ["file/below", "/proc/wirewatch", "/dev/null/state"])
def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path, state: str) -> None:
    """The message says what to do instead."""
    (tmp_path / "file").touch()
    found = ends_well(wirewatch("replay", SEEDS, "--state", state, cwd=tmp_path), 2)
    assert f"{state}: cannot make or write the state directory" in found.err
    assert "choose another with --state" in found.err


def test_a_state_directory_may_have_any_name(tmp_path: Path) -> None:
    """The signs that mean something in an address mean nothing in a path."""
    state = tmp_path / "a?mode=memory #b %20é"
    ends_well(wirewatch("replay", SEEDS, "--state", state, "--json", cwd=tmp_path / "cwd"), 0)
    assert (state / "replay.sqlite").stat().st_size > 0
    assert {place.name for place in tmp_path.iterdir()} == {state.name, "cwd"}


def _newer(ledger: Path) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _foreign(ledger: Path) -> None:
    ledger.unlink()
    with sqlite3.connect(ledger) as connection:
        connection.execute("CREATE TABLE article (x)")
    connection.close()


def _stripped(ledger: Path) -> None:
    with sqlite3.connect(ledger) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            if name not in {"alembic_version", "sqlite_sequence"}:
                connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.close()


def _damaged(ledger: Path) -> None:
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:2000] + b"\xa5" * (len(whole) - 2000))


@pytest.mark.parametrize("command", [("replay", SEEDS), ("why", "000"), ("status",), ("dead", "list")], ids=str)
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_newer, "was made by a newer wirewatch (schema 9999"),
        (_foreign, "holds the tables of something else"),
        (_stripped, "not the tables of a wirewatch ledger"),
        (_damaged, "not a wirewatch ledger, or damaged"),
        (lambda ledger: ledger.write_text("no ledger " * 99), "not a wirewatch ledger, or damaged"),
    ],
    ids=["newer", "foreign", "stripped", "damaged", "text"],
)
def test_a_ledger_that_cannot_be_used_is_named(
    replayed: Path, tmp_path: Path, command: tuple[str, ...], harm: Callable[[Path], object], said: str
) -> None:
    """Every command that opens it ends with the same words and exit code 2."""
    ledger = Path(shutil.copytree(replayed, tmp_path / "state")) / "replay.sqlite"
    harm(ledger)
    found = ends_well(wirewatch(*command, "--state", "state", cwd=tmp_path), 2)
    assert f"state/replay.sqlite: {said}" in found.err


@pytest.mark.parametrize("content", [b"\xff\xfe no line of ours\n", b"{}\n", b"[1]\n"])
def test_a_receiver_file_that_no_replay_wrote_is_named_before_anything_is_told(tmp_path: Path, content: bytes) -> None:
    """The file and the line, and the ledger has not been touched."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / ALERTS).write_bytes(content)
    found = ends_well(wirewatch("replay", SEEDS, "--state", "state", cwd=tmp_path), 2)
    assert f"state/{ALERTS}:1: is not a line that a replay writes" in found.err
    assert (tmp_path / "state" / ALERTS).read_bytes() == content


@pytest.mark.parametrize("size", [4_000, 100_000, 300_000])
def test_a_full_disk_is_said_and_nothing_is_lost_or_repeated_afterwards(tmp_path: Path, size: int) -> None:
    """The disk is full at the first table, between two of them, or among the articles; then there is room again."""
    state = tmp_path / "state"
    found = ends_well(under(f"disk={size}", "replay", SEEDS, "--config", CONFIG, "--state", state, cwd=tmp_path), 1)
    assert "the disk is full; nothing was half-written: make room" in found.err
    ends_well(wirewatch("replay", SEEDS, "--state", state, cwd=tmp_path), 0)
    assert sorted(told(state).values()) == [1] * 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_says_so_and_goes_on_where_it_stopped(tmp_path: Path, number: int) -> None:
    """Exit code 130 in the middle of an alert; the second run brings each of the others, and that one not again."""
    state = tmp_path / "state"
    args = ("replay", SEEDS, "--config", CONFIG, "--state", state, "--json")
    found = ends_well(interrupted(number, *args, cwd=tmp_path, state=state), 130)
    assert "interrupted; nothing is half-written" in found.err
    assert sum(told(state).values()) < 5
    ends_well(wirewatch(*args, cwd=tmp_path), 0)
    assert sorted(told(state).values()) == [1] * 5


# Outputs and surroundings


@pytest.mark.parametrize("option", ["", "--json"], ids=["table", "json"])
def test_an_output_without_room_is_an_error(tmp_path: Path, option: str) -> None:
    """What could not be shown was not shown, so the code is not 0."""
    args = [option] if option else []
    found = ends_well(real("replay", SEEDS, "--config", CONFIG, *args, cwd=tmp_path, out="/dev/full"), 1)
    assert "No space left on device" in found.err


@pytest.mark.parametrize("option", ["", "--json"], ids=["table", "json"])
def test_a_reader_that_went_away_is_no_traceback_and_no_success(tmp_path: Path, option: str) -> None:
    """As in ``wirewatch replay seeds | head -1``."""
    args = [option] if option else []
    ends_well(under("reader-gone", "replay", SEEDS, "--config", CONFIG, *args, cwd=tmp_path), 1)


def test_a_closed_output_never_makes_a_file_of_the_state_the_output(tmp_path: Path) -> None:
    """The first file that is opened would take its place; what is told must not be written there."""
    state = tmp_path / "state"
    args = ("replay", SEEDS, "--config", CONFIG, "--state", state, "--json")
    assert "Bad file descriptor" in ends_well(under("closed", *args, cwd=tmp_path), 1).err
    assert (state / "replay.lock").stat().st_size == 0
    ends_well(wirewatch(*args, cwd=tmp_path), 0)
    assert sorted(told(state).values()) == [1] * 5


@pytest.mark.parametrize(
    "command", [("match", "--topics", CONFIG / "topics.yaml"), ("extract", "-")], ids=["match", "extract"]
)
def test_a_closed_input_is_a_usage_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A filter without input says what to name instead."""
    assert "stdin is closed; name a file" in ends_well(real(*command, cwd=tmp_path, without="stdin"), 2).err


def test_a_terminal_that_knows_only_ascii_is_shown_escapes(tmp_path: Path) -> None:
    """The curly quotes of the seeds must not end the table in a traceback."""
    env = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "TERM": "dumb"}
    found = ends_well(real("replay", SEEDS, "--config", CONFIG, cwd=tmp_path, env=env), 0)
    assert "\\u201cnon-negotiable" in found.out
    assert found.out.splitlines()[-1] == "5 articles, 5 matches, 2 stories, 2 alerts, 3 updates"


def test_a_directory_that_cannot_be_written_and_a_missing_home_stop_nobody(tmp_path: Path) -> None:
    """There is nothing to keep the last replay in, and nothing else is missing."""
    del tmp_path
    found = ends_well(real("replay", SEEDS, "--config", CONFIG, cwd=Path("/proc"), without="HOME"), 0)
    assert found.out.splitlines()[-1] == "5 articles, 5 matches, 2 stories, 2 alerts, 3 updates"


def test_without_configuration_the_defaults_hold_and_it_is_said(tmp_path: Path) -> None:
    """A directory without ``config/`` has no topics, and a person who stands in the wrong one must learn it."""
    found = ends_well(real("replay", SEEDS, cwd=tmp_path), 0)
    assert "config: there is no such directory" in found.err
    assert "there are no topics" in found.err
    assert "5 articles, 0 matches" in found.out

"""Channels against the real thing: files and streams."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.builders import NOON, alert, article, at
from worker.channels.file import FileChannel, append_line
from worker.channels.terminal import TerminalChannel, as_text
from worker.errors import Retryable
from worker.model import Digest, Evidence, Message, Notice, Role

FOUND = Evidence(field="text", start=25, end=33, text="missiles")


def message(title: str = "Headline 1", key: str = "key-0001") -> Message:
    """Return a message about an article."""
    about = article(title=title)
    told = alert(key=key, evidence=(FOUND,))
    return builders.message(alert=told, article=about)


def test_a_file_holds_what_was_sent_and_can_be_asked(tmp_path: Path) -> None:
    """One JSON line an alert, found again by its key."""
    channel = FileChannel("archive", tmp_path / "deep" / "alerts.jsonl")
    assert channel.find(message(), since=NOON).arrived is False
    channel.send(message(), now=NOON)
    (line,) = channel.path.read_text().splitlines()
    assert json.loads(line)["alert"] == "key-0001"
    assert channel.find(message(), since=NOON).arrived is True
    assert channel.find(message(key="key-0002"), since=NOON).arrived is False


def test_a_line_that_a_crash_cut_off_is_no_alert_and_is_replaced(tmp_path: Path) -> None:
    """Half a line counts for nothing, and the next line does not grow onto it."""
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"alert": "key-0000"}\n{"alert": "key-00')
    channel = FileChannel("archive", path)
    assert channel.find(message(), since=NOON).arrived is False
    channel.send(message(), now=NOON)
    assert channel.keys() == {"key-0000", "key-0001"}


def test_a_file_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    """The directory may come back, or the disk be cleared."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(Retryable, match="taken"):
        FileChannel("archive", tmp_path / "taken" / "alerts.jsonl").send(message(), now=NOON)


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: b"\n" not in b), max_size=6), st.booleans())
def test_lines_are_appended_whole(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], torn: bool) -> None:
    """Whatever stood there, the file ends with the new line after whole ones."""
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + (b"torn" if torn else b""))
    append_line(path, b"new\n")
    assert path.read_bytes() == b"".join(line + b"\n" for line in lines) + b"new\n"


def test_the_terminal_shows_the_evidence_marked() -> None:
    """Headline, outlet, address, evidence, score and counts."""
    stream = io.StringIO()
    channel = TerminalChannel("screen", stream)
    channel.send(message(), now=NOON)
    shown = stream.getvalue()
    assert "Something was said about »missiles« on Monday." in shown
    assert "Headline 1" in shown
    assert "2 articles, 2 outlets, 1 independent origin" in shown
    assert channel.find(message(), since=NOON).arrived is None


@given(st.text(max_size=100))
def test_no_title_can_command_the_terminal(title: str) -> None:
    """Control characters, which could move the cursor or set the window's title, are gone."""
    text = as_text(message(title=title + "\x1b]0;owned\x07\x9b31m"))
    assert not {c for c in text if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}
    assert len(text.splitlines()) >= 6


@given(st.text(max_size=60), st.sampled_from(list(Role)))
def test_nothing_that_is_sent_can_command_the_terminal(text: str, role: Role) -> None:
    """Whatever field of whatever kind it stands in."""
    evil = text + "\x1b[2J\r\n\x9b31m\u202e"
    told = alert(role=role, topic_id=evil, story_id=evil, clause=evil, detail=evil, by=evil)
    about = article(title=evil, outlet=evil, url="https://wire.example/" + evil)
    one = builders.message(alert=told, article=about, linked=evil, link="https://desk.example/" + evil)
    for sent in (one, Digest(alert=told, items=(one, one), more=2, at=NOON), Notice(alert=told, at=NOON)):
        assert not {c for c in as_text(sent) if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}
        assert "\u202e" not in as_text(sent)


def test_the_terminal_shows_what_a_correction_has_changed_and_that_it_may_be_a_repeat() -> None:
    """And how late it was told, the story before it, and where to read on."""
    told = alert(role=Role.CORRECTION, detail='title was "Old"', repeat=True)
    sent = builders.message(
        alert=told, at=at(7), linked="s-0", linked_at=at(-90), link="https://desk.example/stories/s-1"
    )
    text = as_text(sent)
    assert text.startswith("2026-02-11T12:07:00Z  CORRECTION  missiles  story s-1  (possible repeat)\n")
    assert '  changed: title was "Old"\n' in text
    assert "told 7 min after publication" in text
    assert "follows story s-0 of 11 Feb 2026 10:30 UTC" in text
    assert text.endswith("  https://desk.example/stories/s-1")


def test_the_terminal_shows_the_alerts_of_a_digest_and_how_many_more_there_were() -> None:
    """Each with its headline and its evidence."""
    one, two = message(), message("Headline 2", "key-0002")
    text = as_text(Digest(alert=alert(role=Role.DIGEST), items=(one, two), more=3, at=NOON))
    assert text.startswith("2026-02-11T12:00:00Z  DIGEST  5 alerts\n  -  ALERT  missiles")
    assert text.count("»missiles«") == 2
    assert text.endswith("\n  and 3 more")


def test_the_terminal_shows_a_notice() -> None:
    """In its own words."""
    told = alert(role=Role.NOTICE, clause="channel x takes nothing any more")
    assert as_text(Notice(alert=told, at=NOON)) == "2026-02-11T12:00:00Z  NOTICE  channel x takes nothing any more"


def test_a_file_holds_digests_and_notices_under_their_keys(tmp_path: Path) -> None:
    """With the alerts of a digest inside its line, which are not in the file by themselves."""
    channel = FileChannel("archive", tmp_path / "alerts.jsonl")
    whole = Digest(alert=alert(key="digest", role=Role.DIGEST), items=(message(),), more=1, at=NOON)
    notice = Notice(alert=alert(key="notice", role=Role.NOTICE, clause="words"), at=NOON)
    for sent in (whole, notice, message(key="key-0002")):
        channel.send(sent, now=NOON)
    lines = [json.loads(line) for line in channel.path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["digest", "notice", "alert"]
    assert ([one["alert"] for one in lines[0]["alerts"]], lines[0]["more"]) == (["key-0001"], 1)
    assert channel.keys() == {"digest", "notice", "key-0002"}


def test_a_closed_stream_is_worth_another_try() -> None:
    """The alert stays due."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(Retryable, match="terminal"):
        TerminalChannel("screen", stream).send(message(), now=NOON)


def test_lines_that_are_appended_at_once_are_all_there(tmp_path: Path) -> None:
    """Alerts are sent by several threads, and to one file by several processes."""
    path = tmp_path / "alerts.jsonl"
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda number: append_line(path, b"%d\n" % number), range(800)))
    assert sorted(map(int, path.read_bytes().split())) == list(range(800))

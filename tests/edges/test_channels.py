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
from tests.builders import NOON, alert, article
from worker.channels.file import FileChannel, append_line
from worker.channels.terminal import TerminalChannel, as_text
from worker.errors import Retryable
from worker.model import Evidence, Message

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

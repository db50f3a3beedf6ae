"""The log: lines for people or JSON, the same ids through all stages, and no secret in any of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import ROOT, wirewatch
from worker.cli import logs

HOOK = "https://hooks.slack.com/services/T000/B000/verysecret"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the logging of the tests as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def _line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.rstrip("\n")


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"no answer from {HOOK}", "verysecret"),
        ("token xoxb-123456-abcdef is revoked", "123456-abcdef"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjU"),
        ("sent Authorization: Bearer abcdef.ghijkl", "abcdef.ghijkl"),
        ("cannot reach redis://user:hunter2@cache:6379/0", "hunter2"),
        ("GET https://api.example/feed?apikey=abc123&page=2", "abc123"),
        ("GET https://hc-ping.com/0c0ffee0-1111-2222-3333-444455556666", "c0ffee0-1111"),
        ("the word is opensesame, said the file", "opensesame"),
    ],
)
def test_no_secret_reaches_a_line(capsys: pytest.CaptureFixture[str], said: str, secret: str, as_json: bool) -> None:
    """Neither from a text, an extra field nor an exception; what is not secret stays readable."""
    logs.configure(logging.INFO, as_json=as_json, env={"DESK_PASSWORD": "opensesame", "EDITOR": "readable"})
    log = logging.getLogger("wirewatch")
    try:
        int(said)
    except ValueError:
        log.exception("readable: %s", said, extra={"detail": said})
    found = _line(capsys)
    assert secret not in found
    assert "readable" in found
    assert "***" in found


@given(st.text(max_size=200))
def test_redaction_changes_nothing_that_is_no_secret(text: str) -> None:
    """Without a variable that names one and without a known form a text stays as it is."""
    plain = "".join(letter for letter in text if letter.isalnum() or letter in " .,\n-")
    assert logs.Redactor({}).clean(plain) == plain


def test_json_lines_have_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """A line about a row is named for its stage; others keep their words; line breaks break no line."""
    logs.configure(logging.INFO, as_json=True, env={})
    log = logging.getLogger("wirewatch")
    log.info("read verdict=page", extra={"stage": "read", "verdict": "page", "article": "a-1"})
    log.warning("one\ntwo")
    row, words = (json.loads(line) for line in _line(capsys).splitlines())
    assert (row["event"], row["level"], row["verdict"], row["article"]) == ("read", "info", "page", "a-1")
    assert words["event"] == "one\ntwo"
    assert row["at"].endswith("Z")


def test_an_article_can_be_followed_by_its_ids(tmp_path: Path) -> None:
    """From the line of its reading to those of its alerts, in a replay of the seeds."""
    said = wirewatch("replay", ROOT / "seeds", "-v", "--log-format", "json", cwd=tmp_path).err
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    read = {row["article"]: row for row in rows if row["event"] == "read"}
    delivered = [row for row in rows if row["event"] == "deliver" and row["verdict"] == "delivered"]
    assert len(read) == 5
    assert {row["feed"] for row in read.values()}
    assert delivered
    assert all(read[row["article"]]["story"] == row["story"] and row["channel"] for row in delivered)


def test_the_format_may_come_from_the_environment_and_must_be_one(tmp_path: Path) -> None:
    """A misspelt one is an error of usage."""
    found = wirewatch("status", cwd=tmp_path, env={"WIREWATCH_LOG_FORMAT": "xml"})
    assert found.code == 2
    assert "WIREWATCH_LOG_FORMAT is 'xml'; it can be text or json" in found.err

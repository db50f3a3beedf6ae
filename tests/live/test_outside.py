"""What metrics are told of the broker, and what they make of the ledger."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from tests import valkey
from tests.builders import NOON
from worker.ledger.progress import Progress
from worker.live.broker import PREFIX
from worker.live.outside import Outside
from worker.live.place import Place

IDLE = {queue: {"open": 0, "due": 0, "leased": 0, "oldest_s": 0.0} for queue in ("poll", "read", "deliver")}


def place(tmp_path: Path, broker: str) -> Place:
    """Return a place whose service has this broker."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "service.yaml").write_text(f"broker: {broker}\n")
    return Place(config=tmp_path / "config", state=tmp_path / "state", named=True)


def test_messages_that_wait_are_counted_until_the_broker_goes_away(tmp_path: Path) -> None:
    """By queue; a broker that is away is no error, and is asked anew each time."""
    with valkey.server() as url:
        outside = Outside(place(tmp_path, url))
        client = Redis.from_url(url)
        client.rpush(f"{PREFIX}read", "a", "b")
        client.close()
        assert outside.broker() == (True, {"tick": 0, "poll": 0, "read": 2, "deliver": 0})
    assert outside.broker() == (False, {})


def test_an_embedded_broker_that_was_never_started_is_away(tmp_path: Path) -> None:
    """A console by itself, before `wirewatch run`."""
    assert Outside(place(tmp_path, "embedded")).broker() == (False, {})


@pytest.mark.parametrize(("seconds", "expected"), [(70, True), (80, False)])
def test_ready_is_what_the_report_says(tmp_path: Path, seconds: int, expected: bool) -> None:
    """All parts have come round lately, and no queue stands still."""
    outside = Outside(place(tmp_path, "embedded"))
    seen = {part: Progress(at=NOON, detail="") for part in ("tick", "poll", "read", "deliver")}
    now = NOON + timedelta(seconds=seconds)
    assert outside.ready(seen, IDLE, now) is expected
    stalled = IDLE | {"read": {"open": 9, "due": 9, "leased": 0, "oldest_s": 999.0}}
    assert not outside.ready(seen, stalled, NOON)

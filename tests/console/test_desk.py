"""What the pages are made from: which ledger, which configuration, and the numbers beside the navigation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import NOON, topic
from worker.console.desk import Desk, NoLedger, Opened
from worker.errors import LedgerUnusable
from worker.ledger import channels, progress, snapshots
from worker.ledger.engine import Ledger, open_file
from worker.live.report import feed_list, report
from worker.settings import Settings


class Place:
    """Where ledgers and configurations come from, as a test says."""

    def __init__(self) -> None:
        self.opened: Opened | None = None
        self.error: Exception | None = None
        self.asked = 0
        self.in_force: Settings | None = None

    def open_ledger(self) -> Opened | None:
        """Return the ledger there is."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.opened

    def read(self, _: Ledger) -> Settings | None:
        """Return what is in force."""
        self.asked += 1
        return self.in_force

    def desk(self, state: Path) -> Desk:
        """Return a desk over all of it."""
        return Desk(
            open_ledger=self.open_ledger,
            in_force=self.read,
            own=lambda: Settings(files=("own",)),
            report=lambda opened, found, now: report(opened.ledger, found, now=now, recorded=opened.recorded),
            feeds=lambda t, found, recorded: feed_list(t, found, recorded=recorded),
            state=state,
        )


def test_a_replay_is_shown_until_the_service_has_a_ledger(ledger: Ledger, tmp_path: Path) -> None:
    """And that one is kept open from then on."""
    place = Place()
    desk = place.desk(tmp_path)
    with pytest.raises(NoLedger, match="wirewatch run"):
        desk.read()
    other = open_file(tmp_path / "replay.sqlite", durable=False)
    place.opened = Opened(ledger=other, recorded=True)
    assert (desk.ledger, desk.recorded) == (other, True)
    place.opened = Opened(ledger=ledger)
    assert (desk.ledger, desk.recorded) == (ledger, False)
    place.error = AssertionError("asked again")
    assert desk.ledger is ledger
    other.close()


def test_the_configuration_is_read_once_a_generation(ledger: Ledger, tmp_path: Path) -> None:
    """That of the files stands in while none is in force."""
    place = Place()
    place.opened = Opened(ledger=ledger)
    desk = place.desk(tmp_path)
    assert desk.settings().files == ("own",)
    place.in_force = Settings(topics=(topic(),))
    assert desk.settings().files == ("own",)
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=NOON)
    assert desk.settings() is place.in_force
    asked = place.asked
    assert desk.settings() is place.in_force
    assert place.asked == asked


def test_the_numbers_beside_the_navigation_count_what_needs_somebody(ledger: Ledger, tmp_path: Path) -> None:
    """Reasons for not being ready, and disabled channels; a ledger that cannot be used is a problem itself."""
    place = Place()
    place.opened = Opened(ledger=ledger)
    assert place.desk(tmp_path).badges().problems == 1
    now = ledger.clock()
    with ledger.write() as t:
        for part in ("tick", "poll", "read", "deliver"):
            progress.note(t, part, now=now)
    assert place.desk(tmp_path).badges().problems == 0
    with ledger.write() as t:
        channels.disable(t, "screen", reason="gone", config="", now=now)
    assert place.desk(tmp_path).badges().problems == 1
    place.opened = replace(place.opened, recorded=True)
    assert place.desk(tmp_path).badges().problems == 1
    place.error = LedgerUnusable("not a ledger")
    assert place.desk(tmp_path).badges().problems == 1

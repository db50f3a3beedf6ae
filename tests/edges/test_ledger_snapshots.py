"""Configurations that were in force, and what the parts of the service say of themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.builders import NOON, at, feed, topic
from worker.ledger import feeds, progress, snapshots, sweep
from worker.ledger.engine import Ledger, Transaction, open_file
from worker.ledger.progress import Progress
from worker.ledger.retention import Retention

FILES = {"topics.yaml": "topics: [{id: missiles}]  # «é» ${SECRET}\n", "list.opml": "<opml/>"}


def test_the_topics_in_force_are_remembered(either_ledger: Ledger) -> None:
    """A snapshot gives back equal topics, and an unchanged configuration makes no second one."""
    known = (topic(), topic(id="other", anchors=(("iran",),), threshold=0.7))
    with either_ledger.write() as t:
        assert snapshots.topics_in_force(t) is None
        first = snapshots.keep(t, topics=known, files=None, now=NOON)
        assert snapshots.keep(t, topics=known, files=None, now=at(1)) == first
        assert snapshots.topics_in_force(t) == known


def test_every_change_of_a_file_is_a_new_generation(either_ledger: Ledger) -> None:
    """Also one that changes no topic, and one that goes back to what was in force before the last."""
    with either_ledger.write() as t:
        assert (snapshots.generation(t), snapshots.latest(t)) == (0, None)
        found = [
            snapshots.keep(t, topics=[topic()], files=files, now=at(minute))
            for minute, files in enumerate([FILES, FILES, FILES | {"feeds.yaml": ""}, FILES, None, None])
        ]
        assert snapshots.generation(t) == found[-1]
    assert found[0] == found[1] < found[2] < found[3] < found[4] == found[5]


def test_the_files_come_back_as_they_were(either_ledger: Ledger) -> None:
    """Their texts to the letter, with the time they were taken; without files there are none, and not an empty set."""
    with either_ledger.write() as t:
        generation = snapshots.keep(t, topics=[topic()], files=FILES, now=at(3))
    with either_ledger.read() as t:
        latest = snapshots.latest(t)
    assert latest == snapshots.Snapshot(generation=generation, taken_at=at(3), files=FILES)
    with either_ledger.write() as t:
        snapshots.keep(t, topics=[topic()], files=None, now=at(4))
        latest = snapshots.latest(t)
    assert latest is not None
    assert latest.files is None


def test_the_last_twenty_configurations_are_kept(either_ledger: Ledger) -> None:
    """The sweep erases the others, and the numbers go on."""
    with either_ledger.write() as t:
        all_of_them = [
            snapshots.keep(t, topics=[], files={"feeds.yaml": str(number)}, now=at(number)) for number in range(23)
        ]
        assert sweep.sweep(t, Retention(), now=at(60))["snapshot"] == 3
        assert sweep.sweep(t, Retention(), now=at(60))["snapshot"] == 0
        assert snapshots.generation(t) == all_of_them[-1]
        assert snapshots.keep(t, topics=[], files={}, now=at(61)) > all_of_them[-1]


def at_once(ledger: Ledger, work: Callable[[Transaction], object]) -> list[object]:
    """Return what came of four transactions that begin at one moment: results, and errors."""
    start, found = threading.Barrier(4), list[object]()

    def run() -> None:
        start.wait(30)
        try:
            with ledger.write() as t:
                found.append(work(t))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_several_that_put_one_configuration_in_force_at_once_make_one_generation(either_ledger: Ledger) -> None:
    """Services that start together with the same files."""
    found = at_once(either_ledger, lambda t: snapshots.keep(t, topics=[topic()], files=FILES, now=NOON))
    with either_ledger.read() as t:
        assert found == [snapshots.generation(t)] * 4


def test_several_that_bring_the_same_new_feeds_at_once_add_them_once(either_ledger: Ledger) -> None:
    """The same services, a moment before."""
    found = at_once(either_ledger, lambda t: feeds.sync(t, [feed(), feed(id="other")], now=NOON))
    assert found == [None] * 4
    with either_ledger.read() as t:
        assert feeds.states(t).keys() == {"wire", "other"}


def test_what_a_part_said_last_is_known(either_ledger: Ledger) -> None:
    """One row a part, whatever it was told before."""
    with either_ledger.write() as t:
        assert progress.read(t) == {}
        progress.note(t, "tick", now=NOON)
        progress.note(t, "read", now=at(1), detail="generation 3")
        progress.note(t, "tick", now=at(2), detail="again")
    with either_ledger.read() as t:
        assert progress.read(t) == {
            "tick": Progress(at=at(2), detail="again"),
            "read": Progress(at=at(1), detail="generation 3"),
        }


def test_parts_that_are_long_gone_are_forgotten(either_ledger: Ledger) -> None:
    """Names of machines that were replaced do not gather."""
    with either_ledger.write() as t:
        progress.note(t, "old", now=NOON)
        progress.note(t, "new", now=NOON + timedelta(days=80))
        assert sweep.sweep(t, Retention(), now=NOON + timedelta(days=100))["progress"] == 1
        assert progress.read(t).keys() == {"new"}


def test_a_configuration_survives_the_ledger_being_closed(tmp_path: Path) -> None:
    """As a service that starts again finds it."""
    first = open_file(tmp_path / "ledger.sqlite")
    with first.write() as t:
        generation = snapshots.keep(t, topics=[topic()], files=FILES, now=NOON)
    first.close()
    second = open_file(tmp_path / "ledger.sqlite")
    with second.read() as t:
        assert snapshots.generation(t) == generation
    second.close()

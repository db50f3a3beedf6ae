"""Workers that join reports of one event at one moment never open two stories, also when they are killed in it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.faults import bursts
from tests.faults.bursts import REPORTS, joined
from tests.long import LONG
from tests.processes import DEADLINE, finish, start
from worker.ledger.engine import Ledger

pytestmark = pytest.mark.faults

WORKERS = 8
#: The URL of a ledger, which other processes open, and the ledger.
Place: TypeAlias = tuple[str, Ledger]
#: In the short form as many on each of two databases.
BURSTS, KILLS = (1000, 200) if LONG else (20, 2)


@pytest.fixture
def in_a_file(tmp_path: Path) -> Place:
    """Give an empty ledger in a file."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return url, Ledger(url, durable=False)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """Give an empty ledger in a file, and then one in PostgreSQL."""
    if request.param == "sqlite":
        in_file: Place = request.getfixturevalue("in_a_file")
        return in_file
    found: Ledger = request.getfixturevalue("postgres_ledger")
    return found._engine.url.render_as_string(hide_password=False), found


def test_bursts_are_one_story_each_however_many_workers_are_killed(place: Place) -> None:
    """No event is split, none is lost and each is told once: what a killed worker had in hand is another's."""
    url, ledger = place
    bursts.fill(ledger, BURSTS)
    killed = _work(url, ledger, kills=KILLS)
    found = joined(ledger, BURSTS)
    assert found == bursts.Joined(stories=Counter({1: BURSTS}), told=Counter({1: BURSTS})), found
    assert killed >= KILLS // 2, "too few kills met a worker to prove anything"


def test_the_count_sees_a_split(in_a_file: Place) -> None:
    """Negative control: workers who do not look again before they write split events, and this test notices."""
    url, ledger = in_a_file
    bursts.fill(ledger, 10)
    _work(url, ledger, worker=bursts.work_unchecked)
    found = joined(ledger, 10)
    assert found.lost == 0
    assert sum(count for stories, count in found.stories.items() if stories > 1) > 0


def _work(url: str, ledger: Ledger, *, kills: int = 0, worker: Callable[[str], None] = bursts.work) -> int:
    """Have workers read all that is due, kill as many of them as are to be killed, and return how many died of it."""
    chance = random.Random(20261122)  # noqa: S311 - chooses moments, guards nothing
    total = bursts.left(ledger)
    # Moments, as numbers of entries that are left, which meet every part of the work however fast it goes.
    moments = sorted(chance.sample(range(REPORTS, total - REPORTS), kills))
    workers = [start(worker, url) for _ in range(WORKERS)]
    until = time.monotonic() + DEADLINE * (10 if LONG else 1)
    killed = 0
    while left := bursts.left(ledger):
        assert time.monotonic() < until, f"{left} entries of {total} are left"
        assert all(one.exitcode in {None, 0} for one in workers), "a worker has failed"
        while moments and left <= moments[-1]:
            moments.pop()
            victim = chance.randrange(WORKERS)
            workers[victim].kill()
            killed += finish(workers[victim]) < 0
            workers[victim] = start(worker, url)
        time.sleep(0.02)
    assert [finish(one) for one in workers] == [0] * WORKERS
    return killed

"""Our service against the pipeline that people write first (``naive_app``), on the same site, as real processes.

Both poll the same feeds, each poll finds one new article, and both ask a hundred topics for their words. Counted is the
CPU time of all their processes, with Valkey, from the moment when they have warmed up until so many more articles are
through. Ours runs with meaning off, since the naive one has nothing like it, and does the rest that it always does:
robots.txt, conditional requests, pages read in processes that can be killed, stories, evidence, and a ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import psutil
from celery import Celery
from redis import Redis
from sqlalchemy import create_engine, func, select

from tests.bench.harness import Processes, Row, compare, milliseconds, per_second, ratio
from tests.bench.pages import made_pages
from tests.bench.site import Site, serving
from tests.bench.watch import rule_topics
from tests.processes import ROOT
from tests.service.house import House
from tests.valkey import server
from worker.ledger.tables import article

_PAGES, _FEEDS = 80, 40
#: Articles until they have warmed up, and articles that are measured.
_WARM_UP, _MEASURED = 40, 160
_PATIENCE_S = 120.0
_numbers = count()


@dataclass(frozen=True, slots=True)
class _Press:
    """What a ``House`` asks of those who publish."""

    port: int
    feeds: list[str]


def rows(rounds: int) -> Iterator[Row]:
    """Yield the rows of this comparison."""
    with serving(made_pages(_PAGES)) as site:
        work = {"ours": partial(_ours, site), "naive": partial(_naive, site)}
        figures = compare(work, rounds=rounds, warm_up=0)
    ours, naive = figures["ours"], figures["naive"]
    yield Row(
        what="articles a CPU second through the whole service, one poll each, 100 topics, against the naive pipeline",
        value=ratio(naive, ours),
        unit="x",
        goal=5,
        wanted="least",
        beside={
            "ours, articles/s": per_second(ours, _MEASURED).median,
            "naive, articles/s": per_second(naive, _MEASURED).median,
            "ours, ms": milliseconds(ours, _MEASURED).median,
            "naive, ms": milliseconds(naive, _MEASURED).median,
        },
    )


def _ours(site: Site) -> float:
    press = _Press(site.port, site.feeds(f"o{next(_numbers)}", _FEEDS))
    polling = {"first_poll": "baseline"}
    with (
        tempfile.TemporaryDirectory() as folder,
        House(Path(folder), press, service={"polling": polling}, interval="2s") as house,  # type: ignore[arg-type]
    ):
        topics = [{"id": t.id, "anchors": t.anchors, "any": t.any} for t in rule_topics(100)]
        house.write("topics.yaml", {"topics": topics})
        house.start()
        house.wait_until_said("Ctrl-C")
        engine = create_engine(house.ledger_url)

        def read() -> int:
            with engine.connect() as t:
                return int(t.execute(select(func.count()).select_from(article)).scalar_one())

        took = _measured(Processes(house.pid), read)
        engine.dispose()
    return took


def _naive(site: Site) -> float:
    feeds = site.feeds(f"n{next(_numbers)}", _FEEDS)
    with server() as url, _worker(url) as pid:
        redis = Redis.from_url(url)
        # Not the app itself: once imported, that is bound to the server of the first round.
        app = Celery(broker=_broker(url))

        def polled() -> int:
            return int(redis.get("polls") or 0)

        sent = 0

        def read() -> int:
            # The next polls as soon as the last ones are through, so that it is never idle.
            nonlocal sent
            done = int(redis.get("articles") or 0)
            if polled() >= sent and done >= sent - _FEEDS:
                for feed in feeds:
                    app.send_task("tests.bench.naive_app.poll", [feed], ignore_result=True)
                sent += _FEEDS
            return done

        own = time.process_time()
        took = _measured(Processes(pid, redis.info("server")["process_id"]), read)
        assert redis.llen("alerts"), "no article met a topic"
        redis.close()
        app.close()
    return took + time.process_time() - own


def _measured(processes: Processes, read: Callable[[], int]) -> float:
    """Return the CPU seconds of ``_MEASURED`` articles, after ``_WARM_UP`` others."""
    first = _await(read, _WARM_UP)
    before = processes.seconds()
    last = _await(read, first + _MEASURED)
    return (processes.seconds() - before) * _MEASURED / (last - first)


def _await(read: Callable[[], int], least: int) -> int:
    until = time.monotonic() + _PATIENCE_S
    while (done := read()) < least:
        assert time.monotonic() < until, f"{done} articles of {least} within {_PATIENCE_S:g} s"
        time.sleep(0.05)
    return done


def _broker(url: str) -> str:
    return url.replace("unix://", "redis+socket://")


@contextmanager
def _worker(url: str) -> Iterator[int]:
    """Run a worker of the naive app with two processes, and give the id of the parent."""
    groups = [[list(group) for group in (*topic.anchors, topic.any)] for topic in rule_topics(100)]
    os.environ |= {
        "NAIVE_BROKER": _broker(url),
        "NAIVE_REDIS": url,
        "NAIVE_TOPICS": json.dumps(groups),
    }
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.naive_app", "worker", "-c", "2", "-l", "error"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        # Asked to end, Celery now and then waits for ever for what its children have in hand; nobody needs it any more.
        tree = psutil.Process(process.pid)
        for one in [tree, *tree.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(30)

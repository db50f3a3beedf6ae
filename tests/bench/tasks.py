"""What it costs to have an article read by a service of many processes, and what Celery costs as it is often used.

*Ours* is the CPU time that N articles take in the live service, less what the same N articles take in the very same
stage called in a loop by one process. In the service it is that of all processes (supervisor, scheduler, a worker for
each stage with its children, and Valkey): messages, wakes, claims by threads, gates in Valkey, the ledger's locks
between processes, and what the service would use in that time if it were idle. In the loop there are the claims, gates
of its own, matching and the ledger, in batches of the same size. In both, pages are at hand and readings trivial, so
that neither fetches nor extracts. The processes that read strangers' documents are left out of both and measured apart.

Beside it stand tasks that do nothing at all, with ids in their messages and no result backend: one for each article,
and a chain of four. Their worker is Celery's prefork with its defaults; publisher, worker, its children and Valkey
count. All use one embedded Valkey.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery, chain
from redis import Redis
from sqlalchemy import func, select

from tests.bench.harness import Figure, Processes, Row, compare, milliseconds, ratio, span
from tests.bench.processes import SPAWN, running, until
from tests.builders import NOON, entry, feed, topic
from tests.rows import new
from worker.alerts.policy import Policy
from worker.articles.extraction import Extract
from worker.build import SERVICE_LEDGER
from worker.feeds.polling import Polling
from worker.ledger import entries, feeds
from worker.ledger.engine import Ledger, open_file
from worker.ledger.tables import article as article_table
from worker.ledger.tables import feed as feed_table
from worker.live import valkey
from worker.live.broker import PREFIX, open_broker
from worker.live.cage import Cage
from worker.live.clock import LedgerClock, wall_clock
from worker.live.gates import open_gates
from worker.live.place import Place
from worker.live.service import READERS, ROOMS
from worker.live.station import Plan
from worker.settings import Settings
from worker.stages import read
from worker.stages.pipeline import Pipeline, Readers
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.gates import LocalGates
from worker.web.network import Network
from worker.web.response import Response

#: Articles in a round, those whose pages are late, and tasks and chains, of which each costs much more.
_ARTICLES, _LATE, _TASKS, _CHAINS, _CALLS = 1200, 400, 300, 80, 300
#: How long a late page takes.
_SOONEST_S, _LATEST_S = 0.15, 0.6
_TEXT = "The minister said on Monday that the plan stands. Members of both parties had asked for a delay. " * 25
_PAGE = b"<html><body>" + b"<p>The minister said on Monday that the plan stands.</p>" * 2200 + b"</body></html>"
#: Hosts are many, so that none has to wait for its turn.
_NETWORK = Network(per_host_gap=timedelta(0), per_host_concurrency=64)


def rows(rounds: int) -> Iterable[Row]:
    """Yield our overhead, that of tasks and chains, and what the cage costs."""
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ww-")))
        server = valkey.start(state)
        stack.callback(server.stop)
        broker = open_broker("embedded", socket=valkey.socket_of(state))
        client = stack.enter_context(closing(broker.client()))
        service = stack.enter_context(_service(state, server.pid or 0, client))
        alone = stack.enter_context(_loop(state / "alone"))
        celery = stack.enter_context(_celery(broker.url, server.pid or 0))
        figures = compare(
            {
                "live": service.read_all,
                "loop": alone.read_all,
                "late": lambda: service.read_all(late=True),
                "tasks": lambda: celery.run(_TASKS, steps=1),
                "chains": lambda: celery.run(_CHAINS, steps=4),
            },
            rounds=rounds,
        )
        yield from _rows(figures, service.asked)
    yield _caged(rounds)


def _rows(figures: dict[str, Figure], asked: Sequence[tuple[int, ...]]) -> Iterator[Row]:
    live, loop = figures["live"], figures["loop"]
    ours = Figure(name="ours", rounds=tuple(a - b for a, b in zip(live.rounds, loop.rounds, strict=True)))
    # Each as it would be for as many articles.
    task = Figure(name="task", rounds=tuple(seconds / _TASKS * _ARTICLES for seconds in figures["tasks"].rounds))
    four = Figure(name="chain", rounds=tuple(seconds / _CHAINS * _ARTICLES for seconds in figures["chains"].rounds))
    yield Row(
        what="task overhead of an article: the service less the same stage in a loop",
        value=milliseconds(ours, _ARTICLES),
        unit="ms",
        goal=0.5,
        beside={
            "in the service, ms": milliseconds(live, _ARTICLES).median,
            "in a loop, ms": milliseconds(loop, _ARTICLES).median,
            "messages an article": span(messages / _ARTICLES for messages, _ in asked).median,
            "questions to gates an article": span(questions / _ARTICLES for _, questions in asked).median,
        },
    )
    late = Figure(
        name="late",
        rounds=tuple(
            seconds / _LATE * _ARTICLES - alone
            for seconds, alone in zip(figures["late"].rounds, loop.rounds, strict=True)
        ),
    )
    yield Row(
        what=f"the same of articles whose pages take {_SOONEST_S} to {_LATEST_S} s: fewer at once in a transaction",
        value=milliseconds(late, _ARTICLES),
        unit="ms",
    )
    yield Row(what="one Celery task that does nothing", value=milliseconds(task, _ARTICLES), unit="ms")
    yield Row(what="a chain of four Celery tasks that do nothing", value=milliseconds(four, _ARTICLES), unit="ms")
    yield Row(what="a chain of four against our overhead", value=ratio(four, ours), unit="x", goal=20, wanted="least")


class _Service:
    """The live service over trivial pages."""

    def __init__(self, state: Path, process: int, server: int, client: Redis) -> None:
        self._ledger = open_file(state / SERVICE_LEDGER)
        _know_feed(self._ledger)
        self._processes = Processes(process, server)
        self._client = client
        #: Messages and questions to gates of each round.
        self.asked: list[tuple[int, ...]] = []

    def read_all(self, *, late: bool = False) -> float:
        """Have new articles read and return the CPU seconds of all processes."""
        expected = _add(self._ledger, _LATE if late else _ARTICLES, late=late)
        used, asked = self._processes.seconds(), self._asked()
        until(lambda: _count(self._ledger) >= expected, "articles read by the service")
        after = self._asked()
        if not late:
            self.asked.append(tuple(b - a for a, b in zip(asked, after, strict=True)))
        return self._processes.seconds() - used

    def _asked(self) -> tuple[int, ...]:
        commands: Any = self._client.info("commandstats")
        return tuple(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("lpush", "evalsha"))

    def close(self) -> None:
        self._ledger.close()


@contextmanager
def _service(state: Path, server: int, client: Redis) -> Iterator[_Service]:
    config = state / "config"
    config.mkdir()
    with running(_serve, Place(config=config, state=state, named=True)) as process:
        service = _Service(state, process.pid or 0, server, client)
        try:
            # A tick wakes the stage within seconds; so the first round, which only warms up, finds it awake.
            yield service
        finally:
            service.close()


def _serve(place: Place) -> None:
    """Be the supervisor of the service, without its console and with a plan of the bench's own."""
    place.tell(os.environ)
    from worker.live import parts
    from worker.live.app import App

    broker = open_broker("embedded", socket=valkey.socket_of(place.state))
    App.plan = staticmethod(
        lambda: Plan(
            open_ledger=lambda: open_file(place.state / SERVICE_LEDGER),
            settings=lambda _: (Settings(), 0),
            pipeline=lambda _settings, ledger, _generation, _stack: _pipeline(
                ledger, open_gates(broker, _NETWORK, gather=True)
            ),
            clock=LedgerClock,
            rooms=ROOMS,
        )
    )
    parts.supervise([parts.scheduler(), *parts.workers(2)], place)


class _Loop:
    """The same stage, called in a loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pipeline = _pipeline(ledger, LocalGates(_NETWORK))
        self._clock = LedgerClock(ledger)
        _know_feed(ledger)

    def read_all(self) -> float:
        """Read new articles and return the CPU seconds."""
        expected = _add(self._ledger, _ARTICLES)
        began = time.process_time()
        while read.run(self._pipeline, now=self._clock(), limit=ROOMS["read"]):
            pass
        used = time.process_time() - began
        assert _count(self._ledger) == expected
        return used


@contextmanager
def _loop(state: Path) -> Iterator[_Loop]:
    with closing(open_file(state / SERVICE_LEDGER)) as ledger:
        yield _Loop(ledger)


def _pipeline(ledger: Ledger, gates: Any) -> Pipeline:
    watched = topic()
    return Pipeline(
        feeds={"wire": feed()},
        topics={watched.id: watched},
        matcher=compile_topics([watched]),
        rarity=rarity.load(),
        routes=(),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=_AtHand(),
        channels={},
        jitter=lambda: 0.5,
        gates=gates,
        readers=Readers(page=_trivial),
    )


class _AtHand:
    """A web that has every page at hand, and gives those below ``/late/`` after a while."""

    def get(self, url: str, **_: Any) -> Response:
        if "/late/" in url:
            number = int(url.rpartition("/")[2])
            time.sleep(_SOONEST_S + (_LATEST_S - _SOONEST_S) * (number * 7 % 100) / 100)
        return Response(status=200, url=url, headers={"content-type": "text/html"}, body=b"<html>")


def _trivial(_html: bytes, *, title: str = "", **_: Any) -> Extract:
    return Extract(title=title, text=_TEXT, language="en")


def _know_feed(ledger: Ledger) -> None:
    with ledger.write() as t:
        feeds.sync(t, [feed()], now=NOON)
        # Nobody is to poll it.
        t.execute(feed_table.update().values(due_at=wall_clock() + timedelta(days=1)))


def _add(ledger: Ledger, count: int, *, late: bool = False) -> int:
    """Add new entries, due at once, and return how many articles there are when all are read."""
    before = _count(ledger)
    place = "late/" if late else ""
    found = [entry(n, url=f"https://host{n % 200}.example/{place}{n}") for n in range(before, before + count)]
    with ledger.write() as t:
        entries.add(t, new(*found), now=ledger.clock())
    return before + count


def _count(ledger: Ledger) -> int:
    with ledger.read() as t:
        return int(t.execute(select(func.count()).select_from(article_table)).scalar_one())


class _Celery:
    """A worker of tasks that do nothing."""

    def __init__(self, url: str, process: int, server: int, done: Any) -> None:
        self._app, self._tasks = _plain(url, done)
        self._processes = Processes(process, server)
        self._done = done

    def run(self, count: int, *, steps: int) -> float:
        """Have ``count`` chains of so many tasks carried out; return the CPU seconds of all who take part."""
        expected = self._done.value + count
        began, used = time.process_time(), self._processes.seconds()
        for number in range(count):
            signatures = [self._tasks["pass_on"].s()] * (steps - 2)
            if steps > 1:
                chain(self._tasks["begin"].s(f"a-{number}"), *signatures, self._tasks["end"].s()).apply_async()
            else:
                self._tasks["end"].delay(f"a-{number}")
        published = time.process_time() - began
        until(lambda: self._done.value >= expected, "tasks")
        return published + self._processes.seconds() - used


@contextmanager
def _celery(url: str, server: int) -> Iterator[_Celery]:
    done = SPAWN.Value("q", 0)
    with running(_work, url, done) as process:
        yield _Celery(url, process.pid or 0, server, done)


def _plain(url: str, done: Any) -> tuple[Celery, dict[str, Any]]:
    """Return an application with Celery's defaults over the same server, and its tasks."""
    app = Celery("bench", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue="bench",
        broker_transport_options={"global_keyprefix": f"{PREFIX}bench:"},
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )

    def same(article: str) -> str:
        return article

    def end(_article: str) -> None:
        # The one thing that it does: so that its end is known.
        with done.get_lock():
            done.value += 1

    tasks = {name: app.task(name=name)(same) for name in ("begin", "pass_on")}
    return app, tasks | {"end": app.task(name="end")(end)}


def _work(url: str, done: Any) -> None:
    app, _ = _plain(url, done)
    worker: Any = app.Worker(pool="prefork", concurrency=2, loglevel="ERROR", quiet=True)
    worker.start()


def _caged(rounds: int) -> Row:
    """Return what it costs to have a page of 120 kB go to a process that can be killed, and its article come back."""
    # What the processes need is loaded before they are made, as the service's readers are.
    cage = Cage(READERS, preload=[__name__])
    try:
        _trivial_by(cage.call)
        processes = Processes(*cage.processes()[:1])

        def through() -> float:
            began, used = time.process_time(), processes.seconds()
            _trivial_by(cage.call)
            return time.process_time() - began + processes.seconds() - used

        figures = compare({"caged": through}, rounds=rounds)
    finally:
        cage.close()
    return Row(
        what=f"a page of {len(_PAGE) // 1000} kB to a process that can be killed, and its article back",
        value=milliseconds(figures["caged"], _CALLS),
        unit="ms",
    )


def _trivial_by(call: Callable[..., Any]) -> None:
    for _ in range(_CALLS):
        assert call(_trivial, _PAGE, title="A title").text == _TEXT

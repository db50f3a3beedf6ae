"""The memory of each process of ``wirewatch run`` after 500 articles, and what the service costs when it is idle.

The articles are pages of 90 to 300 kB, extracted and matched with a rule topic and one that goes by meaning, so that
the models are loaded. RSS counts what processes share once for each of them; PSS (proportional set size) counts it once
in all, so that only its total is the memory that the machine must have.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import func, select

from tests.bench.harness import Processes, Row, span
from tests.bench.pages import made_pages
from tests.bench.processes import until
from tests.bench.site import Site, serving
from tests.builders import entry
from tests.rows import new
from worker.build import SERVICE_LEDGER
from worker.ledger import entries
from worker.ledger.engine import Ledger, open_file
from worker.ledger.tables import article as article_table

_ARTICLES, _PAGES = 500, 60
#: Seconds until a service with nothing to do is quiet, and seconds that it is watched.
_QUIET, _WATCH = 6.0, 20.0
_MIB = 2**20
_ROOT = Path(__file__).parents[2]
_TOPICS = """
topics:
  - {id: by-rule, any: [reactor, shipyard]}
  - id: by-meaning
    topic: strike called off
    anchors: [[strike, strikes, walkout]]
    meaning: ["A union says that it has called off a strike."]
"""
#: The kinds of processes, by what their command lines hold, in the order in which they are looked for.
_KINDS = {
    "valkey-server": "Valkey",
    "celery beat": "scheduler",
    "wirewatch: console": "console",
    "read-": "worker that reads",
    "poll-": "worker that polls",
    "deliver-": "worker that delivers",
    "worker.live.caged": "reader of documents",
}


def rows(rounds: int) -> Iterable[Row]:  # noqa: ARG001 - a service has one memory
    """Yield the memory of each kind of process, the total, and the share of a core of an idle service."""
    with (
        serving(made_pages(_PAGES)) as site,
        tempfile.TemporaryDirectory(prefix="ww-") as folder,
        _service(Path(folder), site) as service,
        closing(open_file(Path(folder) / "state" / SERVICE_LEDGER)) as ledger,
    ):
        _read(ledger, site)
        yield from _memory(service)
        time.sleep(_QUIET)
        processes = Processes(service.pid)
        used = processes.seconds()
        time.sleep(_WATCH)
        share = (processes.seconds() - used) * 100 / _WATCH
        yield Row(what="`wirewatch run` with nothing to do: share of one core", value=span([share]), unit="%", goal=2)


def _read(ledger: Ledger, site: Site) -> None:
    """Have the service read articles."""
    found = [entry(n, url=site.page(n, name="memory"), title=f"Page {n}") for n in range(_ARTICLES)]
    with ledger.write() as t:
        entries.add(t, new(*found), now=ledger.clock())
    until(lambda: _articles(ledger) == _ARTICLES, "articles", look=0.2)


def _articles(ledger: Ledger) -> int:
    with ledger.read() as t:
        read = select(func.count()).select_from(article_table).where(article_table.c.source == "page")
        return int(t.execute(read).scalar_one())


def _memory(service: psutil.Process) -> Iterator[Row]:
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for process in [service, *service.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            info = process.memory_full_info()
            found[_kind(process, service)].append((info.rss / _MIB, info.pss / _MIB))
    every = [size for sizes in found.values() for size in sizes]
    for kind, sizes in sorted(found.items()):
        beside = {"processes": len(sizes), "PSS, MiB": span(pss for _, pss in sizes).median}
        what = f"memory after {_ARTICLES} articles: {kind}, RSS"
        yield Row(what=what, value=span(rss for rss, _ in sizes), unit="MiB", beside=beside)
    total = span([sum(pss for _, pss in every)])
    beside = {"processes": len(every), "sum of their RSS, MiB": sum(rss for rss, _ in every)}
    what = f"memory after {_ARTICLES} articles: all processes together, PSS"
    yield Row(what=what, value=total, unit="MiB", beside=beside)


def _kind(process: psutil.Process, service: psutil.Process) -> str:
    if process == service:
        return "supervisor"
    command = " ".join(process.cmdline())
    kind = next((kind for mark, kind in _KINDS.items() if mark in command), command)
    return f"child of the {kind}" if "ForkPoolWorker" in command else kind


@contextmanager
def _service(folder: Path, site: Site) -> Iterator[psutil.Process]:
    """Run the service, and yield its supervisor when it is ready."""
    config, state = folder / "config", folder / "state"
    config.mkdir()
    for name, text in _files(site).items():
        (config / f"{name}.yaml").write_text(text, "utf-8")
    command = [sys.executable, "-m", "worker.cli", "--config", str(config), "--state", str(state), "run"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=_ROOT, env=env, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or (state / "valkey" / "valkey.sock").exists(), "the service")
        assert process.poll() is None, (folder / "log").read_text("utf-8")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _files(site: Site) -> Mapping[str, str]:
    return {
        "feeds": 'feeds: [{id: wire, url: "http://127.78.0.1/feed.xml", outlet: Wire, enabled: false}]\n',
        "topics": _TOPICS,
        "alerts": "channels: {screen: {type: terminal}}\n",
        "service": (
            f'console: {{listen: "127.0.0.1:{_free_port()}"}}\n'
            f'network: {{allow_private: ["127.78.0.0/16"], allow_ports: [{site.port}], per_host_gap: 0s}}\n'
        ),
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

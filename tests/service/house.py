"""A running ``wirewatch run`` under test: its configuration, its processes, its end."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import psutil
from sqlalchemy import URL, make_url

from tests.processes import ROOT
from tests.service.beside import Beside, wait_for
from tests.service.count import Count, count, settled
from tests.service.invented import TOPIC
from tests.service.press import Press
from tests.service.receiver import Receiver
from worker.build import SERVICE_LEDGER

CHANNEL = "desk"
#: Seconds that a start may take on a machine that others use as well, and the last words that an error shows.
_START = 60.0
_LAST_WORDS = 3000
_TITLE = re.compile(r"wirewatch: (?P<role>[\w -]*\w)")
#: What Celery calls its processes: "[celeryd: name@host:ForkPoolWorker-1]", "[celery beat]";
#: whose names may end in the number of a process.
_CELERY = re.compile(r"\[celeryd: (?P<name>[^@:\]]+?)(?:-\d+)?(?:@[^:\]]*)?:(?P<process>[\w-]+)\]")

_VALKEY = re.compile(r"\S*(?:valkey|redis)-server\b")


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """A process of the house; with the time of its birth its number is its own for good."""

    pid: int
    born: float
    #: What it says that it is, or the role of its parent and ``child``.
    role: str
    line: str = field(repr=False)


class House:
    """A service in ``place``: configuration, state, and what it said (``stdout``, ``stderr``). Use it in a ``with``.

    Args:
        place: A directory, made when it does not exist.
        press: Who publishes.
        receiver: Who is told by webhook; without one alerts go to a file.
        ledger: As in service.yaml.
        ask: Whether the webhook channel may ask the receiver for an alert.
        constants: For ``tests.service.entry``.
        service: Keys of service.yaml that are to be otherwise; mappings are merged.
        policy: Keys of the policy in alerts.yaml that are to be otherwise.
        interval: Of the feeds.
        args: More words for ``wirewatch run``.
    """

    def __init__(
        self,
        place: Path,
        press: Press,
        *,
        receiver: Receiver | None = None,
        ledger: str = "sqlite",
        ask: bool = True,
        constants: Mapping[str, float] | None = None,
        service: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        interval: str = "2s",
        args: Sequence[str] = (),
    ) -> None:
        self.place = place.absolute()
        self.config, self.state = self.place / "config", self.place / "state"
        self.alerts = self.place / "alerts.jsonl"
        self.pid = 0
        self._press, self._receiver, self._ledger = press, receiver, ledger
        self._constants, self._args = dict(constants or {}), tuple(args)
        self._seen: dict[int, float] = {}
        self._told = 0
        self._keeper = Beside("tests.service.keeper")
        try:
            #: Where its console listens.
            self.console = f"127.0.0.1:{self._keeper.ask('free_port')}"
            self.config.mkdir(parents=True, exist_ok=True)
            self.write("feeds.yaml", self._feeds(interval))
            self.write("topics.yaml", {"topics": [{"id": TOPIC, "any": [TOPIC]}]})
            self.write("service.yaml", self._service(service or {}))
            self.write("alerts.yaml", self._alerts(policy or {}, ask=ask))
        except BaseException:
            self._keeper.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a file of the configuration. JSON is YAML, too (YAML 1.2, section 1.3)."""
        (self.config / name).write_text(json.dumps(values, indent=1) + "\n", "utf-8")

    def start(self) -> None:
        """Start the service. It is not waited for; see ``wait_until_said`` and ``settled``."""
        assert not self.running(), "the service is running"
        self._told = len(self.said())
        self.pid = self._keeper.ask(
            "start",
            args=[sys.executable, *self._program(), "run", *self._args, *self.options],
            cwd=str(self.place),
            env=self._environment(),
            out=str(self.place / "stdout"),
            err=str(self.place / "stderr"),
        )
        self.processes()

    def wait_until_said(self, text: str, *, seconds: float = _START) -> None:
        """Wait until the service has said ``text`` on stderr since it was started last.

        Raises:
            AssertionError: it has ended, or did not say it in time.
        """

        def said() -> bool:
            # In this order: what ends may have said it before.
            running = self.running()
            found = text in self.said()[self._told :]
            assert found or running, f"the service has ended ({self.code()}); it said:\n{self.last_words()}"
            return found

        wait_for(said, f"{text!r} on stderr", seconds=seconds)

    def said(self) -> str:
        """Return all that the service said on stderr so far."""
        try:
            return (self.place / "stderr").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def last_words(self) -> str:
        """Return the end of what it said."""
        return self.said()[-_LAST_WORDS:]

    def running(self) -> bool:
        """Return whether the process that was started is still there; others of its tree may be without it."""
        return bool(self.pid) and self.code() is None

    def code(self) -> int | None:
        """Return how the service ended: its exit code, negative for a signal; ``None`` while it runs."""
        code: int | None = self._keeper.ask("ended", pid=self.pid)
        return code

    def processes(self) -> list[Seen]:
        """Return all processes that came from the service, whoever started them and whoever has died since.

        The service itself comes first. On systems other than Linux a process is only known whose parent was alive when
        somebody looked.
        """
        found: dict[int, psutil.Process] = {}
        others = () if self._keeper.ready["adopts"] else tuple(self._seen)
        for root in (self._keeper.pid, *others):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(root)
                if root != self._keeper.pid and process.create_time() != self._seen[root]:
                    continue
                found |= {p.pid: p for p in (process, *process.children(recursive=True))}
        found.pop(self._keeper.pid, None)
        seen: dict[int, Seen] = {}
        for pid in found:
            _look(found, seen, pid, service=self.pid)
        self._seen |= {one.pid: one.born for one in seen.values()}
        return sorted(seen.values(), key=lambda one: (one.pid != self.pid, one.pid))

    def of_role(self, role: str) -> list[Seen]:
        """Return the processes whose role matches a regular expression as a whole."""
        return [one for one in self.processes() if re.fullmatch(role, one.role)]

    def kill(self, one: Seen | int, number: int = signal.SIGKILL) -> bool:
        """Send a signal to a process of the house; ``False`` when it had ended before.

        What is killed (SIGKILL) has ended when this returns.

        Raises:
            AssertionError: the process is none of the house.
        """
        pid = one if isinstance(one, int) else one.pid
        known = {p.pid: p.born for p in self.processes()}
        born = one.born if isinstance(one, Seen) else self._seen.get(pid)
        assert pid in self._seen, f"process {pid} is none of the house"
        if known.get(pid) is None or known[pid] != born:
            return False
        try:
            # By psutil, which looks once more whether the number is still that of the same process.
            process = psutil.Process(pid)
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        if number == signal.SIGKILL:
            wait_for(lambda: self._ended(process), f"the end of process {pid}", every=0.005)
        return True

    def _ended(self, process: psutil.Process) -> bool:
        if process.pid == self.pid:
            return self.code() is not None
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def kill_all(self) -> int:
        """Kill all processes at once, as when the power fails; return how many there were."""
        killed: int = self._keeper.ask("kill_all")
        return killed

    def stop(self, *, seconds: float = 60.0, number: int = signal.SIGTERM) -> int:
        """Tell the service to stop, wait for its end, and return its exit code.

        Raises:
            AssertionError: it does not run, or did not end in time.
        """
        assert self.kill(self.pid, number), f"the service had ended before ({self.code()}):\n{self.last_words()}"
        until = time.monotonic() + seconds
        while (code := self.code()) is None:
            assert time.monotonic() < until, f"the service did not stop within {seconds:g} s:\n{self.last_words()}"
            time.sleep(0.02)
        return code

    def restart(self, *, seconds: float = 60.0) -> None:
        """Stop the service if it runs, and start it again on the same state."""
        if self.running():
            self.stop(seconds=seconds)
        self.start()

    def received(self) -> list[tuple[str, str]]:
        """Return the alert and the article of everything that has arrived, oldest first."""
        if self._receiver is not None:
            return self._receiver.received()
        lines = self.alerts.read_bytes().split(b"\n")[:-1] if self.alerts.exists() else []
        return [(alert["alert"], alert["url"]) for alert in map(json.loads, lines)]

    def count(self, expected: Collection[str]) -> Count:
        """Return what became of the articles at these addresses, by ledger and receiver."""
        return count(expected, ledger=self.ledger_url, received=self.received)

    def settled(self, expected: Collection[str], *, seconds: float = 120.0, patience: float = 20.0) -> Count:
        """Wait until nothing is under way any more, see ``tests.service.count``; no longer than there are processes."""
        counted = partial(self.count, expected)
        return settled(counted, seconds=seconds, patience=patience, working=lambda: bool(self.processes()))

    @property
    def options(self) -> list[str]:
        """The options by which other commands of ``wirewatch`` find this configuration and this state."""
        return ["--config", str(self.config), "--state", str(self.state)]

    @property
    def ledger_url(self) -> URL:
        """The ledger's SQLAlchemy URL."""
        if self._ledger == "sqlite":
            # Not as a text: a path may hold what an address gives a meaning to, such as "?".
            return URL.create("sqlite", database=str(self.state / SERVICE_LEDGER))
        return make_url(self._ledger)

    def close(self) -> None:
        """End every process that ever came from the service."""
        with suppress(AssertionError, psutil.Error):  # whatever it is, all of them are to end
            self.processes()
        self._keeper.close()
        for pid, born in self._seen.items():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()

    def _program(self) -> Sequence[str]:
        if not self._constants:
            return ("-m", "worker.cli")
        return ("-m", "tests.service.entry", json.dumps(self._constants))

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WIREWATCH_", "CELERY"))}
        return kept | {"PYTHONPATH": str(ROOT)}

    def _feeds(self, interval: str) -> dict[str, Any]:
        feeds = [{"id": f"feed-{n}", "url": url, "outlet": f"Outlet {n}"} for n, url in enumerate(self._press.feeds)]
        return {"defaults": {"interval": interval}, "feeds": feeds}

    def _service(self, other: Mapping[str, Any]) -> dict[str, Any]:
        network = {
            "allow_private": ["127.0.0.0/8"],
            "allow_ports": [self._press.port],
            "per_host_gap": "0s",
            "per_host_concurrency": 8,
        }
        polling = {"first_poll": "all", "min_interval": "1s", "adaptive": False}
        own = {
            "ledger": self._ledger,
            "network": network,
            "polling": polling,
            "meaning": {"model": "off"},
            "console": {"listen": self.console},
        }
        return _merged(own, other)

    def _alerts(self, policy: Mapping[str, Any], *, ask: bool) -> dict[str, Any]:
        channel: dict[str, Any] = {"type": "file", "path": str(self.alerts)}
        if self._receiver is not None:
            channel = {"type": "webhook", "url": self._receiver.url, "allow_private": True}
            if ask:
                channel["read_back"] = self._receiver.read_back
        own = {"group_wait": "0s", "follow_up": "every", "min_gap": "0s", "per_hour": 0}
        return {
            "channels": {CHANNEL: channel},
            "routes": [{"channels": [CHANNEL]}],
            "policy": _merged(own, policy),
        }


def _merged(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**own, **other}
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(own.get(key), Mapping):
            merged[key] = _merged(own[key], value)
    return merged


def _look(found: Mapping[int, psutil.Process], seen: dict[int, Seen], pid: int, *, service: int) -> None:
    """Put into ``seen`` what a process is, after its parent; nothing when it has ended."""
    try:
        process = found[pid]
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return
            born, line, above = process.create_time(), " ".join(process.cmdline()).strip(), process.ppid()
    except psutil.NoSuchProcess:
        return
    if above in found and above not in seen:
        _look(found, seen, above, service=service)
    parent = seen.get(above)
    # A fork has the title of its parent until it takes one of its own.
    role = "" if parent and line == parent.line else _role(line)
    if not role:
        role = "service" if pid == service else f"{parent.role if parent else 'orphan'} child"
    seen[pid] = Seen(pid, born, role, line)


def _role(line: str) -> str:
    """Return the role that a command line or title speaks of, empty when it speaks of none."""
    if titled := _TITLE.match(line):
        return titled["role"]
    if celery := _CELERY.match(line):
        return f"worker {celery['name']}" + ("" if celery["process"] == "MainProcess" else " child")
    if line.startswith("[celery beat]"):
        return "scheduler"
    if "worker.live.caged" in line:
        return "cage"
    return "valkey" if _VALKEY.match(line) else ""

"""Several machines that share one ledger and one broker: parts of the service, each with a state of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import psutil

from tests.service.beside import wait_for
from tests.service.house import House


class Machines(House):
    """A house whose parts are started by name, in place of ``wirewatch run``."""

    def begin(self, name: str, *words: str, ahead: int = 0) -> int:
        """Start ``wirewatch WORDS`` on the machine ``name``, whose clock is ``ahead`` by so many seconds.

        Returns its process. What it says on stderr, all its processes included, is ``said_by(name)``.
        """
        before = ("tests.faults.ahead", str(ahead)) if ahead else ("tests.service.entry",)
        options = ["--config", str(self.config), "--state", str(self.place / name / "state")]
        (self.place / name).mkdir(exist_ok=True)
        pid: int = self._keeper.ask(
            "start",
            args=[sys.executable, "-m", *before, json.dumps(self._constants), *words, *options],
            cwd=str(self.place / name),
            env=self._environment(),
            out=str(self.place / name / "stdout"),
            err=str(self.place / name / "stderr"),
        )
        self.processes()
        return pid

    def said_by(self, name: str) -> str:
        """Return all that a machine said on stderr so far."""
        return (self.place / name / "stderr").read_text("utf-8", "replace")

    def said(self) -> str:
        """Return what all machines said."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.place.glob("*/stderr")))

    def wait_until_ready(self, pid: int, name: str) -> None:
        """Wait until the part that was started as ``pid`` has said that it can be stopped."""

        def ready() -> bool:
            assert self._keeper.ask("ended", pid=pid) is None, f"{name} has ended; it said:\n{self.said_by(name)}"
            return "Ctrl-C" in self.said_by(name)

        wait_for(ready, f"{name} to be ready")

    def kill_with_children(self, pids: Sequence[int]) -> int:
        """Kill parts of the service and all that they have started, at once; return how many processes that were."""
        known = {one.pid: one.born for one in self.processes()}
        parts = [psutil.Process(pid) for pid in pids]
        family = [*parts, *(child for part in parts for child in part.children(recursive=True))]
        for one in family:
            assert known.get(one.pid) == one.create_time(), f"{one} is none of the house, or new in it"
        for one in family:
            one.kill()
        return len(family)

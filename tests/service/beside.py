"""Helpers of a test that run beside it, in processes of their own, and are spoken to by lines of JSON.

Whatever a test kills elsewhere does not touch them, and they end when whoever asked for them has gone: their standard
input ends then, even if it was killed.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tests.processes import ROOT

#: Seconds that a helper may take to start, or to answer.
PATIENCE = 60.0


class Beside:
    """A running helper: ``module`` is run as a program and given ``values`` as its first line.

    Raises:
        AssertionError: it did not start, and said above why.
    """

    def __init__(self, module: str, **values: Any) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the tests, which end it in their turn.
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            #: What it said first, such as the port that it has been given.
            self.ready: dict[str, Any] = self._answered(values)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The helper's process."""
        return self._process.pid

    def ask(self, order: str, **values: Any) -> Any:
        """Have the helper do ``order`` and return what came of it.

        Raises:
            AssertionError: it has ended, did not answer, or could not do it.
        """
        with self._lock:
            return self._answered({"order": order, "values": values})

    def close(self) -> None:
        """End the helper. Closing twice does nothing more."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if not stdin.closed:
            with suppress(BrokenPipeError):  # it has ended before
                stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        stdout.close()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answered(self, said: Mapping[str, Any]) -> Any:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(said) + "\n")
            stdin.flush()
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"{self._module} gave no answer within {PATIENCE:g} s") from None
        except (BrokenPipeError, ValueError) as error:
            raise AssertionError(f"{self._module} has ended") from error
        assert line, f"{self._module} has ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{self._module}: {answer['error']}"
        return answer["is"]


def given() -> dict[str, Any]:
    """Return, in a helper, the values that it was started with."""
    values: dict[str, Any] = json.loads(sys.stdin.readline())
    return values


def say(value: Any) -> None:
    """Answer, in a helper, whoever has asked."""
    print(json.dumps({"is": value}), flush=True)  # noqa: T201 - it is the answer


async def attend(orders: Mapping[str, Callable[..., Any]]) -> None:
    """Do, in a helper, what it is told, one order after the other, until whoever tells it has gone.

    ``orders`` are functions, or coroutine functions, by the name of the order.
    """
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        try:
            done = orders[told["order"]](**told["values"])
            if inspect.isawaitable(done):
                done = await done
        except Exception as error:  # noqa: BLE001 - whoever has asked is told
            print(json.dumps({"error": repr(error)}), flush=True)  # noqa: T201 - it is the answer
        else:
            say(done)


def wait_for(seen: Callable[[], object], what: str, *, seconds: float = PATIENCE, every: float = 0.05) -> None:
    """Wait until ``seen`` returns something that is true.

    Raises:
        AssertionError: it did not within ``seconds``.
    """
    until = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < until, f"{what}: not within {seconds:g} s"
        time.sleep(every)

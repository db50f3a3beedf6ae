"""Real processes for tests, forked from a server that has imported everything, so that they begin with their work."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

#: Seconds after which a process that should have ended is taken for hanging.
DEADLINE = 120.0
ROOT = Path(__file__).parents[1]
#: The configuration that ships.
SHIPPED = ROOT / "config"
#: The same without what asks for meaning: commands that load no models cost a third, and tell the same stories.
BY_RULE = ROOT / "tests" / "data" / "config" / "rules"

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])


def start(function: Callable[..., None], *args: Any) -> BaseProcess:
    """Start ``function(*args)`` in a process of its own."""
    process = _context.Process(target=function, args=args)
    process.start()
    return process


def finish(process: BaseProcess) -> int:
    """Wait for a process and return its exit code, negative for the signal that ended it."""
    process.join(DEADLINE)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{process} did not end within {DEADLINE} s")
    return process.exitcode


def kill_when(process: BaseProcess, seen: Callable[[], bool]) -> bool:
    """Kill a process as soon as ``seen`` says so; ``False`` when it had ended before."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and process.is_alive():
        if seen():
            process.kill()
            return finish(process) < 0
    finish(process)
    return False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


def wirewatch(
    *args: str | Path, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None, config: Path = BY_RULE
) -> Ended:
    """Run ``wirewatch`` beside ``config``, unless ``args`` name another or there is one, and wait for its end."""
    return ended(begin(*args, cwd=cwd, stdin=stdin, env=env, config=config), cwd)


def begin(
    *args: str | Path, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None, config: Path = BY_RULE
) -> BaseProcess:
    """Start ``wirewatch``; ``ended`` waits for it."""
    cwd.mkdir(parents=True, exist_ok=True)
    if not (cwd / "config").exists():
        (cwd / "config").symlink_to(config)
    (cwd / "stdin").write_text(stdin, "utf-8")
    for name in ("stdout", "stderr"):
        (cwd / name).unlink(missing_ok=True)
    return start(_main, [str(a) for a in args], str(cwd), dict(env or {}))


def ended(process: BaseProcess, cwd: Path) -> Ended:
    """Wait for a command that ``begin`` has started in ``cwd``."""
    code = finish(process)
    return Ended(code, (cwd / "stdout").read_text("utf-8"), (cwd / "stderr").read_text("utf-8"))


def _main(args: list[str], cwd: str, env: dict[str, str]) -> None:
    from worker.cli import main

    os.chdir(cwd)
    os.environ.update(env)
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        handle = os.open(name, flags | os.O_CREAT | (os.O_TRUNC if flags else 0), 0o644)
        os.dup2(handle, number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for the process's life
    sys.argv = ["wirewatch", *args]
    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()

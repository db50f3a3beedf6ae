"""Commands under conditions that a shell makes: closed and full outputs, small disks, signals, odd environments."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from tests.processes import BY_RULE, DEADLINE, ROOT, Ended, begin, ended, start
from worker.replay.session import ALERTS

SEEDS = ROOT / "seeds"
CONFIG = BY_RULE
TOPICS = CONFIG / "topics.yaml"
#: What the topic matches, in the headline alone.
CLAIM = "Iran says its missile programme is not negotiable"


def alerts(out: str) -> list[dict[str, Any]]:
    """Return the alerts among JSON lines."""
    return [line for line in map(json.loads, out.splitlines()) if line["kind"] == "alert"]


def summary(out: str) -> dict[str, Any]:
    """Return the last line of a replay's JSON."""
    last: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert last["kind"] == "summary"
    return last


def told(state: Path) -> Counter[str]:
    """Return how often each alert reached the receiver of a state directory."""
    return Counter(json.loads(line)["alert"] for line in (state / ALERTS).read_text("utf-8").splitlines())


def jsonl(path: Path, articles: Iterable[Mapping[str, Any]]) -> Path:
    """Write a file of JSON lines."""
    path.write_text("".join(json.dumps(article) + "\n" for article in articles), "utf-8")
    return path


def ends_well(ended: Ended, code: int) -> Ended:
    """Assert the exit code, that no traceback was shown, and that no control character reached the terminal."""
    assert "Traceback" not in ended.err, ended.err
    assert ended.code == code, ended
    shown = set(ended.out + ended.err) - {"\n", "\t"}
    assert all(character.isprintable() or character in "\u2028\u2029\ufeff\xad" for character in shown)
    return ended


def under(condition: str, *args: str | Path, cwd: Path) -> Ended:
    """Run ``wirewatch`` in a process where ``condition`` holds, one of ``CONDITIONS`` or ``disk=BYTES``."""
    cwd.mkdir(parents=True, exist_ok=True)
    for name in ("stdout", "stderr"):
        (cwd / name).unlink(missing_ok=True)
        (cwd / name).touch()
    return ended(start(_main, condition, [str(a) for a in args], str(cwd)), cwd)


def _reader_gone() -> None:
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.close(reading)


CONDITIONS: Mapping[str, Callable[[], None]] = {
    "reader-gone": _reader_gone,
    "closed": lambda: os.close(1),
}


def _main(condition: str, args: list[str], cwd: str) -> None:
    from worker.cli import main

    os.chdir(cwd)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_TRUNC), number)
    if condition.startswith("disk="):
        size = int(condition.removeprefix("disk="))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    else:
        CONDITIONS[condition]()
    sys.stdout = _stream(1)
    sys.argv = ["wirewatch", *args]
    main()


def _stream(handle: int) -> TextIO:
    # As the interpreter makes it when it begins, knowing what the descriptor is.
    try:
        return os.fdopen(handle, "w", encoding="utf-8", closefd=False)
    except OSError:
        return cast("TextIO", None)


def real(*args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, without: str = "", out: str = "") -> Ended:
    """Run ``wirewatch`` in an interpreter of its own, for what is fixed when an interpreter begins.

    ``without`` is the name of a variable to unset, or ``stdin``; ``out`` is a file to write to.
    """
    surroundings = {name: value for name, value in os.environ.items() if name != without} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "worker.cli", *map(str, args)]
    if without == "stdin":
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    if out:
        command = ["sh", "-c", f'exec "$@" >{out}', "sh", *command]
    process = subprocess.run(
        command,
        cwd=cwd,
        env=surroundings | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    return Ended(process.returncode, process.stdout.decode("utf-8"), process.stderr.decode("utf-8"))


def interrupted(number: int, *args: str | Path, cwd: Path, state: Path) -> Ended:
    """Run a replay with ``--json`` into ``state``, and signal it with ``number`` while it writes its first alert.

    Its output goes to a pipe that is full already, so that it surely stands there when the signal comes.
    """
    cwd.mkdir(parents=True, exist_ok=True)
    pipe = cwd / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        _fill(held)
        process = start(_into, str(pipe), [str(a) for a in args], str(cwd))
        assert process.pid is not None
        until = time.monotonic() + DEADLINE
        while not _written(state / ALERTS) or not _stands(process.pid):
            assert process.is_alive(), (cwd / "stderr").read_text("utf-8")
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(process.pid, number)
        (cwd / "stdout").touch()
        return ended(process, cwd)
    finally:
        os.close(held)


def _written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _stands(pid: int) -> bool:
    """Return whether a process waits in the write to its pipe: proc_pid_wchan(5).

    A signal that comes in the instant before is not seen by Python until the write has ended, which it never does.
    """
    return "pipe_write" in Path(f"/proc/{pid}/wchan").read_text("ascii")


def _fill(handle: int) -> None:
    try:
        while True:
            os.write(handle, b"\n" * 4096)
    except BlockingIOError:
        return


def _into(pipe: str, args: list[str], cwd: str) -> None:
    from worker.cli import main

    os.chdir(cwd)
    os.dup2(os.open(pipe, os.O_WRONLY), 1)
    os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
    sys.stdout = _stream(1)
    sys.argv = ["wirewatch", *args]
    main()


def both(*args: str | Path, cwd: Path) -> tuple[Ended, Ended]:
    """Run the same command twice at the same time."""
    processes = [(begin(*args, cwd=cwd / name), cwd / name) for name in ("one", "two")]
    first, second = (ended(process, place) for process, place in processes)
    return first, second

"""The services of docker-compose.yml as plain processes on this machine: the very commands, only elsewhere.

What is put in place of what Compose gives: ``127.0.0.1`` and free ports for the names and ports of services, real
servers that were started before for valkey and postgres, folders for volumes. Nothing else, so that the file and what
is tried here cannot drift apart.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil

from tests.containers.compose import REHEARSAL, env_file, ours
from tests.processes import ROOT
from tests.service.beside import Beside

#: Where the image keeps things.
_HOME: Final = "/wirewatch"
_ADDRESS: Final = re.compile(r"[\w.-]+:\d+")
#: Of the environment that a container does not have.
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One process of the list: a service, or one of several when it is scaled."""

    name: str
    service: str
    #: After ``wirewatch``.
    args: tuple[str, ...]
    env: Mapping[str, str]
    #: Folders and files here, by their place in the container.
    mounts: Mapping[str, Path]


def listed(names: Sequence[str], *, places: Mapping[str, str], volumes: Path, scale: Mapping[str, int]) -> list[Listed]:
    """Return the processes of the services ``names``, in that order.

    Args:
        names: Services.
        places: What stands here for a place of the file, such as ``valkey:6379``.
        volumes: The folder of the named volumes.
        scale: How many of a service, where that is not one.
    """
    found = ours(env_file(REHEARSAL))
    made = []
    for name in names:
        service, count = found[name], scale.get(name, 1)
        for number in range(1, count + 1):
            one = Listed(
                name=f"{name}-{number}" if count > 1 else name,
                service=name,
                args=tuple(_placed(str(word), places) for word in service["command"]),
                env={key: _placed(str(value), places) for key, value in service.get("environment", {}).items()},
                mounts=_mounts(service, volumes),
            )
            made.append(one)
    return made


def addresses(names: Sequence[str]) -> set[str]:
    """Return every HOST:PORT that commands and environment of the services name."""
    found = ours(env_file(REHEARSAL))
    said = [word for name in names for word in (*found[name]["command"], *found[name].get("environment", {}).values())]
    return {address for word in said for address in _ADDRESS.findall(str(word)) if not address.endswith(":-")}


def _placed(text: str, places: Mapping[str, str]) -> str:
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, places[place])
    return text


def _mounts(service: Mapping[str, Any], volumes: Path) -> dict[str, Path]:
    mounts = {}
    for volume in service.get("volumes", ()):
        source, target = volume.split(":")[:2]
        mounts[target] = ROOT / source if source.startswith(".") else volumes / source
    return mounts


class Running:
    """The processes of a list, below ``place``. Use it in a ``with``: at its end nothing is left of them."""

    def __init__(
        self, processes: Sequence[Listed], place: Path, *, env: Mapping[str, str], constants: Mapping[str, float]
    ) -> None:
        """Start nothing yet; all of them know ``env`` besides, and ``constants`` are for ``tests.service.entry``."""
        self._program = (sys.executable, "-m", "tests.service.entry", json.dumps(dict(constants)))
        self._listed = {one.name: one for one in processes}
        self._place, self._env = place, dict(env)
        self._keeper = Beside("tests.service.keeper")
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._keeper.ask("kill_all")
        finally:
            self._keeper.close()

    def start(self, name: str) -> None:
        """Start a process of the list in a folder of its own, with what is mounted there."""
        one, folder = self._listed[name], self._folder(name)
        self._pids[name] = self._keeper.ask(
            "start",
            args=[*self._program, *(self._inside(word, one) for word in one.args)],
            cwd=str(folder),
            env=self._environment(one),
            out=str(folder / "stdout"),
            err=str(folder / "stderr"),
        )

    def free_port(self) -> int:
        """Return a port of 127.0.0.1 that was free just now."""
        port: int = self._keeper.ask("free_port")
        return port

    def run(self, name: str, *args: str) -> int:
        """Run another command where a process of the list runs, as `docker compose exec` does; return its exit code."""
        one, folder = self._listed[name], self._folder(name)
        pid = self._keeper.ask(
            "start",
            args=[*self._program, *args],
            cwd=str(folder),
            env=self._environment(one),
            out=str(folder / "asked"),
            err=str(folder / "asked"),
        )
        return self._ended(pid, seconds=60)

    def said(self, name: str, stream: str = "stderr") -> str:
        """Return what a process has said."""
        file = self._folder(name) / stream
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def kill(self, name: str) -> int:
        """Kill a process with all that came from it, as a container is killed; return how many that were."""
        first = psutil.Process(self._pids[name])
        first.suspend()  # it would start again what dies
        victims = [first, *first.children(recursive=True)]
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        self._ended(self._pids.pop(name), seconds=30)
        return len(victims)

    def stop(self, name: str, *, seconds: float = 60.0) -> int:
        """Ask a process to stop, and return its exit code."""
        pid = self._pids.pop(name)
        psutil.Process(pid).terminate()
        return self._ended(pid, seconds=seconds)

    def _ended(self, pid: int, *, seconds: float) -> int:
        until = time.monotonic() + seconds
        while (code := self._keeper.ask("ended", pid=pid)) is None:
            assert time.monotonic() < until, f"process {pid} did not end within {seconds:.0f} s"
            time.sleep(0.05)
        return int(code)

    def _folder(self, name: str) -> Path:
        """Return the folder that stands for a container's home, made with its mounts when it is not there."""
        folder = self._place / name
        if not folder.exists():
            folder.mkdir(parents=True)
            for target, source in self._listed[name].mounts.items():
                if not source.is_relative_to(ROOT):
                    source.mkdir(parents=True, exist_ok=True)
                if target.startswith(f"{_HOME}/"):
                    (folder / target.removeprefix(f"{_HOME}/")).symlink_to(source)
        return folder

    def _inside(self, word: str, one: Listed) -> str:
        found = one.mounts.get(word)
        return str(found) if found is not None else word

    def _environment(self, one: Listed) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**inherited, "PYTHONPATH": str(ROOT), **one.env, **self._env}

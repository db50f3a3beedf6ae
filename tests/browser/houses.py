"""Consoles for the browser: real processes, over what the real command has replayed."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import update

from tests.processes import ROOT, SHIPPED, begin, ended, wirewatch
from tests.service.beside import wait_for
from worker.build import REPLAY_LEDGER, SERVICE_LEDGER
from worker.ledger.engine import open_file
from worker.ledger.tables import article

SEEDS: Final = ROOT / "seeds"
#: Titles that would do something where they were taken for more than text.
HOSTILE: Final = (
    "<script>alert(1)</script> missile program is non-negotiable",
    '"><img src=x onerror=alert(1)> missile program non-negotiable',
    "javascript:alert(1)//missile program non-negotiable </title><svg onload=alert(1)>",
    "{{ 7*7 }} ${7*7} missile program non-negotiable \u202edetrever\u202c \u0007\u001b[31mred",
)
_TEXT: Final = (
    "The government said on Monday that its missile program is non-negotiable. <b onmouseover=alert(1)>It will not</b> "
    "discuss missiles in any talks, a spokesman of office {n} added.\n\nA second paragraph with &lt;entities&gt; in it."
)


def hostile_articles() -> str:
    """Return articles with such titles, outlets and texts, as JSON lines."""
    lines: list[dict[str, Any]] = [
        {
            "id": f"hostile-{number}",
            "title": title,
            "text": _TEXT.format(n=number),
            "url": f"https://hostile.example/{number}?a=<script>",
            "outlet": f"Out<i>let</i> {number}",
            "published_at": f"2026-01-0{number}T10:00:00Z",
        }
        for number, title in enumerate(HOSTILE, start=1)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def replayed(cwd: Path) -> Path:
    """Return a state directory in which the seeds and the hostile articles were replayed."""
    cwd.mkdir(parents=True, exist_ok=True)
    (cwd / "hostile.jsonl").write_text(hostile_articles(), "utf-8")
    for recording in (SEEDS, cwd / "hostile.jsonl"):
        done = wirewatch("replay", recording, "--state", cwd / "state", cwd=cwd, config=SHIPPED)
        assert done.code == 0, done.err
    _spoil(cwd / "state" / REPLAY_LEDGER)
    return cwd / "state"


def _spoil(ledger: Path) -> None:
    """Give the hostile articles what reading a feed takes out of them: the pages must not count on it."""
    with closing(open_file(ledger)) as opened, opened.write() as t:
        for number, title in enumerate(HOSTILE, start=1):
            mine = article.c.outlet == f"Out<i>let</i> {number}"
            address = f"javascript:alert({number})"
            t.execute(update(article).where(mine).values(title=title, url=address))


@dataclass(frozen=True, slots=True)
class House:
    """A console that runs."""

    origin: str
    port: int
    #: Where it was started, and its state directory.
    place: Path
    state: Path

    def answers(self) -> bool:
        """Return whether it answers yet."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except OSError:
                return False


@contextmanager
def console(place: Path, state: Path, *, token: str = "", service: bool = False, **settings: Any) -> Iterator[House]:
    """Run ``wirewatch console`` over a copy of a state directory.

    With ``service`` the replayed ledger is the service's own, as far as the console can tell. ``settings`` go into
    service.yaml; the other files are those that are shipped.
    """
    place.mkdir(parents=True, exist_ok=True)
    own = place / "state"
    shutil.copytree(state, own)
    if service:
        (own / REPLAY_LEDGER).rename(own / SERVICE_LEDGER)
    port = _free_port()
    _configure(place / "config", {"console": {"listen": f"127.0.0.1:{port}", "token": token}} | settings)
    process = begin("console", "--state", own, cwd=place)
    house = House(f"http://127.0.0.1:{port}", port, place, own)
    wait_for(house.answers, "the console")
    try:
        yield house
    finally:
        os.kill(process.pid or 0, signal.SIGTERM)
        done = ended(process, place)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err, done.err
    assert not token or token not in done.out + done.err


def _configure(folder: Path, service: dict[str, Any]) -> None:
    shutil.copytree(ROOT / "config", folder, ignore=lambda _, names: [n for n in names if not n.endswith(".yaml")])
    (folder / "service.yaml").write_text(json.dumps(service), "utf-8")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

"""What the health checks of containers ask: `wirewatch health`, and what it is read off."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import NOON
from tests.processes import wirewatch
from worker.build import SERVICE_LEDGER
from worker.ledger import progress
from worker.ledger.engine import Ledger, open_file
from worker.ledger.progress import Progress
from worker.live.beat import Signs
from worker.live.health import SCHEDULER, why_no_console, why_not
from worker.live.place import Place, machine
from worker.settings import Console

SEEN = Progress(at=NOON, detail="")


@pytest.mark.parametrize(
    ("part", "seen", "after", "said"),
    [
        ("worker", {}, 0, "worker: no sign of one on m1 yet"),
        ("worker", {"poll": SEEN}, 299, ""),
        ("worker", {"poll": SEEN}, 301, "worker: no sign of the one on m1 for 301 s"),
        ("worker", {"tick": SEEN}, 10, ""),
        ("worker", {"deliver": SEEN, "scheduler": SEEN}, 10, ""),
        ("worker", {"scheduler": SEEN}, 0, "worker: no sign of one on m1 yet"),
        ("scheduler", {"scheduler": SEEN}, 75, ""),
        ("scheduler", {"scheduler": SEEN}, 76, "scheduler: no sign of the one on m1 for 76 s"),
        ("scheduler", {"tick": SEEN, "poll": SEEN}, 0, "scheduler: no sign of one on m1 yet"),
    ],
)
def test_a_part_is_healthy_while_it_comes_round(part: str, seen: dict[str, Progress], after: int, said: str) -> None:
    """A worker by any of its tasks, a scheduler by its own signs and not by those of workers that stand in for it."""
    assert why_not(part, seen, machine="m1", now=NOON + timedelta(seconds=after)) == said


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Give an empty ledger."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_ledger")
    else:
        with closing(open_file(tmp_path / "ledger.sqlite")) as made:
            yield made


def test_progress_is_kept_by_machine_and_over_all(ledger: Ledger) -> None:
    """Each machine has its own, and what is asked over all names no machine."""
    with ledger.write() as t:
        progress.note(t, "poll", now=NOON, machine="m1")
        progress.note(t, "poll", now=NOON + timedelta(seconds=5), detail="newer", machine="m2")
        progress.note(t, "tick", now=NOON)
    with ledger.read() as t:
        assert progress.read(t).keys() == {"poll", "tick"}
        assert progress.read(t)["poll"].detail == "newer"
        assert progress.read_of(t, "m1") == {"poll": SEEN}
        assert progress.read_of(t, "m2")["poll"].at == NOON + timedelta(seconds=5)
        assert progress.read_of(t, "m") == progress.read_of(t, "M1") == progress.read_of(t, "%") == {}


def test_a_scheduler_gives_signs_and_bears_a_ledger_that_is_away(tmp_path: Path) -> None:
    """The first at once, the next a while later; ticks do not fail with the ledger."""
    (tmp_path / "config").mkdir()
    place = Place(config=tmp_path / "config", state=tmp_path / "state")
    signs = Signs(place, "m1")
    signs.give()
    with closing(open_file(place.state / SERVICE_LEDGER)) as opened, opened.read() as t:
        first = progress.read_of(t, "m1")[SCHEDULER]
    signs.give()
    with closing(open_file(place.state / SERVICE_LEDGER)) as opened, opened.read() as t:
        assert progress.read_of(t, "m1")[SCHEDULER] == first
    (tmp_path / "config" / "service.yaml").write_text("ledger: postgresql+psycopg://127.0.0.1:1/none\n")
    Signs(place, "m1").give()


def test_the_command_asks_the_ledger(tmp_path: Path) -> None:
    """No ledger, one without a sign, one with an old sign, one with a new one; migrate makes it."""
    assert "there is no ledger yet" in _health(tmp_path, "worker", code=1)
    done = wirewatch("migrate", cwd=tmp_path)
    assert (done.code, done.out) == (0, ".wirewatch/ledger.sqlite: up to date\n")
    assert "no sign of one" in _health(tmp_path, "worker", code=1)
    assert "nothing has worked on this ledger yet" in _health(tmp_path, code=1)
    with closing(open_file(tmp_path / ".wirewatch" / SERVICE_LEDGER)) as ledger:
        now = ledger.clock()
        with ledger.write() as t:
            for part in ("tick", "poll", "read", "deliver"):
                progress.note(t, part, now=now, machine="another" if part == "poll" else machine())
            progress.note(t, SCHEDULER, now=now - timedelta(minutes=5), machine=machine())
    assert _health(tmp_path, "worker", code=0) == "healthy\n"
    assert "no sign of the one on" in _health(tmp_path, "scheduler", code=1)
    assert _health(tmp_path, code=0) == "healthy\n"


def _health(tmp_path: Path, *part: str, code: int) -> str:
    done = wirewatch("health", *part, cwd=tmp_path)
    assert done.code == code, done
    return done.out


def test_migrating_says_what_is_wrong_with_a_ledger(tmp_path: Path) -> None:
    """Another program's database is left alone: exit code 2, and what to do."""
    (tmp_path / ".wirewatch").mkdir()
    (tmp_path / ".wirewatch" / SERVICE_LEDGER).write_text("no database at all, whoever may have written it here")
    done = wirewatch("migrate", cwd=tmp_path)
    assert done.code == 2
    assert "not a wirewatch ledger" in done.err


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_console_is_healthy_when_it_answers() -> None:
    """Nobody is there; somebody answers with an error; all is well, at whatever address it listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert "does not answer" in why_no_console(Console(host="127.0.0.1", port=free, token=""))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - asked for, not bound to
            assert why_no_console(Console(host=host, port=server.server_port, token="")) == ""
        _Answers.status = 500
        said = why_no_console(Console(host="127.0.0.1", port=server.server_port, token=""))
        assert said.endswith(f":{server.server_port} answers 500")
        server.shutdown()


class _Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:  # the library's name
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

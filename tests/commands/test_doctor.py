"""``wirewatch doctor``: its checks as functions, and the command against real ledgers and servers."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from tests import postgres, valkey
from tests.processes import Ended, finish, start, wirewatch
from worker.build import SERVICE_LEDGER
from worker.ledger import survey
from worker.ledger.engine import Ledger, open_file
from worker.ledger.migrate import HEAD
from worker.ledger.survey import Seen
from worker.live import doctor
from worker.live import valkey as embedded
from worker.live.clock import wall_clock
from worker.live.doctor import Place, examine
from worker.live.findings import Finding, refusals
from worker.settings import Console, Meaning, Service

_MODELS = resources.files("worker.topics.meaning") / "models"
_PLACE = Place(path=Path("state"), exists=True, writable=True, free=1 << 33, kind="ext4")
_SEEN = Seen(name="h/wirewatch", revision=HEAD)


def ask(tmp_path: Path, service: str = "", *args: str) -> Ended:
    """Run ``wirewatch doctor`` with a service.yaml."""
    config = tmp_path / "config"
    config.mkdir(exist_ok=True)
    (config / "service.yaml").write_text(service)
    return wirewatch("doctor", *args, cwd=tmp_path)


def of(ended: Ended, part: str) -> list[str]:
    """Return the lines of a part, with their levels."""
    return [line for line in ended.out.splitlines() if line.split(maxsplit=1)[1].startswith(part)]


def level(finding: Finding, *words: str) -> str:
    """Return the level of a finding that says ``words``."""
    assert all(word in str(finding) for word in words), finding
    assert finding.level in {"ok", "note"} or finding.remedy
    return finding.level


def test_a_machine_in_order_is_told_so(tmp_path: Path) -> None:
    """Before the first start: everything is named, nothing is made, and nothing refuses."""
    ended = ask(tmp_path)
    assert ended.code == 0, ended
    assert not (tmp_path / ".wirewatch").exists()
    assert {line.split()[0] for line in ended.out.splitlines()} <= {"ok", "note", "warn"}
    for part in ("Python", "libexpat", "processes", "state directory", "ledger", "broker", "models", "console"):
        assert of(ended, part), part


def test_the_same_as_json(tmp_path: Path) -> None:
    """One object, with a line's parts apart."""
    ended = ask(tmp_path, "console: {listen: '0.0.0.0:8484'}", "--json")
    assert ended.code == 1
    found = json.loads(ended.out)
    assert found["healthy"] is False
    assert found["counts"]["refuse"] == 1
    (refused,) = [finding for finding in found["findings"] if finding["level"] == "refuse"]
    assert set(refused) == {"level", "what", "remedy"}
    assert "console on 0.0.0.0:8484 is open to everybody" in refused["what"]
    assert "console.token" in refused["remedy"]


def test_a_configuration_with_errors_ends_it(tmp_path: Path) -> None:
    """What it means cannot be looked at."""
    ended = ask(tmp_path, "brokr: embedded")
    assert ended.code == 2
    assert "service.yaml:1:1" in ended.err


@pytest.mark.parametrize(
    ("version", "wanted"),
    [((3, 11, 1), "refuse"), ((3, 11, 2), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "warn")],
)
def test_pythons_are_judged(version: tuple[int, ...], wanted: str) -> None:
    """By what the tests run with."""
    assert level(doctor.python(version), ".".join(map(str, version))) == wanted


@pytest.mark.parametrize(
    ("version", "wanted"),
    [((2, 2, 10), "refuse"), ((2, 4, 0), "refuse"), ((2, 4, 1), "warn"), ((2, 5, 0), "warn"), ((2, 6, 0), "ok")],
)
def test_xml_parsers_are_judged(version: tuple[int, ...], wanted: str) -> None:
    """By the two mistakes that were mended in 2.4.1 and 2.6.0."""
    assert level(doctor.xml_parser(version), "libexpat") == wanted


def test_systems_are_judged() -> None:
    """By how their processes start and end."""
    assert level(doctor.processes(forks=True, kernel=True, system="Linux")) == "ok"
    assert level(doctor.processes(forks=True, kernel=False, system="Darwin"), "Darwin") == "note"
    assert level(doctor.processes(forks=False, kernel=False, system="Windows"), "one process") == "warn"


def test_a_state_directory_is_judged() -> None:
    """By who may write there, and by its room."""
    (good,) = doctor.state_directory(_PLACE)
    (new,) = doctor.state_directory(replace(_PLACE, exists=False))
    (small,) = doctor.state_directory(replace(_PLACE, free=99 << 20))
    (closed,) = doctor.state_directory(replace(_PLACE, writable=False))
    (nowhere,) = doctor.state_directory(replace(_PLACE, writable=False, exists=False))
    assert level(good, "8 GiB free") == "ok"
    assert level(new, "will be made") == "ok"
    assert level(small, "99 MiB free") == "warn"
    assert level(closed, "cannot be written", "--state") == "refuse"
    assert level(nowhere, "cannot be made", "--state") == "refuse"


def test_a_directory_that_is_not_there_is_seen_by_the_one_above(tmp_path: Path) -> None:
    """Nothing is made; a file in the way is seen."""
    seen = doctor.look(tmp_path / "a" / "b")
    assert (seen.exists, seen.writable) == (False, True)
    assert seen.free > 0
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").write_text("")
    assert not doctor.look(tmp_path / "a" / "b").writable
    assert not doctor.look(tmp_path / "a").writable


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_directory_of_somebody_else_is_seen() -> None:
    """By the rights of the user who asks."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(folder), Path(folder) / "state", Path(folder) / "state" / "deeper"):
            assert doctor.look(path).writable
            assert finish(start(_look_as_nobody, str(path))) == 0


def _look_as_nobody(path: str) -> None:
    os.setuid(pwd.getpwnam("nobody").pw_uid)
    os._exit(int(doctor.look(Path(path)).writable))


_MOUNTS = r"""22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /srv rw,relatime shared:2 - nfs4 server:/export rw
31 30 0:31 / /srv/with\040blank rw - tmpfs tmpfs rw
32 22 0:32 / /home rw,relatime - ext4 /dev/sdb rw
33 32 0:33 / /home rw,relatime - cifs //server/home rw"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/srv/state", "nfs4"),
        ("/srvs", "ext4"),
        ("/srv/with blank/x", "tmpfs"),
        ("/home/é", "cifs"),
    ],
)
def test_the_file_system_of_a_path_is_known(path: str, kind: str) -> None:
    """The longest point that holds it; of two on one point, the last."""
    assert doctor.kind_among(_MOUNTS.splitlines(), Path(path)) == kind


@pytest.mark.parametrize(("kind", "count"), [("nfs4", 1), ("9p", 1), ("cifs", 1), ("ext4", 0), ("tmpfs", 0), ("", 0)])
def test_a_file_ledger_on_a_network_is_warned_of(kind: str, count: int) -> None:
    """SQLite's locks do not hold there."""
    found = list(doctor.local_ledger(replace(_PLACE, kind=kind)))
    assert len(found) == count
    for finding in found:
        assert level(finding, kind, "PostgreSQL") == "warn"


def test_schemas_are_judged() -> None:
    """An older one is brought up to date by the start; a newer one and somebody else's are refused."""
    assert level(doctor.schema(_SEEN), HEAD) == "ok"
    assert level(doctor.schema(replace(_SEEN, revision=None)), "empty") == "ok"
    assert level(doctor.schema(replace(_SEEN, revision="0001")), "missing migrations", "wirewatch run") == "note"
    assert level(doctor.schema(replace(_SEEN, revision="9999")), "upgrade wirewatch") == "refuse"
    assert level(doctor.schema(replace(_SEEN, revision=None, foreign=True)), "something else") == "refuse"


def _rewind(path: Path) -> None:
    open_file(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()


def test_an_old_ledger_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    """Looking migrates nothing."""
    path = tmp_path / ".wirewatch" / SERVICE_LEDGER
    _rewind(path)
    before = path.read_bytes()
    ended = ask(tmp_path)
    assert ended.code == 0
    (line,) = of(ended, "ledger")
    assert line.startswith("note")
    assert f"missing migrations (it is at 0001 of {HEAD}): wirewatch run brings it up to date" in line
    assert survey.look_at_file(path).revision == "0001"
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["odd ?#%é name", "plain"])
def test_a_ledger_that_others_write_to_can_be_looked_at(tmp_path: Path, name: str) -> None:
    """Its newest pages lie beside it, and its path may hold anything."""
    path = tmp_path / name / "ledger.sqlite"
    with closing(open_file(path)) as ledger, ledger.read():
        assert survey.look_at_file(path) == Seen(name=str(path), revision=HEAD)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Garbage, and the database of somebody else."""
    path = tmp_path / ".wirewatch" / SERVICE_LEDGER
    path.parent.mkdir()
    path.write_bytes(b"garbage " * 1000)
    garbage = ask(tmp_path)
    path.unlink()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    engine.dispose()
    theirs = ask(tmp_path)
    assert (garbage.code, theirs.code) == (1, 1)
    assert of(garbage, "ledger")[0].startswith("refuse")
    assert "the tables of something else" in of(theirs, "ledger")[0]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Give the URL of a PostgreSQL server of these tests' own."""
    with postgres.server() as url:
        yield url


def test_a_postgresql_ledger_is_looked_at(database: str) -> None:
    """Its schema and its clock; a password that is wrong is not shown."""
    assert survey.look_at_server(database).revision is None
    Ledger(database).close()
    seen = survey.look_at_server(database)
    assert seen.revision == HEAD
    assert seen.clock is not None
    service = Service(ledger=database, meaning=Meaning(model="off"))
    found = list(doctor._ledger(service, Path("state"), _PLACE, wall_clock))
    assert [finding.level for finding in found] == ["ok"]
    ahead = list(doctor._ledger(service, Path("state"), _PLACE, lambda: wall_clock() + timedelta(hours=1)))
    assert [level(finding) for finding in ahead] == ["ok", "warn"]
    assert "behind this machine's" in str(ahead[1])


def test_a_postgresql_that_is_away_is_refused_for_now(database: str) -> None:
    """Who starts may wait for it; neither its password nor its user is shown."""
    address = make_url(database).set(username="who", password="s3cret", database="nowhere")
    for away, url in (
        (False, address),
        (True, address.update_query_dict({"host": "/nowhere"})),
    ):
        service = Service(ledger=url.render_as_string(hide_password=False))
        (finding,) = doctor._ledger(service, Path("state"), _PLACE, wall_clock)
        assert level(replace(finding, remedy="-"), "ledger") == "refuse"
        assert finding.passing is away
        assert "s3cret" not in str(finding)


def _of_broker(service: Service, state: Path) -> list[Finding]:
    return list(doctor._broker(service, state, wall_clock))


def test_a_broker_is_asked() -> None:
    """What it says of itself is among the findings; one that is not there may come."""
    with valkey.server() as url:
        (noted,) = _of_broker(Service(broker=url), Path("state"))
    assert level(noted, "appendonly is off") == "note"
    (away,) = _of_broker(Service(broker=url), Path("state"))
    assert level(away, "cannot be reached") == "refuse"
    assert away.passing


def test_the_embedded_server_is_asked_when_it_runs() -> None:
    """Before its first start and after its end it is no reason to refuse."""
    with tempfile.TemporaryDirectory(prefix="wirewatch-") as folder:
        state = Path(folder)
        (before,) = _of_broker(Service(), state)
        server = embedded.start(state)
        (running,) = _of_broker(Service(), state)
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        (killed,) = _of_broker(Service(), state)
    assert level(before, "starts with wirewatch run") == "ok"
    assert level(running, "valkey.sock") == "ok"
    assert level(killed, "wirewatch run starts it") == "note"
    assert level(doctor.embedded("there is no wheel"), "one process without Celery") == "note"


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    """One bit of one file, or a file that is not there."""
    models = tmp_path / "models"
    models.mkdir()
    for name in ("manifest.json", "tokenizer.json", "table.npz", "encoder.onnx", "verifier.onnx", "decision.json"):
        shutil.copyfile(str(_MODELS / name), models / name)
    service = f"meaning: {{model: {models}}}"
    assert of(ask(tmp_path, service), "models")[0].startswith("ok")
    with (models / "table.npz").open("r+b") as table:
        first = table.read(1)[0]
        table.seek(0)
        table.write(bytes([first ^ 1]))
    ended = ask(tmp_path, service)
    assert ended.code == 1
    (line,) = of(ended, "models")
    assert line.startswith("refuse")
    assert "table.npz: its sha256 is" in line
    assert level(doctor.models("off", "")) == "ok"


@pytest.mark.parametrize(
    ("host", "token", "wanted"),
    [
        ("127.0.0.1", "", "ok"),
        ("127.9.9.9", "", "ok"),
        ("::1", "", "ok"),
        ("localhost", "", "ok"),
        ("0.0.0.0", "", "refuse"),  # noqa: S104 - nothing listens
        ("::", "", "refuse"),
        ("192.0.2.1", "", "refuse"),
        ("news.example", "", "refuse"),
        ("0.0.0.0", "t0ken", "ok"),  # noqa: S104 - nothing listens
    ],
)
def test_consoles_are_judged(host: str, token: str, wanted: str) -> None:
    """Open to others only with a token, which is never shown."""
    finding = doctor.console(Console(host=host, port=8484, token=token))
    assert level(finding, host) == wanted
    assert "t0ken" not in str(finding)


def test_what_refuses_is_what_a_start_is_refused_with(tmp_path: Path) -> None:
    """The same words, as values."""
    service = Service(console=Console(host="192.0.2.1"), meaning=Meaning(model="off"))
    report = examine(service, tmp_path, clock=lambda: datetime(2026, 2, 1, tzinfo=UTC))
    assert not report.healthy
    (refused,) = refusals(report.findings)
    assert "192.0.2.1" in refused.what
    assert f"refuse  {refused}" in list(report.lines())


def test_a_secret_is_nowhere(tmp_path: Path) -> None:
    """Neither of the broker nor of the ledger, whatever is wrong with them."""
    service = "broker: 'redis://who:s3cret@127.0.0.1:1/0'\nledger: 'postgresql+psycopg://who:s3cret@127.0.0.1:1/x'\n"
    ended = ask(tmp_path, service)
    assert ended.code == 1
    assert len([line for line in ended.out.splitlines() if line.startswith("refuse")]) == 2
    found: list[Any] = [ended.out, ended.err]
    assert "s3cret" not in "".join(found)

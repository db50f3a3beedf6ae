"""The shipped Dockerfile and docker-compose.yml in a real engine: built, started, scaled, a worker killed, ended."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.engine import IMAGE, Engine, Unavailable
from tests.containers.seeds import all_told, arrived
from tests.service.beside import wait_for

pytestmark = pytest.mark.containers

#: Seconds: for everything to start, for the alerts, and for what a dead worker had in hand.
STARTED, TOLD = 300.0, 400.0
PARTS = ("valkey", "postgres", "migrate", "scheduler", "worker", "console", "publisher", "receiver")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Give an engine with the image built from the shipped Dockerfile; without one here, the tests say why."""
    try:
        made = Engine(Path(tempfile.gettempdir()) / "wirewatch-containers")
        made.prepare()
    except Unavailable as error:
        pytest.skip(str(error))
    made.build()
    with made.serving(), made.checking():
        made.compose("down", "--volumes", "--remove-orphans", "--timeout=5")
        yield made
        made.compose("down", "--volumes", "--remove-orphans", "--timeout=5", check=False)
    made.close()


@pytest.fixture(scope="module")
def up(engine: Engine) -> Engine:
    """Give the rehearsal with three workers, started."""
    engine.compose("up", "--detach", "--no-build", "--scale", "worker=3", timeout=STARTED)
    return engine


def _kept(engine: Engine) -> str:
    """Return what the receiver has kept."""
    return engine.compose("exec", "-T", "receiver", "cat", ".wirewatch/alerts.jsonl", check=False)


def _inside(engine: Engine, *command: str) -> str:
    """Run a command in the image as Compose would confine it, with nothing mounted."""
    confined = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
    return engine.podman("run", "--rm", *confined, "--entrypoint", command[0], IMAGE, *command[1:])


def test_the_image_is_nobody_with_nothing_but_the_service(engine: Engine) -> None:
    """No root, no pip, no build tools, no compiler; the models are in it; stopped by SIGTERM; its health is asked."""
    found = json.loads(engine.podman("image", "inspect", IMAGE))[0]
    assert found["Config"]["User"] == "10001:10001"
    assert found["Healthcheck"]["Test"] == ["CMD", "wirewatch", "health"]
    assert found["Config"]["StopSignal"] == "SIGTERM"
    assert _inside(engine, "id", "-u").strip() == "10001"
    assert _inside(engine, "sh", "-c", "command -v pip gcc cc make hatchling || true").strip() == ""
    code = "import importlib.util as u, pathlib, worker; print(*[n for n in ('pip', 'hatchling', 'setuptools', "
    code += "'editables', 'pytest') if u.find_spec(n)], sep=','); print(pathlib.Path(worker.__file__).parent)"
    left, home = _inside(engine, "python", "-c", code).splitlines()
    assert left == ""
    assert {"encoder.onnx", "verifier.onnx"} <= set(_inside(engine, "ls", f"{home}/topics/meaning/models").split())
    assert "0 problems" in _inside(engine, "wirewatch", "check")


def test_the_image_holds_no_word_of_where_it_was_built(engine: Engine) -> None:
    """Neither the configuration of pip that the build was given nor an address of an index is in it."""
    said = engine.podman("history", "--no-trunc", "--format={{.CreatedBy}}", IMAGE)
    given = [line.partition("= ")[2] for line in (engine.place / "pip.conf").read_text().splitlines() if "= " in line]
    assert given
    assert not [value for value in given if value in said]
    assert _inside(engine, "sh", "-c", "ls /etc/pip.conf /source /build 2>/dev/null || true").strip() == ""


def test_the_seeds_arrive_through_three_workers_of_which_one_is_killed(up: Engine) -> None:
    """Both stories arrive with all their articles; nothing is lost or told again after kill -9."""
    wait_for(lambda: _kept(up), "the first alert", seconds=STARTED, every=1.0)
    workers = up.containers("worker")
    assert len(workers) == 3
    victim = next(one for one in workers if one["State"]["Running"])
    up.podman("kill", "--signal=KILL", victim["Id"])
    wait_for(lambda: all_told(_kept(up)), "all that is to be told", seconds=TOLD, every=1.0)
    wait_for(lambda: _open(up) == [0, 0, 0], "the end of all deliveries", seconds=TOLD, every=1.0)
    told = arrived(_kept(up))
    assert set(Counter(told).values()) == {1}, told
    (killed,) = [one for one in up.containers("worker") if one["Id"] == victim["Id"]]
    assert killed["State"]["ExitCode"] == 137
    assert "0 repeated" in _stopped(up, "receiver")


def _open(engine: Engine) -> list[int]:
    """Return how many alerts are open, in doubt and given up, as `wirewatch status` has it."""
    status = json.loads(engine.compose("exec", "-T", "console", "wirewatch", "status", "--json", check=False))
    (channel,) = [one for one in status["channels"] if one["id"] == "receiver"]
    return [channel[name] for name in ("open", "unknown", "dead")]


def _stopped(engine: Engine, service: str) -> str:
    """Stop a service, start it again, and return what it has said."""
    (found,) = engine.containers(service)
    engine.podman("stop", "--time=30", found["Id"])
    said = engine.logs(found["Id"])
    engine.podman("start", found["Id"])
    return said


def test_every_part_runs_confined_and_is_healthy(up: Engine) -> None:
    """Read-only, without capabilities, as nobody; the ledger's server is migrated once; the health checks pass."""
    found = {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in up.containers()}
    assert set(found) >= set(PARTS)
    for name, one in found.items():
        assert one["HostConfig"]["ReadonlyRootfs"], name
        assert not one["EffectiveCaps"], name
        assert one["Config"]["User"] not in {"", "root", "0"}, name
    assert (found["migrate"]["State"]["Status"], found["migrate"]["State"]["ExitCode"]) == ("exited", 0)
    for name in ("valkey", "postgres", "scheduler", "console", "publisher", "receiver"):
        wait_for(lambda name=name: _is_healthy(up, name), f"a healthy {name}", seconds=120, every=2.0)  # type: ignore[misc]


def test_a_worker_that_is_stopped_ends_within_its_grace(up: Engine) -> None:
    """It finishes what it has in hand: exit code 0, and not the one of a kill."""
    wait_for(lambda: _running_workers(up), "a worker", seconds=STARTED, every=1.0)
    running = _running_workers(up)
    up.podman("stop", "--time=75", running[0]["Id"], timeout=90)
    (stopped,) = [one for one in up.containers("worker") if one["Id"] == running[0]["Id"]]
    assert stopped["State"]["ExitCode"] == 0


def test_prometheus_and_alertmanager_run_with_the_shipped_files(up: Engine) -> None:
    """Prometheus reads the console's metrics with its token, has the rules, and knows its Alertmanager.

    Grafana has no package to stand in for it, and is not tried.
    """
    up.compose("--profile", "monitoring", "up", "--detach", "--no-build", "--no-deps", "prometheus", "alertmanager")
    wait_for(lambda: _scraped(up).get("wirewatch") == "up", "a scrape of the console", seconds=120, every=2.0)
    assert len(_asked(up, "/api/v1/rules")["groups"]) > 0
    wait_for(lambda: _asked(up, "/api/v1/alertmanagers")["activeAlertmanagers"], "Alertmanager", seconds=60, every=2.0)
    told = _asked(up, "/api/v1/query?query=up%7Bjob%3D%22wirewatch%22%7D")
    assert [one["value"][1] for one in told["result"]] == ["1"]


def _scraped(engine: Engine) -> dict[str, str]:
    """Return the health of each job that Prometheus has."""
    return {one["labels"]["job"]: one["health"] for one in _asked(engine, "/api/v1/targets")["activeTargets"]}


def _asked(engine: Engine, path: str) -> dict[str, Any]:
    """Return what Prometheus answers to a question that the console's container asks."""
    code = f"import urllib.request as r; print(r.urlopen('http://prometheus:9090{path}', timeout=10).read().decode())"
    said = engine.compose("exec", "-T", "console", "python", "-c", code, check=False)
    found: dict[str, Any] = json.loads(said or '{"data": {"activeTargets": [], "activeAlertmanagers": []}}')["data"]
    return found


def _running_workers(engine: Engine) -> list[dict[str, Any]]:
    """Return the workers that are beyond their start."""
    running = [one for one in engine.containers("worker") if one["State"]["Running"]]
    return [one for one in running if "Ctrl-C stops" in engine.logs(one["Id"])]


def _is_healthy(engine: Engine, service: str) -> bool:
    (found,) = engine.containers(service)
    state: dict[str, Any] = found["State"]
    return (state.get("Health") or state.get("Healthcheck") or {}).get("Status") == "healthy"

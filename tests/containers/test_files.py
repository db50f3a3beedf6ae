"""Dockerfile, docker-compose.yml and the configuration of the rehearsal, as far as they can be judged by reading."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

import worker
from tests.containers.compose import FILE, REHEARSAL, document, env_file, ours, raw, services, variables
from tests.containers.standins import STAND_INS, tag
from tests.processes import ROOT
from worker.cli import cli
from worker.live.celery_settings import HARD_LIMIT
from worker.replay.publisher import moved
from worker.replay.recording import load as load_recording
from worker.settings import Settings, load

ENV = env_file(REHEARSAL)
SERVICES = services(ENV)
#: Those that run until they are stopped.
LASTING = sorted(set(SERVICES) - {"migrate"})
TOOLS = Path(sys.executable).parent
#: An image by name and version: two numbers at least, so that nothing changes by itself but by repairs.
_PINNED = re.compile(r"docker\.io/[\w.-]+/[\w.-]+:v?\d+\.\d+[\w.-]*")


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """No rule is turned off."""
    done = _run(TOOLS / "hadolint", "--failure-threshold=style", "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in (ROOT / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("", "", 0), ("restart: unless-stopped", "restrt: unless-stopped", 1), ("service_healthy", "service_helthy", 1)],
    ids=["as-shipped", "a-misspelt-key", "a-misspelt-condition"],
)
def test_the_compose_file_meets_the_compose_specification(tmp_path: Path, old: str, new: str, code: int) -> None:
    """The schema of the specification takes it, and sees what is wrong with a spoilt one."""
    text = FILE.read_text("utf-8")
    assert old in text
    file = tmp_path / "docker-compose.yml"
    file.write_text(text.replace(old, new) if old else text, "utf-8")
    done = _run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    assert done.returncode == code, done.stdout


def test_docker_compose_reads_the_file_as_we_do(tmp_path: Path) -> None:
    """A real Compose takes it with the variables of the rehearsal, and names the first that is missing without them."""
    program = shutil.which("docker-compose")
    if program is None:
        missing = "docker-compose is not installed: apt-get install docker-compose"
        if os.environ.get("CI") or os.environ.get("WIREWATCH_ALL"):
            pytest.fail(missing)
        pytest.skip(missing)
    good = _run(program, "--env-file", REHEARSAL, "--profile=replay", "--profile=monitoring", "config", "--services")
    assert set(good.stdout.split()) == set(SERVICES)
    (tmp_path / "empty").touch()
    bad = _run(program, "--env-file", tmp_path / "empty", "config")
    assert bad.returncode != 0
    assert "into .env" in bad.stderr


def test_every_variable_is_explained_at_the_top_of_the_compose_file() -> None:
    """And nothing is explained that is not there."""
    text = FILE.read_text("utf-8")
    explained = text[text.index("# Variables") : text.index("x-logging")]
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", explained)) == set(variables(text))


def test_what_has_no_default_says_what_to_do() -> None:
    """Secrets have none; a word of advice stands in the place of it."""
    text = FILE.read_text("utf-8")
    assert {name for name, default in variables(text).items() if default is None} == {
        "WIREWATCH_TOKEN",
        "POSTGRES_PASSWORD",
    }
    with pytest.raises(KeyError, match="openssl rand"):
        document({})


def test_no_image_changes_by_itself() -> None:
    """Every image of others has a version, ours that of the package; the stand-ins know them by the same names."""
    others = {service["image"] for service in SERVICES.values() if not service.get("build")}
    assert not [image for image in others if not _PINNED.fullmatch(image)]
    assert {service["image"] for service in ours(ENV).values()} == {f"wirewatch:{worker.__version__}"}
    bases = re.findall(r"^(?:ARG PYTHON=|FROM )(\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert [base for base in bases if "$" not in base] == [tag(STAND_INS[0])]
    assert _PINNED.fullmatch(bases[0])


@pytest.mark.parametrize("name", sorted(ours(ENV)))
def test_commands_and_health_checks_are_commands_of_ours(name: str) -> None:
    """They are taken apart by the command line itself, every option included."""
    service = SERVICES[name]
    said = [service["command"]]
    test = service.get("healthcheck", {}).get("test", [])
    if test[:2] == ["CMD", "wirewatch"]:
        said.append(test[2:])
    for words in said:
        command = cli.commands[words[0]]
        command.make_context(words[0], [str(word) for word in words[1:]])


def test_every_part_of_the_service_is_there_and_workers_can_be_scaled() -> None:
    """What can be started several times has no name, no port and no address of its own."""
    assert set(SERVICES) >= {"valkey", "postgres", "migrate", "scheduler", "worker", "console"}
    assert not {"container_name", "ports", "hostname", "networks"} & set(SERVICES["worker"])
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["replay"]} == {
        "publisher",
        "receiver",
    }
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]} == {
        "prometheus",
        "alertmanager",
        "grafana",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_confined(name: str) -> None:
    """Nothing to write but volumes and small tmpfs, no capabilities, limits, logs that end; ports of this machine."""
    service = SERVICES[name]
    assert service["read_only"]
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("cap_add")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "logging", "restart"} <= set(service)
    assert all("size=" in mount for mount in service["tmpfs"])
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    configuration = [volume for volume in service["volumes"] if volume.startswith(".")] if "volumes" in service else []
    assert all(volume.endswith(":ro") for volume in configuration)


@pytest.mark.parametrize("name", LASTING)
def test_every_container_that_lasts_has_time_to_stop(name: str) -> None:
    """A worker more than its longest task may take."""
    grace = int(str(SERVICES[name]["stop_grace_period"]).removesuffix("s"))
    assert grace > (HARD_LIMIT if name == "worker" else 9)


def test_the_health_of_scheduler_and_workers_is_asked_of_the_ledger() -> None:
    """A port that answers, or a process that lives, says nothing about work that goes on."""
    for name in ("scheduler", "worker"):
        check = SERVICES[name]["healthcheck"]
        assert check["test"] == ["CMD", "wirewatch", "health", name]
        assert int(check["start_period"].removesuffix("s")) >= 90


def test_named_volumes_are_declared_and_used() -> None:
    """None is made by accident, and none is left over."""
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    named = {volume.split(":")[0] for volume in mounted if not volume.startswith(".")}
    assert named == set(raw()["volumes"])
    sources = {volume.split(":")[0] for volume in mounted if volume.startswith(".")}
    assert not [source for source in sources if not (ROOT / source).exists()]


def _needs(name: str, seen: set[str]) -> set[str]:
    """Return what a distribution needs, itself included, by the names of the lock file."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        lines = requires(key) or ()
    except PackageNotFoundError:  # of another system, or of an older Python
        return seen
    if key not in seen:
        seen.add(key)
        for line in lines:
            if "extra ==" not in line:
                _needs(re.split(r"[\s<>=!~;\[(]", line)[0], seen)
    return seen


def test_the_image_drops_what_only_builds_it() -> None:
    """The Dockerfile's list is what hatchling and editables need and wirewatch does not."""
    runs = _needs("wirewatch", set())
    builds = _needs("hatchling", set()) | _needs("editables", set())
    (dropped,) = re.findall(r"uninstall --yes (.+)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert set(dropped.split()) == builds - runs


def test_the_builder_is_sent_what_the_dockerfile_copies_and_no_secrets() -> None:
    """Everything is left out that is not let in by name; .env never goes anywhere."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == let_in
    assert "**/.env" in rules
    assert ".env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def _rehearsal() -> Settings:
    env = {**ENV, **{name: str(value) for name, value in SERVICES["worker"]["environment"].items()}}
    return load(ROOT / "config" / "replay", env, required=True)


def test_the_rehearsal_watches_what_the_publisher_publishes() -> None:
    """Its feeds are those of the seeds at the publisher's address, and its topics the shipped ones."""
    recorded = moved(load_recording(ROOT / "seeds"), "http://publisher:8700")
    assert SERVICES["publisher"]["command"][-3] == "http://publisher:8700"
    settings = _rehearsal()
    assert {(feed.url, feed.outlet) for feed in settings.feeds} == {(one.url, one.outlet) for one in recorded.feeds}
    shipped = load(ROOT / "config", {}, required=True)
    assert settings.topics == shipped.topics
    assert not settings.warnings


def test_the_rehearsal_is_a_project_of_its_own() -> None:
    """Other volumes, another port, other feeds and channels than those of the service in earnest."""
    assert ENV["COMPOSE_PROJECT_NAME"]
    assert ENV["WIREWATCH_CONSOLE_PORT"] != variables(FILE.read_text("utf-8"))["WIREWATCH_CONSOLE_PORT"]
    shipped, settings = load(ROOT / "config", {}, required=True), _rehearsal()
    assert not set(settings.channels) & set(shipped.channels)
    assert not {feed.id for feed in settings.feeds} & {feed.id for feed in shipped.feeds}


def test_the_shipped_configuration_takes_its_servers_from_the_environment() -> None:
    """The same files serve `wirewatch run` and the containers."""
    alone = load(ROOT / "config", {}, required=True).service
    assert (alone.broker, alone.ledger, alone.console.host) == ("embedded", "sqlite", "127.0.0.1")
    env = {name: str(value) for name, value in SERVICES["console"]["environment"].items()}
    contained = load(ROOT / "config", env, required=True).service
    assert contained.broker == "redis://valkey:6379/0"
    assert contained.ledger == "postgresql+psycopg://wirewatch@postgres/wirewatch"
    assert (contained.console.host, contained.console.port, contained.console.token) == ("0.0.0.0", 8484, "rehearsal")  # noqa: S104

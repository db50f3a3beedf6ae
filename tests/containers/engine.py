"""A container engine of the tests' own: podman over runc, with all that it keeps below one folder, and docker-compose.

What works where there is no systemd, no container registry and perhaps no newer podman than 4.3: overlay storage, runc
(crun could not set limits), cgroupfs, images by ``standins``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.containers.standins import STAND_INS, tag, tree
from tests.processes import ROOT

NEEDED: Final = ("podman", "runc", "mmdebstrap", "docker-compose", "iptables")
IMAGE: Final = "wirewatch:0.1.0"
#: Seconds that one command may take; a build fetches all packages.
_PATIENCE: Final = 120.0
_BUILD: Final = 900.0
#: Seconds between two rounds of health checks, which podman leaves to systemd.
_CHECKED_EVERY: Final = 5.0
#: What a build has to know of how pip of this machine gets packages.
_PIP: Final = frozenset({"index-url", "extra-index-url", "find-links", "cert", "trusted-host"})
_CONTAINERS: Final = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
init_path = "{init}"
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{place}/tmp"
[network]
network_config_dir = "{place}/networks"
"""
_STORAGE: Final = """[storage]
driver = "overlay"
graphroot = "{place}/graph"
runroot = "{place}/run"
"""


class Unavailable(Exception):  # noqa: N818 - named for what it says
    """There can be no containers here; the text says why."""


class Engine:
    """Podman with everything that it keeps in ``place``, which stays there for the next time.

    Raises:
        Unavailable: it cannot run here.
    """

    def __init__(self, place: Path) -> None:
        missing = [name for name in NEEDED if shutil.which(name) is None]
        if missing:
            raise Unavailable(f"not installed: {', '.join(missing)}")
        if os.geteuid():
            raise Unavailable("bootstrapping images and starting containers with runc needs root here")
        self.place = place
        for name in ("trees", "tmp", "networks", "graph", "run"):
            (place / name).mkdir(parents=True, exist_ok=True)
        self._lock = (place / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"another run is using {place}") from None
        self._env = os.environ | {
            "CONTAINERS_CONF": str(place / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "TMPDIR": str(place / "tmp"),
            "DOCKER_HOST": f"unix://{place}/podman.sock",
            "COMPOSE_HTTP_TIMEOUT": str(int(_PATIENCE)),
        }
        (place / "storage.conf").write_text(_STORAGE.format(place=place))
        (place / "containers.conf").write_text(_CONTAINERS.format(place=place, init=self._init()))

    def _init(self) -> str:
        """Return the path of the program for ``init: true``: podman's own, or the one of the stand-in's tree."""
        for known in ("/usr/libexec/podman/catatonit", "/usr/bin/catatonit"):
            if Path(known).exists():
                return known
        taken = self.place / "usr/bin/catatonit"
        if not taken.exists():
            try:
                with tarfile.open(tree(STAND_INS[0], self.place / "trees")) as archive:
                    member = next(one for one in archive if one.name.lstrip("./") == "usr/bin/catatonit")
                    member.name = "usr/bin/catatonit"
                    archive.extract(member, self.place, filter="data")
            except (RuntimeError, StopIteration, subprocess.TimeoutExpired) as error:
                raise Unavailable(str(error)) from error
        return str(taken)

    def close(self) -> None:
        """Let others have the folder."""
        self._lock.close()

    def podman(self, *args: str, timeout: float = _PATIENCE, check: bool = True) -> str:
        """Run a command of podman and return what it said."""
        return self._run("podman", *args, timeout=timeout, check=check)

    def _run(self, *command: str, timeout: float, check: bool, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self._env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def prepare(self) -> None:
        """Make the stand-ins, and start one of them.

        Raises:
            Unavailable: one of it cannot be done here.
        """
        try:
            for one in STAND_INS:
                changes = [word for change in one.changes for word in ("--change", change)]
                if not self.podman("images", "--quiet", tag(one)).strip():
                    archive = str(tree(one, self.place / "trees"))
                    self.podman("import", "--quiet", *changes, archive, tag(one), timeout=_BUILD)
            self.podman("run", "--rm", "--network=none", tag(STAND_INS[0]), "true")
        except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"podman cannot run containers here: {error}") from error

    def build(self) -> None:
        """Build the image from the shipped Dockerfile; packages come from where pip of this machine gets them."""
        config, volumes = _pip(self.place)
        mounts = [word for volume in volumes for word in ("--volume", f"{volume}:{volume}:ro")]
        # What earlier builds have left, but for what the next one can go on with.
        self.podman("image", "prune", "--force", "--filter=until=24h", timeout=_BUILD)
        # HEALTHCHECK is none of OCI's instructions.
        self.podman(
            "build", "--format=docker", f"--secret=id=pip,src={config}", *mounts, "--tag", IMAGE, ".", timeout=_BUILD
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve the API that docker-compose speaks."""
        socket = self.place / "podman.sock"
        socket.unlink(missing_ok=True)
        with (self.place / "service.log").open("w") as log:
            command = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
            service = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)
        try:
            until = time.monotonic() + _PATIENCE
            while not socket.exists():
                assert service.poll() is None, (self.place / "service.log").read_text()
                assert time.monotonic() < until, "podman's service does not start"
                time.sleep(0.1)
            yield
        finally:
            service.terminate()
            service.wait(_PATIENCE)

    def compose(self, *args: str, timeout: float = 300.0, check: bool = True) -> str:
        """Run a command of docker-compose on the shipped files, as a rehearsal."""
        files = ("--env-file", "config/replay/compose.env", "--profile", "replay")
        return self._run("docker-compose", *files, *args, timeout=timeout, check=check)

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """Return what podman shows of the rehearsal's containers, those that have ended as well."""
        wanted = ["--filter", "label=com.docker.compose.project=wirewatch-replay"]
        if service:
            wanted += ["--filter", f"label=com.docker.compose.service={service}"]
        ids = self.podman("ps", "--all", "--quiet", *wanted).split()
        found: list[dict[str, Any]] = json.loads(self.podman("inspect", *ids)) if ids else []
        return found

    def logs(self, container: str) -> str:
        """Return what a container has said, stderr as well."""
        return self._run("sh", "-c", 'podman logs "$0" 2>&1', container, timeout=_PATIENCE, check=False)

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Run the health checks of all containers again and again, as a Docker engine does by itself."""
        stop = threading.Event()

        def check() -> None:
            while not stop.wait(_CHECKED_EVERY):
                with suppress(subprocess.TimeoutExpired):
                    for name in self.podman("ps", "--quiet", check=False).split():
                        self.podman("healthcheck", "run", name, timeout=30, check=False)

        thread = threading.Thread(target=check, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _pip(place: Path) -> tuple[Path, list[str]]:
    """Return a configuration of pip that says what this machine's says, and the local folders that it names."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=True
    )
    said, local = {}, []
    for line in shown.stdout.splitlines():
        key, _, value = line.partition("=")
        name, value = key.rpartition(".")[2], value.strip("'\"").replace("\\n", " ")
        if name in _PIP:  # the environment's come last and count
            said[name] = value
            paths = [part.removeprefix("file://") for part in value.split()]
            local += [_mounted(path) for path in paths if path.startswith("/") and Path(path).exists()]
    config = place / "pip.conf"
    config.touch(0o600)
    config.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in said.items())]) + "\n")
    return config, sorted(set(local))


def _mounted(path: str) -> str:
    # An index of files has links out of its own folder, to where the files lie.
    return str(Path(path).parent) if Path(path).name == "simple" else path

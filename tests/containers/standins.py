"""Images that stand in for the official ones where there is no container registry: Debian's packages under their names.

They let the shipped Dockerfile and docker-compose.yml run unchanged. What they show is that these are right, not that
the official images are.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.processes import ROOT

#: Seconds that a base may take on a slow line.
PATIENCE: Final = 900
#: The release of Debian that the official images are made of.
_RELEASE: Final = "bookworm"
_HERE: Final = Path(__file__).parent / "standins"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """An image made of packages."""

    #: The name that it has in the shipped files, without its tag.
    stands_for: str
    packages: Sequence[str]
    #: What is done in the tree when all packages are in, as shell commands; ``$1`` is the tree.
    hooks: Sequence[str] = ()
    #: Instructions of a Dockerfile.
    changes: Sequence[str] = ()


STAND_INS: Final = (
    StandIn(
        stands_for="docker.io/library/python",
        # catatonit is not for the image: the engine takes it from there for `init: true`, if it has none.
        packages=("python3", "python3-venv", "ca-certificates", "netbase", "tzdata", "catatonit"),
        hooks=('ln -s /usr/bin/python3 "$1/usr/local/bin/python"',),
        changes=("CMD python",),
    ),
    StandIn(
        stands_for="docker.io/valkey/valkey",
        packages=("redis-server",),
        hooks=(
            'ln -s redis-server "$1/usr/bin/valkey-server"',
            'ln -s redis-cli "$1/usr/bin/valkey-cli"',
            'install -d -o 999 -g 999 "$1/data"',
        ),
        changes=("WORKDIR /data", "VOLUME /data"),
    ),
    StandIn(
        stands_for="docker.io/library/postgres",
        packages=("postgresql-15",),
        hooks=(
            'rm -rf "$1/var/lib/postgresql/15" "$1/etc/postgresql/15"',
            'chroot "$1" install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data',
            f'install -m 0755 "{_HERE}/postgres-entrypoint.sh" "$1/usr/local/bin/docker-entrypoint.sh"',
        ),
        changes=(
            "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin",
            "ENV PGDATA=/var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            "STOPSIGNAL SIGINT",
        ),
    ),
    StandIn(
        stands_for="docker.io/prom/prometheus",
        packages=("prometheus",),
        hooks=('install -d -o 65534 -g 65534 "$1/prometheus"',),
        changes=("USER 65534:65534", "VOLUME /prometheus", 'ENTRYPOINT ["/bin/prometheus"]'),
    ),
    StandIn(
        stands_for="docker.io/prom/alertmanager",
        packages=("prometheus-alertmanager",),
        hooks=(
            'ln -s prometheus-alertmanager "$1/usr/bin/alertmanager"',
            'install -d -o 65534 -g 65534 "$1/alertmanager"',
        ),
        changes=("USER 65534:65534", "VOLUME /alertmanager", 'ENTRYPOINT ["/bin/alertmanager"]'),
    ),
)


def tree(one: StandIn, folder: Path) -> Path:
    """Return the archive of a stand-in's files, made in ``folder`` unless it is there.

    Raises:
        RuntimeError: it could not be made.
    """
    made = folder / f"{one.stands_for.rpartition('/')[2]}.tar"
    if not made.exists():
        part = made.with_suffix(".part.tar")
        hooks = [f"--customize-hook={hook}" for hook in one.hooks]
        wanted = f"--include={','.join(one.packages)}"
        command = ["mmdebstrap", "--variant=minbase", wanted, *hooks, _RELEASE, str(part)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise RuntimeError(f"mmdebstrap cannot make {made.name}: {done.stderr[-600:]}")
        part.rename(made)
    return made


def tag(one: StandIn) -> str:
    """Return the name with the tag under which the shipped files ask for what ``one`` stands for."""
    shipped = (ROOT / "Dockerfile").read_text("utf-8") + (ROOT / "docker-compose.yml").read_text("utf-8")
    (found,) = set(re.findall(rf"{re.escape(one.stands_for)}:[\w.-]+", shipped))
    return str(found)

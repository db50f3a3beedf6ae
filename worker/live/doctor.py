"""What must be in order before the service starts, and what it had better have: ``wirewatch doctor``.

Each check is a function over values that were looked up before; ``examine`` does the looking, and changes nothing.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import pyexpat
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from worker import build
from worker.build.meaning import damaged
from worker.errors import LedgerAway, LedgerError
from worker.ledger import survey
from worker.ledger.survey import Seen
from worker.live import valkey
from worker.live.broker import Broker, findings, open_broker, skewed, unreachable
from worker.live.findings import Finding, Report
from worker.live.parent import kernel_tells
from worker.settings import Console, Service

Version = tuple[int, ...]

#: Pythons that the tests run with: from the first to before the second.
_PYTHON: Final = (3, 11, 2), (3, 14)
#: CVE-2013-0340 (entities that unfold into gigabytes) is held in bounds from 2.4.1 on, CVE-2023-52425 (large tokens
#: that are read anew with every piece) from 2.6.0: https://github.com/libexpat/libexpat/blob/master/expat/Changes.
_BOUNDED, _LINEAR = (2, 4, 1), (2, 6, 0)
_MIB: Final = 1 << 20
#: Room below which a warning is due: a day of a busy service.
_ROOM: Final = 100 * _MIB
#: File systems on which locks or shared memory are not what SQLite relies on
#: (https://www.sqlite.org/wal.html, "All processes using a database must be on the same host computer").
_NETWORKED: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "lustre", "nfs"}
    | {"nfs4", "smb2", "smb3", "smbfs"}
)
_MOUNTS: Final = Path("/proc/self/mountinfo")
#: How that file writes blanks and backslashes.
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory as the system sees it."""

    path: Path
    #: Whether something is there; else everything is said of the nearest directory above it.
    exists: bool
    writable: bool
    free: int
    #: The name of its file system; empty when that is not known.
    kind: str


def examine(service: Service, state: Path, *, clock: Callable[[], datetime], starting: bool = False) -> Report:
    """Return what is in order and what is not, of this machine and of the servers that ``service`` names.

    Args:
        service: What service.yaml says.
        state: The state directory. Nothing is made or changed in it.
        clock: The clock of this machine.
        starting: The service is about to start, which says by itself what it makes of damaged models: it goes on
            without meaning.
    """
    return Report(tuple(_examined(service, state, clock, starting=starting)))


def _examined(service: Service, state: Path, clock: Callable[[], datetime], *, starting: bool) -> Iterator[Finding]:
    yield python(sys.version_info[:3])
    yield xml_parser(pyexpat.version_info)
    yield processes(forks=hasattr(os, "fork"), kernel=kernel_tells(), system=platform.system())
    place = look(state)
    yield from state_directory(place)
    yield from _ledger(service, state, place, clock)
    yield from _broker(service, state, clock)
    if not starting:
        yield models(service.meaning.model, damaged(service))
    yield console(service.console)


def python(version: Version) -> Finding:
    """Return whether the service is known to run with a Python."""
    first, end = _PYTHON
    text = ".".join(map(str, version))
    remedy = f"use Python {'.'.join(map(str, first))} to 3.{end[1] - 1}"
    if version < first:
        return Finding(level="refuse", what=f"Python {text} is too old", remedy=remedy)
    if version >= end:
        return Finding(
            level="warn", what=f"Python {text} is newer than what this version was tested with", remedy=remedy
        )
    return Finding(level="ok", what=f"Python {text}")


def xml_parser(version: Version) -> Finding:
    """Return whether Python's XML parser, libexpat, bears documents that were made to hurt.

    A document without any bound on its entities fills the memory, and so the first kind is refused: what strangers send
    is read in a process of its own with a limit, lists of feeds are not. The second kind only costs time, which has its
    limit everywhere, and distributions mend it without another number, so it is a warning.
    """
    text = ".".join(map(str, version))
    if version < _BOUNDED:
        what = f"libexpat {text} unfolds entities without bounds (CVE-2013-0340)"
        return Finding(level="refuse", what=what, remedy="upgrade Python, or libexpat if Python uses the system's")
    if version < _LINEAR:
        what = f"libexpat {text} may take very long for some documents (CVE-2023-52425)"
        remedy = "upgrade Python or libexpat to 2.6, unless your distribution has mended it"
        return Finding(level="warn", what=what, remedy=remedy)
    return Finding(level="ok", what=f"libexpat {text}")


def processes(*, forks: bool, kernel: bool, system: str) -> Finding:
    """Return whether processes are started and ended as the service would like it."""
    if not forks:
        remedy = "run it on Linux or macOS to use several processors"
        return Finding(level="warn", what=f"{system} cannot fork: the service is one process", remedy=remedy)
    if not kernel:
        remedy = "nothing to do; after a kill -9, parts take a second to follow"
        return Finding(level="note", what=f"{system} does not tell a process of its parent's end", remedy=remedy)
    return Finding(level="ok", what="processes end with their parent")


def look(path: Path) -> Place:
    """Return a directory as the system sees it; nothing is made, and nothing is left behind."""
    there = path.absolute()
    while not _exists(there) and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        free = 0
    return Place(
        path=path,
        exists=there == path.absolute(),
        writable=os.access(there, os.W_OK | os.X_OK) and there.is_dir(),
        free=free,
        kind=_kind(there),
    )


def _exists(path: Path) -> bool:
    """Return whether there is something at ``path``, which nobody may be allowed to look at."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _kind(path: Path) -> str:
    """Return the name of the file system that holds a path (proc_pid_mountinfo(5)); empty where that is not told."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    return kind_among(lines, path.resolve())


def kind_among(mounts: list[str], path: Path) -> str:
    """Return the kind of file system of ``path`` in the lines of a mountinfo file."""
    best, kind = -1, ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields.split()[4]))
        # The last of several on one point hides the others.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind


def state_directory(place: Place) -> Iterator[Finding]:
    """Yield whether a state directory can be written, and has room."""
    name = f"state directory {place.path}"
    if not place.writable:
        remedy = "give the user of the service the right to write, or choose another with --state"
        yield Finding(level="refuse", what=f"{name} cannot be {'written' if place.exists else 'made'}", remedy=remedy)
        return
    if place.free < _ROOM:
        what = f"{name}: {place.free // _MIB} MiB free"
        yield Finding(level="warn", what=what, remedy="make room, or choose another with --state")
    else:
        yield Finding(level="ok", what=f"{name}{'' if place.exists else ' will be made'}, {_size(place.free)} free")


def _size(count: int) -> str:
    return f"{count / (1 << 30):.0f} GiB" if count >= 1 << 30 else f"{count // _MIB} MiB"


def _ledger(service: Service, state: Path, place: Place, clock: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        if service.ledger == "sqlite":
            yield from local_ledger(place)
            path = state / build.SERVICE_LEDGER
            if _exists(path):
                yield schema(survey.look_at_file(path))
            elif place.writable:
                yield Finding(level="ok", what=f"ledger {path} will be made")
            return
        before = clock()
        seen = survey.look_at_server(service.ledger)
        after = clock()
        yield schema(seen)
        if seen.clock is not None:
            yield from skewed("ledger", seen.clock, before=before, after=after)
    except LedgerAway as error:
        yield Finding(level="refuse", what=f"ledger {error}", passing=True)
    except LedgerError as error:
        yield Finding(level="refuse", what=f"ledger {error}")


def local_ledger(place: Place) -> Iterator[Finding]:
    """Yield a warning when a ledger in a file would lie where SQLite's locks cannot be relied on."""
    if place.kind in _NETWORKED:
        remedy = "put --state on a local disk, or use PostgreSQL (ledger in service.yaml)"
        what = (
            f"state directory {place.path} is on a network file system ({place.kind}), which can damage SQLite's file"
        )
        yield Finding(level="warn", what=what, remedy=remedy)


def schema(seen: Seen) -> Finding:
    """Return whether a ledger has the schema of this version."""
    if seen.foreign:
        remedy = "name an empty database"
        return Finding(level="refuse", what=f"ledger {seen.name} holds the tables of something else", remedy=remedy)
    if seen.newer:
        what = f"ledger {seen.name} was made by a newer wirewatch (schema {seen.revision}, this one knows {seen.head})"
        return Finding(level="refuse", what=what, remedy="upgrade wirewatch")
    if seen.revision is None:
        return Finding(level="ok", what=f"ledger {seen.name} is empty; wirewatch run makes its tables")
    if seen.revision != seen.head:
        what = f"ledger {seen.name}: missing migrations (it is at {seen.revision} of {seen.head})"
        return Finding(level="note", what=what, remedy="wirewatch run brings it up to date")
    return Finding(level="ok", what=f"ledger {seen.name}, schema {seen.revision}")


def _broker(service: Service, state: Path, clock: Callable[[], datetime]) -> Iterator[Finding]:
    if service.broker != "embedded":
        yield from ask_broker(open_broker(service.broker, socket=Path()), clock=clock)
        return
    if why := valkey.available():
        yield embedded(why)
        return
    socket = valkey.socket_of(state)
    if not _exists(socket):
        yield embedded("")
        return
    broker = open_broker("embedded", socket=socket)
    yield from ask_broker(broker, clock=clock, kept=True)


def embedded(why_not: str) -> Finding:
    """Return whether there is an embedded server, or what stands in for it."""
    if why_not:
        remedy = "name a server with broker: redis://HOST in service.yaml, or leave it so"
        return Finding(
            level="note", what=f"broker: {why_not}; the service is one process without Celery", remedy=remedy
        )
    return Finding(level="ok", what="broker: embedded, starts with wirewatch run")


def ask_broker(broker: Broker, *, clock: Callable[[], datetime], kept: bool = False) -> Iterator[Finding]:
    """Yield what a broker's server says of itself, or why it says nothing.

    ``kept``: it is the embedded one, which ``wirewatch run`` keeps alive, so that its absence is no harm.
    """
    client = broker.client(name="wirewatch-doctor")
    try:
        found = findings(client, clock=clock)
    except Exception as error:  # noqa: BLE001 - whatever a server can make a library say must not hide the other checks
        found = [unreachable(error)]
    finally:
        client.close()
    if kept and any(finding.passing for finding in found):
        yield Finding(level="note", what="broker: the embedded server has ended", remedy="wirewatch run starts it")
        return
    yield from found or [Finding(level="ok", what=f"broker {broker}")]


def models(model: str, damage: str) -> Finding:
    """Return whether the model files are those that their manifest names, ``damage`` saying why not."""
    if model == "off":
        return Finding(level="ok", what="models: meaning is off")
    if damage:
        return Finding(level="refuse", what=f"models: {damage}", remedy="or set meaning: {model: off} to do without")
    return Finding(level="ok", what=f"models: {model}, as in their manifest")


def console(settings: Console) -> Finding:
    """Return whether only those who may can reach the console."""
    where = f"console on {settings.host}:{settings.port}"
    if settings.token:
        return Finding(level="ok", what=f"{where}, with a token")
    if _is_loopback(settings.host):
        return Finding(level="ok", what=f"{where}, of this machine alone")
    remedy = "set console.token (or WIREWATCH_TOKEN), or listen on 127.0.0.1"
    return Finding(level="refuse", what=f"{where} is open to everybody who reaches this machine", remedy=remedy)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

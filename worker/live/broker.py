"""The broker: one Redis or Valkey server, named by a URL, as Celery and as our own client reach it.

What is in it may be erased at any time. Celery and redis-py read the same URL differently, so it is taken apart here
and both are told the same: the server, the database in it, and who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from worker.errors import ConfigError, Problem
from worker.live.clock import wall_clock
from worker.live.findings import Finding, Level

#: Begins the name of every key that Celery keeps there (its option ``global_keyprefix``).
PREFIX: Final = "wirewatch:"
#: Seconds in which a server must answer somebody who waits for it.
TIMEOUT: Final = 5.0
#: How far the clock of a server may be from ours.
SKEW: Final = timedelta(seconds=5)
_OLDEST: Final = (6, 2)

_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
    "redis+socket": "unix",
    "valkey+unix": "unix",
    "sentinel": "sentinel",
}
_PORTS: Final = {"redis": 6379, "rediss": 6379, "sentinel": 26379}
_DATABASE: Final = ("virtual_host", "db")
_TLS: Final = ("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SENTINEL: Final = ("master_name", "sentinel_username", "sentinel_password")
#: The options that a URL of each kind may have behind its question mark.
_OPTIONS: Final = {
    "redis": _DATABASE,
    "rediss": (*_DATABASE, *_TLS),
    "unix": _DATABASE,
    "sentinel": (*_DATABASE, *_SENTINEL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One server, or the one that sentinels name."""

    #: For people: without user, password and options.
    name: str
    #: For Celery; it may hold a password.
    url: str = field(repr=False)
    #: What Celery needs beside the URL (``broker_transport_options``).
    transport_options: Mapping[str, Any] = field(repr=False)
    #: What redis-py takes for the server.
    _server: Mapping[str, Any] = field(repr=False)
    #: Where the sentinels are, how they are asked, and for whom.
    _sentinels: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    _asked: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _master: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def client(self, *, timeout: float = TIMEOUT, name: str = "wirewatch") -> Redis:
        """Return a client for the same server and database; nobody is asked yet.

        A call is tried once more when the server had closed the connection meanwhile, and no call lasts much longer
        than ``timeout`` seconds for each server that is asked.

        Args:
            timeout: Seconds, for a connection and for an answer.
            name: What the server's list of clients shows.
        """
        limits: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
        }
        if not self._sentinels:
            return Redis(**self._server, **limits, client_name=name)
        asked = {**self._asked, **limits}
        sentinel = Sentinel(self._sentinels, sentinel_kwargs=asked, **self._server, **limits)  # type: ignore[no-untyped-call]
        found: Redis = sentinel.master_for(self._master, client_name=name)  # type: ignore[no-untyped-call]
        return found


def open_broker(address: str, *, socket: Path) -> Broker:
    """Return the broker that ``address`` (``broker`` of service.yaml) names; no connection is made.

    These are understood::

        embedded                        the server of this state directory, at ``socket``
        redis://[USER:PASSWORD@]HOST[:6379][/DB]        also valkey://
        rediss://...                    over TLS, checked; also valkeys://; ssl_ca_certs and the like as options
        redis+socket:///PATH[?virtual_host=DB]          also unix:///PATH
        sentinel://[USER:PASSWORD@]HOST[:26379][;HOST[:26379]...][/DB]?master_name=NAME

    User and password are those of the server; sentinels that ask for their own take the options ``sentinel_username``
    and ``sentinel_password``. In a user or password, the characters ``:/?#[]@;%`` must be written as %XX.

    Raises:
        ConfigError: it is none of these. The text repeats nothing of the address.
    """
    try:
        return _opened(address, socket)
    except ValueError as error:
        # None of the texts of urllib, which repeat what they could not read.
        raise ConfigError(Problem(file="service.yaml", message=f"broker: {error}")) from None


def _opened(address: str, socket: Path) -> Broker:
    if address == "embedded":
        return _at_socket(str(socket.absolute()), 0)
    scheme, found, _ = address.partition("://")
    scheme = _SCHEMES.get(scheme.lower(), "") if found else ""
    if not scheme:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ValueError(f"expected embedded, or a URL that begins with one of {known}")
    return _sentinel(address) if scheme == "sentinel" else _single(scheme, address)


def _single(scheme: str, address: str) -> Broker:
    parts = _split(address)
    options = _options(scheme, parts)
    who = _who(parts)
    if scheme == "unix":
        if not parts.path.strip("/") or parts.hostname:
            raise ValueError("expected the path of a socket behind three slashes: redis+socket:///run/valkey.sock")
        return _at_socket(unquote(parts.path), _database("", options), who)
    database = _database(parts.path, options)
    host, port = _host(parts), _port(parts, scheme)
    tls = _tls(options) if scheme == "rediss" else {}
    # Celery's transport reads no TLS option as: do not check the certificate.
    query = "?" + "&".join(f"{key}={quote(str(value), safe='')}" for key, value in tls.items()) if tls else ""
    return Broker(
        name=f"{scheme}://{_at(host, port)}/{database}",
        url=f"{scheme}://{_written(who)}{_at(host, port)}/{database}{query}",
        transport_options={"global_keyprefix": PREFIX},
        _server={"host": host, "port": port, "db": database, **who, **({"ssl": True, **tls} if tls else {})},
    )


def _at_socket(path: str, database: int, who: Mapping[str, str] | None = None) -> Broker:
    who = who or {}
    return Broker(
        name=f"unix:{path}" + (f" database {database}" if database else ""),
        url=f"redis+socket://{_written(who)}{quote(path)}?virtual_host={database}",
        transport_options={"global_keyprefix": PREFIX},
        _server={"unix_socket_path": path, "db": database, **who},
    )


def _sentinel(address: str) -> Broker:
    # Several servers, parted by ";", of which the last has the database and the options for all.
    pieces = [piece.removeprefix("sentinel://") for piece in address.split("://", 1)[1].split(";")]
    parsed = [_split(f"sentinel://{piece}") for piece in pieces]
    options: dict[str, str] = {}
    for parts in parsed:
        options |= _options("sentinel", parts)
    who = next((found for parts in parsed if (found := _who(parts))), {})
    path = next((parts.path for parts in reversed(parsed) if parts.path.strip("/")), "")
    database = _database(path, options)
    places = tuple((_host(parts), _port(parts, "sentinel")) for parts in parsed)
    master = options.get("master_name", "")
    if not master:
        raise ValueError("which server do the sentinels watch? add ?master_name=NAME, as in their sentinel.conf")
    asked: dict[str, Any] = {
        key.removeprefix("sentinel_"): options[key] for key in _SENTINEL if key.startswith("s") and options.get(key)
    }
    limits = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    return Broker(
        name=f"{master} by way of {', '.join(f'sentinel {_at(*place)}' for place in places)}",
        # Each is written in full: Celery reads one of them at a time.
        url=";".join(f"sentinel://{_written(who)}{_at(*place)}/{database}" for place in places),
        transport_options={"global_keyprefix": PREFIX, "master_name": master, "sentinel_kwargs": {**limits, **asked}},
        _server={"db": database, **who},
        _sentinels=places,
        _asked=asked,
        _master=master,
    )


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port, parts.hostname
    except ValueError:
        raise ValueError(
            "the host or the port of this URL is not valid; in a password write :/?#[]@;% as %XX"
        ) from None
    if parts.fragment:
        raise ValueError("a URL of a broker has no part behind #; in a password write it as %23")
    return parts


def _options(scheme: str, parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = _OPTIONS[scheme]
    if not set(options) <= set(allowed):
        # Which one is not said: what stands behind "?" may be the end of a password.
        raise ValueError(f"behind ? only these are understood: {', '.join(allowed)}; in a password write ? as %3F")
    return options


def _who(parts: SplitResult) -> dict[str, str]:
    given = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    return {key: value for key, value in given.items() if value}


def _written(who: Mapping[str, str]) -> str:
    if not who:
        return ""
    password = f":{quote(who['password'], safe='')}" if "password" in who else ""
    return f"{quote(who.get('username', ''), safe='')}{password}@"


def _host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise ValueError("expected a URL with a host, such as redis://valkey.example:6379/0")
    return unquote(parts.hostname)


def _port(parts: SplitResult, scheme: str) -> int:
    if parts.port == 0:
        raise ValueError("there is no port 0")
    return parts.port or _PORTS[scheme]


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _database(path: str, options: Mapping[str, str]) -> int:
    text = path.strip("/") or next((options[key] for key in _DATABASE if options.get(key)), "") or "0"
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a database is a number, as in redis://host:6379/0; in a password write / as %2F")
    return int(text)


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the TLS options: certificates are checked unless ``ssl_cert_reqs=none`` was asked for."""
    checked = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if checked not in {"required", "optional", "none"}:
        raise ValueError("ssl_cert_reqs is one of required, optional and none")
    names = checked != "none" and options.get("ssl_check_hostname", "true").lower() != "false"
    files = {key: options[key] for key in _TLS[2:] if options.get(key)}
    return {"ssl_cert_reqs": checked, "ssl_check_hostname": names, **files}


def findings(client: Redis, *, clock: Callable[[], datetime] = wall_clock) -> list[Finding]:
    """Return what is wrong with the server of ``client``, or that it does not answer; nothing when all is well.

    Args:
        client: As ``Broker.client`` gives it.
        clock: The clock of this machine, against which the server's is held.
    """
    try:
        info = client.info()
    except NoPermissionError:
        remedy = "allow its user the command INFO, so that eviction and other settings can be looked at"
        return [Finding(level="warn", what="broker: its settings cannot be read (INFO is not allowed)", remedy=remedy)]
    except (RedisError, OSError) as error:
        return [unreachable(error)]
    found = judged(cast("Mapping[str, Any]", info))
    try:
        before = clock()
        seconds, microseconds = client.time()
        after = clock()
    except (RedisError, OSError):  # not allowed, or gone since: nothing is known of its clock
        return found
    there = datetime.fromtimestamp(seconds, before.tzinfo) + timedelta(microseconds=microseconds)
    return [*found, *skewed("broker", there, before=before, after=after)]


def judged(info: Mapping[str, Any]) -> list[Finding]:
    """Return what a server's own account of itself (INFO) says that we cannot work with, or should know."""
    found: list[Finding] = []

    def say(level: Level, what: str, remedy: str, *, passing: bool = False) -> None:
        found.append(Finding(level=level, what=f"broker: {what}", remedy=remedy, passing=passing))

    if "sentinel_masters" in info:
        say("refuse", "this is a sentinel and holds no data", "write sentinel://HOST:PORT/0?master_name=NAME")
        return found
    if _flag(info, "cluster_enabled"):
        # celery#2852, kombu#2204, both open.
        say(
            "refuse",
            "is a Redis Cluster: Celery's transport needs keys of several slots in one transaction (CROSSSLOT)",
            "use a single server or Sentinel",
        )
    if info.get("role") == "slave":
        say("refuse", "is a replica, which takes no writes", "give the address of the primary, or of its sentinels")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        say(
            "refuse",
            f"evicts keys when its memory is full (maxmemory-policy {policy}), so that queues lose their bindings",
            "set it to noeviction: CONFIG SET maxmemory-policy noeviction, and in its configuration file",
        )
    if _flag(info, "loading"):
        say("warn", "is still loading its data", "wait until it has", passing=True)
    if "aof_enabled" in info and not _flag(info, "aof_enabled"):
        say(
            "note",
            "appendonly is off: wake-ups are lost when it restarts, which costs seconds (the ledger is elsewhere)",
            "set appendonly yes to keep them",
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        say("warn", "cannot write its append-only file and refuses writes", "make room on its disk")
    version = str(info.get("redis_version", ""))
    if (parts := _version(version)) and parts < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        say("warn", f"is of version {version}", f"use Redis {oldest} or newer, or any Valkey")
    return found


def skewed(whose: str, there: datetime, *, before: datetime, after: datetime) -> list[Finding]:
    """Return a warning when a clock that showed ``there``, some time between our two, is too far from ours."""
    late, early = before - there, there - after
    off = max(late, early)
    if off <= SKEW:
        return []
    way = "behind" if late > early else "ahead of"
    what = f"{whose}: its clock is {off.total_seconds():.0f} s {way} this machine's"
    return [Finding(level="warn", what=what, remedy="have both follow network time (NTP)")]


def unreachable(error: Exception) -> Finding:
    """Return why a server could not be asked, without its address and without any secret."""
    match error:
        case AuthenticationError() | AuthorizationError():
            what, passing = "refuses the user or the password, or asks for one that the URL does not have", False
        case MasterNotFoundError():
            what, passing = "no sentinel that lets us in knows a working server of the name master_name", True
        case BusyLoadingError():
            what, passing = "is still loading its data", True
        case NoAnswer():
            what, passing = "does not answer in time", True
        case ResponseError():
            what, passing = f"answers with an error ({type(error).__name__})", False
        case _:
            cause = _system(error)
            what, passing = f"cannot be reached ({cause})" if cause else "cannot be reached", True
    remedy = "see that it runs, and that broker in service.yaml names it" if passing else "mend broker in service.yaml"
    return Finding(level="refuse", what=f"broker: {what}", remedy=remedy, passing=passing)


def _system(error: BaseException | None) -> str:
    """Return what the system said, if it did."""
    for _ in range(5):
        if error is None:
            break
        if isinstance(error, OSError) and error.strerror:
            return error.strerror.lower()
        error = error.__cause__ or error.__context__
    return ""


def _flag(info: Mapping[str, Any], name: str) -> bool:
    return str(info.get(name, "0")) not in {"0", "no", ""}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())

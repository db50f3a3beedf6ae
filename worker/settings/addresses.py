"""Addresses: URLs, networks, ``host:port``, and the URLs of the broker and the ledger.

A URL may hold a password, so no message here repeats one.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from worker.settings.words import listed, shown

_BROKERS = ("redis", "rediss", "valkey", "valkeys", "sentinel")
#: A server of this machine, in Celery's way of writing it and in those of others.
_SOCKET = re.compile(r"(?:redis\+socket|valkey\+unix|unix)://(?:[^\s/?#@]*@)?/[^\s?#]+(?:\?[\w=&]*)?")
_LEDGERS = ("postgresql+psycopg",)
_OTHER_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+\w+)?")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s\[\]/]+):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535
_DATABASE = re.compile(r"/?[0-9]{0,5}")
_SENTINEL = re.compile(r"sentinel://", re.IGNORECASE)
#: What stands in a read-back URL where the key of the alert goes.
ALERT: Final = "{alert}"


def web_url(value: str) -> str:
    """Return ``value``, an http(s) URL with a host.

    Raises:
        ValueError: It is none; the text says what is missing and never shows the URL.
    """
    scheme = _parts(value)[0]
    if scheme not in {"http", "https"}:
        raise ValueError("expected a URL that begins with https:// or http://")
    return value


def service_url(value: str) -> str:
    """Return ``value``, an http(s) URL to which paths are added; an empty one is none and comes back.

    Raises:
        ValueError: It is neither, ends with a slash, or has a query or a fragment; the text never shows the URL.
    """
    if value:
        web_url(value)
    if value.endswith("/") or "?" in value or "#" in value:
        raise ValueError("expected a URL without a slash at its end, a query (?) or a fragment (#)")
    return value


def notify_url(value: str) -> str:
    """Return ``value``, a URL with any scheme, as those of Apprise (https://github.com/caronc/apprise/wiki).

    Raises:
        ValueError: It is none; the text never shows it, since such URLs hold passwords and tokens.
    """
    if not urlsplit_scheme(value) or _UNPRINTABLE.search(value):
        raise ValueError("expected a URL of Apprise such as mailto://user:password@example.org")
    return value


def read_back(value: str) -> str:
    """Return ``value``, an http(s) URL with ``{alert}`` in its path or query; an empty one is none and comes back.

    Raises:
        ValueError: It is neither; the text never shows the URL.
    """
    if not value:
        return value
    web_url(value.replace(ALERT, "x"))
    if ALERT not in value.partition("://")[2].partition("/")[2]:
        raise ValueError(f"expected a URL with {ALERT}, where the key of the alert goes, after the host")
    return value


def broker(value: str) -> str:
    """Return ``value``: ``embedded``, or the URL of a Redis or Valkey server, or of the sentinels that know it.

    Raises:
        ValueError: It is neither.
    """
    if value == "embedded" or _SOCKET.fullmatch(value):
        return value
    scheme = urlsplit_scheme(value)
    if scheme not in _BROKERS:
        schemes = listed([*(f"{scheme}://" for scheme in _BROKERS), "redis+socket:///"])
        raise ValueError(f"expected embedded, or a URL that begins with {schemes}")
    if scheme == "sentinel":
        _expect_sentinels(value)
    else:
        _expect_server(value)
    return value


def _expect_server(value: str) -> None:
    _parts(value)
    if not _DATABASE.fullmatch(urlsplit(value).path):
        raise ValueError("after the host comes the number of the database, as in redis://host:6379/0")


def _expect_sentinels(value: str) -> None:
    """Do nothing for sentinels parted by ``;``, with the name of the master that they know in the query.

    Raises:
        ValueError: A host or the name is missing.

    Source: Celery, "Using Redis", "Sentinel", where each sentinel but the first may bring the scheme again, and where
    the name is a transport option (``master_name``), for which our URL has a query. ``worker.live.broker`` opens it.
    """
    named = False
    servers = [f"sentinel://{_SENTINEL.sub('', server, count=1)}" for server in value.split(";")]
    for server in servers:
        if "," in _parts(server)[1]:
            raise ValueError("sentinels are parted by a semicolon: sentinel://host1:26379;host2:26379/0")
        _expect_server(server)
        named |= bool(dict(parse_qsl(urlsplit(server).query)).get("master_name"))
    if not named:
        raise ValueError("sentinels need the name of the master that they watch; end the URL with ?master_name=NAME")


def ledger(value: str) -> str:
    """Return ``value``: ``sqlite``, or the URL of a PostgreSQL database.

    Raises:
        ValueError: It is neither.
    """
    if value == "sqlite":
        return value
    scheme = urlsplit_scheme(value)
    if scheme in _LEDGERS:
        # A server of this machine may be named by the directory of its socket, in the query
        # (https://www.postgresql.org/docs/current/libpq-connect.html, "Connection URIs").
        local = _UNPRINTABLE.search(value) is None and "host" in dict(parse_qsl(urlsplit(value).query))
        if not local:
            _parts(value)
        return value
    if _OTHER_POSTGRES.fullmatch(scheme):
        raise ValueError("write postgresql+psycopg:// instead: wirewatch speaks to PostgreSQL through psycopg")
    raise ValueError("expected sqlite, or a URL that begins with postgresql+psycopg://")


def network(value: str) -> str:
    """Return the network ``value`` in CIDR form; an address alone is a network of one.

    Raises:
        ValueError: It is none, or has bits set beyond its prefix.
    """
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{shown(value)} is no network; write one such as 10.0.0.0/8") from None
    raise ValueError(f"{shown(value)} has bits set beyond its prefix; write {wider}")


def listen(value: str) -> tuple[str, int]:
    """Return the host and the port of ``value``, as in ``127.0.0.1:8484`` or ``[::1]:8484``.

    Raises:
        ValueError: It names none.
    """
    found = _LISTEN.fullmatch(value)
    if not found or not 0 < int(found["port"]) <= _LAST_PORT:
        raise ValueError(f"{shown(value)} is no host:port; write one such as 127.0.0.1:8484 or [::1]:8484")
    return found["host"].strip("[]"), int(found["port"])


def urlsplit_scheme(value: str) -> str:
    """Return the scheme of ``value`` in lower case; empty when it has none."""
    scheme, found, _ = value.partition("://")
    return scheme.lower() if found else ""


def _parts(value: str) -> tuple[str, str]:
    if _UNPRINTABLE.search(value):
        raise ValueError("a URL holds no spaces and no control characters; write %20 for a space")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("the host or the port of this URL is not valid") from None
    if not parts.hostname or port == 0:
        raise ValueError("expected a URL with a host, such as https://example.org/feed.xml")
    return parts.scheme, parts.hostname

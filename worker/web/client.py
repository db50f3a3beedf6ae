"""The live web: httpx and its httpcore, with our own rules about addresses, redirects, sizes and time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

import httpcore
import httpx

from worker.errors import ConfigError, Problem, Retryable, Unusable
from worker.url import host, shown
from worker.web import body, hops, robots
from worker.web.addresses import LookUp, look_up
from worker.web.connections import CheckedTransport, tls
from worker.web.gates import Gates, OpenGates
from worker.web.hops import Headers, Hop
from worker.web.network import Network
from worker.web.response import Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})
#: Seconds; a whole request is bound by ``Network.deadline`` beside them.
_TIMEOUTS = {"connect": 5.0, "read": 10.0, "write": 10.0}
#: What keeps an answer from coming, as httpcore names it.
_FAULTS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
)
#: Bytes of a redirect's own body that are read, so that the connection can be used again.
_DRAINED = 16_384
#: A crawl delay is obeyed up to this one; a longer one would keep pages until they are no news.
_SLOWEST = timedelta(seconds=30)
#: Connections are kept in so many pools: httpcore looks at every connection of a pool at every request. A host has
#: always the same one. Seconds that a connection may be idle: less than the 5 after which many servers close it.
_SHARDS, _IDLE, _IDLE_SECONDS = 16, 4, 4.0

#: Reads a body: its chunks and the headers it came with.
_Read = Callable[[Iterable[bytes], Mapping[str, str]], bytes]
_Pool = tuple[bool | tuple[str, ...], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """What holds for one request on all of its hops."""

    network: Network
    #: As ``time.monotonic``.
    until: float
    max_redirects: int
    read: _Read
    #: Is asked before every hop and raises when it may not be made.
    check: Callable[[Hop], None]


class LiveWeb:
    """Gets feeds and pages. One for a process; any number of threads may share it.

    No cookies are kept, no Referer is sent, and proxies of the environment are ignored. ``gates`` hears of crawl
    delays. ``resolve`` is there for tests.

    Raises:
        ConfigError: ``network.proxy`` is no address of a proxy.
    """

    def __init__(
        self, network: Network, *, user_agent: str, gates: Gates | None = None, resolve: LookUp = look_up
    ) -> None:
        self._network = network
        self._ours: Headers = {
            b"user-agent": user_agent.encode("latin-1", "replace"),
            b"accept-encoding": b"gzip",
            b"accept": b"*/*",
        }
        self._gates = OpenGates() if gates is None else gates
        self._resolve = resolve
        self._robots = robots.Robots()
        self._proxy = _proxy(network.proxy)
        self._lock = Lock()
        self._pools: dict[_Pool, CheckedTransport] = {}
        # Made now, so that the first request does not reach its host a tenth of a second after it was let through.
        tls()

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,
        allow_private: bool | tuple[str, ...] | None = None,
    ) -> Response:
        """Return the answer to a GET, redirects followed; see ``worker.web.response.Web``."""
        network = self._network if allow_private is None else replace(self._network, allow_private=allow_private)
        errand = _Errand(
            network=network,
            until=time.monotonic() + network.deadline.total_seconds(),
            max_redirects=network.max_redirects,
            read=lambda chunks, given: body.read(
                chunks,
                encoding=given.get("content-encoding", ""),
                length=given.get("content-length", ""),
                limit=network.max_body,
                url=url,
            ),
            check=lambda hop: self._obey(hop, errand, now) if robots else None,
        )
        return self._follow(hops.first(url), hops.own_headers(headers), errand)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for transport in pools.values():
            transport.close()

    def _follow(self, start: Hop, own: Headers, errand: _Errand) -> Response:
        hop, moved = start, True
        trail: list[str] = []
        while True:
            errand.check(hop)
            status, headers, content = self._once(hop, own, errand)
            if not _redirects(status, headers):
                return Response(
                    status=status,
                    url=hop.text,
                    headers=headers,
                    body=content,
                    redirects=tuple(trail),
                    moved=bool(trail) and moved,
                )
            trail.append(hop.text)
            moved = moved and status in _PERMANENT
            if len(trail) > errand.max_redirects:
                most = f"more than {errand.max_redirects} redirects (network.max_redirects)"
                raise Unusable(f"{shown(start.text)}: {most}", name="forbidden")
            following = hops.onward(hop, headers["location"])
            if following.origin != hop.origin:
                own = hops.harmless(own)
            hop = following

    def _once(self, hop: Hop, own: Headers, errand: _Errand) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to one request."""
        asked = hops.request_headers(hop, self._ours, own)
        try:
            transport = self._transport(hop, errand.network)
            answer = transport.ask(hop.url, asked, until=errand.until, timeouts=_TIMEOUTS)
            try:
                headers = hops.response_headers(answer.headers)
                return answer.status, headers, _content(answer, headers, errand)
            finally:
                answer.close()
        except httpcore.LocalProtocolError as error:
            # The error is not repeated: it quotes the header, which may be secret.
            raise Unusable(f"{shown(hop.text)}: a header or the address cannot be sent", name="forbidden") from error
        except httpcore.TimeoutException as error:
            raise Retryable(f"{shown(hop.text)}: {_late(error, errand)}", name="timed-out") from error
        except _FAULTS as error:
            said = str(error)[:200] or type(error).__name__
            raise Retryable(f"{shown(hop.text)}: {said}", name="fetch-failed") from error
        except ValueError as error:
            # A host that TLS cannot name: an empty or overlong label.
            raise Unusable(f"{shown(hop.text)}: the host cannot be asked ({error})", name="forbidden") from error

    def _transport(self, hop: Hop, network: Network) -> CheckedTransport:
        """Return the connections that are shared with requests of the same permission, and with no others.

        A connection that one feed may have to a private address must never serve another feed that may not.
        """
        key = (network.allow_private, zlib.crc32(hop.origin[1].encode()) % _SHARDS)
        found = self._pools.get(key)
        if found is None:
            with self._lock:
                found = self._pools.get(key)
                if found is None:
                    found = self._pools[key] = self._opened(network)
        return found

    def _opened(self, network: Network) -> CheckedTransport:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE, keepalive_expiry=_IDLE_SECONDS)
        return CheckedTransport(network, resolve=self._resolve, limits=limits, proxy=self._proxy)

    def _obey(self, hop: Hop, errand: _Errand, now: datetime) -> None:
        """Ask the robots.txt of the hop's site, and tell the gates how slow it wants us."""
        asked = replace(errand, max_redirects=robots.REDIRECTS, read=_read_robots, check=_no_check)

        def fetch(url: str) -> tuple[int, bytes]:
            answer = self._follow(hops.first(url), {}, asked)
            return answer.status, answer.body

        gap = self._robots.check(
            hop.site + hop.url.raw_path.decode("ascii"),
            site=hop.site,
            key=(hop.origin, errand.network.allow_private),
            now=now,
            fetch=fetch,
        )
        if gap:
            self._gates.slow(host(hop.text), gap=min(gap, _SLOWEST))


def _redirects(status: int, headers: Mapping[str, str]) -> bool:
    return status in _REDIRECTS and bool(headers.get("location", "").strip())


def _content(answer: httpcore.Response, headers: Mapping[str, str], errand: _Errand) -> bytes:
    if not isinstance(answer.stream, Iterable):
        raise TypeError("the transport is not a synchronous one")
    if not _redirects(answer.status, headers):
        return errand.read(answer.stream, headers)
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) <= _DRAINED:
        for _ in answer.stream:
            pass
    return b""


def _read_robots(chunks: Iterable[bytes], given: Mapping[str, str]) -> bytes:
    return body.read_start(chunks, encoding=given.get("content-encoding", ""), limit=robots.PARSED, url="robots.txt")


def _no_check(_: Hop) -> None:
    """Do nothing: robots.txt itself may always be read (RFC 9309 section 2.2.2)."""


def _late(error: Exception, errand: _Errand) -> str:
    if time.monotonic() >= errand.until:
        return f"took longer than network.deadline ({errand.network.deadline.total_seconds():g} s)"
    return f"no answer in time ({type(error).__name__})"


def _proxy(url: str) -> httpx.Proxy | None:
    """Return the proxy at ``url``, or ``None`` if that is empty.

    Raises:
        ConfigError: it is no such address. It is not repeated: it may hold a password.
    """
    if not url:
        return None
    try:
        proxy = httpx.Proxy(url)
        usable = proxy.url.scheme in {"http", "https"} and bool(proxy.url.host)
    except (ValueError, httpx.InvalidURL):
        usable, proxy = False, None
    if not usable:
        raise ConfigError(
            Problem(file="service.yaml", message="network.proxy: expected http(s)://[user:password@]host:port")
        )
    return proxy

"""The live web: httpx, with our own rules about addresses, redirects, sizes and time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urljoin

import httpx

from worker.errors import Retryable, Unusable
from worker.web import body
from worker.web.connections import checked_client, in_time
from worker.web.network import Network
from worker.web.response import Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Seconds; a whole request is bound by ``Network.deadline`` beside them.
_CONNECT, _READ = 5.0, 10.0
_MAX_URL = 2048


class LiveWeb:
    """Gets feeds and pages. One for a process: a client with its TLS context is dear to make.

    No cookies are kept, no Referer is sent, and proxies of the environment are ignored.
    """

    def __init__(self, network: Network, *, user_agent: str) -> None:
        self._network = network
        self._client = checked_client(
            network,
            headers={"user-agent": user_agent, "accept-encoding": "gzip", "accept": "*/*"},
            timeout=httpx.Timeout(_READ, connect=_CONNECT),
        )

    def get(self, url: str, *, now: datetime, headers: Mapping[str, str]) -> Response:  # noqa: ARG002 - for recorded webs
        """Return the answer to a GET, redirects followed; see ``worker.web.response.Web``."""
        until = time.monotonic() + self._network.deadline.total_seconds()
        hops: list[str] = []
        at = url
        while True:
            response = self._once(at, headers, until=until)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or not location:
                return Response(
                    status=response.status,
                    url=at,
                    headers=response.headers,
                    body=response.body,
                    redirects=tuple(hops),
                )
            hops.append(at)
            if len(hops) > self._network.max_redirects:
                raise Unusable(f"{url}: more than {self._network.max_redirects} redirects (network.max_redirects)")
            at = urljoin(at, location)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _once(self, url: str, headers: Mapping[str, str], *, until: float) -> Response:
        if len(url) > _MAX_URL or not url.lower().startswith(("http://", "https://")):
            raise Unusable(f"{url[:200]}: only http and https addresses of at most {_MAX_URL} characters are asked")
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as answer:
                content = body.read(
                    in_time(answer.iter_raw(), until=until, late=f"{url}: took longer than network.deadline"),
                    encoding=answer.headers.get("content-encoding", ""),
                    limit=self._network.max_body,
                    url=url,
                )
                self._client.cookies.clear()
                return Response(status=answer.status_code, url=url, headers=_plain(answer.headers), body=content)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise Unusable(f"{url}: {error}") from error
        except (httpx.HTTPError, OSError) as error:
            raise Retryable(f"{url}: {_said(error)}") from error


def _plain(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__

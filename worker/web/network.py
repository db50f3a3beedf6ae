"""What the network may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Limits on every request for a feed or a page."""

    #: ``False``: public addresses only; ``True``: any; else the networks, in CIDR form, that are allowed as well.
    allow_private: bool | tuple[str, ...] = False
    allow_ports: tuple[int, ...] = (80, 443)
    #: Bytes, on the wire and decoded alike.
    max_body: int = 10 * MIB
    #: For a whole request, redirects included.
    deadline: timedelta = timedelta(seconds=30)
    max_redirects: int = 5
    per_host_concurrency: int = 2
    per_host_gap: timedelta = timedelta(seconds=1)
    #: ``http(s)://[user:password@]host:port`` of a proxy that all requests go through; empty: none, whatever the
    #: environment says. The proxy resolves the names, so what private addresses they lead to is its own to refuse.
    proxy: str = field(default="", repr=False)

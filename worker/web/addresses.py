"""Which addresses may be connected to.

The check happens on the address that the connection is made to, not on the name, so a name that answers differently
the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from worker.errors import Unusable
from worker.web.network import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Gives the addresses of a host and port, best first, or raises ``OSError``.
LookUp = Callable[[str, int], Sequence[str]]
#: NAT64 (RFC 6052) carries an IPv4 address in its last four bytes.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: All of IPv6 that is handed out for the Internet (IANA, "IPv6 Global Unicast Address Assignments"). Outside of it lie
#: the forms that may carry a private address of IPv4: ::/96, ::ffff:0:0:0/96 and NAT64's 64:ff9b:1::/48 (RFC 8215).
_INTERNET = ipaddress.IPv6Network("2000::/3")


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of ``host`` as this machine's resolver orders them (RFC 6724).

    Raises:
        OSError: the name cannot be resolved.
        UnicodeError: it is no name at all.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))


def literal(host: str) -> bool:
    """Return whether ``host`` is an address itself, in the one way of writing it that every program reads alike."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def expect_port(host: str, port: int, network: Network) -> None:
    """Do nothing when the port is allowed.

    Raises:
        Unusable: it is not among ``network.allow_ports``.
    """
    if port not in network.allow_ports:
        raise Unusable(f"{host}:{port}: port {port} is not among network.allow_ports", name="forbidden")


def expect_allowed(host: str, addresses: Iterable[str], network: Network) -> None:
    """Do nothing when every one of a host's addresses may be connected to.

    Raises:
        Unusable: one may not: a name with a public and a private answer is refused as a whole.
    """
    for address in addresses:
        if not is_allowed(address, network.allow_private):
            raise Unusable(
                f"{host}: {address} is not a public address (network.allow_private could allow it)", name="forbidden"
            )


def expect_allowed_name(host: str, network: Network) -> None:
    """Do nothing when ``host``, which a proxy will resolve, does not say by itself that it is a private address.

    Raises:
        Unusable: it does.
    """
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        expect_allowed(host, ["127.0.0.1"], network)
    elif literal(name):
        expect_allowed(host, [name], network)
    else:
        expect_allowed(host, _loosely_written(name), network)


def is_allowed(address: str, allow_private: bool | Iterable[str]) -> bool:  # noqa: FBT001 - a setting's own type
    """Return whether ``address`` is public, or allowed by the setting ``network.allow_private``."""
    if allow_private is True:
        return True
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if allow_private and any(ip in net for net in _networks(tuple(map(str, allow_private)))):
        return True
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _INTERNET:
        return False
    return ip.is_global and not ip.is_multicast


@lru_cache(maxsize=256)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _loosely_written(name: str) -> list[str]:
    """Return the address that many resolvers read in ``name``, such as 2130706433, 0x7f.1 or 0177.0.0.1."""
    try:
        return [socket.inet_ntoa(socket.inet_aton(name))]
    except (OSError, UnicodeError):
        return []


def _plain(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 address only carries, else the address itself."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip

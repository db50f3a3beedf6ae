"""Which addresses may be connected to.

The check happens on the address that the connection is made to, not on the name, so a name that answers differently
the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from worker.errors import Unusable
from worker.web.network import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: NAT64 (RFC 6052) carries an IPv4 address in its last four bytes.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def resolve(host: str, port: int, network: Network) -> str:
    """Return an address of ``host`` that may be connected to.

    Raises:
        Unusable: the port is not allowed, or any of the host's addresses is not: a name with a public and a private
            answer is refused as a whole.
        OSError: the name cannot be resolved.
    """
    if port not in network.allow_ports:
        raise Unusable(f"{host}:{port}: port {port} is not among network.allow_ports")
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not is_allowed(address, network.allow_private):
            raise Unusable(f"{host}: {address} is not a public address (network.allow_private could allow it)")
    return found[0]


def is_allowed(address: str, allow_private: bool | Iterable[str]) -> bool:  # noqa: FBT001 - a setting's own type
    """Return whether ``address`` is public, or allowed by the setting ``network.allow_private``."""
    if allow_private is True:
        return True
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if allow_private and any(ip in ipaddress.ip_network(str(net), strict=False) for net in allow_private):
        return True
    return ip.is_global and not ip.is_multicast


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

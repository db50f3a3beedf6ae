"""Which addresses are public."""

from __future__ import annotations

import pytest

from worker.web.addresses import is_allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Loopback, private, link-local, CGNAT, multicast, and whatever carries one of them."""
    assert not is_allowed(address, False)
    assert is_allowed(address, True)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_are_allowed(address: str) -> None:
    """Also those that NAT64 carries."""
    assert is_allowed(address, False)


def test_a_list_allows_its_networks_only() -> None:
    """127.77.0.0/16 may be asked while 127.0.0.1 stays forbidden."""
    networks = ("127.77.0.0/16", "fd00::/8")
    assert is_allowed("127.77.3.4", networks)
    assert is_allowed("fd00::1", networks)
    assert is_allowed("::ffff:127.77.3.4", networks)
    assert not is_allowed("127.0.0.1", networks)
    assert is_allowed("93.184.216.34", networks)

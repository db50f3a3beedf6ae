"""Which addresses may be connected to, and that no other ever is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.edges.servers import Listener, listen, name_server, plain, says, serve
from worker.errors import Retryable, Unusable
from worker.web.addresses import expect_allowed_name, is_allowed, look_up
from worker.web.client import LiveWeb
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]

HELLO = says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


@pytest.fixture
def private() -> Iterator[Listener]:
    """Give a live listener on 127.0.0.1, which nobody may reach."""
    with listen(HELLO) as running:
        yield running


def refusal(web: LiveWeb, url: str) -> str:
    """Return the name of the error that asking for ``url`` ends with, empty if it ends with an answer."""
    try:
        web.get(url, now=NOON, headers={})
    except (Unusable, Retryable) as error:
        return error.name
    return ""


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
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "2001:db8::1",
        "100::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Loopback, private, link-local, CGNAT, multicast, and whatever carries one of them or may do so."""
    assert not is_allowed(address, False)
    assert is_allowed(address, True)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822", "2002:5db8:d822::1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """Also those that NAT64 and 6to4 carry."""
    assert is_allowed(address, False)


def test_a_list_allows_its_networks_only() -> None:
    """127.77.0.0/16 may be asked while 127.0.0.1 stays forbidden."""
    networks = ("127.77.0.0/16", "fd00::/8")
    assert is_allowed("127.77.3.4", networks)
    assert is_allowed("fd00::1", networks)
    assert is_allowed("::ffff:127.77.3.4", networks)
    assert not is_allowed("127.0.0.1", networks)
    assert not is_allowed("::127.77.3.4", networks)
    assert is_allowed("93.184.216.34", networks)
    assert is_allowed("::1", ("::1/128",))


HOSTILE = [
    "http://127.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://[fe80::1%25eth0]:{port}/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "file:///etc/hostname",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "http://wire.example@127.0.0.1:{port}/",
    "http://wire.example\\@127.0.0.1:{port}/",
    "http://1２7.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://localhost.:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "http://:{port}/",
    "http://127.0.0.1:x{port}/",
    "http://a..b:{port}/",
    "http://[:{port}/",
]


@pytest.mark.parametrize("url", [*HOSTILE, "/etc/hostname", "http://127.0.0.1:{port}\n/"])
def test_a_hostile_address_reaches_nobody(private: Listener, url: str) -> None:
    """However it is written: a clear error, and not one connection."""
    web = LiveWeb(Network(allow_ports=(private.port,)), user_agent="test")
    refused = refusal(web, url.format(port=private.port))
    web.close()
    assert refused in {"forbidden", "dns-failed"}
    assert private.connections == 0


@pytest.mark.parametrize("url", HOSTILE)
def test_a_redirect_to_a_hostile_address_reaches_nobody(private: Listener, url: str) -> None:
    """Every hop is checked as the first one is."""
    with serve("127.77.0.1") as site:
        site.answers["/"] = plain(status=302, Location=url.format(port=private.port).encode().decode("latin-1"))
        ports = (private.port, site.port)
        web = LiveWeb(Network(allow_private=("127.77.0.1/32",), allow_ports=ports), user_agent="test")
        refused = refusal(web, site.url("/", host="127.77.0.1"))
        web.close()
        assert len(site.asked) == 1
    assert refused in {"forbidden", "dns-failed"}
    assert private.connections == 0


@pytest.mark.parametrize(
    ("answers", "refusals"),
    [
        ([["127.77.0.9"], ["127.0.0.1"]], ["", "forbidden"]),
        ([["127.0.0.1"], ["127.77.0.9"]], ["forbidden", ""]),
        ([["127.77.0.9", "127.0.0.1"]], ["forbidden", "forbidden"]),
        ([["127.0.0.1", "127.77.0.9"]], ["forbidden", "forbidden"]),
    ],
    ids=["rebinding", "private-first", "mixed", "mixed-private-first"],
)
def test_a_name_that_answers_differently_gains_nothing(
    private: Listener, answers: list[list[str]], refusals: list[str]
) -> None:
    """The very address that was checked is connected to, each time anew, and mixed answers are refused as a whole."""
    with listen(HELLO, "127.77.0.9", private.port) as public, name_server(*answers) as names:
        network = Network(allow_private=("127.77.0.0/16",), allow_ports=(private.port,))
        web = LiveWeb(network, user_agent="test", resolve=names.look_up)
        url = f"http://rebind.example:{private.port}/"
        assert [refusal(web, url), refusal(web, url)] == refusals
        web.close()
        # A question for every connection, and no more than that.
        assert names.asked == ["rebind.example"] * 2
        assert public.connections == refusals.count("")
    assert private.connections == 0


def test_a_permission_of_one_feed_serves_no_other(private: Listener) -> None:
    """A connection that is kept open under a wide permission is not found under a narrow one."""
    with serve() as site:
        site.answers["/"] = plain(b"intranet")
        web = LiveWeb(Network(allow_ports=(site.port,)), user_agent="test")
        url = site.url("/")
        assert web.get(url, now=NOON, headers={}, allow_private=("127.0.0.1/32",)).body == b"intranet"
        for narrow in (None, False, ("127.77.0.0/16",)):
            with pytest.raises(Unusable, match="not a public address"):
                web.get(url, now=NOON, headers={}, allow_private=narrow)
        assert web.get(url, now=NOON, headers={}, allow_private=True).body == b"intranet"
        web.close()
    assert len(site.asked) == 2
    assert private.connections == 0


def test_the_next_address_is_tried_when_one_refuses(private: Listener) -> None:
    """Three addresses at most."""
    network = Network(allow_private=True, allow_ports=(private.port,))
    good, dead = "127.0.0.1", ["127.77.1.1", "127.77.1.2", "127.77.1.3"]
    for addresses, expected in (([*dead[:2], good], ""), ([*dead, good], "fetch-failed")):
        web = LiveWeb(network, user_agent="test", resolve=lambda _host, _port, found=addresses: found)  # type: ignore[misc]
        assert refusal(web, f"http://wire.example:{private.port}/") == expected
        web.close()
    assert private.connections == 1


def test_a_name_that_cannot_be_resolved_has_a_reason_of_its_own() -> None:
    """DNS is rarely the publisher's fault: whoever weighs failures must be able to tell."""

    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    def empty(_host: str, _port: int) -> list[str]:
        return []

    for resolve in (unknown, empty):
        web = LiveWeb(Network(), user_agent="test", resolve=resolve)
        with pytest.raises(Retryable, match=r"wire\.example") as failed:
            web.get("http://wire.example/", now=NOON, headers={})
        assert failed.value.name == "dns-failed"
        web.close()


def test_a_resolver_that_says_nothing_is_left() -> None:
    """The deadline holds for names as well."""
    answered = threading.Event()

    def silent(_host: str, _port: int) -> list[str]:
        answered.wait(30)
        return []

    web = LiveWeb(Network(deadline=timedelta(milliseconds=50)), user_agent="test", resolve=silent)
    assert refusal(web, "http://wire.example/") == "dns-failed"
    web.close()
    assert not answered.is_set()
    answered.set()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "2130706433", "0x7f.1", "::1", "127.0.0.1."])
def test_a_proxy_is_not_asked_for_a_private_address(host: str) -> None:
    """As far as the host says it by itself; what a name leads to only the proxy knows."""
    with pytest.raises(Unusable, match="not a public address"):
        expect_allowed_name(host, Network())
    expect_allowed_name(host, Network(allow_private=True))
    expect_allowed_name("wire.example", Network())


def test_the_machines_own_resolver_answers() -> None:
    """Each address once."""
    found = look_up("localhost", 80)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0

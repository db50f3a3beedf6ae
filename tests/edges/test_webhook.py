"""The webhook channel against real servers on loopback: what each end of a request means for the alert."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import time_machine
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tests import builders
from tests.builders import NOON, alert, article
from tests.edges.servers import Asked, Site, dripping, listen, plain, resets, says, serve
from worker import build
from worker.channels import webhook
from worker.channels.base import Busy, Channel, Disabled, Doubtful
from worker.channels.signing import signature, signing_key
from worker.channels.webhook import WebhookChannel
from worker.errors import ConfigError, Retryable, Unusable, WirewatchError
from worker.model import Digest, Evidence, Message, Notice, Role
from worker.settings import load
from worker.web.connections import CheckedTransport
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

#: Seconds; what a test waits for an answer that does not come.
SOON = 0.3
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLDER = "whsec_" + base64.b64encode(b"o" * 24).decode()
KEY = "key-0001"
BACK = f"/alerts/{KEY}"
Answer = Callable[[BaseHTTPRequestHandler], None]


def message(*, key: str = KEY, attempt: int = 1, text: str = "missiles") -> Message:
    """Return a message about an article."""
    found = Evidence(field="text", start=25, end=33, text=text)
    told = alert(key=key, channel_id="siem", evidence=(found,), attempt=attempt)
    return builders.message(alert=told)


def channel(
    url: str, *, deadline: float = 20.0, transport: httpx.BaseTransport | None = None, **options: Any
) -> WebhookChannel:
    """Return a channel to ``url``, which may be anywhere."""
    ports = tuple({urlsplit(each).port or 443 for each in (url, options.get("read_back", "")) if each})
    network = Network(allow_private=True, allow_ports=ports)
    return WebhookChannel(
        "siem", url, transport=transport or CheckedTransport(network, total=deadline), deadline=deadline, **options
    )


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a receiver that takes every alert posted to /hook."""
    with serve() as served:
        served.answers["/hook"] = plain(b"ok")
        yield served


def posts(site: Site) -> list[Asked]:
    """Return the alerts that the receiver was sent."""
    return [asked for asked in site.asked if asked.method == "POST"]


def dropped(handler: BaseHTTPRequestHandler) -> None:
    """Take the request and hang up."""
    handler.close_connection = True


# What is sent.


def test_an_alert_is_posted_as_standard_webhooks_say(site: Site) -> None:
    """The body is the alert, its headers are those of the standard, and the signature is over the very bytes."""
    sent = replace(message(attempt=3), article=article(title="Raketen für \ud83d alle 🚀"))
    assert channel(site.url("/hook"), secret=SECRET, user_agent="mine/1").send(sent, now=NOON) is None
    (asked,) = site.asked
    at = str(int(NOON.timestamp()))
    expected = {
        "content-type": "application/json",
        "webhook-id": KEY,
        "webhook-timestamp": at,
        "idempotency-key": KEY,
        "x-wirewatch-attempt": "3",
        "user-agent": "mine/1",
        "content-length": str(len(asked.body)),
    }
    assert {name: asked.headers[name] for name in expected} == expected
    signed = hmac.new(b"k" * 32, f"{KEY}.{at}.".encode() + asked.body, hashlib.sha256).digest()
    assert asked.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
    told = json.loads(asked.body)
    assert (told["type"], told["timestamp"]) == ("alert.created", "2026-02-11T12:00:00Z")
    assert told["data"]["alert"] == KEY
    assert told["data"]["title"] == "Raketen für \ud83d alle 🚀"
    assert told["data"]["evidence"][0]["text"] == "missiles"
    assert "Raketen für".encode() in asked.body


def test_the_signature_is_that_of_the_example_in_the_standard() -> None:
    """The libraries of Standard Webhooks hold themselves to this one."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(key, webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=1614265330, content=b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_AAEC", b"\0\1\2"),
        ("whsec_AAE", b"whsec_AAE"),
        ("whsec_äöü", "whsec_äöü".encode()),
        ("AAEC", b"AAEC"),
        ("pässword", "pässword".encode()),
        ("", b""),
    ],
)
def test_a_secret_is_base64_behind_its_prefix_and_else_any_text(secret: str, key: bytes) -> None:
    """What is not base64 is not guessed at."""
    assert signing_key(secret) == key


def headers_of(asked: Asked) -> dict[str, str]:
    """Return the headers that a receiver verifies."""
    return {name: asked.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}


def test_the_library_of_the_standard_takes_what_was_signed_and_nothing_else(site: Site) -> None:
    """With any letters in the headers' names; a changed body, id or time, or another secret, is refused."""
    channel(site.url("/hook"), secret=SECRET).send(message(text="Raketen für \ud83d"), now=NOON)
    (asked,) = site.asked
    headers, receiver = headers_of(asked), Webhook(SECRET)
    with time_machine.travel(NOON + timedelta(seconds=299), tick=False):
        assert receiver.verify(asked.body, headers)["data"]["alert"] == KEY
        assert receiver.verify(asked.body, {name.title(): value for name, value in headers.items()})
        for changed in (
            (asked.body.replace(b"0.9", b"0.8"), headers),
            (asked.body + b" ", headers),
            (asked.body, headers | {"webhook-id": "key-0002"}),
            (asked.body, headers | {"webhook-timestamp": str(int(NOON.timestamp()) + 1)}),
        ):
            with pytest.raises(WebhookVerificationError):
                receiver.verify(*changed)
        with pytest.raises(WebhookVerificationError):
            Webhook(OLDER).verify(asked.body, headers)


def test_an_alert_that_was_recorded_cannot_be_played_again_later(site: Site) -> None:
    """Six minutes later the library refuses it; a new attempt has a new time."""
    hook = channel(site.url("/hook"), secret=SECRET)
    later = NOON + timedelta(minutes=6)
    hook.send(message(), now=NOON)
    hook.send(message(attempt=2), now=later)
    with time_machine.travel(later, tick=False):
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(SECRET).verify(site.asked[0].body, headers_of(site.asked[0]))
        assert Webhook(SECRET).verify(site.asked[1].body, headers_of(site.asked[1]))


def test_while_a_secret_is_changed_each_of_them_verifies(site: Site) -> None:
    """One signature for each, the newest first, so that a receiver may take the new one when it likes."""
    channel(site.url("/hook"), secret=[SECRET, OLDER]).send(message(), now=NOON)
    (asked,) = site.asked
    first, second = asked.headers["webhook-signature"].split(" ")
    at = int(NOON.timestamp())
    assert first == signature(b"k" * 32, webhook_id=KEY, at=at, content=asked.body)
    assert second == signature(b"o" * 24, webhook_id=KEY, at=at, content=asked.body)
    with time_machine.travel(NOON, tick=False):
        for secret in (SECRET, OLDER):
            assert Webhook(secret).verify(asked.body, headers_of(asked))
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(asked.body, headers_of(asked))


def test_every_attempt_says_the_same_byte_for_byte(site: Site) -> None:
    """A receiver may compare what comes under one key; what differs stands in the headers."""
    hook, told = channel(site.url("/hook"), secret=SECRET), message()
    hook.send(told, now=NOON)
    again = replace(told, alert=replace(told.alert, attempt=4, repeat=True))
    hook.send(again, now=NOON + timedelta(hours=3))
    first, second = site.asked
    assert first.body == second.body
    differ = {
        name for name in first.headers.keys() | second.headers if first.headers.get(name) != second.headers.get(name)
    }
    assert differ == {"webhook-timestamp", "webhook-signature", "x-wirewatch-attempt", "x-wirewatch-repeat"}
    assert second.headers["x-wirewatch-repeat"] == "possible"


def test_digests_and_notices_are_posted_too(site: Site) -> None:
    """Under their own keys, each as an event of its own type."""
    hook = channel(site.url("/hook"), secret=SECRET)
    bundle = alert(key="key-digest", role=Role.DIGEST, topic_id="", story_id="", article_id="")
    hook.send(Digest(alert=bundle, items=(message(), message(key="key-0002")), more=3, at=NOON), now=NOON)
    words = replace(bundle, key="key-notice", role=Role.NOTICE, clause="channel ops takes nothing")
    hook.send(Notice(alert=words, at=NOON), now=NOON)
    digest, notice = (json.loads(asked.body) for asked in site.asked)
    assert [asked.headers["webhook-id"] for asked in site.asked] == ["key-digest", "key-notice"]
    assert (digest["type"], digest["data"]["more"]) == ("alert.digest", 3)
    assert [each["alert"] for each in digest["data"]["alerts"]] == [KEY, "key-0002"]
    assert (notice["type"], notice["data"]["text"]) == ("channel.notice", "channel ops takes nothing")


def test_without_a_secret_nothing_is_signed(site: Site) -> None:
    """A signature that anybody can make would say more than is true."""
    channel(site.url("/hook")).send(message(), now=NOON)
    assert "webhook-signature" not in site.asked[0].headers


def test_cloudevents_carry_the_same_alert(site: Site) -> None:
    """The envelope of CloudEvents 1.0 in its structured form, signed as well."""
    hook = channel(site.url("/hook"), secret=SECRET, cloudevents=True)
    told = message()
    hook.send(replace(told, alert=replace(told.alert, topic_id="missile talks")), now=NOON)
    (asked,) = site.asked
    assert asked.headers["content-type"] == "application/cloudevents+json"
    assert asked.headers["webhook-signature"].startswith("v1,")
    event = json.loads(asked.body)
    assert event.pop("data")["alert"] == KEY
    assert event == {
        "specversion": "1.0",
        "id": KEY,
        "source": "/wirewatch/topics/missile%20talks",
        "type": "wirewatch.alert.created",
        "subject": "s-1",
        "time": "2026-02-11T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:wirewatch:webhook:1",
    }


def test_the_user_and_password_of_an_address_go_into_their_header(site: Site) -> None:
    """Where they belong (RFC 7617), percent-encoded or not."""
    url = site.url("/hook").replace("//", "//me:p%40ss:w%C3%B6rd@")
    channel(url).send(message(), now=NOON)
    (asked,) = site.asked
    scheme, _, pair = asked.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", "me:p@ss:wörd")
    assert asked.headers["host"] == f"127.0.0.1:{site.port}"


def test_every_request_has_a_connection_of_its_own(site: Site) -> None:
    """A connection that was kept could be closed by the receiver just when we write, and we would be in doubt."""
    peers: list[tuple[str, int]] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        peers.append(handler.client_address)
        plain(b"ok", Connection="keep-alive", Set_Cookie="track=1")(handler)

    site.answers["/hook"] = keep
    hook = channel(site.url("/hook"))
    for _ in range(3):
        hook.send(message(), now=NOON)
    assert len(set(peers)) == 3
    assert {asked.headers["connection"] for asked in site.asked} == {"close"}
    assert not [asked for asked in site.asked if "cookie" in asked.headers]


def test_threads_share_a_channel(site: Site) -> None:
    """Every alert is posted once, with the signature of its own bytes."""
    hook = channel(site.url("/hook"), secret=SECRET)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: hook.send(message(key=f"key-{n}", text=f"text {n}"), now=NOON), range(80)))
    assert Counter(asked.headers["webhook-id"] for asked in site.asked) == Counter(f"key-{n}" for n in range(80))
    for asked in site.asked:
        key = asked.headers["webhook-id"]
        assert json.loads(asked.body)["data"]["evidence"][0]["text"] == f"text {key.removeprefix('key-')}"
        at = int(asked.headers["webhook-timestamp"])
        assert asked.headers["webhook-signature"] == signature(b"k" * 32, webhook_id=key, at=at, content=asked.body)


# What an answer means.


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_good_status_is_a_delivery(site: Site, status: int) -> None:
    """Whatever the body says."""
    site.answers["/hook"] = plain(b"" if status == 204 else b'{"ok": false}', status=status)
    assert channel(site.url("/hook")).send(message(), now=NOON) is None


@pytest.mark.parametrize(
    "answer",
    [
        resets(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"not a chunk\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x", pause=0.05, repeat=100),
        says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536, repeat=100),
        says(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=["reset", "closed", "broken", "dripped", "endless", "after-100"],
)
def test_a_good_status_is_a_delivery_whatever_becomes_of_the_body(answer: Callable[[socket.socket], None]) -> None:
    """The status has said all."""
    with listen(answer) as listener:
        hook = channel(f"http://127.0.0.1:{listener.port}/hook", deadline=SOON)
        assert hook.send(message(), now=NOON) is None


def test_a_dripped_body_does_not_undo_a_delivery(site: Site) -> None:
    """Nor does it hold the thread beyond the deadline."""
    site.answers["/hook"] = dripping(10_000, 0.02)
    assert channel(site.url("/hook"), deadline=SOON).send(message(), now=NOON) is None


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 501, 502, 503, 504, 599])
def test_a_receiver_that_cannot_take_it_now_is_asked_again(site: Site, status: int) -> None:
    """The alert stays due, and no other has to wait for it."""
    site.answers["/hook"] = plain(b"busy", status=status)
    with pytest.raises(Retryable, match=rf"^channel siem: the receiver answered {status}\b") as caught:
        channel(site.url("/hook")).send(message(), now=NOON)
    assert (caught.value.after, type(caught.value)) == (None, Retryable)


@pytest.mark.parametrize(
    ("status", "after", "kind"),
    [
        (429, 7, Busy),
        (503, 7, Busy),
        (429, 0, Retryable),
        (500, 7, Retryable),
        (502, 7, Retryable),
        (504, 7, Retryable),
    ],
)
def test_a_receiver_that_is_busy_as_a_whole_holds_all_alerts(
    site: Site, status: int, after: int, kind: type[Retryable]
) -> None:
    """Only where it says for how long, and a gateway cannot; no time at all would have it asked for ever."""
    site.answers["/hook"] = plain(status=status, Retry_After=str(after))
    with pytest.raises(kind) as caught:
        channel(site.url("/hook")).send(message(), now=NOON)
    assert (caught.value.after, type(caught.value)) == (timedelta(seconds=after), kind)


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta()),
        (" 90 ", timedelta(seconds=90)),
        ("Wed, 11 Feb 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 11 Feb 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Wed Feb 11 12:05:00 2026", timedelta(minutes=5)),
        ("Wed, 11 Feb 2026 11:05:00 GMT", timedelta()),
        ("Mon, 01 Jan 0001 00:00:00 +1200", timedelta()),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_says_when_it_may_be_asked_again(
    site: Site, status: int, value: str, after: timedelta | None
) -> None:
    """In seconds or as a date (RFC 9110 section 10.2.3)."""
    site.answers["/hook"] = plain(status=status, Retry_After=value)
    with pytest.raises(Retryable) as caught:
        channel(site.url("/hook")).send(message(), now=NOON)
    assert caught.value.after == after


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 451, 499, 600, 999])
def test_a_receiver_that_refuses_an_alert_is_not_asked_again(site: Site, status: int) -> None:
    """The message says who and what, so that the dead letter is understood."""
    site.answers["/hook"] = plain(b"no", status=status, Retry_After="5")
    with pytest.raises(Unusable, match=rf"^channel siem: the receiver answered {status}\b"):
        channel(site.url("/hook"), read_back=site.url("/alerts/{alert}")).send(message(), now=NOON)
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("status", "header"), [(410, ""), (410, "abort-message"), (400, "disable"), (503, " Disable"), (302, "disable")]
)
def test_a_receiver_that_wants_no_more_disables_its_channel(site: Site, status: int, header: str) -> None:
    """By 410 Gone, or by the header of Svix; the message says how it is enabled again."""
    site.answers["/hook"] = plain(status=status, Webhook_Delivery=header, Retry_After="5")
    with pytest.raises(Disabled, match=rf"^channel siem: the receiver answered {status}\b.*channel enable siem"):
        channel(site.url("/hook"), read_back=site.url("/alerts/{alert}")).send(message(), now=NOON)
    assert len(site.asked) == 1


@pytest.mark.parametrize("status", [302, 400, 429, 503])
def test_a_receiver_may_ask_not_to_be_sent_an_alert_again(site: Site, status: int) -> None:
    """By the header of Svix: only this alert is given up."""
    site.answers["/hook"] = plain(status=status, Webhook_Delivery="abort-message", Retry_After="5")
    with pytest.raises(Unusable, match=rf"answered {status}\b.*asked not to be sent this one again"):
        channel(site.url("/hook")).send(message(), now=NOON)


@pytest.mark.parametrize("header", ["abort-message", "disable", "nonsense"])
def test_an_alert_that_was_taken_is_delivered_whatever_else_is_asked(site: Site, header: str) -> None:
    """To say that it has not arrived would have it sent twice."""
    site.answers["/hook"] = plain(Webhook_Delivery=header)
    assert channel(site.url("/hook")).send(message(), now=NOON) is None


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_redirects_are_not_followed(site: Site, status: int) -> None:
    """Somebody else would get the alert; a GET would come of some, and a false success."""
    site.answers["/hook"] = plain(status=status, Location=site.url("/other"))
    site.answers["/other"] = plain(b"ok")
    with pytest.raises(Unusable, match=rf"answered {status}\b.*redirects are not followed"):
        channel(site.url("/hook")).send(message(), now=NOON)
    assert [asked.path for asked in site.asked] == ["/hook"]


# Surely not arrived.


def test_a_refused_connection_is_worth_another_try() -> None:
    """Nobody listens there now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hook = channel(f"http://127.0.0.1:{taken.getsockname()[1]}/hook")
        with pytest.raises(Retryable, match=r"^channel siem: no connection \(.*refused\)"):
            hook.send(message(), now=NOON)


def test_a_connection_that_is_not_taken_in_time_is_worth_another_try() -> None:
    """The queue of the listener is full, so that not even TCP answers."""
    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with pytest.raises(Retryable, match=r"^channel siem: no connection"):
            channel(f"http://127.0.0.1:{full.getsockname()[1]}/hook", deadline=SOON).send(message(), now=NOON)


def test_a_name_without_an_address_is_worth_another_try() -> None:
    """Name servers come back."""

    def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, f"no {host} {port}")

    network = Network(allow_ports=(443,))
    hook = channel("https://siem.example/hook", transport=CheckedTransport(network, resolve=nowhere, total=5))
    with pytest.raises(Retryable, match=r"^channel siem: siem\.example: the name cannot be resolved"):
        hook.send(message(), now=NOON)


@contextmanager
def one_peer(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port of a server that talks to one peer as bare bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            peer, _ = server.accept()
            peer.settimeout(10)
            with peer, suppress(OSError):
                talk(peer)

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=10)


def test_a_certificate_that_is_not_trusted_is_worth_another_try() -> None:
    """Nothing is said to such a server; somebody may renew the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    heard: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as stream:
            heard.append(stream.recv(65_536))

    failed = r"^channel siem: no connection \(.*CERTIFICATE_VERIFY_FAILED"
    with one_peer(talk) as port, pytest.raises(Retryable, match=failed):
        channel(f"https://127.0.0.1:{port}/hook").send(message(), now=NOON)
    assert not b"".join(heard)


def test_a_server_without_tls_is_worth_another_try() -> None:
    """It never sees the alert."""
    heard: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        heard.append(peer.recv(65_536))
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with one_peer(talk) as port, pytest.raises(Retryable, match=r"^channel siem: no connection"):
        channel(f"https://127.0.0.1:{port}/hook").send(message(), now=NOON)
    assert heard
    assert KEY.encode() not in heard[0]


def test_no_place_for_a_connection_is_worth_another_try() -> None:
    """The alert has not left this process."""
    hung, ended = threading.Event(), threading.Event()

    def hang(_: socket.socket) -> None:
        hung.set()
        ended.wait(30)

    with listen(hang) as listener, ThreadPoolExecutor(1) as pool:
        network = Network(allow_private=True, allow_ports=(listener.port,))
        url = f"http://127.0.0.1:{listener.port}/hook"
        transport = CheckedTransport(network, total=20, limits=httpx.Limits(max_connections=1))
        first = pool.submit(channel(url, transport=transport).send, message(), now=NOON)
        assert hung.wait(10)
        with pytest.raises(Retryable, match=r"^channel siem: no connection \(PoolTimeout\)"):
            channel(url, transport=transport, deadline=SOON).send(message(key="key-0002"), now=NOON)
        ended.set()
        assert isinstance(first.exception(timeout=30), Doubtful)
        assert len(listener.asked) == 1


def test_an_address_that_is_not_allowed_is_never_connected_to() -> None:
    """The message names the key that could allow it."""
    with listen() as listener:
        network = Network(allow_ports=(listener.port,))
        hook = channel(f"http://127.0.0.1:{listener.port}/hook", transport=CheckedTransport(network, total=5))
        with pytest.raises(Unusable, match=r"^channel siem: .*allow_private of this channel") as caught:
            hook.send(message(), now=NOON)
        assert caught.value.name == "forbidden"
    assert listener.connections == 0


# In doubt.


def hang_up(_: socket.socket) -> None:
    """Answer nothing."""


def wait(peer: socket.socket) -> None:
    """Answer nothing for as long as the other side waits."""
    peer.recv(1)


LOST = {
    "dropped": hang_up,
    "reset": resets(),
    "reset-in-status": resets(b"HTTP/1.1 2"),
    "closed-in-headers": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "garbage": says(b"\x00\x01 this is not HTTP\r\n\r\n"),
    "dripped-headers": says(b"HTTP/1.1 200 OK\r\nX: ", b"a", pause=0.02, repeat=1000),
    "endless-headers": says(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 60_000 + b"\r\n", repeat=100),
    "late": wait,
}


@pytest.mark.parametrize("lost", LOST)
def test_an_alert_whose_answer_is_lost_is_in_doubt(lost: str) -> None:
    """The request had been written, so it may have arrived: it is neither sent again nor called delivered."""
    with listen(LOST[lost]) as listener:
        hook = channel(f"http://127.0.0.1:{listener.port}/hook", deadline=SOON)
        with pytest.raises(Doubtful, match=r"^channel siem: .* may have arrived$"):
            hook.send(message(), now=NOON)
        assert hook.find(message(), since=NOON).arrived is None
        assert [request.partition(b" ")[0] for request in listener.asked] == [b"POST"]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bodies that are larger than all buffers between two sockets, which those of alerts are not."""
    monkeypatch.setattr(webhook, "body", lambda *_, **__: b"x" * 20_000_000)


@pytest.mark.usefixtures("large")
def test_an_alert_that_is_half_written_is_in_doubt() -> None:
    """A receiver that stops reading may have read enough."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        hook = channel(f"http://127.0.0.1:{deaf.getsockname()[1]}/hook", deadline=SOON)
        with pytest.raises(Doubtful, match="may have arrived"):
            hook.send(message(), now=NOON)


@pytest.mark.usefixtures("large")
def test_an_answer_before_the_whole_request_was_read_counts() -> None:
    """Receivers refuse large bodies early, and hang up."""

    def refuse(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1_000_000):
            pass

    with one_peer(refuse) as port, pytest.raises(Unusable, match="answered 413"):
        channel(f"http://127.0.0.1:{port}/hook").send(message(), now=NOON)


@pytest.mark.parametrize(
    ("back", "ends"),
    [
        (plain(b"yes"), None),
        (plain(status=404), Retryable),
        (plain(status=204), Doubtful),
        (plain(status=302, Location="/hook"), Doubtful),
        (plain(status=401), Doubtful),
        (plain(status=500), Doubtful),
        (plain(status=600), Doubtful),
        (dropped, Doubtful),
    ],
    ids=["has-it", "has-it-not", "204", "302", "401", "500", "600", "dropped"],
)
def test_a_doubt_is_settled_by_asking(site: Site, back: Answer, ends: type[WirewatchError] | None) -> None:
    """200 means that it is there, 404 that it is not, and anything else says nothing."""
    site.answers |= {"/hook": dropped, BACK: back}
    hook = channel(site.url("/hook"), secret=SECRET, read_back=site.url("/alerts/{alert}"))
    if ends is None:
        assert hook.send(message(), now=NOON) is None
    else:
        with pytest.raises(ends):
            hook.send(message(), now=NOON)
    assert [(asked.method, asked.path) for asked in site.asked] == [("POST", "/hook"), ("GET", BACK)]
    assert hook.find(message(), since=NOON).arrived is (True if ends is None else False if ends is Retryable else None)


def test_a_receiver_that_cannot_be_reached_gives_no_answer(site: Site) -> None:
    """Nobody is taken at a word that was not said."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/{{alert}}"
        assert channel(site.url("/hook"), read_back=nobody).find(message(), since=NOON).arrived is None
    network = Network(allow_ports=(site.port,))
    forbidden = channel(site.url("/hook"), read_back=site.url("/{alert}"), transport=CheckedTransport(network))
    assert forbidden.find(message(), since=NOON).arrived is None
    assert not site.asked


def test_the_key_stands_in_the_address_as_one_part_of_it(site: Site) -> None:
    """Whatever it holds, it cannot become another path; it may stand there twice, or in the query."""
    hook = channel(site.url("/hook"), read_back=site.url("/a/{alert}?key={alert}&x=1"))
    assert hook.find(message(key="../b?c=d/é#f"), since=NOON).arrived is False
    (asked,) = site.asked
    assert asked.path == "/a/..%2Fb%3Fc%3Dd%2F%C3%A9%23f?key=..%2Fb%3Fc%3Dd%2F%C3%A9%23f&x=1"
    assert unquote(urlsplit(asked.path).path) == "/a/../b?c=d/é#f"


@pytest.mark.parametrize(("back", "again"), [(200, 0), (404, 1), (500, 1)])
def test_before_an_alert_is_sent_again_its_receiver_is_asked(site: Site, back: int, again: int) -> None:
    """A receiver may have kept it after all: late, or behind a proxy that answered 504 for it."""
    site.answers[BACK] = plain(status=back)
    hook = channel(site.url("/hook"), read_back=site.url("/alerts/{alert}"))
    assert hook.send(message(attempt=2), now=NOON) is None
    assert (site.asked[0].method, len(posts(site))) == ("GET", again)


def test_a_first_attempt_asks_nothing_beforehand(site: Site) -> None:
    """It costs one request."""
    channel(site.url("/hook"), read_back=site.url("/alerts/{alert}")).send(message(), now=NOON)
    assert [asked.method for asked in site.asked] == ["POST"]


# What must not come out.


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Collect what any library logs, at any level."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, collector = logging.getLogger(), Collector(level=logging.DEBUG)
    before = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(collector)


ECHOING = [
    plain(status=410),
    plain(status=302, Location="/x"),
    plain(status=500),
    dropped,
    lambda handler: (handler.wfile.write(f"{handler.path} {handler.headers['authorization']}\r\n\r\n".encode()), None)[
        1
    ],
]


@settings(max_examples=25, deadline=None)  # other processes share the machine
@given(
    hidden=st.text(st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=20),
    which=st.integers(0, len(ECHOING)),
    secret=st.sampled_from(["whsec_", ""]),
)
def test_no_part_of_an_address_and_no_secret_is_in_any_text(hidden: str, which: int, secret: str) -> None:
    """Not in an error, its traceback, a log line of any library, or what the channel shows of itself."""
    hidden = f"Zq7{hidden}"
    with serve() as site, socket.socket() as nobody, everything_logged() as lines:
        nobody.bind(("127.0.0.1", 0))
        if which < len(ECHOING):
            site.answers[f"/{hidden}?k={hidden}"] = ECHOING[which]
        port = site.port if which < len(ECHOING) else nobody.getsockname()[1]
        url = f"http://{hidden}:{hidden}@127.0.0.1:{port}/{hidden}?k={hidden}"
        hook = channel(url, secret=secret + hidden, read_back=f"{url}&a={{alert}}", deadline=5)
        with pytest.raises(WirewatchError) as caught:
            hook.send(message(), now=NOON)
        if which < len(ECHOING):
            assert hidden in posts(site)[0].path
    texts = [*lines, *traceback.format_exception(caught.value), repr(hook), repr(caught.value), str(vars(caught.value))]
    # httpcore writes down, at its lowest level, what the receiver says; the command line keeps it quiet.
    assert not [text for text in texts if hidden in text and not text.startswith("receive_response_headers.")]


@pytest.mark.parametrize(
    ("url", "read_back", "name"), [("https://Zq7\0/x", "", "url"), ("", "http://Zq7\0", "read_back")]
)
def test_an_address_that_no_client_can_ask_is_said_at_the_start(url: str, read_back: str, name: str) -> None:
    """The message names the channel and the key, and not the address."""
    with pytest.raises(ConfigError, match=rf"^alerts\.yaml: channel siem: {name} is an address") as caught:
        WebhookChannel("siem", url or "https://h", transport=httpx.HTTPTransport(), read_back=read_back)
    assert "Zq7" not in str(caught.value)


# As it is configured.


def configured(directory: Path, options: str) -> Channel:
    """Return the channel that alerts.yaml and service.yaml make."""
    (directory / "alerts.yaml").write_text(f"channels: {{siem: {{type: webhook, {options}}}}}\n")
    (directory / "service.yaml").write_text("user_agent: mine/2\nnetwork: {allow_ports: [80]}\n")
    with (directory / "screen").open("w") as screen:
        return build.live_channels(load(directory, {"SECRET": SECRET}), screen=screen)["siem"]


def test_a_configured_channel_sends_to_the_ports_that_it_names(tmp_path: Path, site: Site) -> None:
    """network.allow_ports is for feeds: the operator has named this address."""
    with serve() as back:
        back.answers[BACK] = plain()
        site.answers["/hook"] = dropped
        options = f"url: '{site.url('/hook')}', read_back: '{back.url('/alerts/{alert}')}', allow_private: true"
        hook = configured(tmp_path, options + ", secret: '${SECRET}'")
        assert hook.send(message(), now=NOON) is None
        assert [asked.path for asked in back.asked] == [BACK]
    (asked,) = site.asked
    assert asked.headers["user-agent"] == "mine/2"
    at = int(asked.headers["webhook-timestamp"])
    assert asked.headers["webhook-signature"] == signature(b"k" * 32, webhook_id=KEY, at=at, content=asked.body)


def test_a_configured_channel_may_be_of_cloudevents(tmp_path: Path, site: Site) -> None:
    """By one key."""
    options = f"url: '{site.url('/hook')}', allow_private: [127.0.0.0/8], format: cloudevents"
    configured(tmp_path, options).send(message(), now=NOON)
    assert json.loads(site.asked[0].body)["specversion"] == "1.0"


def test_a_configured_channel_may_have_an_old_secret_beside_the_new(tmp_path: Path, site: Site) -> None:
    """As a list, the newest first."""
    options = f"url: '{site.url('/hook')}', allow_private: true, secret: ['{OLDER}', '${{SECRET}}']"
    configured(tmp_path, options).send(message(), now=NOON)
    (asked,) = site.asked
    with time_machine.travel(NOON, tick=False):
        for secret in (SECRET, OLDER):
            assert Webhook(secret).verify(asked.body, headers_of(asked))


def test_a_configured_channel_stays_away_from_private_addresses_unless_told(tmp_path: Path, site: Site) -> None:
    """allow_private of the network does not count here."""
    hook = configured(tmp_path, f"url: '{site.url('/hook')}'")
    with pytest.raises(Unusable, match="allow_private of this channel"):
        hook.send(message(), now=NOON)
    assert not site.asked

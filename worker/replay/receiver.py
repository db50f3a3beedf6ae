"""A receiver of webhooks that keeps its side of the contract: to try a set-up against, and to take as a model.

What a receiver owes its sender, so that no alert is lost and none counts twice:

1. It takes only what is genuine: the signature is over the very bytes of the body, made with a secret that it knows,
   and not more than five minutes old (Standard Webhooks 1.0.0, "Verifying signatures").
2. It writes an alert down, and makes sure that it is written, *before* it answers 2xx. From then on it is its own.
3. It knows an alert by ``webhook-id`` and answers 2xx for one that it has, without doing anything twice.
4. It answers quickly, within some seconds, and does its work afterwards.
5. It can be asked: ``GET /alerts/{key}`` answers 200 for what it has, 404 for what it has not, and neither when it is
   not sure. So a sender whose connection broke need neither repeat an alert nor hold it back.
6. It answers 4xx for what it will never take, 503 with Retry-After when it cannot take anything now, and 410 when it
   wants no more.

Here alerts are posted to ``/alerts``, and kept in a file of JSON lines, which is the record: what is handed on
(``told``) is handed on once, but not again after a death between keeping and handing on.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, unquote, urlsplit

from worker.channels.signing import NotGenuine, expect_genuine, signing_keys
from worker.errors import ConfigError, Problem, WirewatchError
from worker.replay.inbox import Inbox, Received

ALERTS: Final = "/alerts"
#: Answers of a plan beside statuses: as it should, and none at all after keeping the alert.
OK, DROP = "ok", "drop"
#: Bytes of a body; those of wirewatch have 20,000 at most.
_BODY_MAX: Final = 1 << 20
#: Seconds that a connection may be silent.
_SILENCE: Final = 30
_RETRY_AFTER: Final = "1"
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class _Refused(WirewatchError):  # noqa: N818 - named for what it says
    """A request that is not taken: with which status, and why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Receiver:
    """Takes alerts on ``host`` and ``port`` (0: any that is free). Use it as a context, or call ``serve``.

    ``clock`` gives the time. Each of ``secrets`` is one that a signature may be of; without any nothing is verified,
    and then only this machine may reach it. ``state`` is the file in which alerts are kept; without one they are
    forgotten with the receiver. ``told`` gets every new alert once it was answered, one at a time; ``refused`` is told
    of requests that were not taken. ``plan`` are answers to the first genuine requests, whatever becomes of them:
    ``ok``, ``drop`` or a status; with a status that is not 2xx the alert is not kept.

    Raises:
        ConfigError: the address is not of this machine and there is no secret, or it or the file cannot be had.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        host: str = "127.0.0.1",
        port: int = 0,
        secrets: Iterable[str] = (),
        state: Path | None = None,
        told: Callable[[Received], object] = lambda _: None,
        refused: Callable[[str], object] = lambda _: None,
        plan: Iterable[str] = (),
    ) -> None:
        self._keys = signing_keys(secrets)
        if not self._keys and not _is_of_this_machine(host):
            raise _wrong("--listen", f"{host} can be reached by others; name a secret first, with --secret-env")
        self._clock, self._told, self._refused = clock, told, refused
        self._plan = deque(plan)
        self._taking, self._telling = threading.Lock(), threading.Lock()
        self._received: dict[str, Received] = {}
        #: Genuine requests for an alert that was there already, and those of them with another body.
        self.repeats = 0
        self.changed = 0
        self._failure: BaseException | None = None
        self._kept = Inbox(state)
        try:
            self._server = _listen(host, port, self)
        except ConfigError:
            self._kept.close()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where alerts are posted to."""
        host, port = self._server.server_address[:2]
        named = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{named}:{port}{ALERTS}"

    @property
    def read_back(self) -> str:
        """Where it may be asked for an alert, as ``read_back`` in alerts.yaml has it."""
        return f"{self.url}/{{alert}}"

    @property
    def received(self) -> tuple[Received, ...]:
        """The alerts that it has taken since it was made, in that order."""
        return tuple(self._received.values())

    @property
    def kept(self) -> int:
        """How many alerts it has, those of earlier times among them."""
        return len(self._kept.digests)

    def serve(self) -> None:
        """Take alerts in this thread until ``stop``, or an exception comes here.

        Raises:
            BaseException: what ``told`` has raised.
        """
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End ``serve`` in another thread."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()
        self._close()

    def _close(self) -> None:
        self._server.server_close()
        with self._taking:
            self._kept.close()

    def asked_for(self, key: str) -> HTTPStatus:
        """Return the answer to the question whether it has an alert."""
        return HTTPStatus.OK if key in self._kept.digests else HTTPStatus.NOT_FOUND

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[HTTPStatus | None, Received | None]:
        """Keep the alert of a request, and return the answer (``None``: hang up) and the alert if it is a new one.

        Raises:
            _Refused: it is not taken.
        """
        now = self._clock()
        key = headers.get("webhook-id", "")
        if not key:
            raise _Refused(HTTPStatus.BAD_REQUEST, "webhook-id is missing")
        if self._keys:
            self._verify(key, headers, body, now)
        alert = Received(key=key, at=now, event=_event(body), digest=sha256(body).hexdigest())
        with self._taking:
            answer = _planned(self._plan.popleft() if self._plan else OK)
            if answer is not None and answer >= HTTPStatus.MULTIPLE_CHOICES:
                return answer, None
            return answer, self._keep(alert)

    def tell(self, alert: Received) -> None:
        """Hand on an alert; when nobody takes it any more, stop."""
        try:
            with self._telling:
                self._told(alert)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that serves
            self._failure = error
            self.stop()

    def turned_down(self, refusal: _Refused) -> None:
        """Say that a request was not taken."""
        with self._telling:
            self._refused(f"{refusal.status.value}: {refusal}")

    def _verify(self, key: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        at, signed = headers.get("webhook-timestamp", ""), headers.get("webhook-signature", "")
        try:
            expect_genuine(self._keys, webhook_id=key, at=at, signed=signed, content=body, now=now)
        except NotGenuine as error:
            raise _Refused(HTTPStatus.UNAUTHORIZED, str(error)) from None

    def _keep(self, alert: Received) -> Received | None:
        if (before := self._kept.digests.get(alert.key)) is not None:
            self.repeats += 1
            self.changed += before != alert.digest
            return None
        try:
            self._kept.add(alert)
        except OSError as error:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"cannot be kept: {error.strerror or error}") from error
        self._received[alert.key] = alert
        return alert


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of senders that hang up: nothing was kept of what they had not sent whole."""


def _listen(host: str, port: int, receiver: Receiver) -> _Server:
    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = Server((host, port), _Handler)
    except OSError as error:
        raise _wrong("--listen", f"{host}:{port} cannot be had: {error.strerror or error}") from error
    server.receiver = receiver
    return server


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    # What the base class refuses by itself: other methods, requests that are no HTTP.
    error_content_type = "application/json"
    error_message_format = '{"status": %(code)d, "said": "%(explain)s"}'

    def do_POST(self) -> None:
        try:
            answer, alert = self.server.receiver.take({k.lower(): v for k, v in self.headers.items()}, self._body())
        except _Refused as refusal:
            self._answer(refusal.status, str(refusal))
            self.server.receiver.turned_down(refusal)
            return
        if answer is None:
            self.close_connection = True
        else:
            self._answer(answer)
        if alert is not None:
            self.server.receiver.tell(alert)

    def do_GET(self) -> None:
        head, found, key = urlsplit(self.path).path.partition(f"{ALERTS}/")
        known = HTTPStatus.NOT_FOUND if head or not found else self.server.receiver.asked_for(unquote(key))
        self._answer(known)

    def _body(self) -> bytes:
        if urlsplit(self.path).path != ALERTS:
            raise _Refused(HTTPStatus.NOT_FOUND, f"alerts are posted to {ALERTS}, and not to {quote(self.path)[:80]}")
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "content-length is missing")
        if int(length) > _BODY_MAX:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of {length} bytes is no alert's")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST, "the body is not whole")
        return body

    def _answer(self, status: HTTPStatus, said: str = "") -> None:
        content = json.dumps({"status": status.value, "said": said or status.phrase}).encode("ascii")
        has_body = status != HTTPStatus.NO_CONTENT
        self.close_connection = True
        self.send_response(status)
        if status in _BUSY:
            self.send_header("Retry-After", _RETRY_AFTER)
        if has_body:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if has_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Leave the log to the receiver."""


def expect_plan(text: str) -> tuple[str, ...]:
    """Return the answers of a plan such as ``503,drop,ok``.

    Raises:
        ValueError: one of them is none; the text says which.
    """
    answers = tuple(part.strip() for part in text.split(",") if part.strip())
    for answer in answers:
        try:
            _planned(answer)
        except ValueError:
            message = f"{answer!r} is no answer; write {OK}, {DROP} or a status from 200 to 599, parted by commas"
            raise ValueError(message) from None
    return answers


def _planned(answer: str) -> HTTPStatus | None:
    if answer in {OK, DROP}:
        return HTTPStatus.OK if answer == OK else None
    status = HTTPStatus(int(answer))
    if status < HTTPStatus.OK:
        raise ValueError(answer)
    return status


def _event(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str) or not isinstance(event.get("data"), dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON object with a type and data")
    return event


def _is_of_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(where: str, message: str) -> ConfigError:
    return ConfigError(Problem(file=where, message=message))

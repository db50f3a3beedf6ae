"""A webhook as a channel: each alert is one signed POST, in the form of Standard Webhooks 1.0.0 or of CloudEvents 1.0.

What the end of a request says about the alert:

===========================================  ==========================================================================
2xx                                          it has arrived
408, 425, 429, 5xx                           ``Retryable``, not before Retry-After
3xx, 410, any other status                   ``Unusable``
no name, no connection, no TLS, no place     ``Retryable``: nothing was written
an address that is not allowed               ``Unusable``
no answer in time, a connection that broke   the receiver is asked if ``read_back`` says where: it has the alert, or it
                                             has it not (``Retryable``); else ``Doubtful``
===========================================  ==========================================================================

A receiver may take longer to keep an alert than we wait for its answer, and may then say that it has it not. So it is
asked once more before an alert is sent again. A message here names the channel, and of an address no more than its
host: paths, queries, passwords and secrets stand in none.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (1.0.0).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

import httpx

from worker.channels.base import Doubtful, Found, timestamp, to_json
from worker.errors import ConfigError, Problem, Retryable, Unusable, WirewatchError
from worker.model import Outgoing

#: Seconds: for a whole request (Standard Webhooks asks for 15 to 30), and for its connection.
DEADLINE: Final = 15.0
CONNECT: Final = 5.0
#: In ``read_back``, where the key of the alert goes.
ALERT: Final = "{alert}"
_PREFIX: Final = "whsec_"
#: Not taken now, and to be sent again: RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4.
_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
#: Bytes of an answer that are read, for the sake of receivers that dislike to be hung up on; they say nothing to us.
_DRAINED: Final = 65_536
_SECONDS = re.compile(r"[0-9]{1,9}")


class WebhookChannel:
    """Posts alerts to ``url``. Threads may share it: it keeps nothing from one alert to the next.

    ``transport`` makes the connections, and bounds a whole request by ``deadline``, in seconds. Every request has a
    connection of its own: one that had been kept could be closed by the receiver at the very moment of our writing, and
    leave us in doubt. ``secret`` is ``whsec_`` and base64, or any other text, whose bytes are then the key; without one
    nothing is signed. ``read_back`` is a URL with ``{alert}`` in it that answers 200 for an alert that has arrived and
    404 for one that has not. ``deadline`` is there for tests.

    Raises:
        ConfigError: an address can be none.
    """

    def __init__(
        self,
        channel_id: str,
        url: str,
        *,
        transport: httpx.BaseTransport,
        secret: str = "",
        read_back: str = "",
        cloudevents: bool = False,
        user_agent: str = "wirewatch",
        deadline: float = DEADLINE,
    ) -> None:
        self.id = channel_id
        self._url = self._address("url", url)
        self._transport = transport
        self._key = signing_key(secret)
        self._read_back = read_back
        self._cloudevents = cloudevents
        self._headers = {"user-agent": user_agent, "accept": "*/*", "connection": "close"}
        self._timeout = httpx.Timeout(deadline, connect=min(deadline, CONNECT)).as_dict()
        if read_back:
            self._address("read_back", read_back.replace(ALERT, "x"))

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Post the alert; ``None``, for receivers give it no id of their own.

        Raises:
            Retryable: it has surely not arrived and may be sent again later.
            Unusable: it can never be delivered.
            Doubtful: nobody knows whether it has arrived.
        """
        key = message.alert.key
        if message.alert.attempt > 1 and self._has(key):
            return None
        try:
            answer = self._answer(self._post(message, now))
        except Doubtful as doubt:
            self._settle(key, doubt)
        else:
            self._expect_taken(answer, now)
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return whether the receiver has the alert; it is asked when ``read_back`` says where."""
        return Found(arrived=self._has(message.alert.key))

    def _has(self, alert_key: str) -> bool | None:
        if not self._read_back:
            return None
        try:
            url = self._address("read_back", self._read_back.replace(ALERT, quote(alert_key, safe="")))
            answer = self._answer(self._request("GET", url, {}))
        except WirewatchError:
            return None
        return {int(HTTPStatus.OK): True, int(HTTPStatus.NOT_FOUND): False}.get(answer.status_code)

    def _settle(self, key: str, doubt: Doubtful) -> None:
        """Do nothing when the receiver says that it has the alert after all.

        Raises:
            Retryable: it says that it has not.
            Doubtful: it cannot be asked.
        """
        has = self._has(key)
        if has is None:
            raise doubt
        if not has:
            raise Retryable(f"{doubt}, but the receiver says that it has not")

    def _post(self, message: Outgoing, now: datetime) -> httpx.Request:
        key, at = message.alert.key, int(now.timestamp())
        content = body(message, cloudevents=self._cloudevents)
        headers = {
            "content-type": "application/cloudevents+json" if self._cloudevents else "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(at),
            "idempotency-key": key,
            "x-wirewatch-attempt": str(message.alert.attempt),
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, webhook_id=key, at=at, content=content)
        return self._request("POST", self._url, headers, content)

    def _request(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Request:
        return httpx.Request(
            method,
            url,
            headers={**self._headers, **_authorization(url), **headers},
            content=content,
            extensions={"timeout": self._timeout},
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request: its status and headers, for its body is let go.

        Raises:
            Retryable: nothing was written.
            Unusable: nothing ever can be.
            Doubtful: something may have been written, and no answer came.
        """
        try:
            # Not a client's: it would write the whole address into the log, and keep cookies.
            answer = self._transport.handle_request(request)
        except (Retryable, Unusable) as error:
            raise self._refused(error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retryable(self._says(f"no connection ({str(error) or type(error).__name__})")) from error
        except httpx.TimeoutException:
            raise Doubtful(self._says("no answer in time; the alert may have arrived")) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, something may have been written
            lost = f"the connection was lost before an answer came ({type(error).__name__}); the alert may have arrived"
            # What it says may quote the receiver, which has been told our address.
            raise Doubtful(self._says(lost)) from None
        _let_go(answer)
        return answer

    def _refused(self, error: Retryable | Unusable) -> Retryable | Unusable:
        """Return what the transport says of an address in words of this channel."""
        if error.name == "forbidden":
            said = "its host has an address that is not public; allow_private of this channel could allow it"
            return Unusable(self._says(said), name=error.name)
        return type(error)(self._says(str(error)), name=error.name)

    def _expect_taken(self, answer: httpx.Response, now: datetime) -> None:
        """Do nothing when the receiver has taken the alert.

        Raises:
            Retryable: it may take it later.
            Unusable: it never will.
        """
        status = answer.status_code
        if answer.is_success:
            return
        said = self._says(f"the receiver answered {status}{_phrase(status)}")
        if answer.is_server_error or status in _LATER:
            raise Retryable(said, after=_retry_after(answer.headers.get("retry-after", ""), now=now))
        if answer.is_redirect or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            said += "; redirects are not followed: write the final address in its url"
        raise Unusable(said)

    def _address(self, name: str, url: str) -> httpx.URL:
        try:
            return httpx.URL(url)
        except httpx.InvalidURL:
            # Its own words repeat parts of the address, which may hold a password.
            message = self._says(f"{name} is an address that cannot be asked")
            raise ConfigError(Problem(file="alerts.yaml", message=message)) from None

    def _says(self, text: str) -> str:
        return f"channel {self.id}: {text}"


def body(message: Outgoing, *, cloudevents: bool = False) -> bytes:
    """Return the body that tells of an alert: JSON, in UTF-8.

    ``timestamp`` (``time`` in CloudEvents) is when the alert was decided; ``at`` within ``data`` is when it was first
    sent.
    """
    alert, data = message.alert, to_json(message)
    event: dict[str, object]
    if cloudevents:
        event = {
            "specversion": "1.0",
            "id": alert.key,
            "source": f"/wirewatch/topics/{quote(alert.topic_id, safe='')}",
            "type": "wirewatch.alert.created",
            "subject": alert.story_id,
            "time": timestamp(alert.created_at),
            "datacontenttype": "application/json",
            "data": data,
        }
    else:
        event = {"type": "alert.created", "timestamp": timestamp(alert.created_at), "data": data}
    # Half a surrogate pair, which no UTF-8 can hold, becomes its JSON escape.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def signature(key: bytes, *, webhook_id: str, at: int, content: bytes) -> str:
    """Return the header ``webhook-signature``; ``at`` is in seconds since 1970.

    Source: Standard Webhooks 1.0.0, "Signature scheme": HMAC-SHA256 over id, timestamp and payload, joined by dots.
    """
    signed = hmac.digest(key, f"{webhook_id}.{at}.".encode() + content, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode('ascii')}"


def signing_key(secret: str) -> bytes:
    """Return the bytes that ``secret`` stands for: what is base64 after ``whsec_``, else those of the whole text."""
    if secret.startswith(_PREFIX):
        with suppress(binascii.Error, ValueError):  # the latter when it is not ASCII
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode("utf-8", "surrogateescape")


def _authorization(url: httpx.URL) -> dict[str, str]:
    """Return the header that carries the user and the password of an address, if it has them (RFC 7617)."""
    if not url.userinfo:
        return {}
    pair = unquote(url.userinfo.decode("ascii")).encode("utf-8")
    if b":" not in pair:
        pair += b":"
    return {"authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}


def _let_go(answer: httpx.Response) -> None:
    """Read some of a body and close its connection: by now the status has said all, and nothing can change it."""
    with suppress(Exception):
        left = _DRAINED
        for chunk in answer.iter_raw():
            left -= len(chunk)
            if left <= 0:
                break
    with suppress(Exception):
        answer.close()


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Return how long the receiver asks to be left alone, in seconds or until a date (RFC 9110 section 10.2.3)."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=int(value))
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # "-0000" and the old asctime form name no zone: dates of HTTP are in UTC.
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))

"""A webhook as a channel: each alert is one signed POST, in the form of Standard Webhooks 1.0.0 or of CloudEvents 1.0.

What the end of a request says about the alert:

===========================================  ==========================================================================
2xx                                          it has arrived
410, webhook-delivery: disable               ``Disabled``: nothing more is sent until somebody mends the channel
webhook-delivery: abort-message              ``Unusable``
429 or 503 with Retry-After                  ``Busy``: every alert of the channel waits as long
408, 409, 425, 429, 5xx                      ``Retryable``, not before Retry-After
3xx, any other status                        ``Unusable``
no name, no connection, no TLS, no place     ``Retryable``: nothing was written
an address that is not allowed               ``Unusable``
no answer in time, a connection that broke   the receiver is asked if ``read_back`` says where: it has the alert, or it
                                             has it not (``Retryable``); else ``Doubtful``
===========================================  ==========================================================================

429 and 503 speak for the receiver as a whole (RFC 6585 section 4, RFC 9110 section 15.6.4), so that a wait they name is
one for all alerts. 502 and 504 are a gateway's word about one request; Standard Webhooks would have the sender slow
down, which the growing pauses between attempts do, for a gateway does not know for how long. 409 is what a receiver
answers that is still at work on the same key (draft-ietf-httpapi-idempotency-key-header-07, "Error Handling").

A receiver may take longer to keep an alert than we wait for its answer, and may then say that it has it not. So it is
asked once more before an alert is sent again. A message here names the channel, and of an address no more than its
host: paths, queries, passwords and secrets stand in none.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (1.0.0), "Delivery
success and failure"; https://docs.svix.com/receiving/delivery-control for the answer's header ``webhook-delivery``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

import httpx

from worker.channels.base import NO_GAP, Busy, Disabled, Doubtful, Found
from worker.channels.http import DEADLINE, Answer, Line, address, retry_after
from worker.channels.payload import body
from worker.channels.signing import signatures, signing_keys
from worker.errors import Retryable, Unusable, WirewatchError
from worker.model import Outgoing

#: In ``read_back``, where the key of the alert goes.
ALERT: Final = "{alert}"
#: Not taken now, and to be sent again: RFC 9110 sections 15.5.9 and 15.5.10, RFC 8470 section 5.2, RFC 6585 section 4.
_LATER: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_SERVER_ERRORS: Final = range(500, 600)
#: Of these, a Retry-After is meant for all alerts.
_FOR_ALL: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
#: Values of the answer's header ``webhook-delivery``, by which a receiver steers its sender.
_ABORT, _DISABLE = "abort-message", "disable"
#: Bytes of an answer that are read, for the sake of receivers that dislike to be hung up on; they say nothing to us.
_DRAINED: Final = 65_536


class WebhookChannel:
    """Posts alerts to ``url``. Threads may share it: it keeps nothing from one alert to the next.

    ``transport`` makes the connections, and bounds a whole request by ``deadline``, in seconds (Standard Webhooks asks
    for 15 to 30); ``deadline`` is there for tests. ``secret`` is ``whsec_`` and base64, or any other text, whose bytes
    are then the key; of several, newest first, each signs, so that a receiver may go on knowing the old one; without
    one nothing is signed. ``read_back`` is a URL with ``{alert}`` in it that answers 200 for an alert that has arrived
    and 404 for one that has not.

    Raises:
        ConfigError: an address can be none.
    """

    gap = NO_GAP

    def __init__(
        self,
        channel_id: str,
        url: str,
        *,
        transport: httpx.BaseTransport,
        secret: str | Iterable[str] = "",
        read_back: str = "",
        cloudevents: bool = False,
        user_agent: str = "wirewatch",
        deadline: float = DEADLINE,
    ) -> None:
        self.id = channel_id
        self._url = address("url", url, says=self._says)
        self._line = Line(transport, says=self._says, user_agent=user_agent, deadline=deadline)
        self._keys = signing_keys(secret)
        self._read_back = read_back
        self._cloudevents = cloudevents
        if read_back:
            self._asking("x")

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Post the alert; ``None``, for receivers give it no id of their own.

        Raises:
            Retryable: it has surely not arrived and may be sent again later.
            Busy: the same, and no other alert before then.
            Unusable: it can never be delivered.
            Disabled: nothing can.
            Doubtful: nobody knows whether it has arrived.
        """
        key = message.alert.key
        if message.alert.attempt > 1 and self._has(key):
            return None
        try:
            answer = self._post(message, now)
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
            url = self._asking(quote(alert_key, safe=""))
            answer = self._line.ask("GET", url, headers=_authorization(url), limit=_DRAINED)
        except WirewatchError:
            return None
        return {int(HTTPStatus.OK): True, int(HTTPStatus.NOT_FOUND): False}.get(answer.status)

    def _asking(self, key: str) -> httpx.URL:
        """Return where to ask for an alert; raises ``ConfigError`` when that can be no address."""
        return address("read_back", self._read_back.replace(ALERT, key), says=self._says)

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

    def _post(self, message: Outgoing, now: datetime) -> Answer:
        key, at = message.alert.key, int(now.timestamp())
        content = body(message, cloudevents=self._cloudevents)
        headers = {
            **_authorization(self._url),
            "content-type": "application/cloudevents+json" if self._cloudevents else "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(at),
            "idempotency-key": key,
            "x-wirewatch-attempt": str(message.alert.attempt),
        }
        if message.alert.repeat:
            # Not in the body, which is to be the same under one key.
            headers["x-wirewatch-repeat"] = "possible"
        if self._keys:
            headers["webhook-signature"] = signatures(self._keys, webhook_id=key, at=at, content=content)
        return self._line.ask("POST", self._url, headers=headers, content=content, limit=_DRAINED)

    def _expect_taken(self, answer: Answer, now: datetime) -> None:
        """Do nothing when the receiver has taken the alert.

        Raises:
            Retryable: it may take it later.
            Busy: it may, and takes nothing else until then.
            Unusable: it never will.
            Disabled: it takes nothing any more.
        """
        status, steered = answer.status, answer.headers.get("webhook-delivery", "").strip().lower()
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = self._says(f"the receiver answered {status}{_phrase(status)}")
        if steered == _DISABLE or status == HTTPStatus.GONE:
            raise Disabled(f"{said}: it wants no more messages; `wirewatch channel enable {self.id}` once it does")
        if steered == _ABORT:
            raise Unusable(f"{said}, and asked not to be sent this one again")
        if status in _SERVER_ERRORS or status in _LATER:
            raise _later(said, status, retry_after(answer.headers.get("retry-after", ""), now=now))
        if status < HTTPStatus.BAD_REQUEST:
            said += "; redirects are not followed: write the final address in its url"
        raise Unusable(said)

    def _says(self, text: str) -> str:
        return f"channel {self.id}: {text}"


def _later(said: str, status: int, after: timedelta | None) -> Retryable:
    # No time at all is no wait, and a channel that did not wait would ask for ever.
    return Busy(said, after=after) if after and status in _FOR_ALL else Retryable(said, after=after)


def _authorization(url: httpx.URL) -> dict[str, str]:
    """Return the header that carries the user and the password of an address, if it has them (RFC 7617)."""
    if not url.userinfo:
        return {}
    pair = unquote(url.userinfo.decode("ascii")).encode("utf-8")
    if b":" not in pair:
        pair += b":"
    return {"authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""

"""Requests to receivers: each on a connection of its own, in bounded time, and with an end that says what is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from worker.channels.base import Doubtful
from worker.errors import ConfigError, Problem, Retryable, Unusable

#: Seconds: for a whole request, and for its connection.
DEADLINE: Final = 15.0
CONNECT: Final = 5.0
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver has answered."""

    status: int
    headers: Mapping[str, str]
    #: ``None`` when it was longer than was asked for, or when the connection broke within it.
    body: bytes | None


class Line:
    """Makes the requests of one channel. Threads may share it: it keeps nothing from one request to the next.

    ``transport`` makes the connections and bounds a whole request; ``deadline``, in seconds, bounds every wait of it.
    Every request has a connection of its own: one that had been kept could be closed by the receiver at the very moment
    of our writing, and leave us in doubt. No redirect is followed. ``says`` gives an error's text the name of the
    channel; no error names more of an address than its host.
    ``doubt`` follows where a request may have arrived and nobody has answered.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        *,
        says: Callable[[str], str],
        user_agent: str = "wirewatch",
        deadline: float = DEADLINE,
        doubt: str = "; the alert may have arrived",
    ) -> None:
        self._transport = transport
        self._says, self._doubt = says, doubt
        # Answers are asked for as they are: what is not packed cannot be a bomb.
        self._headers = {
            "user-agent": user_agent,
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
        }
        self._timeout = httpx.Timeout(deadline, connect=min(deadline, CONNECT)).as_dict()

    def ask(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        limit: int,
    ) -> Answer:
        """Return the answer to a request, with at most ``limit`` bytes of body.

        Raises:
            Retryable: nothing was written.
            Unusable: nothing ever can be, for the address is not allowed.
            Doubtful: something may have been written, and no answer came.
        """
        request = httpx.Request(
            method, url, headers={**self._headers, **headers}, content=content, extensions={"timeout": self._timeout}
        )
        try:
            # Not a client's: it would write the whole address into the log, and keep cookies.
            answer = self._transport.handle_request(request)
        except (Retryable, Unusable) as error:
            raise self._refused(error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retryable(self._says(f"no connection ({str(error) or type(error).__name__})")) from error
        except httpx.TimeoutException:
            raise Doubtful(self._says(f"no answer in time{self._doubt}")) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, something may have been written
            lost = f"the connection was lost before an answer came ({type(error).__name__}){self._doubt}"
            # What it says may quote the receiver, which has been told our address.
            raise Doubtful(self._says(lost)) from None
        return Answer(status=answer.status_code, headers=answer.headers, body=_body(answer, limit))

    def _refused(self, error: Retryable | Unusable) -> Retryable | Unusable:
        """Return what the transport says of an address in words of this channel."""
        if error.name == "forbidden":
            said = "its host has an address that is not public; allow_private of this channel could allow it"
            return Unusable(self._says(said), name=error.name)
        return type(error)(self._says(str(error)), name=error.name)


def _body(answer: httpx.Response, limit: int) -> bytes | None:
    parts: list[bytes] = []
    left = limit
    whole = False
    with suppress(Exception):
        for part in answer.iter_bytes():
            parts.append(part)
            left -= len(part)
            if left < 0:
                break
        else:
            whole = True
    with suppress(Exception):
        answer.close()
    return b"".join(parts) if whole else None


def address(name: str, url: str, *, says: Callable[[str], str]) -> httpx.URL:
    """Return ``url``, the value of the key ``name`` of a channel.

    Raises:
        ConfigError: it can be no address.
    """
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        # Its own words repeat parts of the address, which may hold a secret.
        message = says(f"{name} is an address that cannot be asked")
        raise ConfigError(Problem(file="alerts.yaml", message=message)) from None


def retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Return how long a receiver asks to be left alone, in seconds or until a date (RFC 9110 section 10.2.3)."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=int(value))
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # "-0000" and the old asctime form name no zone: dates of HTTP are in UTC.
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))

"""What came back from the web, live or recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer with its whole body, already within the limits of ``Network``."""

    status: int
    #: The address that answered, after redirects.
    url: str
    #: Names in lower case, values untouched.
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: The addresses that redirected, first to last.
    redirects: tuple[str, ...] = ()
    #: Whether there were redirects and every one was permanent: 301 or 308 (RFC 9110 sections 15.4.2 and 15.4.9).
    moved: bool = False


class Web(Protocol):
    """Where feeds and pages come from."""

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,
        allow_private: bool | tuple[str, ...] | None = None,
    ) -> Response:
        """Return the answer to a GET for ``url``.

        With ``robots`` the robots.txt of every host on the way is obeyed. ``allow_private`` stands in for
        ``Network.allow_private`` when it is not ``None``.

        Raises:
            worker.errors.Retryable: no answer came, or not within the limits of time; try again later.
            worker.errors.Unusable: the address, the redirects or the body can never be accepted.
        """
        ...

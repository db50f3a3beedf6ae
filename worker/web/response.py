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


class Web(Protocol):
    """Where feeds and pages come from."""

    def get(self, url: str, *, now: datetime, headers: Mapping[str, str]) -> Response:
        """Return the answer to a GET for ``url``.

        Raises:
            worker.errors.Retryable: no answer came, or not within the limits of time; try again later.
            worker.errors.Unusable: the address, the redirects or the body can never be accepted.
        """
        ...

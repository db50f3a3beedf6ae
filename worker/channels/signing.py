"""Signatures of Standard Webhooks: how a message is signed, and how its receiver knows a good one.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (1.0.0), sections
"Signature scheme", "Webhook headers" and "Verifying signatures".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from worker.errors import WirewatchError

#: Between the time of an attempt and its arrival; what is further off may be somebody's recording.
TOLERANCE: Final = timedelta(minutes=5)
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class NotGenuine(WirewatchError):  # noqa: N818 - named for what it says
    """A message that nobody with the secret has signed, or not now."""


def signing_key(secret: str) -> bytes:
    """Return the bytes that ``secret`` stands for: what is base64 after ``whsec_``, else those of the whole text."""
    if secret.startswith(_PREFIX):
        with suppress(binascii.Error, ValueError):  # the latter when it is not ASCII
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return secret.encode("utf-8", "surrogateescape")


def signing_keys(secrets: str | Iterable[str]) -> tuple[bytes, ...]:
    """Return the keys of one secret or several, in their order; an empty secret is none."""
    texts = (secrets,) if isinstance(secrets, str) else tuple(secrets)
    return tuple(key for key in map(signing_key, texts) if key)


def signature(key: bytes, *, webhook_id: str, at: int, content: bytes) -> str:
    """Return one signature; ``at`` is in seconds since 1970: HMAC-SHA256 over id, time and body, joined by dots."""
    signed = hmac.digest(key, f"{webhook_id}.{at}.".encode() + content, hashlib.sha256)
    return _VERSION + base64.b64encode(signed).decode("ascii")


def signatures(keys: Iterable[bytes], *, webhook_id: str, at: int, content: bytes) -> str:
    """Return the header ``webhook-signature``: a signature for each key, so that a receiver may know any of them."""
    return " ".join(signature(key, webhook_id=webhook_id, at=at, content=content) for key in keys)


def expect_genuine(
    keys: Sequence[bytes], *, webhook_id: str, at: str, signed: str, content: bytes, now: datetime
) -> None:
    """Do nothing for a message that the holder of one of ``keys`` has signed just now.

    ``at`` and ``signed`` are the headers ``webhook-timestamp`` and ``webhook-signature`` as they came.

    Raises:
        NotGenuine: it is none; the text says why, and holds nothing that came.
    """
    if not _SECONDS.fullmatch(at):
        raise NotGenuine("webhook-timestamp is no number of seconds since 1970")
    age = now.timestamp() - int(at)
    if abs(age) > TOLERANCE.total_seconds():
        raise NotGenuine(f"webhook-timestamp is {abs(age):.0f} s {'in the past' if age > 0 else 'in the future'}")
    given = [each.encode("utf-8", "replace") for each in signed.split(" ")]
    for key in keys:
        expected = signature(key, webhook_id=webhook_id, at=int(at), content=content).encode("ascii")
        # All of them, each in a time that does not tell how much of it was right.
        right = [hmac.compare_digest(expected, each) for each in given]
        if any(right):
            return
    raise NotGenuine("webhook-signature has no signature of a secret that is known here")

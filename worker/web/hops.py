"""Hops: the addresses of a request and its redirects, exactly as they were written, and what each may be told."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin

import httpx

from worker.errors import Unusable
from worker.url import shown

#: A header's name in lower case, and its value.
Headers = dict[bytes, bytes]
MAX_URL = 2048
_PORTS = {"http": 80, "https": 443}
#: Those of the caller's own headers that another origin may see: they hold no secret.
_HARMLESS = frozenset({b"accept", b"if-none-match", b"if-modified-since", b"a-im"})
#: Headers whose first value counts when there are several: a list of them would be none that the server knows again.
_SINGLE = frozenset({"etag", "last-modified", "location"})
_UNSAFE = re.compile(rb"[^\x21-\x7e]")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")


class ExactUrl(httpx.URL):
    """A URL whose path and query are sent as they were written; httpx would tidy them up."""

    def __init__(self, url: str, target: bytes) -> None:
        super().__init__(url)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """The path and query."""
        return self._target


@dataclass(frozen=True, slots=True)
class Hop:
    """One address on the way."""

    text: str
    url: ExactUrl
    #: Scheme, host (lower case, IDNA) and port (RFC 6454).
    origin: tuple[str, str, int]

    @property
    def site(self) -> str:
        """The address of the origin's root, without a slash at its end."""
        scheme, _, _ = self.origin
        return f"{scheme}://{self.url.netloc.decode('ascii')}"


def first(url: str) -> Hop:
    """Return the hop to ``url``.

    Raises:
        Unusable: it is no http(s) address, or longer than ``MAX_URL`` characters.
    """
    text = url.strip()
    if len(text) > MAX_URL or not text.lower().startswith(("http://", "https://")):
        raise Unusable(
            f"{shown(text)}: only http and https addresses of at most {MAX_URL} characters are asked", name="forbidden"
        )
    try:
        parsed = ExactUrl(text, _target(text))
    except (httpx.InvalidURL, ValueError) as error:
        # The error is not repeated: it may quote a password that stands where a port should.
        raise Unusable(f"{shown(text)}: this is no address that can be asked", name="forbidden") from error
    if not parsed.raw_host:
        raise Unusable(f"{shown(text)}: the address has no host", name="forbidden")
    port = parsed.port
    scheme = parsed.scheme
    return Hop(
        text=text,
        url=parsed,
        origin=(scheme, parsed.raw_host.decode("ascii"), _PORTS[scheme] if port is None else port),
    )


def onward(hop: Hop, location: str) -> Hop:
    """Return the hop that a Location leads to (RFC 9110 section 10.2.2). ``location`` is latin-1 text of its bytes.

    Bytes that no address may hold are percent-encoded, as browsers do. A user and password in it are dropped; those of
    ``hop`` stay with its origin.

    Raises:
        Unusable: it leads to no http(s) address.
    """
    raw = location.strip().encode("latin-1")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = _encoded(raw).decode("ascii")
    try:
        joined = urljoin(_USERINFO.sub("", hop.text), _without_fragment(text))
    except ValueError as error:
        raise Unusable(
            f"{shown(hop.text)}: redirects to {shown(text)!r}, which is no address", name="forbidden"
        ) from error
    following = first(_tidy(_USERINFO.sub("", joined)))
    userinfo = _USERINFO.search(hop.text)
    if userinfo and following.origin == hop.origin:
        return first(following.text.replace("://", f"://{userinfo[0]}", 1))
    return following


def own_headers(headers: Mapping[str, str]) -> Headers:
    """Return the caller's own headers as they are sent: names in lower case, values as latin-1.

    Raises:
        Unusable: a value cannot be sent so.
    """
    try:
        return {name.lower().encode("ascii"): value.encode("latin-1") for name, value in headers.items()}
    except UnicodeEncodeError as error:
        # Neither the header nor its value is repeated: they may be secret.
        raise Unusable("a request header holds characters that HTTP cannot carry", name="forbidden") from error


def harmless(headers: Headers) -> Headers:
    """Return what of the caller's own headers another origin may see."""
    return {name: value for name, value in headers.items() if name in _HARMLESS}


def request_headers(hop: Hop, ours: Headers, own: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers to send: Host, ours, and over them the caller's own."""
    known = {b"host": hop.url.netloc, **ours}
    userinfo = hop.url.userinfo
    if userinfo:
        user, _, password = userinfo.partition(b":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        known[b"authorization"] = b"Basic " + base64.b64encode(pair)
    return list((known | own).items())


def response_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers with names in lower case and values as latin-1 text: each value can go out again as it came in.

    Values of one name are joined as RFC 9110 section 5.3 says, except where only one makes sense.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in found:
            found[name] = value
        elif name not in _SINGLE:
            found[name] += f", {value}"
    return found


def _target(text: str) -> bytes:
    """Return the path and query of an address as they are to be sent: unaltered, except for what HTTP cannot carry."""
    rest = _without_fragment(text.partition("://")[2])
    start = re.search(r"[/?]", rest)
    target = rest[start.start() :] if start else ""
    return _encoded((target if target.startswith("/") else f"/{target}").encode("utf-8"))


def _tidy(text: str) -> str:
    """Return an address whose path and query hold no character that must be encoded."""
    scheme, colon, rest = text.partition("://")
    start = re.search(r"[/?]", rest)
    if not start:
        return text
    return scheme + colon + rest[: start.start()] + _encoded(rest[start.start() :].encode("utf-8")).decode("ascii")


def _encoded(raw: bytes) -> bytes:
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], raw)


def _without_fragment(text: str) -> str:
    return text.partition("#")[0]

"""Reading a body within limits, whatever it claims about itself."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from worker.errors import Unusable

#: Bytes that one step of decompression may give: what keeps a bomb small (research: 38 MB instead of 860 MB).
_STEP = 65_536
#: zlib's window bits for gzip; for deflate with and without the zlib header see ``_deflate``.
_GZIP, _ZLIB, _RAW = 31, 15, -15


def read(chunks: Iterable[bytes], *, encoding: str, limit: int, url: str) -> bytes:
    """Return the decoded body that ``chunks`` carry.

    ``encoding`` is the value of Content-Encoding (RFC 9110 section 8.4): none, ``gzip`` or ``deflate``.

    Raises:
        Unusable: more than ``limit`` bytes on the wire or decoded, an encoding of another kind or more than one, or a
            body that is not what its encoding says.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return _joined(chunks, limit=limit, url=url)
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise Unusable(f"{url}: Content-Encoding {name!r} was not asked for")
    raw = _joined(chunks, limit=limit, url=url)
    return _inflate(raw, bits=_GZIP if name != "deflate" else _deflate(raw), limit=limit, url=url)


def _joined(chunks: Iterable[bytes], *, limit: int, url: str) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise Unusable(f"{url}: the body is larger than network.max_body ({limit} bytes)")
    return bytes(body)


def _deflate(raw: bytes) -> int:
    # Some servers send raw deflate, some with the zlib header (RFC 9110 section 8.4.1.2 has a note on it).
    return _ZLIB if raw[:1] and raw[0] & 0x0F == 8 else _RAW  # noqa: PLR2004 - RFC 1950 section 2.2, CM


def _inflate(raw: bytes, *, bits: int, limit: int, url: str) -> bytes:
    body, rest = bytearray(), raw
    inflater = zlib.decompressobj(bits)
    try:
        while rest and not inflater.eof:
            body += inflater.decompress(rest, _STEP)
            rest = inflater.unconsumed_tail
            if len(body) > limit:
                raise Unusable(f"{url}: the decoded body is larger than network.max_body ({limit} bytes)")
    except zlib.error as error:
        raise Unusable(f"{url}: the body is not what its Content-Encoding says ({error})") from error
    return bytes(body)

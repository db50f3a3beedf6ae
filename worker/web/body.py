"""Reading a body within limits, whatever it claims about itself."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator

from worker.errors import Retryable, Unusable
from worker.url import shown

#: Bytes that one step of decompression may give: what keeps a bomb small (research: 38 MB instead of 860 MB).
_STEP = 65_536
#: zlib's window bits for gzip; for deflate with and without the zlib header see ``_deflate``.
_GZIP, _ZLIB, _RAW = 31, 15, -15
#: The first bytes of a gzip member (RFC 1952 section 2.3.1).
_MAGIC = b"\x1f\x8b"
#: Members that one gzip body may have. Each costs time and none need hold anything.
_MEMBERS = 1000


def read(chunks: Iterable[bytes], *, encoding: str, limit: int, url: str, length: str = "") -> bytes:
    """Return the decoded body that ``chunks`` carry.

    ``encoding`` is the value of Content-Encoding (RFC 9110 section 8.4): none, ``gzip`` or ``deflate``. ``length`` is
    that of Content-Length, if there is one. Never much more than ``limit`` bytes are held.

    Raises:
        Retryable: the body ends in the middle.
        Unusable: more than ``limit`` bytes on the wire or decoded, an encoding of another kind or more than one, or a
            body that is not what its encoding says.
    """
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_large("body", limit, url)
    # Unlike a bytearray's, its value is not copied on the way out.
    body = io.BytesIO()
    for piece in _pieces(_counted(chunks, limit, url), encoding, url):
        if body.tell() + len(piece) > limit:
            raise _too_large("decoded body", limit, url)
        body.write(piece)
    return body.getvalue()


def read_start(chunks: Iterable[bytes], *, encoding: str, limit: int, url: str) -> bytes:
    """Return the first ``limit`` bytes of the decoded body, and read no further.

    Raises:
        Retryable, Unusable: as ``read``, sizes excepted.
    """
    body = io.BytesIO()
    for piece in _pieces(chunks, encoding, url):
        body.write(piece[: limit - body.tell()])
        if body.tell() >= limit:
            break
    return body.getvalue()


def _counted(chunks: Iterable[bytes], limit: int, url: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large("body", limit, url)
        yield chunk


def _pieces(chunks: Iterable[bytes], encoding: str, url: str) -> Iterable[bytes]:
    """Return the decoded body in pieces of at most ``_STEP`` bytes, or of a chunk."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return chunks
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise Unusable(f"{shown(url)}: Content-Encoding {name[:100]!r} was not asked for", name="forbidden")
    return _unpacked(_members(chunks) if name != "deflate" else _deflate(chunks), url)


def _unpacked(pieces: Iterator[bytes], url: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except zlib.error as error:
        raise Unusable(
            f"{shown(url)}: the body is not what its Content-Encoding says ({error})", name="forbidden"
        ) from error
    except EOFError as error:
        raise Retryable(
            f"{shown(url)}: the body ends in the middle of its compressed stream", name="fetch-failed"
        ) from error


def _members(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what the members of a gzip body hold, one after the other (RFC 1952 section 2.2).

    What follows the last member and is none itself is ignored, as gzip does.

    Raises:
        EOFError: the last member is not whole.
        zlib.error: it is no gzip, or a damaged one.
    """
    source = iter(chunks)
    rest = _at_least(2, b"", source)
    for number in range(_MEMBERS):
        if not rest or (number and not rest.startswith(_MAGIC)):
            return
        inflater = zlib.decompressobj(_GZIP)
        yield from _inflated(inflater, rest, source)
        rest = _at_least(2, inflater.unused_data, source)
    raise zlib.error(f"more than {_MEMBERS} gzip members")


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what a deflate body holds. Some servers leave out the zlib header (RFC 9110 section 8.4.1.2, note)."""
    source = iter(chunks)
    start = _at_least(2, b"", source)
    if start:
        yield from _inflated(zlib.decompressobj(_ZLIB if _has_zlib_header(start) else _RAW), start, source)


def _has_zlib_header(start: bytes) -> bool:
    # RFC 1950 section 2.2: the method is 8, and the first two bytes are a multiple of 31.
    return start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0  # noqa: PLR2004


def _inflated(inflater: zlib._Decompress, start: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the decompressed ``start`` and what follows it in ``source``, up to the end of the compressed stream."""
    rest = start
    while not inflater.eof:
        rest = _at_least(1, rest, source)
        if not rest:
            raise EOFError
        if piece := inflater.decompress(rest, _STEP):
            yield piece
        rest = inflater.unconsumed_tail


def _at_least(size: int, start: bytes, source: Iterator[bytes]) -> bytes:
    """Return ``start``, with chunks added until it has ``size`` bytes or there are no more."""
    while len(start) < size and (chunk := next(source, None)) is not None:
        start += chunk
    return start


def _too_large(what: str, limit: int, url: str) -> Unusable:
    return Unusable(f"{shown(url)}: the {what} is larger than network.max_body ({limit} bytes)", name="too-large")

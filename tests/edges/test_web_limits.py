"""Limits of time and size: whatever a server does, a request ends, and takes no more memory than it may."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from tests.edges.servers import listen, says
from worker.errors import Retryable, Unusable
from worker.web import body
from worker.web.client import LiveWeb
from worker.web.connections import checked_client
from worker.web.network import MIB, Network
from worker.web.response import Response

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]

OK = b"HTTP/1.1 200 OK\r\n"
HOUR = 3600


def get(*parts: bytes, pause: float = 0.0, repeat: int = 1, deadline: float = 10.0, limit: int = 10 * MIB) -> Response:
    """Ask a server that says these parts."""
    with listen(says(*parts, pause=pause, repeat=repeat)) as listener:
        network = Network(
            allow_private=True, allow_ports=(listener.port,), deadline=timedelta(seconds=deadline), max_body=limit
        )
        web = LiveWeb(network, user_agent="test")
        try:
            return web.get(f"http://127.0.0.1:{listener.port}/", now=NOON, headers={})
        finally:
            web.close()


@pytest.mark.parametrize(
    "parts",
    [
        (b"", b""),
        (b"", b"H"),
        (OK, b"X-Drip: 1\r\n"),
        (OK, b"x"),
        (OK + b"Content-Length: 100000\r\n\r\n", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 60_000, compresslevel=0)[:15], b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"\r\n", b""),
    ],
    ids=["silence", "status", "headers", "one-header", "body", "chunks", "gzip", "informational", "no-body"],
)
def test_an_answer_that_drips_is_left_at_the_deadline(parts: tuple[bytes, ...]) -> None:
    """In the headers as in the body: every byte comes within any read timeout, and that does not help."""
    with pytest.raises(Retryable, match=r"network\.deadline|no answer") as late:
        get(*parts, pause=0.01, repeat=HOUR, deadline=0.2)
    assert late.value.name == "timed-out"


def test_a_checked_client_ends_its_requests_as_well() -> None:
    """Services of the operator's own are asked with httpx's client: its read timeout bounds the whole request."""
    with listen(says(OK, b"X-Drip: 1\r\n", pause=0.01, repeat=HOUR)) as listener:
        own = frozenset({("127.0.0.1", listener.port)})
        client = checked_client(Network(), headers={}, timeout=httpx.Timeout(0.2), own=own)
        with client, pytest.raises(httpx.ReadTimeout):
            client.get(f"http://127.0.0.1:{listener.port}/")


def test_headers_without_end_are_cut_off() -> None:
    """At 100 KiB, long before the deadline."""
    with pytest.raises(Retryable) as cut:
        get(OK, b"X-Fill: " + b"x" * 8000 + b"\r\n", repeat=1000, deadline=600)
    assert cut.value.name == "fetch-failed"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 10\r\n\r\nhalf",
        OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nA\r\nhalf",
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"whole" * 1000)[:-9],
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"whole" * 1000)[:-4],
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"whole") + gzip.compress(b"half")[:-4],
        OK + b"Content-Encoding: gzip\r\n\r\n\x1f",
        OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"whole" * 1000)[:-1],
        b"",
        b"HTT",
        b"no HTTP at all\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ],
    ids=[
        "length", "between-chunks", "in-a-chunk", "gzip-data", "gzip-trailer", "second-member", "gzip-start", "deflate",
        "nothing", "status", "no-http", "two-lengths",
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(answer: bytes) -> None:
    """It is worth another try, and no part of it is used."""
    with pytest.raises(Retryable) as broken:
        get(answer)
    assert broken.value.name == "fetch-failed"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (OK + b"Content-Length: 100001\r\n\r\n", "too-large"),
        (OK + b"Content-Length: 99999999999999999999\r\n\r\n", "too-large"),
        (OK + b"\r\n" + b"x" * 100_001, "too-large"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 100_001), "too-large"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 60_000) * 2, "too-large"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"") * 1500, "forbidden"),
        (OK + b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", "forbidden"),
        (OK + b"Content-Encoding: zstd\r\n\r\n", "forbidden"),
        (OK + b"Content-Encoding: gzip\r\n\r\nplain text", "forbidden"),
    ],
    ids=["said", "said-huge", "sent", "decoded", "members", "many-members", "twice", "zstd", "false"],
)
def test_an_answer_that_cannot_be_used_says_why(answer: bytes, name: str) -> None:
    """A body beyond the limits is refused as soon as that is known: for Content-Length, before a byte of it."""
    with pytest.raises(Unusable) as refused:
        get(answer, limit=100_000)
    assert refused.value.name == name


WHOLE = b"".join(b"line %d\n" % n for n in range(20_000))


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", WHOLE),
        ("identity", WHOLE),
        ("gzip", gzip.compress(WHOLE)),
        ("X-GZip ", gzip.compress(WHOLE)),
        ("gzip", gzip.compress(WHOLE[:1000]) + gzip.compress(b"") + gzip.compress(WHOLE[1000:])),
        ("gzip", gzip.compress(WHOLE) + b"\0" * 100),
        ("gzip", gzip.compress(WHOLE) + b"garbage"),
        ("deflate", zlib.compress(WHOLE)),
        ("deflate", zlib.compress(WHOLE)[2:-4]),
        ("deflate", zlib.compress(WHOLE) + b"garbage"),
    ],
    ids=[
        "none",
        "identity",
        "gzip",
        "x-gzip",
        "members",
        "zeros",
        "garbage",
        "deflate",
        "raw-deflate",
        "after-deflate",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_a_body_is_read_however_it_is_cut(encoding: str, packed: bytes, size: int) -> None:
    """The wire cuts where it likes."""
    cut = (packed[at : at + size] for at in range(0, len(packed), size))
    assert body.read(cut, encoding=encoding, limit=len(WHOLE), url="u") == WHOLE


@given(st.binary(max_size=300), st.lists(st.integers(0, 320), max_size=5), st.sampled_from(["gzip", "deflate"]))
def test_a_cut_body_is_an_error_or_the_whole(content: bytes, cuts: list[int], encoding: str) -> None:
    """No beginning of a compressed body is taken for the body, except the nothing that a 304 has."""
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    edges = [0, *sorted(cuts), len(packed)]
    chunks = [packed[start:end] for start, end in pairwise(edges)]
    assert body.read(chunks, encoding=encoding, limit=1000, url="u") == content
    for end in range(1, len(packed)):
        with pytest.raises(Retryable):
            body.read([packed[:end]], encoding=encoding, limit=1000, url="u")
    assert body.read([], encoding=encoding, limit=1000, url="u") == b""


def _bomb(size: int, *, at_once: bool) -> Iterable[bytes]:
    packed = gzip.compress(b"\0" * size)
    step = len(packed) if at_once else 1000
    return [packed[at : at + step] for at in range(0, len(packed), step)]


@pytest.mark.parametrize(
    ("chunks", "encoding", "fits"),
    [
        (lambda: (b"x" * 65_536 for _ in range(1600)), "", False),
        (lambda: (b"x" * 65_536 for _ in range(160)), "", True),
        (lambda: _bomb(100 * MIB, at_once=True), "gzip", False),
        (lambda: _bomb(100 * MIB, at_once=False), "gzip", False),
        (lambda: _bomb(10 * MIB, at_once=True), "gzip", True),
    ],
    ids=["large", "at-the-limit", "bomb", "bomb-in-pieces", "bomb-at-the-limit"],
)
def test_memory_stays_near_the_limit(chunks: Callable[[], Iterable[bytes]], encoding: str, fits: bool) -> None:
    """10 MiB and an eighth, at the peak, for a body that is refused and for one that just fits."""
    given_chunks = chunks()
    tracemalloc.start()
    try:
        if fits:
            assert len(body.read(given_chunks, encoding=encoding, limit=10 * MIB, url="u")) == 10 * MIB
        else:
            with pytest.raises(Unusable, match="larger"):
                body.read(given_chunks, encoding=encoding, limit=10 * MIB, url="u")
        assert tracemalloc.get_traced_memory()[1] < 12.5 * MIB
    finally:
        tracemalloc.stop()


def test_a_hundred_megabytes_are_refused_over_the_wire() -> None:
    """Without a length to refuse them by: the connection is left at the limit."""
    began = time.monotonic()
    with pytest.raises(Unusable, match="larger") as refused:
        get(OK + b"\r\n", b"x" * MIB, repeat=100, limit=MIB, deadline=600)
    assert refused.value.name == "too-large"
    assert time.monotonic() - began < 500


def test_the_start_of_a_body_is_enough() -> None:
    """What is beyond it is not even asked for."""

    def chunks() -> Iterable[bytes]:
        yield from [b"abc", b"def"]
        raise AssertionError("read too far")

    assert body.read_start(chunks(), encoding="", limit=4, url="u") == b"abcd"
    assert body.read_start([gzip.compress(b"0" * MIB)], encoding="gzip", limit=10, url="u") == b"0" * 10

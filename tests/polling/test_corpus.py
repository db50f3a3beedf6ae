"""Documents that no honest publisher sends, two thousand in the long form: no crash, no hang, no neighbour lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice

import pytest

from tests import hostile
from tests.builders import feed
from tests.long import LONG
from worker.articles.extraction import Extract, NoText
from worker.errors import Retryable, Unusable
from worker.feeds.document import Document
from worker.live.cage import Cage
from worker.live.readers import caged
from worker.stages.pipeline import Readers

#: Documents of each kind; every tenth is followed by a good one.
COUNT, SEED = 1000 if LONG else 150, 20260211
GOOD_FEED = b"<rss version='2.0'><channel><item><guid>1</guid><title>Good news</title></item></channel></rss>"
GOOD_PAGE = (
    b"<html lang='en'><head><title>Good news</title></head><body><article><h1>Good news</h1><p>The council met on "
    b"Monday and agreed on the bridge over the river. Work begins in spring, the mayor said after the vote.</p>"
    b"</article></body></html>"
)


pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """Give readers in two processes; the time is generous, because the machine that runs the tests may be busy."""
    cage = Cage(2, timedelta(seconds=60))
    yield caged(cage)
    cage.close()


def test_hundreds_of_spoiled_feeds_are_read_or_refused(readers: Readers) -> None:
    """Each is a document or an error with a name."""

    def read(body: bytes) -> str:
        try:
            document = readers.feed(body, feed=feed(), headers={"content-type": "text/xml; charset=utf-8"})
        except (Unusable, Retryable) as error:
            return error.name or "unnamed"
        assert isinstance(document, Document)
        for entry in document.entries:
            # What the ledger could not store would take its neighbours with it.
            assert "\x00" not in f"{entry.key}{entry.url}{entry.title}{entry.text}"
            f"{entry.key}{entry.url}{entry.title}{entry.text}{entry.outlet}".encode()
        return "read"

    found = _in_turn(hostile.feeds(SEED, COUNT), read, GOOD_FEED)
    assert found["read"] > COUNT / 4
    assert found.keys() <= {"read", "not-a-feed", "html-page"}
    assert found.total() == COUNT * 1.1


def test_hundreds_of_spoiled_pages_are_read_or_refused(readers: Readers) -> None:
    """Each is an article, or has a word for why there is none."""

    def read(body: bytes) -> str:
        try:
            page = readers.page(body, url="https://wire.example/1", charset=None)
        except (Unusable, Retryable) as error:
            return error.name or "unnamed"
        assert isinstance(page, Extract | NoText)
        assert "\x00" not in page.title + page.text
        (page.title + page.text).encode()
        return "read" if isinstance(page, Extract) else page.detail

    found = _in_turn(hostile.pages(SEED, COUNT), read, GOOD_PAGE)
    assert found["read"] > COUNT / 4
    assert not {"unnamed", "overran"} & found.keys(), found
    assert found.total() == COUNT * 1.1


def _in_turn(documents: Iterator[bytes], read: Callable[[bytes], str], good: bytes) -> Counter[str]:
    """Read the documents four at a time, and a good one after every ten; return how often there was which answer."""
    found: Counter[str] = Counter()
    with ThreadPoolExecutor(4) as threads:
        while ten := list(islice(documents, 10)):
            answers = list(threads.map(read, [*ten, good]))
            assert answers[-1] == "read"
            found.update(answers)
    return found

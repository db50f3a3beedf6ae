"""The readers of strangers' documents, each call in a process that can be killed."""

from __future__ import annotations

from collections.abc import Mapping

from worker.articles.extraction import Extract, NoText, extract
from worker.feeds.document import Document, parse
from worker.live.cage import Cage
from worker.model import Feed
from worker.stages.pipeline import Readers


def caged(cage: Cage) -> Readers:
    """Return readers that work in the processes of ``cage``."""

    def read_feed(body: bytes, *, feed: Feed, headers: Mapping[str, str], shown: bytes = b"") -> Document:
        return cage.call(parse, body, feed=feed, headers=headers, shown=shown)

    def read_page(
        html: bytes, *, url: str, charset: str | None, language: str | None = None, title: str = ""
    ) -> Extract | NoText:
        return cage.call(extract, html, url=url, charset=charset, language=language, title=title)

    return Readers(feed=read_feed, page=read_page)

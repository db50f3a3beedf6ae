"""Extractors of article text side by side: ours, trafilatura in the same mode and as it comes, and newspaper4k.

newspaper4k must not fetch images: it would ask the pages' hosts for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.bench.harness import Row, compare, milliseconds, ratio
from tests.bench.pages import Page, made_pages, read_pages
from worker.articles.extraction import Extract, extract

TAKES_PAGES = True
_PAGES = 40
#: Of the pages of the bench all have a text; of somebody's own at least so many must have one with each extractor.
_MOST_EMPTY = 0.25


def rows(rounds: int, pages_dir: Path | None = None) -> Iterator[Row]:
    """Yield the rows of this comparison; ``pages_dir`` holds pages to use in place of made ones."""
    pages = read_pages(pages_dir) if pages_dir else made_pages(_PAGES)
    contestants = {"bare": _bare, "standard": _standard, "ours": _ours, "newspaper4k": _newspaper}
    figures = compare({name: partial(_all, read, pages) for name, read in contestants.items()}, rounds=rounds)
    per = {f"{name}, ms": milliseconds(figure, len(pages)).median for name, figure in figures.items()}
    what = f"{len(pages)} {'given' if pages_dir else 'made'} pages"
    yield Row(
        what=f"our extraction with title, date and refusals, {what}, against bare trafilatura in the same mode",
        value=ratio(figures["ours"], figures["bare"]),
        unit="x",
        beside=per,
    )
    yield Row(
        what=f"trafilatura.extract as it comes, {what}, against our extraction",
        value=ratio(figures["standard"], figures["ours"]),
        unit="x",
    )
    yield Row(
        what=f"newspaper4k (fetch_images off), {what}, against our extraction",
        value=ratio(figures["newspaper4k"], figures["ours"]),
        unit="x",
    )


def _all(read: Callable[[Page], str], pages: Sequence[Page]) -> None:
    found = [read(page) for page in pages]
    # An extractor that finds nothing is fast for nothing.
    assert sum(not text for text in found) <= _MOST_EMPTY * len(pages), f"{read.__name__} found no text on many pages"


def _ours(page: Page) -> str:
    found = extract(page.html, url="https://wire.example/1", charset="utf-8", title=page.title)
    return found.text if isinstance(found, Extract) else ""


def _bare(page: Page) -> str:
    from trafilatura import bare_extraction

    found = bare_extraction(page.html, fast=True, favor_recall=True, include_comments=False, with_metadata=False)
    return str(found.text or "") if found is not None and not isinstance(found, dict) else ""


def _standard(page: Page) -> str:
    from trafilatura import extract as as_it_comes

    return as_it_comes(page.html) or ""


def _newspaper(page: Page) -> str:
    from newspaper import Article, Config

    config = Config()
    config.fetch_images = False
    config.language = "en"  # other languages, if the page's word were taken, need packages of their own
    article = Article("https://wire.example/1", config=config)
    article.download(input_html=page.html.decode("utf-8", "replace"))
    article.parse()
    return str(article.text)

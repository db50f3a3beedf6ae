"""``extract``: one page to one article."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.options import common, config_dir, emit, say, stdin

if TYPE_CHECKING:
    from worker.articles.extraction import Extract, NoText

_ADDRESS = re.compile("https?://", re.IGNORECASE)


@click.command()
@click.argument("page", metavar="FILE_OR_URL")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def extract(*, page: str, as_json: bool) -> int:
    """Read one page and print its article: title, text, language, date.

    FILE_OR_URL is a file of HTML, `-` for stdin, or an address. Exit code 1 when the page has no article, with what it
    is instead (consent wall, teaser, error page, aggregator link ...), or when its robots.txt forbids it. The service
    then tells an entry from the feed's own text.
    """
    from worker.articles.aggregators import AGGREGATOR_LINK, is_aggregator
    from worker.articles.extraction import NoText
    from worker.articles.extraction import extract as extract_page

    if is_aggregator(page):
        found: Extract | NoText = NoText(detail=AGGREGATOR_LINK)
        url = page
    else:
        body, url, charset = _fetched(page) if _ADDRESS.match(page) else (*_local(page), None)
        found = extract_page(body, url=url, charset=charset)
    if as_json:
        emit(_as_json(found, url))
    else:
        _print(found, page)
    return 1 if isinstance(found, NoText) else 0


def _local(page: str) -> tuple[bytes, str]:
    if page == "-":
        return stdin().read(), ""
    path = Path(page)
    if not path.is_file():
        raise click.UsageError(f"{page}: no such file; give a file of HTML, - for stdin, or an http(s) address")
    return path.read_bytes(), ""


def _fetched(url: str) -> tuple[bytes, str, str | None]:
    from worker.live.clock import wall_clock
    from worker.settings import load
    from worker.stages.read import charset_of, checked
    from worker.web.client import LiveWeb

    directory, named = config_dir()
    service = load(directory, os.environ, required=named).service
    web = LiveWeb(service.network, user_agent=service.user_agent)
    try:
        response = checked(web.get(url, now=wall_clock(), headers={}, robots=True))
    finally:
        web.close()
    return response.body, response.url, charset_of(response)


def _as_json(found: Extract | NoText, url: str) -> dict[str, object]:
    from worker.articles.extraction import NoText
    from worker.channels.base import timestamp

    if isinstance(found, NoText):
        return {
            "url": url,
            "reason": found.reason.value,
            "detail": found.detail,
            "title": found.title,
            "text": found.text,
        }
    return {
        "url": url,
        "reason": "page",
        "detail": "cut at the limit" if found.cut else "",
        "title": found.title,
        "text": found.text,
        "language": found.language,
        "published_at": timestamp(found.published_at) if found.published_at else None,
    }


def _print(found: Extract | NoText, page: str) -> None:
    from worker.articles.extraction import NOT_HTML, NoText

    if isinstance(found, NoText):
        is_binary = found.detail == NOT_HTML
        say(f"{page}: no article: {found.detail}{f' ({found.text})' if is_binary else ''}", err=True)
        if is_binary:
            return
    elif found.cut:
        say(f"{page}: too long to be read whole; its end is missing", err=True)
    if found.title:
        say(found.title + "\n")
    if found.text:
        say(found.text)

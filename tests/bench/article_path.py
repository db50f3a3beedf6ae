"""What an article costs from its page to the outbox, against the bare extraction that no watcher can avoid.

Ours gets each page from a site on loopback, extracts it, matches it with a hundred topics of which twenty are looked
for by meaning, joins it to a story and writes down what is to be told. Bare is trafilatura in the same mode over pages
that are in memory already. ``with polling`` begins with the feeds instead: each poll finds one new article.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy import func, select

from tests.bench.harness import Row, compare, milliseconds, ratio
from tests.bench.pages import Page, made_pages, read_pages
from tests.bench.site import HOSTS, Site, serving
from tests.bench.watch import matcher, rule_topics, watch
from tests.builders import NOON
from tests.rows import new
from worker.alerts.policy import Policy, Route
from worker.feeds.polling import Polling
from worker.ledger import entries, feeds
from worker.ledger.engine import open_file
from worker.ledger.tables import article, feed
from worker.model import Entry, Feed, Topic
from worker.stages import poll, read
from worker.stages.pipeline import Matcher, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.client import LiveWeb
from worker.web.network import Network

TAKES_PAGES = True
_PAGES, _FEEDS = 60, 20
_MINUTE = timedelta(minutes=1)
_numbers = count()


def rows(rounds: int, pages_dir: Path | None = None) -> Iterator[Row]:
    """Yield the rows of this comparison; ``pages_dir`` holds pages to use in place of made ones."""
    pages = read_pages(pages_dir) if pages_dir else made_pages(_PAGES)
    with serving(pages) as site, _pipelines(site) as (everything, rules):
        figures = compare(
            {
                "bare": partial(_bare, pages),
                "ours": partial(_read, everything, site, pages),
                "rules": partial(_read, rules, site, pages),
                "polled": partial(_polled, everything, site, len(pages)),
            },
            rounds=rounds,
        )
    per = {name: milliseconds(figure, len(pages)).median for name, figure in figures.items()}
    what = f"{len(pages)} {'given' if pages_dir else 'made'} pages"
    yield Row(
        what=f"article path, {what}, 100 topics (20 by meaning), against bare trafilatura",
        value=ratio(figures["ours"], figures["bare"]),
        unit="x",
        goal=1.35,
        beside={"ours, ms": per["ours"], "bare, ms": per["bare"]},
    )
    yield Row(
        what=f"article path, {what}, 100 topics (rules alone), against bare trafilatura",
        value=ratio(figures["rules"], figures["bare"]),
        unit="x",
        beside={"ours, ms": per["rules"]},
    )
    yield Row(
        what=f"with polling, one poll for each article, {what}, 100 topics (20 by meaning), against bare trafilatura",
        value=ratio(figures["polled"], figures["bare"]),
        unit="x",
        goal=1.7,
        beside={"ours, ms": per["polled"]},
    )


def _bare(pages: Sequence[Page]) -> None:
    """Extract ``pages`` as a loop around trafilatura does, in the mode that we use."""
    from trafilatura import bare_extraction

    for page in pages:
        bare_extraction(page.html, fast=True, favor_recall=True, include_comments=False, with_metadata=False)


@contextmanager
def _pipelines(site: Site) -> Iterator[tuple[Callable[[Path], Pipeline], Callable[[Path], Pipeline]]]:
    """Give functions that make pipelines with a ledger in a folder: with all topics, and with as many rules."""
    web = LiveWeb(Network(allow_private=("127.78.0.0/16",), allow_ports=(site.port,)), user_agent="bench")
    topics, others = watch(), rule_topics(100)
    try:
        yield (
            partial(_pipeline, web=web, topics=topics, asked=matcher(topics)),
            partial(_pipeline, web=web, topics=others, asked=compile_topics(others)),
        )
    finally:
        web.close()


def _pipeline(folder: Path, *, web: LiveWeb, topics: Sequence[Topic], asked: Matcher) -> Pipeline:
    return Pipeline(
        feeds={},
        topics={topic.id: topic for topic in topics},
        matcher=asked,
        rarity=rarity.load(),
        routes=(Route(channels=("screen",)),),
        policy=Policy(),
        polling=Polling(adaptive=False),
        ledger=open_file(folder / "ledger.sqlite", durable=False),
        web=web,
        channels={},
        jitter=lambda: 0.5,
    )


def _read(make: Callable[[Path], Pipeline], site: Site, pages: Sequence[Page]) -> float:
    """Read an entry for each page and return the CPU seconds of that."""
    name = f"r{next(_numbers)}"
    with tempfile.TemporaryDirectory() as folder:
        p = make(Path(folder))
        urls = [site.page(number, name=name) for number in range(len(pages))]
        found = [
            Entry(
                feed_id="wire", key=url, url=url, title=page.title, outlet=f"Outlet {n % len(HOSTS)}", published_at=NOON
            )
            for n, (url, page) in enumerate(zip(urls, pages, strict=True))
        ]
        with p.ledger.write() as t:
            entries.add(t, new(*found), now=NOON)
        began = time.process_time()
        while read.run(p, now=NOON):
            pass
        took = time.process_time() - began
        _check(p, len(pages))
    return took


def _polled(make: Callable[[Path], Pipeline], site: Site, pages: int) -> float:
    """Poll feeds until they have shown as many new articles, read these, and return the CPU seconds of that."""
    urls = site.feeds(f"f{next(_numbers)}", _FEEDS)
    configured = [Feed(id=f"feed-{n}", url=url, outlet=f"Outlet {n}") for n, url in enumerate(urls)]
    with tempfile.TemporaryDirectory() as folder:
        p = replace(make(Path(folder)), feeds={one.id: one for one in configured})
        with p.ledger.write() as t:
            feeds.sync(t, configured, now=NOON)
        _poll_all(p, 0)  # what the feeds show at first is known, and no news
        took = 0.0
        for time_ in range(1, pages // _FEEDS + 1):
            began = time.process_time()
            _poll_all(p, time_)
            while read.run(p, now=NOON + time_ * _MINUTE):
                pass
            took += time.process_time() - began
        _check(p, pages // _FEEDS * _FEEDS)
    return took


def _poll_all(p: Pipeline, minute: int) -> None:
    now = NOON + minute * _MINUTE
    with p.ledger.write() as t:
        t.execute(feed.update().values(due_at=now))
    polled = 0
    while done := poll.run(p, now=now):
        polled += len(done)
    assert polled == _FEEDS, f"{polled} polls in place of {_FEEDS}"


def _check(p: Pipeline, articles: int) -> None:
    # A benchmark that did less than it says would be a lie.
    with p.ledger.read() as t:
        found = t.execute(select(func.count()).select_from(article).where(article.c.source == "page")).scalar_one()
    p.ledger.close()
    assert found == articles, f"{found} articles of {articles} came from their pages"

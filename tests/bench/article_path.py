"""What an article costs from its page to the ledger, against the bare extraction that no watcher can avoid."""

from __future__ import annotations

import gzip
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.harness import compare, ratios
from tests.builders import NOON, entry, feed, topic
from tests.rows import new
from worker.alerts.policy import Policy, Route
from worker.channels.file import FileChannel
from worker.feeds.polling import Polling
from worker.ledger import entries
from worker.ledger.engine import open_file
from worker.replay.recording import load
from worker.stages import deliver, read
from worker.stages.pipeline import Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.response import Response

_SEEDS = Path(__file__).parents[2] / "seeds"
_PAGES, _TOPICS = 60, 100


class _Shelf:
    """A web that has every page at hand, so that nothing but the article path is measured."""

    def __init__(self, pages: list[bytes]) -> None:
        self.pages = {f"https://wire.example/{n}": page for n, page in enumerate(pages)}

    def get(self, url: str, **_: Any) -> Response:
        headers_ = {"content-type": "text/html; charset=utf-8"}
        return Response(status=200, url=url, headers=headers_, body=self.pages[url])


def made_pages() -> list[bytes]:
    """Return the pages of the seeds, each several times, with scripts that bring them to 90 to 260 kB.

    Their text is short and their structure light, so our own share shows more than on real pages (``--pages``).
    """
    chance = random.Random(1)  # noqa: S311 - the same pages in every run
    recording = load(_SEEDS)
    web = recording.web()
    shown = [web.get(a.url, now=recording.end, headers={}).body.decode() for a in recording.articles]
    pages = []
    for number in range(_PAGES):
        html = shown[number % len(shown)]
        script = "<script>/*" + "x = [1, 2, 3]; " * chance.randint(6_000, 18_000) + "*/</script></body>"
        pages.append(html.replace("</body>", script, 1).replace("</h1>", f" page{number}</h1>", 1).encode())
    return pages


def rows(rounds: int, pages_dir: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of this comparison; ``pages_dir`` holds .html or .html.gz files to use in place of made ones."""
    pages = _read(pages_dir) if pages_dir else made_pages()
    figures = compare({"article path": lambda: _ours(pages), "bare trafilatura": lambda: _bare(pages)}, rounds=rounds)
    ours, bare = figures["article path"], figures["bare trafilatura"]
    low, middle, high = ratios(ours, bare)
    return [
        {
            "what": f"article path, {len(pages)} pages, {_TOPICS} rule topics, against bare trafilatura (same mode)",
            "ours_ms": round(ours.median / len(pages) * 1000, 2),
            "other_ms": round(bare.median / len(pages) * 1000, 2),
            "ratio": round(middle, 2),
            "least": round(low, 2),
            "greatest": round(high, 2),
            "goal": "<= 1.35",
        }
    ]


def _read(folder: Path) -> list[bytes]:
    files = sorted([*folder.glob("*.html"), *folder.glob("*.html.gz")])
    return [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files]


def _bare(pages: list[bytes]) -> None:
    from trafilatura import bare_extraction

    for page in pages:
        bare_extraction(page, fast=True, favor_recall=True, include_comments=False, with_metadata=False)


def _ours(pages: list[bytes]) -> None:
    # One page in twenty meets a topic, as on a stream that is watched for a few things; the other topics meet none.
    topics = [topic(id=f"t{n}", any=(f"word{n}", f"term{n}"), all=("minister",)) for n in range(_TOPICS - 1)]
    topics.append(topic(id="numbered", any=tuple(f"page{n}" for n in range(7, _PAGES, 20)), anchors=(("missile",),)))
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_file(Path(folder) / "ledger.sqlite", durable=False)
        p = Pipeline(
            feeds={"wire": feed()},
            topics={t.id: t for t in topics},
            matcher=compile_topics(topics),
            rarity=rarity.load(),
            routes=(Route(channels=("screen",)),),
            policy=Policy(group_wait=timedelta(0)),
            polling=Polling(),
            ledger=ledger,
            web=_Shelf(pages),
            channels={"screen": FileChannel("screen", Path(folder) / "alerts.jsonl")},
            jitter=lambda: 0.0,
        )
        with ledger.write() as t:
            entries.add(t, new(*(entry(n) for n in range(len(pages)))), now=NOON)
        read_count = 0
        while done := read.run(p, now=NOON):
            read_count += len(done)
            deliver.run(p, now=NOON)
        ledger.close()
        # A benchmark that did less than it says would be a lie.
        assert read_count == len(pages)

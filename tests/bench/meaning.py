"""What looking for topics by meaning costs, and whether it finds what a method that spares nothing would find.

The stream is the articles of the made pages, of which few are about one of the topics that are looked for. The full
method asks the encoder about every passage of every article; what it finds among the labelled articles of
``tests/quality`` is what there is to be found. They are measured as they were written and drawn out to the length of
news, with the topics as they are and with their phrases alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from trafilatura import bare_extraction

from tests.bench.harness import Row, compare, milliseconds, ratio, span
from tests.bench.pages import Page, made_pages, read_pages
from tests.bench.prose import paragraphs
from tests.bench.watch import meant_topics
from tests.builders import article
from worker.articles.extraction import Extract, extract
from worker.build.meaning import open_meaning
from worker.model import Article, Topic
from worker.settings import Service
from worker.topics import compile_topics
from worker.topics.meaning.engine import Engine
from worker.topics.meant import is_meant
from worker.topics.percolator import Percolator
from worker.training.cases import Case, labelled, phrase_alone, topic_of
from worker.training.claims import names_in_file, read_groups

TAKES_PAGES = True
_ROOT = Path(__file__).parents[2]
_GROUPS = _ROOT / "worker" / "training" / "groups"
_PAGES, _COUNTS = 24, (5, 20, 50)
#: Words of background behind a labelled article.
_WORDS = (350, 950)


def rows(rounds: int, pages_dir: Path | None = None) -> Iterator[Row]:
    """Yield the rows of this comparison; ``pages_dir`` holds pages to use in place of made ones."""
    pages = read_pages(pages_dir)[:_PAGES] if pages_dir else made_pages(_PAGES)
    stream = [_article(nth, page) for nth, page in enumerate(pages)]
    matchers = {count: _matcher(_topics(count)) for count in _COUNTS}
    figures = compare(
        {"bare": partial(_bare, pages)}
        | {f"{count}": partial(_match, matcher, stream) for count, matcher in matchers.items()},
        rounds=rounds,
    )
    what = f"{len(pages)} {'given' if pages_dir else 'made'} pages"
    length = sum(len(one.text) for one in stream) / len(stream)
    for count in _COUNTS:
        yield Row(
            what=f"matching by meaning, {count} topics, an article of {what}",
            value=milliseconds(figures[f"{count}"], len(pages)),
            unit="ms",
            beside={"characters an article": length},
        )
    yield Row(
        what=f"matching by meaning, 20 topics, {what}, against bare trafilatura",
        value=ratio(figures["20"], figures["bare"]),
        unit="x",
        goal=0.5,
        beside={"bare, ms": milliseconds(figures["bare"], len(pages)).median},
    )
    yield Row(
        what=f"matching by meaning, 50 topics, {what}, against 5 topics",
        value=ratio(figures["50"], figures["5"]),
        unit="x",
    )
    yield _recall()


def _recall() -> Row:
    """Return what is found of what the full method finds in labelled articles that are about their topics."""
    cases = [case for case in labelled(_ROOT / "tests" / "quality")["articles"] if case.wanted]
    written, drawn = _found(cases), _found(_drawn_out(cases))
    kept, found = written[0] + drawn[0], written[1] + drawn[1]
    assert found >= len(cases), f"the full method finds {found} matches of {4 * len(cases)}"
    return Row(
        what=f"matches of the full method that are found, {len(cases)} labelled articles as written and drawn out",
        value=span([kept / found]),
        unit="of 1",
        goal=0.99,
        wanted="least",
        beside={
            "as they were written": f"{written[0]} of {written[1]}",
            "drawn out to the length of news": f"{drawn[0]} of {drawn[1]}",
        },
    )


def _found(cases: Sequence[Case]) -> tuple[int, int]:
    """Return how many matches of the full method we find, and how many it finds, whole topics and phrases alone."""
    sparing, full = _engine(Topic(id="any", topic="any")), _engine(Topic(id="any", topic="any"), thorough=True)
    kept = found = 0
    for case in cases:
        asked = [case.topic, replace(phrase_alone(case.topic), id="phrase-alone")]
        whole = {match.topic_id for match in compile_topics(asked, meaning=full).match(case.article)}
        ours = {match.topic_id for match in compile_topics(asked, meaning=sparing).match(case.article)}
        kept, found = kept + len(whole & ours), found + len(whole)
    return kept, found


def _drawn_out(cases: Sequence[Case]) -> list[Case]:
    """Return the cases with background behind what they report, as news has it."""
    drawn = []
    for nth, case in enumerate(cases):
        chance = random.Random(f"drawn/{nth}")  # noqa: S311 - nothing here is a secret
        text = "\n".join([case.article.text, *paragraphs(chance, words=chance.randint(*_WORDS))])
        drawn.append(replace(case, article=replace(case.article, text=text)))
    return drawn


def _topics(count: int) -> list[Topic]:
    """Return so many topics: of the watch of the benchmarks, then of claim groups that no model was trained on.

    Of the latter one in three is a phrase alone, and one in three must hold the longest word of its phrase.
    """
    ours = [topic for topic in meant_topics() if is_meant(topic)]
    kept = names_in_file(_GROUPS, "development.txt")
    groups = [group for group in read_groups(_GROUPS) if group.name in kept and group.unlike]
    others = [_varied(topic_of(group), nth) for nth, group in enumerate(groups)]
    chosen = [*ours, *others] if count > len(ours) else ours[:: len(ours) // count]
    assert len(chosen) >= count
    return chosen[:count]


def _varied(topic: Topic, nth: int) -> Topic:
    if nth % 3 == 1:
        return phrase_alone(topic)
    return replace(topic, anchors=((max(topic.topic.split(), key=len),),)) if nth % 3 else topic


def _engine(topic: Topic, *, thorough: bool = False) -> Engine:
    """Return an engine that was asked nothing yet, with the models that are shipped."""
    opened = open_meaning(Service(), [topic], state=Path())
    assert isinstance(opened.meaning, Engine), opened.why
    return opened.meaning if not thorough else opened.meaning.thorough()


def _matcher(topics: Sequence[Topic]) -> Percolator:
    return compile_topics(topics, meaning=_engine(topics[0]))


def _match(matcher: Percolator, stream: Sequence[Article]) -> None:
    for one in stream:
        matcher.match(one)


def _bare(pages: Sequence[Page]) -> None:
    for page in pages:
        assert bare_extraction(page.html, fast=True, favor_recall=True, include_comments=False, with_metadata=False)


def _article(nth: int, page: Page) -> Article:
    found = extract(page.html, url=f"https://wire.example/{nth}", charset="utf-8", title=page.title)
    assert isinstance(found, Extract), f"no text on page {nth}"
    return article(nth, title=found.title or page.title, text=found.text, language="en")

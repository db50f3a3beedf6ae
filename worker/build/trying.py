"""Trying topics before they are put in force: on texts, on pages, on what was read of late, on their own examples.

Nothing is written anywhere. What asks for a trial holds the clock: it says after each article whether to go on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Final

from worker.articles.aggregators import AGGREGATOR_LINK, is_aggregator
from worker.articles.extraction import Extract, NoText
from worker.articles.language import language_of_text
from worker.build.meaning import Opened, notes, open_meaning
from worker.errors import Problem, Unusable
from worker.model import Article, Evidence, Match, Reason, Topic
from worker.settings import Service
from worker.settings.document import Document, Keys
from worker.settings.part import Part
from worker.settings.reading import decode
from worker.settings.references import unknown_channels
from worker.settings.rules import rule_warnings
from worker.settings.topics_file import Topics, read_topics
from worker.stages.read import charset_of, checked
from worker.topics import compile_topics
from worker.topics.examples import Example, run_examples
from worker.topics.meant import Meaning, is_meant
from worker.web.response import Web

#: What the text of topics is called in messages about it: the file into which it will go.
FILE: Final = "topics.yaml"
#: Bytes of the text of topics, bytes of a pasted article, and topics that are tried together.
YAML_MAX, TEXT_MAX, TOPICS_MAX = 200_000, 200_000, 20
#: Matches that are kept to be shown, of all that are counted, and near misses.
HITS, NEAR = 100, 10
#: Characters shown on either side of evidence, and between the first and the last piece of it in one paragraph.
_AROUND, _APART = 160, 800
_ACCEPT = {"accept": "text/html,application/xhtml+xml,*/*;q=0.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Topics as somebody has written them, and what there is to say about them."""

    #: Those that are right; none of them is tried while there are problems.
    topics: tuple[Topic, ...] = ()
    #: In the order of lines.
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def draft(
    text: str, *, known: Collection[str] = (), channels: Collection[str] | None = None, env: Mapping[str, str]
) -> Draft:
    """Return the topics of ``text``: YAML as in topics.yaml, a list of topics or a mapping with ``topics``.

    Args:
        text: what was written.
        known: ids of topics that are in force and may be refined.
        channels: ids of the channels that there are; ``None`` when nobody knows.
        env: from which ``${VAR}`` is substituted.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > YAML_MAX:
        return Draft(problems=(Problem(file=FILE, message=f"is {size} bytes long; the workbench takes {YAML_MAX}"),))
    # A form sends lines as they are sent on paper: with a carriage return.
    raw = text.replace("\r\n", "\n").encode("utf-8", "replace")
    part = read_topics(decode(FILE, raw, env))
    strangers = _places_of_known(part, known)
    problems = [problem for problem in part.problems if (problem.line, problem.column) not in strangers]
    placed, document = part.value.topics, part.document
    if not placed and not problems:
        problems.append(Problem(file=FILE, line=1, column=1, message="there is no topic; begin with - topic: PHRASE"))
    if len(placed) > TOPICS_MAX:
        problems.append(Problem(file=FILE, message=f"{len(placed)} topics; the workbench tries {TOPICS_MAX} at a time"))
    remarks = [remark for topic in part.value.whole for remark in rule_warnings(document, topic)]
    if channels is not None:
        remarks += unknown_channels(document, placed, channels)
    return Draft(
        topics=tuple(topic.value for topic in placed),
        problems=tuple(sorted(set(problems))),
        remarks=tuple(sorted(set(remarks))),
    )


def _places_of_known(part: Part[Topics], known: Collection[str]) -> set[tuple[int, int]]:
    """Return where topics refine one that is not among them, and in force: that is no mistake here."""
    own = {topic.value.id for topic in part.value.topics}
    found: set[tuple[int, int]] = set()
    for topic in part.value.topics:
        for index, name in enumerate(topic.value.refines):
            if name in known and name not in own:
                place = _place(part.document, (*topic.keys, "refines", index))
                found.add((place.line, place.column))
    return found


def _place(document: Document, keys: Keys) -> Problem:
    return document.problem(keys, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Part of a title or of a paragraph, and what in it is evidence."""

    #: ``title`` or ``text``.
    field: str
    text: str
    #: From and to, in ``text``; they may overlap.
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """The answer of one topic to one article, with what shows it."""

    #: Without its text.
    article: Article
    match: Match
    #: The evidence among the words around it; of a near miss the passage that came nearest.
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What topics say of articles."""

    #: How many articles were looked at.
    looked: int = 0
    #: Matches by topic, those too that are not among ``hits``.
    matched: Mapping[str, int]
    #: In the order of the articles.
    hits: tuple[Hit, ...] = ()
    #: The answers that came nearest to a match, best first.
    near: tuple[Hit, ...] = ()
    #: How often each reason was given for no match.
    reasons: Mapping[Reason, int]
    #: Why it ended before the last article; empty when it did not.
    stopped: str = ""
    #: What is lost because meaning is disabled.
    notes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


def _go_on(_: int) -> str:
    return ""


def trial(
    topics: Sequence[Topic],
    articles: Iterable[Article],
    *,
    opened: Opened,
    stop: Callable[[int], str] = _go_on,
    examples: bool = True,
) -> Trial:
    """Return what ``topics``, which are right, say of each of ``articles``.

    Args:
        topics: those of a ``Draft`` without problems.
        articles: read one by one; an endless source is ended by ``stop``.
        opened: what decides by meaning, as ``Bench.meaning`` gives it.
        stop: is asked before each article, with the number of those that were looked at, and returns why to end.
        examples: whether to run the topics' own examples as well, before the articles.
    """
    ran = tuple(one for topic in topics for one in run_examples(topic, opened.meaning)) if examples else ()
    found = _Found(topics, opened.meaning)
    stopped = ""
    for article in articles:
        if stopped := stop(found.looked):
            break
        found.look_at(article)
    return found.trial(stopped=stopped, notes=tuple(notes(topics, opened)), examples=ran)


class _Found:
    """What was found so far."""

    def __init__(self, topics: Sequence[Topic], meaning: Meaning | None) -> None:
        self._matcher = compile_topics(topics, meaning=meaning)
        self.looked = 0
        self._matched = Counter({topic.id: 0 for topic in topics})
        self._hits: list[Hit] = []
        # A heap of the nearest misses, the farthest one first; of equals the one that came first is nearer.
        self._near: list[tuple[float, int, Article, Match]] = []
        self._reasons: Counter[Reason] = Counter()
        self._count = 0

    def look_at(self, article: Article) -> None:
        self.looked += 1
        for answer in self._matcher.judge(article):
            if answer.matched:
                self._matched[answer.topic_id] += 1
                if len(self._hits) < HITS:
                    self._hits.append(_hit(article, answer))
            else:
                self._reasons[answer.reason] += 1
                self._miss(article, answer)

    def _miss(self, article: Article, answer: Match) -> None:
        self._count += 1
        one = (answer.score, -self._count, article, answer)
        if len(self._near) < NEAR:
            heappush(self._near, one)
        else:
            heappushpop(self._near, one)

    def trial(self, *, stopped: str, notes: tuple[str, ...], examples: tuple[Example, ...]) -> Trial:
        nearest = sorted(self._near, key=lambda one: one[:2], reverse=True)
        # Of a single article every answer is of interest; of many, those that have something of the topic.
        near = [_hit(article, answer) for score, _, article, answer in nearest if score > 0 or self.looked == 1]
        return Trial(
            looked=self.looked,
            matched=dict(self._matched),
            hits=tuple(self._hits),
            near=tuple(near),
            reasons=dict(self._reasons.most_common()),
            stopped=stopped,
            notes=notes,
            examples=examples,
        )


def _hit(article: Article, answer: Match) -> Hit:
    return Hit(article=replace(article, text=""), match=answer, passages=passages(article, answer.evidence))


def passages(article: Article, evidence: Iterable[Evidence]) -> tuple[Passage, ...]:
    """Return the title and the paragraphs in which evidence stands, each once, cut some way before and after it."""
    found: dict[tuple[str, int], list[Evidence]] = {}
    for e in sorted(evidence, key=lambda e: (e.field != "title", e.start, -e.end)):
        found.setdefault((e.field, _source(article, e.field).rfind("\n", 0, e.start) + 1), []).append(e)
    return tuple(_passage(_source(article, field), begins, some) for (field, begins), some in found.items())


def _source(article: Article, field: str) -> str:
    return article.title if field == "title" else article.text


def _passage(source: str, begins: int, evidence: Sequence[Evidence]) -> Passage:
    first = evidence[0].start
    near = [e for e in evidence if e.start <= first + _APART]
    until = max(e.end for e in near)
    ends = source.find("\n", until)
    ends = len(source) if ends < 0 else ends
    start, stop = max(begins, first - _AROUND), min(ends, until + _AROUND)
    before, after = "…" if start > begins else "", "…" if stop < ends else ""
    shift = len(before) - start
    return Passage(
        field=evidence[0].field,
        text=f"{before}{source[start:stop]}{after}",
        spans=tuple((e.start + shift, e.end + shift) for e in near),
    )


class Bench:
    """Keeps what trials need and what is dear to open: the models that decide by meaning.

    Any number of threads may share it. The judge of service.yaml is not asked: its answers cost money, and a trial
    asks about thousands of articles.
    """

    def __init__(self, state: Path) -> None:
        """Make a bench; ``state`` is the directory in which models from a hub are kept."""
        self._state = state
        self._lock = threading.Lock()
        self._opened: tuple[object, Opened] | None = None

    def meaning(self, service: Service, topics: Sequence[Topic]) -> Opened:
        """Return what decides by meaning for ``topics``; opening it takes a second or two, once."""
        if not any(map(is_meant, topics)):
            return Opened()
        configured = replace(service.meaning, judge=None)
        with self._lock:
            if self._opened is None or self._opened[0] != configured:
                opened = open_meaning(replace(service, meaning=configured), topics, state=self._state)
                self._opened = (configured, opened)
            return self._opened[1]


def pasted(title: str, text: str, *, now: datetime) -> Article:
    """Return an article of pasted words.

    Raises:
        Unusable: there are none, or too many.
    """
    if not (title.strip() or text.strip()):
        raise Unusable("there is no text; paste an article, or at least its headline")
    size = len(f"{title}{text}".encode("utf-8", "replace"))
    if size > TEXT_MAX:
        raise Unusable(f"the text is {size} bytes long; the workbench takes {TEXT_MAX}")
    body = text.replace("\r\n", "\n")
    language = language_of_text(f"{title}\n{body}")
    return Article(id="pasted", url="", title=title, text=body, outlet="", published_at=now, language=language)


def read_page(url: str, *, web: Web, extract: Callable[..., Extract | NoText], now: datetime) -> Article:
    """Return the article at ``url``, asked for and extracted as stage ``read`` does, but without its feed's words.

    Raises:
        Unusable: it has none, or may not be asked for.
        Retryable: it cannot be had now.
    """
    if is_aggregator(url):
        raise Unusable(f"{url}: {AGGREGATOR_LINK}; give the publisher's own address")
    response = checked(web.get(url, now=now, headers=_ACCEPT, robots=True))
    found = extract(response.body, url=response.url, charset=charset_of(response))
    if isinstance(found, NoText):
        raise Unusable(f"{response.url}: no article: {found.detail}; paste its text instead")
    return Article(
        id="page",
        url=response.url,
        title=found.title,
        text=found.text,
        outlet="",
        published_at=found.published_at or now,
        language=found.language,
    )

"""The quality report: `make quality [EVAL=DIR] [BACKGROUND=DIR]`.

Asks the matcher itself, as ``wirewatch match`` does. Printed are the sets in this folder and the seeds; with ``EVAL``
the labelled sets of a folder (``topics.yaml``, ``*.jsonl``), with ``BACKGROUND`` the false alarms on a folder of
``feeds/*.xml`` and ``pages-gold.json``, and what an average article costs.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from worker.build.meaning import open_meaning
from worker.feeds.document import parse
from worker.model import Article, Feed, Match, Topic
from worker.replay import recording
from worker.settings import Meaning, Service, load_topics
from worker.topics import compile_topics
from worker.training.cases import Case, article, labelled, phrase_alone

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
#: Score from which a topic is quiet; ``threshold: 0.8``.
QUIET = 0.8
_OPERATING = 0.5
#: Words that show that a text is in English, and the share of them from which it is.
_ENGLISH, _SHARE = frozenset("the of and to in is that for was with on at by from".split()), 0.1  # noqa: SIM905


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


class Matcher:
    """Scores of topics, with models opened once."""

    def __init__(self, verifier: str) -> None:
        self.service = Service(meaning=Meaning(verifier=verifier))
        self._opened = open_meaning(self.service, [Topic(id="any", topic="any")], state=Path())
        if self._opened.meaning is None:
            raise SystemExit(f"meaning is disabled: {self._opened.why}")

    def judge(self, topics: Sequence[Topic], articles: Iterable[Article]) -> Iterator[list[Match]]:
        """Yield the answers of all topics to each article."""
        matcher = compile_topics(topics, meaning=self._opened.meaning)
        for one in articles:
            yield matcher.judge(one)

    def match(self, topics: Sequence[Topic], articles: Iterable[Article]) -> Iterator[list[Match]]:
        """Yield the matches of each article."""
        matcher = compile_topics(topics, meaning=self._opened.meaning)
        for one in articles:
            yield matcher.match(one)

    def scores(self, cases: Sequence[Case], *, phrase: bool) -> list[float]:
        """Return the score of each case."""
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for nth, case in enumerate(cases):
            by_topic[case.topic.id].append(nth)
        found = [0.0] * len(cases)
        for nths in by_topic.values():
            topic = cases[nths[0]].topic
            asked = [phrase_alone(topic) if phrase else topic]
            for nth, (answer,) in zip(nths, self.judge(asked, [cases[n].article for n in nths]), strict=True):
                found[nth] = answer.score
        return found


def _figures(cases: Sequence[Case], scores: Sequence[float], at: float = _OPERATING) -> tuple[float, float, float]:
    found = [score >= at for score in scores]
    both = sum(case.wanted and hit for case, hit in zip(cases, found, strict=True))
    precision, recall = both / max(1, sum(found)), both / max(1, sum(case.wanted for case in cases))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def print_set(name: str, cases: Sequence[Case], scores: Sequence[float]) -> None:
    """Print the figures of one set: whole, by kind, by topic."""
    precision, recall, f1 = _figures(cases, scores)
    quiet = _figures(cases, scores, QUIET)
    print(f"\n{name}: {len(cases)} articles, P {precision:.3f} R {recall:.3f} F1 {f1:.3f}", end="")
    print(f"  (quiet: P {quiet[0]:.3f} R {quiet[1]:.3f} F1 {quiet[2]:.3f})")
    kinds: defaultdict[tuple[bool, str], list[bool]] = defaultdict(list)
    for case, score in zip(cases, scores, strict=True):
        kinds[not case.wanted, case.kind].append(score >= _OPERATING)
    for (unwanted, kind), hits in sorted(kinds.items()):
        print(f"  {'must not' if unwanted else 'must    '} {kind:18} matched {sum(hits):3} of {len(hits):3}")
    for topic in dict.fromkeys(case.topic.id for case in cases):
        own = [(c, s) for c, s in zip(cases, scores, strict=True) if c.topic.id == topic]
        precision, recall, f1 = _figures([c for c, _ in own], [s for _, s in own])
        print(f"  {topic:45} P {precision:.2f} R {recall:.2f} F1 {f1:.2f}")


def print_seeds(matcher: Matcher) -> None:
    """Print the seeds and the hard negatives, by meaning alone and from the phrase alone."""
    watched = next(t for t in load_topics(ROOT / "config" / "topics.yaml", {}) if t.id == "missile-stance")
    topics = {
        "meaning alone": Topic(id="m", topic=watched.topic, meaning=watched.meaning, unlike=watched.unlike),
        "phrase alone": phrase_alone(watched),
        "full topic": watched,
    }
    seeds = recording.load(ROOT / "seeds").articles
    told = [article(one.text, one.title) for one in seeds]
    hard = [article(row["text"], row["title"]) for row in rows(HERE / "hard-negatives.jsonl")]
    print("\nSeeds and hard negatives")
    for name, topic in topics.items():
        right = [answers[0] for answers in matcher.judge([topic], told)]
        wrong = [answers[0] for answers in matcher.judge([topic], hard)]
        print(f"  {name:14} seeds {sum(a.matched for a in right)} of {len(right)}", end="")
        print(f" ({', '.join(f'{a.score:.2f}' for a in right)}),", end="")
        print(f" hard negatives {sum(a.matched for a in wrong)} of {len(wrong)}")
        for one, answer in zip(hard, wrong, strict=True):
            if answer.matched:
                print(f"    {one.title}: {answer.score:.2f} {answer.evidence[0].text if answer.evidence else ''}")


def background(folder: Path) -> list[Article]:
    """Return the English articles of ``folder``: entries of feeds, and whole pages."""
    found = []
    for path in sorted((folder / "feeds").glob("*.xml")):
        feed = Feed(id=path.stem, url="https://feed.example/", outlet="")
        try:
            entries = parse(path.read_bytes(), feed=feed, headers={}).entries
        except ValueError:
            continue
        found += [article(entry.text, entry.title) for entry in entries]
    for text in json.loads((folder / "pages-gold.json").read_text(encoding="utf-8")).values():
        found.append(article(text))
    return [replace(one, id=str(nth)) for nth, one in enumerate(found) if _is_english(f"{one.title} {one.text}")]


def _is_english(text: str) -> bool:
    words = text.casefold().split()
    return bool(words) and sum(word in _ENGLISH for word in words) / len(words) >= _SHARE


def print_background(matcher: Matcher, topics: Sequence[Topic], articles: Sequence[Article]) -> None:
    """Print false alarms in 1,000 articles and topics, and the CPU time of an average article."""
    length = sum(len(one.text) for one in articles) / len(articles)
    print(f"\nBackground: {len(articles)} articles of {length:.0f} characters, {len(topics)} topics")
    for name, asked in (("meaning", topics), ("phrase alone", [phrase_alone(topic) for topic in topics])):
        answers = [answer for found in matcher.match(asked, articles) for answer in found]
        pairs = len(articles) * len(topics) / 1000
        quiet = [answer for answer in answers if answer.score >= QUIET]
        print(f"  {name}: {len(answers) / pairs:.2f} alarms in 1,000, quiet {len(quiet) / pairs:.2f}")
        for answer in sorted(answers, key=lambda a: -a.score)[:25]:
            print(f"    {answer.score:.2f} {answer.topic_id}: {answer.evidence[0].text[:150]!r}")


def print_cost(matcher: Matcher, topics: Sequence[Topic], articles: Sequence[Article]) -> None:
    """Print the CPU milliseconds of an average article at 5 topics, and at all of 50."""
    many = [replace(topic, id=f"{topic.id}-{nth}") for nth in range(8) for topic in topics]
    for count in (5, min(50, len(many))):
        chosen = many[:: max(1, len(many) // count)][:count] if count > len(topics) else topics[:count]
        found = matcher.match(chosen, articles)
        next(found)  # the topics are compiled
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF)
        done = sum(1 for _ in found)
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"  {len(chosen)} topics: {1000 * spent / done:.1f} ms CPU an article")


def main() -> None:
    """Print the report as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, action="append", default=[], help="folder of labelled sets")
    parser.add_argument("--background", type=Path, help="folder of feeds/*.xml and pages-gold.json")
    parser.add_argument("--verifier", default="default", help="default, off, or a directory")
    options = parser.parse_args()
    matcher = Matcher(options.verifier)
    print_seeds(matcher)
    topics: dict[str, Topic] = {}
    for folder in (HERE, *options.eval):
        for name, cases in labelled(folder).items():
            topics |= {case.topic.id: case.topic for case in cases}
            for phrase in (False, True):
                scores = matcher.scores(cases, phrase=phrase)
                print_set(f"{name}, {'phrase alone' if phrase else 'meaning and unlike'}", cases, scores)
                sys.stdout.flush()
    if options.background:
        articles = background(options.background)
        print_background(matcher, list(topics.values()), articles)
        print_cost(matcher, list(topics.values()), articles)


if __name__ == "__main__":
    main()

"""Count in how many texts each term stands: ``python -m worker.training.frequencies > worker/stories/frequencies.tsv``.

Three things are counted together: ``articles.tsv``, the counts of 436 articles (terms of fewer than three left out);
the claim groups, of which each is about as long as an article and about one thing; and the labelled events, of which
each counts once, so that the name of a ship in five articles about it stays as rare as it is.

The output is what ``worker.stories.rarity`` loads: a comment with the number of texts, then on each line a term and its
count, terms of fewer than three texts left out. A term after ``^`` is nearly always written with a capital inside a
sentence: it is a name, although it is well known.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from worker.text import fold, sentences, terms

HERE = Path(__file__).parent
_FEWEST = 3
_NO_PASSAGES = frozenset({"group", "domain", "phrase", "claims", "unlike"})
#: The share of a term's places inside sentences in which it has a capital, from which it is a name.
_NAME_SHARE = 0.8
_LETTERS = re.compile(r"[^\W\d_][\w’'-]*")


def texts() -> Iterator[str]:
    """Yield the text of every claim group and of every event."""
    passages: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(HERE.glob("groups/*.jsonl")):
        for group in _rows(path):
            found = (value for field, value in group.items() if field not in _NO_PASSAGES)
            passages[group["group"]].extend(piece for value in found for piece in _pieces(value))
    yield from ("\n".join(pieces) for pieces in passages.values())
    for path in sorted(HERE.glob("events/*.jsonl")):
        for _, articles in groupby(_rows(path), key=lambda row: str(row["event"])):
            yield "\n".join(f"{article['title']}\n{article['text']}" for article in articles)


def _pieces(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def count(found: Iterable[str]) -> tuple[int, Counter[str], set[str]]:
    """Return the number of texts, for each term the number of those in which it stands, and which terms are names."""
    total, counts, inside, capital = 0, Counter[str](), Counter[str](), Counter[str]()
    for text in found:
        total += 1
        counts.update(set(terms(text)))
        starts = {start for start, _ in sentences(text)}
        for word in _LETTERS.finditer(text):
            # What follows a quotation mark begins a sentence, too.
            if word.start() not in starts and text[word.start() - 1 : word.start()] not in "\"“‘'":
                term = fold(word.group())
                inside[term] += 1
                capital[term] += word.group()[0].isupper()
    names = {term for term, number in inside.items() if capital[term] >= _NAME_SHARE * number}
    return total, counts, names


def main() -> None:
    """Print the table."""
    total, counts, names = count(texts())
    base = (HERE / "articles.tsv").read_text("utf-8").splitlines()
    total += int(base[0].split()[1])
    counts.update({term: int(number) for term, number in (line.split("\t") for line in base[1:])})
    sys.stdout.write(f"# {total} texts\n")
    for term, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if number >= _FEWEST:
            sys.stdout.write(f"{'^' if term in names else ''}{term}\t{number}\n")


if __name__ == "__main__":
    main()

"""Count in how many articles each term stands: ``python -m worker.training.frequencies ARTICLES.jsonl > OUT.tsv``.

The input has one JSON object a line with ``title`` and ``text``. The output is what ``worker.stories.rarity`` loads:
a comment with the number of articles, then a term and its count a line, terms of fewer than three articles left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable

from worker.text import terms

_FEWEST = 3


def count(articles: Iterable[dict[str, str]]) -> tuple[int, Counter[str]]:
    """Return the number of articles, and for each term the number of those in which it stands."""
    total, found = 0, Counter[str]()
    for article in articles:
        total += 1
        found.update(set(terms(f"{article.get('title', '')}\n{article.get('text', '')}")))
    return total, found


def main(path: str) -> None:
    """Print the table for the articles in the file at ``path``."""
    with open(path, encoding="utf-8") as lines:  # noqa: PTH123 - a script's argument
        total, found = count(json.loads(line) for line in lines)
    sys.stdout.write(f"# {total} articles\n")
    for term, number in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])):
        if number >= _FEWEST:
            sys.stdout.write(f"{term}\t{number}\n")


if __name__ == "__main__":
    main(sys.argv[1])

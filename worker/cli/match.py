"""``match``: which topics do articles meet?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.options import common, emit, meaning_for, say

if TYPE_CHECKING:
    from worker.errors import Problem
    from worker.model import Match


@click.command()
@click.option("--topics", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of topics.")
@click.option("--articles", default="-", metavar="FILE", help="File of JSON lines. [default: -, which is stdin]")
@click.option(
    "--all", "everything", is_flag=True, help="Show non-matches too, with the missing clause and their score."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as always: the option is there for symmetry.")
@common
def match(*, topics: Path, articles: str, everything: bool, as_json: bool) -> int:  # noqa: ARG001 - see its help
    """Match articles against topics, as a filter from JSON lines to JSON lines.

    In: {"id","title","text"[,"url","outlet","published_at","language"]}. Out, a line a match:
    {"article","topic","matched":true,"score","by","evidence":[{"field","start","end","text"}]}. Lines that are no
    article are named on stderr and passed over; the exit code is then 2.
    """
    from worker.cli import lines
    from worker.settings import topics_and_warnings
    from worker.topics import compile_topics

    asked, warnings = topics_and_warnings(topics, os.environ)
    for warning in warnings:
        say(f"note: {warning}", err=True)
    matcher = compile_topics(asked, meaning=meaning_for(asked))
    problems: list[Problem] = []
    for article in lines.read(articles, problems):
        for answer in matcher.judge(article) if everything else matcher.match(article):
            emit(_as_json(answer))
    return lines.report(problems)


def _as_json(answer: Match) -> dict[str, object]:
    line: dict[str, object] = {
        "article": answer.article_id,
        "topic": answer.topic_id,
        "matched": answer.matched,
        "score": round(answer.score, 4),
        "by": answer.by,
        "evidence": [{"field": e.field, "start": e.start, "end": e.end, "text": e.text} for e in answer.evidence],
        "clause": answer.clause,
    }
    if not answer.matched:
        line["reason"] = answer.reason.value
        line["why_not"] = f"{answer.reason}: {answer.clause}" if answer.clause else answer.reason.value
    return line

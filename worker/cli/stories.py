"""``stories``: which articles are about one event?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import common, emit

if TYPE_CHECKING:
    from worker.errors import Problem
    from worker.ledger.stories import Membership
    from worker.model import Article


@click.command()
@click.option("--articles", default="-", metavar="FILE", help="File of JSON lines. [default: -, which is stdin]")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as always: the option is there for symmetry.")
@common
def stories(*, articles: str, as_json: bool) -> int:  # noqa: ARG001 - see its help
    """Group articles into stories, in the order of `published_at`.

    In: the lines of `match`. Out, a line an article: {"article","story","role"} with role first, report, copy or
    development, and "why" it has that role, "origin", who said it first, and "linked", the story that this one
    follows. Articles of one time are taken in the order of their lines.

    An article may show that two stories are one. So the lines are written when all articles have been read, and each
    says where its article is in the end.
    """
    from worker.cli import lines

    problems: list[Problem] = []
    found = sorted(lines.read(articles, problems), key=lambda a: a.published_at)
    for line in _grouped(found):
        emit(line)
    return lines.report(problems)


def _grouped(articles: Sequence[Article]) -> Iterator[dict[str, Any]]:
    """Yield a line an article, in the order given: joined as the service does it, in a ledger of their own."""
    from contextlib import closing
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from worker.ledger.engine import open_file
    from worker.ledger.stories import memberships
    from worker.stages.placing import Alone, place

    parts = Alone()
    with (
        TemporaryDirectory(prefix="wirewatch-") as folder,
        closing(open_file(Path(folder) / "stories.sqlite", durable=False)) as ledger,
        ledger.write() as t,
    ):
        for article in articles:
            place(t, parts, article, now=article.published_at)
        ends = memberships(t)
    for article in articles:
        end = ends[article.id]
        yield {"article": article.id, "story": end.story_id, "role": end.role.value, **_more(end)}


def _more(end: Membership) -> dict[str, Any]:
    return {"why": end.why, "origin": end.origin, "linked": end.linked}

"""``stories``: which articles are about one event?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.options import common, emit

if TYPE_CHECKING:
    from worker.errors import Problem
    from worker.model import Story


@click.command()
@click.option("--articles", default="-", metavar="FILE", help="File of JSON lines. [default: -, which is stdin]")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as always: the option is there for symmetry.")
@common
def stories(*, articles: str, as_json: bool) -> int:  # noqa: ARG001 - see its help
    """Group articles into stories, in the order of `published_at`.

    In: the lines of `match`. Out, a line an article: {"article","story","role"} with role first, report, copy or
    development.
    """
    from worker.cli import lines
    from worker.stories import joining, rarity
    from worker.stories.features import features

    problems: list[Problem] = []
    weights = rarity.load()
    found = sorted(lines.read(articles, problems), key=lambda a: a.published_at)
    known: dict[str, Story] = {}
    for article in found:
        near = [s for s in known.values() if joining.distance(article, s) <= joining.HORIZON]
        joined = joining.join(article, features(article, rarity=weights), near)
        known[joined.story.id] = joined.story
        emit({"article": article.id, "story": joined.story.id, "role": joined.role.value})
    return lines.report(problems)

"""What an article is to the story it joins, and why.

A *development* says in its title or first sentences what no member had: a higher toll, an act, on another day. A longer
article always has more names and numbers than a short one, so these alone mean nothing: it is what is said first, and
said as having followed on something, that counts. A wrong development wakes people, so it needs several signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from worker.model import Article, Member, Role
from worker.stories.features import Features
from worker.stories.model import Model
from worker.stories.origins import origin
from worker.stories.shingles import containment

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: A day of the week at most so many days after the first one named is a later one; else it may be an earlier one.
_LATER = range(1, 4)
_SINCE_FIRST, _SINCE_NEWEST = timedelta(hours=48), timedelta(hours=24)
#: Most acts, and most in the title, that make a difference.
_MANY_ACTS, _MANY_TITLED = 4, 2
_TOLLS = {"dead": "dead", "hurt": "hurt", "missing": "missing", "ill": "ill", "held": "held"}

Known = Sequence[tuple[Member, Features]]


class Signs(NamedTuple):
    """Signs of a development, each 0..1."""

    #: More dead, hurt, missing than anybody said; or the first number of them.
    toll_up: float
    toll_new: float
    #: An act in the title, or in title and first sentences, that no member says so early.
    title_act: float
    act: float
    #: "A day after", "in answer to".
    after: float
    #: The title is a quotation or a question.
    speech: float
    #: The lead names a day that no member's does; a later one; none.
    other_day: float
    later_day: float
    no_day: float
    #: Time since the first article and since the newest before it.
    since_first: float
    since_newest: float
    #: How many acts title and first sentences have, and the title.
    acts: float
    titled: float
    #: It has its news from somebody else.
    attributed: float


def role(
    article: Article, mine: Features, others: Known, *, model: Model, source: str | None = None
) -> tuple[Role, str]:
    """Return the role of an article in a story that has ``others`` already, and why, in a few words.

    ``source`` is its origin, for those who know it already.
    """
    if not others:
        return Role.FIRST, ""
    share = max(containment(mine.copied, other.copied) for _, other in others)
    if share >= model.copy:
        return Role.COPY, f"{share:.2f} of an earlier text"
    news = why(mine, others)
    found = signs(article, mine, others, source=source)
    score = model.develops + sum(model.development[name] * value for name, value in found._asdict().items())
    return (Role.DEVELOPMENT, news) if news and score >= 0 else (Role.REPORT, "")


def signs(article: Article, mine: Features, others: Known, *, source: str | None = None) -> Signs:
    """Return the signs of a development."""
    said = mine.said
    early = {act for _, other in others for act in other.said.acts}
    days = [other.day for _, other in sorted(others, key=lambda pair: pair[0].published_at) if other.day]
    other_day = bool(mine.day and days) and mine.day not in days
    first = min(member.published_at for member, _ in others)
    newest = max(member.published_at for member, _ in others)
    return Signs(
        toll_up=float(_higher(mine, others) is not None),
        toll_new=float(_new_toll(mine, others) is not None),
        title_act=float(bool(said.titled - early)),
        act=float(bool(said.acts.keys() - early)),
        after=float(bool(said.after)),
        speech=float(said.speech),
        other_day=float(other_day),
        later_day=float(other_day and (_DAYS.index(mine.day) - _DAYS.index(days[0])) % 7 in _LATER),
        no_day=float(not mine.day),
        since_first=_share(article.published_at - first, _SINCE_FIRST),
        since_newest=_share(article.published_at - newest, _SINCE_NEWEST),
        acts=min(len(said.acts), _MANY_ACTS) / _MANY_ACTS,
        titled=min(len(said.titled), _MANY_TITLED) / _MANY_TITLED,
        attributed=float((source or origin(article)) != article.outlet),
    )


def why(mine: Features, others: Known) -> str:
    """Return what is new in title and first sentences, in a few words; empty when nothing is that could be told."""
    if higher := _higher(mine, others):
        kind, value, before = higher
        return f"{value:,.10g} {_TOLLS[kind]} where {before:,.10g} were said"
    if first := _new_toll(mine, others):
        return f"{first[1]:,.10g} {_TOLLS[first[0]]}: nobody had a number"
    anywhere = {act for _, other in others for act in other.said.all_acts}
    early = {act for _, other in others for act in other.said.acts}
    for known in (anywhere, early):
        # What the title says comes first.
        new = sorted(mine.said.acts.keys() - known, key=lambda act: (act not in mine.said.titled, act))
        if new:
            return f'"{mine.said.acts[new[0]]}": nobody had {"said so" if known is anywhere else "begun with it"}'
    return ""


def _higher(mine: Features, others: Known) -> tuple[str, float, float] | None:
    """Return the first toll that is higher than any that was said: its kind, itself, and the greatest before."""
    for kind, value in mine.said.tolls.items():
        before = max((other.said.all_tolls.get(kind, 0.0) for _, other in others), default=0.0)
        if value > before > 0 and (mine.said.after or not _mentioned(value, others)):
            return kind, value, before
    return None


def _new_toll(mine: Features, others: Known) -> tuple[str, float] | None:
    for kind, value in mine.said.tolls.items():
        if value > 1 and not any(kind in other.said.all_tolls for _, other in others) and not _mentioned(value, others):
            return kind, value
    return None


def _mentioned(value: float, others: Known) -> bool:
    # Whoever wrote of 14 trapped knew of 14, unless it is said that the number has risen.
    return any(f"{value:.10g}" in other.numbers for _, other in others)


def _share(span: timedelta, most: timedelta) -> float:
    return max(0.0, min(1.0, span / most))

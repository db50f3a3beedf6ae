"""The furniture of invented news pages: what stands around an article and must never be taken for it.

All texts are made up. Their subjects (gardens, ferries, recipes) are far from any watch topic, so that a sentence of
them in an article is noticed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_SECTIONS = (
    ("Home", "World", "Business", "Culture", "Weather", "Sport"),
    ("Front page", "Region", "Economy", "Science", "Arts", "Travel"),
    ("Latest", "International", "Markets", "Health", "Opinion", "Video"),
)
_COOKIES = (
    "This site stores small files on your device to remember your reading settings.",
    "With your permission we count visits so that we know which pages are useful.",
    "We keep a few small files in your browser; you may refuse all but the necessary ones.",
)
_ADVERTS = (
    "Advertisement: garden chairs at half price until the end of the month.",
    "Sponsored: a week by the lake, breakfast and rowing boat included.",
    "Promoted by the Orchard Society: forty kinds of apples by post.",
    "Advertisement: bicycles repaired while you wait, also on holidays.",
)
_BYLINES = ("By Rosamund Vale", "By Ignatius Brook", "By our correspondent Odile Marsh", "By Theo Lindqvist")
_RELATED = (
    "Ferry timetable changes for the summer season",
    "Seven ways to cook with the first asparagus",
    "The lighthouse keeper who paints every sunrise",
    "Town library opens a room for board games",
    "Why the old clock tower runs four minutes late",
    "Choir festival moves to the covered market",
    "A walk along the canal that nobody visits",
    "Pottery fair returns after three rainy years",
)
_NEWSLETTERS = (
    "Get the Saturday letter: five long reads and a crossword, straight to your inbox.",
    "Our morning letter arrives before your coffee does. Give us your address and we send it.",
    "Once a week, the best photographs and the stories behind them, free of charge.",
)
_COMMENTS = (
    "My grandmother baked the very same bread, only with more salt.",
    "Could the editors please bring back the chess column?",
    "I walked there last spring and the footbridge was closed.",
    "Thank you for the lovely picture of the harbour.",
    "The weather map on the second page is upside down again.",
)
_FOOTERS = (
    "Printed on recycled paper in our own house since 1921.",
    "Our editorial rules and the names of our owners are open to everyone.",
    "No part of this page may be copied without asking us kindly.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Furniture:
    """The furniture of one outlet. Every string is plain text."""

    #: 0, 1 or 2: how the outlet's pages are built.
    style: int
    sections: tuple[str, ...]
    cookies: str
    adverts: tuple[str, str]
    byline: str
    #: Links inside and below the article.
    related_inside: tuple[str, str]
    related_below: tuple[str, str, str]
    newsletter: str
    comments: tuple[str, str]
    footer: str

    def sentences(self) -> tuple[str, ...]:
        """Return every text that must not be found in an article."""
        return (
            self.cookies,
            *self.adverts,
            self.byline,
            *self.related_inside,
            *self.related_below,
            self.newsletter,
            *self.comments,
            self.footer,
        )


def furnish(outlet: str) -> Furniture:
    """Return the furniture of ``outlet``: the same for the same name, on every machine."""
    number = int.from_bytes(hashlib.sha256(outlet.encode("utf-8", "replace")).digest()[:8], "big")
    related = _turned(_RELATED, number)
    adverts, comments = _turned(_ADVERTS, number // 3), _turned(_COMMENTS, number // 5)
    return Furniture(
        style=number % 3,
        sections=_SECTIONS[number // 3 % 3],
        cookies=_COOKIES[number // 9 % 3],
        adverts=(adverts[0], adverts[1]),
        byline=_BYLINES[number // 27 % 4],
        related_inside=(related[0], related[1]),
        related_below=(related[2], related[3], related[4]),
        newsletter=_NEWSLETTERS[number // 7 % 3],
        comments=(comments[0], comments[1]),
        footer=_FOOTERS[number // 11 % 3],
    )


def _turned(texts: tuple[str, ...], by: int) -> tuple[str, ...]:
    by %= len(texts)
    return texts[by:] + texts[:by]

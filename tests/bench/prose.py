"""Articles to measure with: the events that stories are trained and tested on, drawn out to the length of news.

The events were written for this project and are some 120 words long; what follows them here is the background that
reports carry, made of sentences with places, people and figures of their own, so that no two articles share a line.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_ROOT = Path(__file__).parents[2]
_EVENTS = (_ROOT / "tests" / "quality" / "stories", _ROOT / "worker" / "training" / "events")
_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "w")
_RIMES = ("a", "e", "i", "o", "al", "an", "ar", "el", "en", "er", "in", "is", "on", "or", "um")
#: What the background is written with.
PROSE = Path(__file__).with_name("prose.yaml")
_PROSE = YAML(typ="safe").load(PROSE)


@cache
def events() -> tuple[dict[str, Any], ...]:
    """Return the articles of all labelled events, in the order of the files."""
    files = (file for folder in _EVENTS for file in sorted(folder.glob("*.jsonl")))
    return tuple(json.loads(line) for file in files for line in file.read_text("utf-8").splitlines())


def paragraphs(chance: random.Random, *, words: int) -> Iterator[str]:
    """Yield paragraphs of background, of one or two sentences, until they have at least so many words."""
    given = 0
    while given < words:
        paragraph = " ".join(_sentence(chance) for _ in range(chance.randint(1, 2)))
        given += len(paragraph.split())
        yield paragraph


def name(chance: random.Random) -> str:
    """Return an invented name."""
    syllables = chance.randint(2, 3)
    return "".join(chance.choice(_ONSETS) + chance.choice(_RIMES) for _ in range(syllables)).capitalize()


def _sentence(chance: random.Random) -> str:
    text: str = chance.choice(_PROSE["sentences"])
    office: str = chance.choice(_PROSE["offices"])
    slots: dict[str, Callable[[], str]] = {
        "{office}": lambda: office,
        "{Office}": lambda: office[0].upper() + office[1:],
        "{matter}": lambda: chance.choice(_PROSE["matters"]),
        "{Person}": lambda: f"{name(chance)} {name(chance)}",
        "{place}": lambda: name(chance),
        "{month}": lambda: f"{chance.choice(_PROSE['months'])} {chance.randint(2012, 2025)}",
        "{day}": lambda: chance.choice(_PROSE["days"]),
        "{number}": lambda: str(chance.randint(21, 980)),
        "{years}": lambda: str(chance.randint(3, 20)),
    }
    for slot, make in slots.items():
        while slot in text:
            text = text.replace(slot, make(), 1)
    return text

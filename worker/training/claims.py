"""Claim groups: the training data as it is written down, and its division into training and development."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from worker.errors import ConfigError, Problem

Label = Literal["states", "opposes", "other"]

#: The order of the verifier's outputs.
LABELS: tuple[Label, ...] = ("states", "opposes", "other")

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_CALENDAR_WORDS = (
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august"
    " september october november december christmas easter i"
)
_COMMON_WORDS = (
    "a an and are as at be been but by for from had has have he her his in into is it its not of on or over said"
    " says she that the their them they this to was were which who will with would after before than"
)
#: Capitalised wherever they stand, and yet nobody's name.
_CALENDAR = frozenset(_CALENDAR_WORDS.split())
#: Words too common to say that two sentences share something.
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One claim in three forms, with passages that state it, oppose it, or only resemble it."""

    name: str
    phrase: str
    wordings: tuple[str, ...]
    passages: Mapping[Label, tuple[str, ...]]
    #: Two short claims that must not be taken for this one: the opposite, and a neighbour that is easily confused.
    unlike: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """The phrase and the wordings."""
        return (self.phrase, *self.wordings)


def read_groups(folder: Path) -> list[Group]:
    """Return the groups of all JSONL files in ``folder``, in order of file and line, with what other lines add.

    Raises:
        ConfigError: a line is not a group; the message names the file and the line.
    """
    groups: dict[str, Group] = {}
    extras: list[Mapping[str, object]] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                record = json.loads(line)
                if "claims" in record:
                    group = _group(record)
                    groups[group.name] = group
                else:
                    extras.append(record)
            except (KeyError, TypeError, ValueError) as error:
                problem = Problem(file=str(path), line=number, message=f"not a claim group: {error!r}")
                raise ConfigError(problem) from error
    for record in extras:
        name = str(record["group"])
        if name in groups:
            groups[name] = _extended(groups[name], record)
    if not groups:
        raise ConfigError(Problem(file=str(folder), message="no claim groups (*.jsonl) found"))
    return list(groups.values())


def names_in_file(folder: Path, name: str) -> frozenset[str]:
    """Return the group names in a file beside the groups."""
    return frozenset((folder / name).read_text("utf-8").split())


def _group(record: Mapping[str, object]) -> Group:
    return Group(
        name=str(record["group"]),
        phrase=str(record["phrase"]),
        wordings=_texts(record["claims"]),
        passages={label: _texts(record[label]) for label in LABELS},
        unlike=_texts(record.get("unlike", [])),
    )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        raise TypeError("expected a list of texts")
    return tuple(value)


def _extended(group: Group, record: Mapping[str, object]) -> Group:
    # A line without claims adds to a group: passages under "states_high_overlap" and the like, or counter-claims.
    passages = dict(group.passages)
    for key, value in record.items():
        label = next((label for label in LABELS if key.startswith(f"{label}_")), None)
        if label is not None:
            passages[label] += (value,) if isinstance(value, str) else _texts(value)
    return replace(group, passages=passages, unlike=group.unlike or _texts(record.get("unlike", [])))


def stems(text: str) -> frozenset[str]:
    """Return the first five letters of each word of ``text`` that carries meaning."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(word[:5] for word in words if word not in _COMMON and len(word) > 1)


def overlap(claim: str, passage: str) -> float:
    """Return the share of the claim's stems that the passage repeats, 0 to 1."""
    wanted = stems(claim)
    return len(wanted & stems(passage)) / len(wanted) if wanted else 0.0


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that ``texts`` write with a capital and never without: names, for our purposes."""
    capital: Counter[str] = Counter()
    small: set[str] = set()
    for text in texts:
        for word in _WORD.findall(text):
            bare = re.sub(r"['’]s$", "", word)
            if bare[0].isupper() and not bare.isupper():
                capital[bare] += 1
            elif bare[0].islower():
                small.add(bare)
    return frozenset(word for word in capital if word.lower() not in small and word.lower() not in _CALENDAR)


def name_runs(text: str, names: frozenset[str]) -> list[str]:
    """Return the names in ``text``, neighbouring ones as one, in order and each once.

    >>> name_runs("Orrin Mills reopens in Brannock", frozenset({"Orrin", "Mills", "Brannock"}))
    ['Orrin Mills', 'Brannock']
    """
    runs: list[str] = []
    end = -2
    for found in _WORD.finditer(text):
        bare = re.sub(r"['’]s$", "", found.group())
        if bare not in names:
            continue
        if runs and end == found.start() - 1 and text[end] == " ":
            runs[-1] += " " + bare
        else:
            runs.append(bare)
        end = found.start() + len(bare)
    return list(dict.fromkeys(runs))


def split(
    groups: Sequence[Group], twins: Iterable[tuple[int, int]], *, development: Collection[str]
) -> tuple[list[Group], list[Group]]:
    """Return training and development groups.

    ``development`` names the groups that are never trained on. ``twins`` are pairs of groups that say nearly the same:
    a training group that is the twin of a development group is left out, whoever wrote it.
    """
    held = {index for index, group in enumerate(groups) if group.name in development}
    near = {other for one, two in twins for index, other in ((one, two), (two, one)) if index in held}
    train = [group for index, group in enumerate(groups) if index not in held | near]
    return train, [groups[index] for index in sorted(held)]

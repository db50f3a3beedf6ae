"""Pairs of claim and passage, made anew for every epoch so that no surface feature tells the label.

The groups were written with few words of the claim in ``states`` and many in ``opposes`` and ``other``, which a model
learns before it learns to read. Against that: reporting frames that give all three labels the claim's own words,
passages of other groups that share nothing, exchanged names, and weights that make overlap and label independent.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from worker.training import frames
from worker.training.claims import LABELS, Group, Label, name_runs, names_in, overlap

#: A label's weight is never changed by more than this, lest a few odd pairs rule an epoch.
_WEIGHTS = (0.4, 2.5)
#: How often a passage gets a neighbouring sentence, and of how many letters at most each may be.
_NEIGHBOUR, _PASSAGE_MOST, _NEIGHBOUR_MOST = 0.25, 260, 200
#: A neighbour that repeats more than this of the claim might answer it.
_NEIGHBOUR_OVERLAP = 0.34
#: How often a passage is written like a headline, loses its full stop, or a claim loses its own.
_HEADLINE, _BARE, _BARE_CLAIM = 0.04, 0.04, 0.06
#: How often an exchange of names is also tried in the claim, and how often a general claim gets a name.
_CLAIM_RENAMED, _GENERAL_NAMED = 0.5, 0.6
_GENERAL_SUBJECT = re.compile(r"^(?:A|An) (country|government|company|state|city|firm|developer|retailer|carmaker)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One question to the verifier and its answer."""

    claim: str
    passage: str
    label: Label
    kind: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Corpus:
    """The groups of one side of the division, with what the making of pairs looks up again and again."""

    groups: Sequence[Group]
    #: For each group, others of the same field, nearest first, without near duplicates.
    near: Sequence[Sequence[int]]
    #: For each group, those that say nearly the same: never each other's negatives.
    twins: Sequence[frozenset[int]]
    names: frozenset[str]
    runs: Sequence[str]


def corpus(groups: Sequence[Group], near: Sequence[Sequence[int]], twins: Sequence[frozenset[int]]) -> Corpus:
    """Return ``groups`` with their names indexed."""
    names = names_in(text for group in groups for text in _all_texts(group))
    runs = sorted({run for group in groups for form in group.forms for run in name_runs(form, names)})
    return Corpus(groups, near, twins, names, runs)


def _all_texts(group: Group) -> Iterator[str]:
    yield from group.forms
    for label in LABELS:
        yield from group.passages[label]


def epoch(data: Corpus, rng: random.Random) -> list[Pair]:
    """Return the weighted pairs of one epoch, in random order."""
    makers: tuple[Callable[[Corpus, int, random.Random], Iterator[Pair]], ...] = (
        _own,
        _wordings,
        _counter,
        _framed,
        _foreign,
        _renamed,
        _named,
    )
    pairs = [pair for index in range(len(data.groups)) for make in makers for pair in make(data, index, rng)]
    pairs = [_styled(_surrounded(pair, data, rng), rng) for pair in pairs]
    rng.shuffle(pairs)
    return weighted(pairs)


def plain(data: Corpus) -> list[Pair]:
    """Return the pairs to measure with: every form with every passage of its group, and eight foreign passages."""
    pairs = []
    for index, group in enumerate(data.groups):
        for form in group.forms:
            for label in LABELS:
                pairs += [_pair(form, text, label, label) for text in group.passages[label]]
            for other in data.near[index][:4]:
                texts = data.groups[other].passages
                pairs += [_pair(form, texts[label][0], "other", "foreign") for label in ("states", "other")]
    return pairs


def weighted(pairs: Sequence[Pair]) -> list[Pair]:
    """Return ``pairs`` with weights under which the overlap with the claim says nothing about the label."""
    cells = [(pair.label, min(4, int(overlap(pair.claim, pair.passage) * 5))) for pair in pairs]
    both, labels, bins = Counter(cells), Counter(c[0] for c in cells), Counter(c[1] for c in cells)
    low, high = _WEIGHTS
    total = len(pairs)
    return [
        replace(pair, weight=min(high, max(low, labels[cell[0]] * bins[cell[1]] / total / both[cell])))
        for pair, cell in zip(pairs, cells, strict=True)
    ]


def _pair(claim: str, passage: str, label: Label, kind: str) -> Pair:
    return Pair(claim=claim, passage=passage, label=label, kind=kind)


def _own(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    group = data.groups[index]
    for label in LABELS:
        for passage in group.passages[label]:
            yield _pair(rng.choice(group.forms), passage, label, label)


def _wordings(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    group = data.groups[index]
    claim, passage = rng.sample(group.forms, 2)
    yield _pair(claim, passage, "states", "wording")


def _counter(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    # Counter-claims are what users write under ``unlike``: the first is the opposite, the second only a neighbour.
    group = data.groups[index]
    answers: tuple[Label, ...] = ("opposes", "other")
    for claim, answer in zip(group.unlike, answers, strict=False):
        yield _pair(claim, rng.choice(group.passages["states"]), answer, "counter")
        yield _pair(rng.choice(group.forms), claim, answer, "counter")


def _framed(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    group = data.groups[index]
    kinds: tuple[Label, ...] = ("states", "opposes", "other")
    for label in kinds:
        form = rng.choice(group.forms)
        if form == group.phrase:
            text = rng.choice(frames.HEADLINES[label]).format(form)
        else:
            text = rng.choice(frames.SENTENCES[label]).format(_clause(form, data.names))
        yield _pair(rng.choice(group.forms), text[0].upper() + text[1:], label, "frame")


def _clause(sentence: str, names: frozenset[str]) -> str:
    first = sentence.split(maxsplit=1)[0].rstrip(",.").removesuffix("'s")
    text = sentence.rstrip(".")
    return text if first in names or (first.isupper() and len(first) > 1) else text[0].lower() + text[1:]


def _foreign(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    group, near = data.groups[index], data.near[index]
    far = [rng.randrange(len(data.groups)) for _ in range(2)]
    for other in (rng.choice(near[:12]), *(f for f in far if f not in data.twins[index])):
        passages = data.groups[other].passages[rng.choice(LABELS)]
        yield _pair(rng.choice(group.forms), rng.choice(passages), "other", "foreign")
    yield _pair(rng.choice(group.forms), rng.choice(data.groups[rng.choice(near[:12])].wordings), "other", "foreign")


def _renamed(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    # The same deed by somebody else is another event; the same names changed on both sides change nothing.
    group = data.groups[index]
    sides: tuple[tuple[Label, int], ...] = (("states", 2), ("opposes", 1))
    for label, times in sides:
        for passage in rng.sample(group.passages[label], times):
            form = rng.choice(group.forms)
            shared = [run for run in name_runs(form, data.names) if run in passage]
            if not shared:
                continue
            mapping = {run: _another(run, data, rng) for run in shared}
            yield _pair(form, _exchange(passage, mapping), "other", "renamed")
            if rng.random() < _CLAIM_RENAMED:
                yield _pair(_exchange(form, mapping), passage, "other", "renamed")
            yield _pair(_exchange(form, mapping), _exchange(passage, mapping), label, "both renamed")


def _another(run: str, data: Corpus, rng: random.Random) -> str:
    choices = [rng.choice(data.runs) for _ in range(8)]
    fitting = [c for c in choices if not set(c.split()) & set(run.split())] or ["Veldonia"]
    same_length = [c for c in fitting if len(c.split()) == len(run.split())]
    return (same_length or fitting)[0]


def _exchange(text: str, mapping: Mapping[str, str]) -> str:
    pattern = re.compile("|".join(rf"\b{re.escape(run)}\b" for run in sorted(mapping, key=len, reverse=True)))
    return pattern.sub(lambda found: mapping[found.group()], text)


def _named(data: Corpus, index: int, rng: random.Random) -> Iterator[Pair]:
    # "A country expels ..." becomes "Poland expels ...": stated by the passage that begins with Poland, not by others.
    group = data.groups[index]
    general = [form for form in group.wordings if _GENERAL_SUBJECT.match(form)]
    if not general or rng.random() > _GENERAL_NAMED:
        return
    form = rng.choice(general)
    sides: tuple[Label, ...] = ("states", "opposes")
    for label in sides:
        passage = rng.choice(group.passages[label])
        runs = name_runs(passage, data.names)
        if runs and passage.startswith(runs[0]):
            yield _pair(_GENERAL_SUBJECT.sub(runs[0], form), passage, label, "named")
        if runs:
            yield _pair(_GENERAL_SUBJECT.sub(_another(runs[0], data, rng), form), passage, "other", "named other")


def _surrounded(pair: Pair, data: Corpus, rng: random.Random) -> Pair:
    if rng.random() > _NEIGHBOUR or len(pair.passage) > _PASSAGE_MOST:
        return pair
    neighbour = rng.choice(rng.choice(data.groups).passages["other"])
    if len(neighbour) > _NEIGHBOUR_MOST or overlap(pair.claim, neighbour) > _NEIGHBOUR_OVERLAP:
        return pair
    parts = [neighbour, _closed(pair.passage)] if rng.choice((True, False)) else [_closed(pair.passage), neighbour]
    return replace(pair, passage=" ".join(parts))


def _closed(text: str) -> str:
    return text if text[-1] in ".!?\"'”’" else text + "."


def _styled(pair: Pair, rng: random.Random) -> Pair:
    draw = rng.random()
    if draw < _HEADLINE:
        return replace(pair, passage=" ".join(word[:1].upper() + word[1:] for word in pair.passage.rstrip(".").split()))
    if draw < _HEADLINE + _BARE:
        return replace(pair, passage=pair.passage.rstrip("."))
    if draw < _HEADLINE + _BARE + _BARE_CLAIM:
        return replace(pair, claim=pair.claim.rstrip("."))
    return pair

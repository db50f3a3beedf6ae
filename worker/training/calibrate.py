"""One score out of what the models say, with 0.5 as the operating point.

A logistic function of few features, fitted to passages of the development groups and of ordinary news, shifted so
that 0.5 is where the articles of the development groups are decided best, with few false alarms on ordinary news.
Two sets of weights: for topics with ``meaning`` sentences, and for a phrase alone.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from worker.training.cases import Case
from worker.training.claims import Label
from worker.training.features import Scores

Vector: TypeAlias = npt.NDArray[np.float64]
Rated: TypeAlias = Sequence[tuple[Case, Scores]]

#: What the weights multiply, in order.
FEATURES = ("claim", "phrase", "opposed", "unlike", "margin", "subject", "names")
#: A logit is cut here: beyond it the models are sure, and how sure says nothing.
_SURE = 6.0
_NO_UNLIKE = -4.0
_NOTHING = 1e-9
_OPPOSED = FEATURES.index("opposed")
#: Passages of which articles are composed: mixes as reports hold them, by what the whole says.
_MIXES: Mapping[Label, tuple[tuple[Label, ...], ...]] = {
    "states": (("states",), ("states", "states", "other"), ("states", "states", "other", "other")),
    "opposes": (("opposes",), ("opposes", "opposes", "other"), ("opposes", "opposes", "opposes", "other")),
    "other": (("other",), ("other", "other", "other"), ("other", "other", "other", "other")),
}
_DRAWS = 5
#: A passage of ordinary news counts for less than one of the development groups: there are more of them.
_ORDINARY_WEIGHT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How what the models say becomes the score of an article, 0.5 being the operating point.

    An article is as good as its best passage, less what its most contrary passage takes away: a report quotes what
    it goes on to deny, and one sentence alone does not show it.
    """

    #: Of ``FEATURES``, for a passage.
    weights: tuple[float, ...]
    bias: float
    #: Of the best passage, of the largest log-odds of ``opposes``, and what is added.
    article: tuple[float, float, float]

    def passages(self, rows: Vector) -> Vector:
        """Return the log-odds of each passage, one row of ``rows`` each."""
        return np.asarray(rows @ np.array(self.weights) + self.bias)

    def score(self, rows: Vector) -> float:
        """Return the score of an article, 0 to 1; 0 if no passage passed the gate."""
        if not len(rows):
            return 0.0
        best, opposed, added = self.article
        odds = best * self.passages(rows).max() + opposed * rows[:, _OPPOSED].max() + added
        return float(1 / (1 + np.exp(-odds)))


def _odds(logits: npt.NDArray[np.float32], label: int) -> Vector:
    # The log-odds of one label against the other two.
    rest = np.delete(logits, label, axis=-1).astype(np.float64)
    top = rest.max(-1)
    rest_sum = top + np.log(np.exp(rest - top[..., None]).sum(-1))
    return np.asarray(np.clip(logits[..., label] - rest_sum, -_SURE, _SURE))


def features(scores: Scores, *, phrase_alone: bool = False) -> Vector:
    """Return one row a passage, in the order of ``FEATURES``."""
    count = len(scores.at)
    if count == 0:
        return np.zeros((0, len(FEATURES)))
    states, opposes = _odds(scores.states, 0), _odds(scores.states, 1)
    phrase = states[:, -1]
    if phrase_alone:
        columns = [
            phrase,
            phrase,
            opposes[:, -1],
            np.full(count, _NO_UNLIKE),
            np.zeros(count),
            2 * scores.phrase,
            scores.names,
        ]
        return np.stack(columns, axis=1).astype(np.float64)
    unlike = _odds(scores.unlike, 0).max(1) if scores.unlike.shape[1] else np.full(count, _NO_UNLIKE)
    margin = scores.subject - scores.against if scores.unlike.shape[1] else np.zeros(count)
    columns = [
        states[:, :-1].max(1),
        phrase,
        opposes.max(1),
        unlike,
        margin,
        scores.subject + scores.phrase,
        scores.names,
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def fit(rows: Vector, wanted: npt.NDArray[np.bool_], weight: Vector, *, ridge: float = 2.0) -> Vector:
    """Return the logistic regression of ``wanted`` on ``rows`` one weight a column, then the bias (Newton)."""
    design = np.hstack([rows, np.ones((len(rows), 1))])
    beta = np.zeros(design.shape[1])
    penalty = np.diag([*([ridge] * rows.shape[1]), _NOTHING])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (wanted - chance)) - penalty @ beta
        step = np.linalg.solve((design * (weight * chance * (1 - chance))[:, None]).T @ design + penalty, gradient)
        beta += step
        if np.abs(step).max() < _NOTHING:
            break
    return np.asarray(beta)


def best(calibration: Calibration, rated: Rated, *, phrase_alone: bool) -> Vector:
    """Return the score of each article."""
    return np.array([calibration.score(features(scores, phrase_alone=phrase_alone)) for _, scores in rated])


def calibrate(
    development: Rated,
    ordinary: Rated,
    *,
    phrase_alone: bool,
    rng: random.Random,
    used: Sequence[str] = FEATURES,
    alarms: float = 0.003,
) -> Calibration:
    """Return the calibration whose 0.5 decides articles composed of development passages best.

    ``alarms`` is the share of (topic, article) pairs of ordinary news that may be above it.
    """
    first = _passage_fit(development, ordinary, phrase_alone=phrase_alone, used=used)
    composed, wanted = _composed(development, phrase_alone=phrase_alone, rng=rng)
    table = np.array([[first.passages(rows).max(), rows[:, _OPPOSED].max()] for rows in composed])
    whole = fit(table, wanted, np.ones(len(table)))
    second = replace(first, article=(float(whole[0]), float(whole[1]), float(whole[2])))
    threshold = max(
        _best_threshold(np.array([second.score(rows) for rows in composed]), wanted),
        _quiet_threshold(best(second, ordinary, phrase_alone=phrase_alone), alarms),
    )
    moved = second.article[2] - float(np.log(threshold / (1 - threshold)))
    return replace(second, article=(*second.article[:2], moved))


def _passage_fit(development: Rated, ordinary: Rated, *, phrase_alone: bool, used: Sequence[str]) -> Calibration:
    blocks: list[Vector] = []
    wanted: list[bool] = []
    weight: list[float] = []
    for case, scores in (*development, *ordinary):
        if case.kind.endswith("long article"):
            continue
        rows = features(scores, phrase_alone=phrase_alone)
        blocks.append(rows)
        wanted += [case.wanted] * len(rows)
        weight += [_ORDINARY_WEIGHT if case.kind == "background" else 1.0] * len(rows)
    table = np.vstack(blocks)
    on = np.array([name in used for name in FEATURES]) & (table.std(0) > _NOTHING)
    beta = fit(table[:, on], np.array(wanted), np.array(weight))
    weights = np.zeros(len(FEATURES))
    weights[on] = beta[:-1]
    return Calibration(weights=tuple(map(float, weights)), bias=float(beta[-1]), article=(1.0, 0.0, 0.0))


def _composed(
    development: Rated, *, phrase_alone: bool, rng: random.Random
) -> tuple[list[Vector], npt.NDArray[np.bool_]]:
    # Articles of several passages about one topic, as single texts do not show how evidence adds up.
    groups: defaultdict[str, defaultdict[str, list[Vector]]] = defaultdict(lambda: defaultdict(list))
    for case, scores in development:
        groups[case.question.name][case.kind].append(features(scores, phrase_alone=phrase_alone))
    articles: list[Vector] = []
    wanted: list[bool] = []
    for passages in groups.values():
        for label, mixes in _MIXES.items():
            for mix in mixes * _DRAWS:
                rows = np.vstack([rng.choice(passages[kind]) for kind in mix])
                if len(rows):
                    articles.append(rows)
                    wanted.append(label == "states")
    return articles, np.array(wanted)


def _best_threshold(scores: Vector, wanted: npt.NDArray[np.bool_]) -> float:
    grid = np.unique(np.quantile(scores[scores > 0], np.linspace(0, 1, 200)))
    values = [_f1(scores >= value, wanted) for value in grid]
    smooth = np.convolve(values, np.ones(9) / 9, mode="same")
    return float(np.clip(grid[int(np.argmax(smooth[5:-5])) + 5], 1e-4, 1 - 1e-4))


def _f1(found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    both = float((found & wanted).sum())
    return 2 * both / max(1.0, float(found.sum() + wanted.sum()))


def _quiet_threshold(scores: Vector, alarms: float) -> float:
    return float(np.clip(np.quantile(scores, 1 - alarms), 1e-4, 1 - 1e-4)) if len(scores) else 1e-4


def write(path: Path, full: Calibration, phrase: Calibration, *, gate: float, models: dict[str, str]) -> None:
    """Write both calibrations with the hashes of the models that they belong to."""
    record = {
        "features": FEATURES,
        "gate": gate,
        "models": models,
        "meaning": asdict(full),
        "phrase": asdict(phrase),
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

"""The constants of the decision, fitted on groups that nothing was trained on, and what each part of it adds.

    python -m worker.training.fit --models DIR --data worker/training/groups [--measure DIR ...]

Writes ``decision.json`` and ``manifest.json`` into the folder of models. ``--measure`` names folders of labelled sets
that have no part in the fit: each is printed with every part of the decision taken away in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.topics.meaning.decision import SIGNALS, Signals, Whole
from worker.topics.meaning.models import FILES, MANIFEST, Models, load_models
from worker.topics.meaning.sieve import Sieve
from worker.training import cases as made
from worker.training.cases import Case
from worker.training.claims import Group, names_in_file, read_groups
from worker.training.signals import Rated, Rater

_LOG = logging.getLogger(__name__)
Vector = npt.NDArray[np.float64]

#: Least subject score of a passage that the verifier is asked about.
GATE = 0.50
#: What the words alone are worth, and what a passage must promise. The first four come from a logistic regression that
#: told the passages by which articles of the kept groups match from those of ordinary news. The others were chosen by
#: hand, with the labelled sets in sight, so that the encoder is asked little and 99 of 100 matches are found that a
#: method which asks it about everything finds.
SIEVE = Sieve(guess=1.74, words=9.6, phrase=9.6, length=-0.77, least=5.52, patience=1.35, title=3.6, second=2.5)
#: What the rest of an article makes of its best passage. Composed articles do not hang together as news does, so these
#: were not fitted but chosen by hand, with the labelled sets in sight.
WHOLE = Whole(length=1.2, title=0.7, second=0.8, headline=0.5, elsewhere=0.5, unlike=0.7)
#: Share of composed ordinary articles that may match at the operating point, and at the quiet one: with meaning, and
#: from a phrase alone. Composed articles are nearer to the topics than news is: these shares are about 2.7 and 0.9
#: false alarms in 1,000 articles of real feeds.
ALARMS = {False: (0.0070, 0.0019), True: (0.0053, 0.0013)}
_ARTICLES, _TOPICS = 250, 40
_RIDGE = 3.0
#: An ordinary passage counts this much in the fit: there are many, and all alike.
_ORDINARY = 0.5
_BI = ("margin", "subject", "names", "others")
_CUES = ("question", "condition", "demand", "plan", "past")

#: Composed articles have headlines of other articles, from which nothing can be learnt.
_LEARNT = frozenset(SIGNALS) - {"title"}
#: Parts of the decision, by the signals that they may use.
PARTS: Mapping[str, frozenset[str]] = {
    "all": _LEARNT,
    "without names": _LEARNT - {"names", "others"},
    "without tense": _LEARNT - set(_CUES),
    "without unlike": _LEARNT - {"unlike", "margin"},
    "without the encoder": _LEARNT - {"margin", "subject"},
    "verifier alone": frozenset({"claim", "phrase", "opposed"}),
    "encoder alone": frozenset(_BI) | set(_CUES),
}


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights, and the log-odds at which topics match."""

    weights: Vector
    bias: float
    operating: float
    quiet: float

    def odds(self, rated: Sequence[Rated]) -> Vector:
        """Return the log-odds of each case; -99 when no passage came so far."""
        return np.array([self._odds(one) for one in rated])

    def _odds(self, one: Rated) -> float:
        if not len(one.rows):
            return -99.0
        raws = (one.rows @ self.weights + self.bias).tolist()
        found = [Signals(**dict(zip(SIGNALS, row.tolist(), strict=True))) for row in one.rows]
        return WHOLE.odds(raws, found, one.passages)[0]

    def record(self) -> dict[str, Any]:
        """Return the fit as ``decision.json`` has it."""
        return {
            "weights": [round(float(value), 5) for value in self.weights],
            "bias": round(self.bias, 5),
            "operating": round(self.operating, 4),
            "quiet": round(self.quiet, 4),
        }


def fit(
    development: Sequence[Rated], ordinary: Sequence[Rated], used: frozenset[str], alarms: tuple[float, float]
) -> Fit:
    """Return the fit that tells development passages apart best, with a threshold that few ordinary articles reach."""
    on = np.array([name in used for name in SIGNALS])
    alone = [one for one in development if "buried" not in one.kind and len(one.rows)]
    rows = np.vstack([one.rows for one in (*alone, *ordinary)])
    wanted = np.concatenate([np.full(len(one.rows), one.wanted) for one in (*alone, *ordinary)])
    weight = np.concatenate(
        [np.full(len(one.rows), _ORDINARY if one.kind == "ordinary" else 1.0) for one in (*alone, *ordinary)]
    )
    on &= rows.std(0) > 0
    beta = logistic(rows[:, on], wanted, weight)
    weights = np.zeros(len(SIGNALS))
    weights[on] = beta[:-1]
    first = Fit(weights, float(beta[-1]), 0.0, 0.0)
    scores = first.odds(ordinary)
    operating, quiet = (float(np.quantile(scores, 1 - share)) for share in alarms)
    return Fit(weights, first.bias, operating, max(quiet, operating + 0.3))


def logistic(rows: Vector, wanted: npt.NDArray[np.bool_], weight: Vector) -> Vector:
    """Return the ridge logistic regression of ``wanted`` on ``rows``: a weight a column, then the bias (Newton)."""
    design = np.hstack([rows, np.ones((len(rows), 1))])
    beta = np.zeros(design.shape[1])
    penalty = np.diag([*([_RIDGE] * rows.shape[1]), 1e-6])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (wanted - chance)) - penalty @ beta
        hessian = (design * (weight * chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-6:  # noqa: PLR2004 - no further change that matters
            break
    return beta


def f1(found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    """Return the harmonic mean of precision and recall."""
    both = float((found & wanted).sum())
    return 2 * both / max(1.0, float(found.sum() + wanted.sum()))


def table(name: str, rated: Sequence[Rated], chosen: Fit, *, kinds: bool) -> Iterator[str]:
    """Yield precision, recall and F1 of a set, and what share of each kind matched."""
    found = chosen.odds(rated) >= chosen.operating
    wanted = np.array([one.wanted for one in rated])
    both = int((found & wanted).sum())
    yield (
        f"{name}: P {both / max(1, int(found.sum())):.3f} R {both / max(1, int(wanted.sum())):.3f} "
        f"F1 {f1(found, wanted):.3f} ({len(rated)} articles)"
    )
    by_kind: defaultdict[str, list[bool]] = defaultdict(list)
    for one, hit in zip(rated, found, strict=True):
        by_kind[f"{'+' if one.wanted else '-'}{one.kind}"].append(bool(hit))
    if kinds:
        yield "  " + ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in sorted(by_kind.items()))


def main() -> None:
    """Fit and measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of tokenizer, table, encoder and verifier")
    parser.add_argument("--data", type=Path, required=True, help="folder of claim groups (*.jsonl)")
    parser.add_argument("--measure", type=Path, action="append", default=[], help="folder of labelled sets")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    models = open_models(options.models)
    rater = Rater(models, gate=GATE)
    development, ordinary = _development(options.data)
    sets = {
        f"{folder.name}/{name}": cases for folder in options.measure for name, cases in made.labelled(folder).items()
    }
    fits: dict[str, Fit] = {}
    for alone in (False, True):
        change = made.phrase_alone if alone else (lambda topic: topic)
        known = rater.rate(_changed(development, change))
        strange = rater.ordinary(ordinary[0], [change(topic) for topic in ordinary[1]])
        measured = {name: rater.rate(_changed(found, change)) for name, found in sets.items()}
        for part, used in PARTS.items():
            chosen = fit(known, strange, used, ALARMS[alone])
            fits[f"{part}{', phrase' if alone else ''}"] = chosen
            lines = [f"== {part}{', phrase alone' if alone else ''}"]
            for name, rated in {"development": known, **measured}.items():
                lines += table(name, rated, chosen, kinds=part == "all")
            _LOG.info("%s", "\n".join(lines))
        _LOG.info(
            "weights %s", dict(zip(SIGNALS, fits["all, phrase" if alone else "all"].weights.round(2), strict=True))
        )
    write(options.models, fits)


def _changed(cases: Sequence[Case], change: Any) -> list[Case]:  # noqa: ANN401 - topic to topic
    return [Case(topic=change(c.topic), article=c.article, wanted=c.wanted, kind=c.kind) for c in cases]


def _development(folder: Path) -> tuple[list[Case], tuple[list[Any], list[Any]]]:
    held, unused = names_in_file(folder, "development.txt"), names_in_file(folder, "left-out.txt")
    groups = [group for group in read_groups(folder) if group.name not in unused]
    known: list[Group] = [group for group in groups if group.name in held and group.unlike]
    strangers = [group for group in groups if group.name not in held]
    rng = random.Random(11)  # noqa: S311 - reproducible cases, not a secret
    cases = list(made.development(known, strangers, rng))
    topics = [made.topic_of(group) for group in rng.sample(known, min(_TOPICS, len(known)))]
    return cases, (made.ordinary(strangers, _ARTICLES, rng), topics)


def open_models(folder: Path) -> Models:
    """Return the models of a folder whose decision is still to be made."""
    files = {name: (folder / name).read_bytes() for name in FILES if name != "decision.json"}
    files["decision.json"] = b"{}"
    pinned = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return load_models({**files, MANIFEST: json.dumps({"files": pinned}).encode()})


def write(folder: Path, fits: Mapping[str, Fit]) -> None:
    """Write the constants with the hashes of the models that they belong to, and the manifest of all files."""
    hashes = {name: _sha256(folder / name) for name in FILES if name != "decision.json"}
    record = {
        "signals": SIGNALS,
        "gate": GATE,
        "sieve": asdict(SIEVE),
        "whole": asdict(WHOLE),
        "meaning": fits["all"].record(),
        "phrase": fits["all, phrase"].record(),
        "encoder": fits["encoder alone"].record(),
        "models": hashes,
    }
    (folder / "decision.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    pinned = {"files": {name: _sha256(folder / name) for name in FILES}}
    (folder / MANIFEST).write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()

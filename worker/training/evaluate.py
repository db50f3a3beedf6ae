"""The figures: precision and recall by set, false alarms by kind, and what each part of the decision adds.

    python -m worker.training.evaluate --models DIR --data claims --unlike FILE --eval DIR --background FILE

Fits the calibration on the development groups and half of the background, writes it to ``DIR/calibration.json``, and
prints the tables for the labelled sets and for the other half. ``--background`` is a JSON list of {"title", "text"}.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from worker.training import calibrate
from worker.training.calibrate import FEATURES, Calibration, Rated
from worker.training.cases import Case, background, development, read_articles, read_long, read_unlike
from worker.training.data import Division, divide
from worker.training.features import Matrix, passages, score
from worker.training.models import Models, read_models

_LOG = logging.getLogger(__name__)
#: Parts of the decision, each as the features that it may use.
PARTS: Mapping[str, tuple[str, ...]] = {
    "all": FEATURES,
    "without names": tuple(name for name in FEATURES if name != "names"),
    "without unlike": tuple(name for name in FEATURES if name not in {"unlike", "margin"}),
    "verifier only": ("claim", "phrase", "opposed"),
    "bi-encoder only": ("margin", "subject"),
}
_ORDINARY_TOPICS = 25


def rate(cases: Sequence[Case], models: Models, mean: Matrix, gate: float) -> Rated:
    """Return each case with what the models say of it; ``gate`` is the least subject score of a passage."""
    rated = []
    for case in cases:
        found = passages(case.title, case.text) or [case.text or "(empty)"]
        vectors = models.embed(found)
        scores = score(
            case.question, found, vectors=vectors, embed=models.embed, answer=models.answer, mean=mean, gate=gate
        )
        rated.append((case, scores))
    return rated


def table(name: str, rated: Rated, calibration: Calibration, *, phrase_alone: bool) -> Iterator[str]:
    """Yield the lines of one set: precision, recall and F1, then the share of matches by kind."""
    found = calibrate.best(calibration, rated, phrase_alone=phrase_alone) >= 0.5  # noqa: PLR2004 - the operating point
    wanted = np.array([case.wanted for case, _ in rated])
    both = int((found & wanted).sum())
    precision, recall = both / max(1, int(found.sum())), both / max(1, int(wanted.sum()))
    f1 = 2 * both / max(1, int(found.sum()) + int(wanted.sum()))
    yield f"{name}: P {precision:.3f} R {recall:.3f} F1 {f1:.3f} ({len(rated)} articles)"
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    for (case, _), hit in zip(rated, found, strict=True):
        kinds[f"{'+' if case.wanted else '-'} {case.kind}"].append(bool(hit))
    for kind, hits in sorted(kinds.items()):
        yield f"  {kind}: matched {sum(hits)} of {len(hits)}"


def alarms(rated: Rated, calibration: Calibration, *, phrase_alone: bool) -> float:
    """Return the false alarms in a thousand (topic, article) pairs."""
    found = calibrate.best(calibration, rated, phrase_alone=phrase_alone) >= 0.5  # noqa: PLR2004 - the operating point
    return 1000 * float(found.mean())


def mean_vector(division: Division, models: Models) -> Matrix:
    """Return the mean sentence vector, over passages of the training groups."""
    texts = [text for group in division.training.groups for text in group.passages["other"][:3]]
    return np.asarray(models.embed(texts).mean(0), dtype=np.float32)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _halves(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    articles = list(dict.fromkeys((case.title, case.text) for case in cases))
    first = set(articles[: len(articles) // 2])
    return [c for c in cases if (c.title, c.text) in first], [c for c in cases if (c.title, c.text) not in first]


def main() -> None:
    """Calibrate and evaluate as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder with encoder.onnx and verifier.onnx")
    parser.add_argument("--data", type=Path, required=True, help="folder of claim groups (*.jsonl)")
    parser.add_argument("--vectors", type=Path, required=True, help="folder of the encoder that divided the groups")
    parser.add_argument("--leave-out", type=Path, help="file of group names, one a line, as given in training")
    parser.add_argument("--unlike", type=Path, required=True, help="counter-sentences of development groups (JSONL)")
    parser.add_argument("--eval", type=Path, required=True, help="folder of topics.yaml, articles.jsonl, long.jsonl")
    parser.add_argument("--background", type=Path, required=True, help="JSON list of ordinary articles")
    parser.add_argument("--gate", type=float, default=0.55, help="least subject score of a passage")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    division, models = divide(options.data, options.vectors, options.leave_out), read_models(options.models)
    mean = mean_vector(division, models)
    sets = _sets(options, division)
    rated = {name: rate(cases, models, mean, options.gate) for name, cases in sets.items()}
    chosen: dict[bool, Calibration] = {}
    rng = random.Random(4)  # noqa: S311 - reproducible compositions, not a secret
    for phrase_alone in (False, True):
        for part, used in PARTS.items():
            calibration = calibrate.calibrate(
                rated["development"], rated["ordinary"], phrase_alone=phrase_alone, rng=rng, used=used
            )
            chosen.setdefault(phrase_alone, calibration)
            _print(part, rated, calibration, phrase_alone=phrase_alone)
    np.save(options.models / "mean.npy", mean)
    hashes = {name: _sha256(options.models / name) for name in ("encoder.onnx", "verifier.onnx", "mean.npy")}
    calibrate.write(options.models / "calibration.json", chosen[False], chosen[True], gate=options.gate, models=hashes)


def _sets(options: argparse.Namespace, division: Division) -> dict[str, list[Case]]:
    rng = random.Random(11)  # noqa: S311 - reproducible cases, not a secret
    written = development(division.development.groups, read_unlike(options.unlike), rng)
    written = [case for case in written if case.question.unlike]
    labelled = {"articles": read_articles(options.eval), "long": read_long(options.eval / "long.jsonl")}
    own = list(dict.fromkeys(case.question for case in written))
    foreign = list(dict.fromkeys(case.question for cases in labelled.values() for case in cases))
    ordinary, _ = _halves(background(options.background, rng.sample(own, min(_ORDINARY_TOPICS, len(own)))))
    _, unseen = _halves(background(options.background, foreign))
    return {"development": written, **labelled, "ordinary": ordinary, "unseen news": unseen}


def _print(part: str, rated: Mapping[str, Rated], calibration: Calibration, *, phrase_alone: bool) -> None:
    lines = [f"== {part}, {'phrase alone' if phrase_alone else 'meaning and unlike'}"]
    for name in ("development", "articles", "long"):
        rows = list(table(name, rated[name], calibration, phrase_alone=phrase_alone))
        lines += rows if part == "all" else rows[:1]
    for name in ("ordinary", "unseen news"):
        lines.append(f"{name}: {alarms(rated[name], calibration, phrase_alone=phrase_alone):.2f} false alarms in 1000")
    _LOG.info("%s", "\n".join(lines))


if __name__ == "__main__":
    main()

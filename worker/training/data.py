"""The claim groups divided into training and development, with their neighbours found by a sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from worker.training.claims import Group, names_in_file, read_groups, split
from worker.training.encoder import Encoder, load_encoder
from worker.training.pairs import Corpus, corpus

#: From this cosine on two groups say nearly the same: one side of the division, never each other's negatives.
_TWINS = 0.72
#: Names of groups, one a line, beside the groups: never trained on, and never used at all.
_DEVELOPMENT, _LEFT_OUT = "development.txt", "left-out.txt"


@dataclass(frozen=True, slots=True)
class Division:
    """What is trained on and what is measured with."""

    training: Corpus
    development: Corpus


def divide(folder: Path, vectors: Path) -> Division:
    """Return the groups of ``folder``, divided the same way every time.

    ``vectors`` is the folder of a sentence encoder that tells which groups are near. ``left-out.txt`` in ``folder``
    names groups that are near the labelled sets by which the models are measured.
    """
    unwanted, held = names_in_file(folder, _LEFT_OUT), names_in_file(folder, _DEVELOPMENT)
    groups = [group for group in read_groups(folder) if group.name not in unwanted]
    encoder, tokenizer = load_encoder(vectors), Tokenizer.from_file(str(vectors / "tokenizer.json"))
    cosine = _cosines(groups, encoder, tokenizer)
    rows, columns = np.nonzero(np.triu(cosine, 1) >= _TWINS)
    train, development = split(groups, zip(rows.tolist(), columns.tolist(), strict=True), development=held)
    place = {group.name: index for index, group in enumerate(groups)}
    return Division(
        *(
            _corpus(part, cosine[np.ix_(at, at)])
            for part in (train, development)
            for at in [[place[group.name] for group in part]]
        )
    )


def _corpus(groups: Sequence[Group], cosine: npt.NDArray[np.float32]) -> Corpus:
    near, twins = [], []
    for index, row in enumerate(cosine):
        same = frozenset(np.nonzero(row >= _TWINS)[0].tolist()) | {index}
        twins.append(same)
        near.append([other for other in np.argsort(-row).tolist() if other not in same][:20])
    return corpus(groups, near, twins)


def _cosines(groups: Sequence[Group], encoder: Encoder, tokenizer: Tokenizer) -> npt.NDArray[np.float32]:
    forms = [form for group in groups for form in group.forms]
    table = vectors_of(encoder, tokenizer, forms)
    starts = np.cumsum([0, *(len(group.forms) for group in groups[:-1])])
    sums = np.add.reduceat(table, starts, axis=0)
    matrix = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(matrix @ matrix.T, dtype=np.float32)


@torch.no_grad()
def vectors_of(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str], size: int = 64) -> npt.NDArray[np.float32]:
    """Return the normalised mean vector of each text."""
    encoder.eval()
    tokenizer.no_padding()
    tokenizer.enable_truncation(64)
    rows = [tokenizer.encode(text).ids for text in texts]
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    out = np.zeros((len(texts), encoder.shape.width), np.float32)
    for at in range(0, len(order), size):
        chunk = order[at : at + size]
        tokens, mask = (torch.zeros(len(chunk), len(rows[chunk[-1]]), dtype=torch.long) for _ in range(2))
        for place, i in enumerate(chunk):
            tokens[place, : len(rows[i])], mask[place, : len(rows[i])] = torch.tensor(rows[i]), 1
        weight = mask[:, :, None].float()
        hidden = encoder(tokens, mask, torch.zeros_like(tokens))
        out[chunk] = functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1).numpy()
    return out

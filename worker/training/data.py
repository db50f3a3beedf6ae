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

from worker.training.claims import Group, read_groups, split
from worker.training.encoder import Encoder, load_encoder
from worker.training.pairs import Corpus, corpus

#: From this cosine on two groups say nearly the same: one side of the division, never each other's negatives.
_TWINS = 0.72
_SHARE, _SEED = 0.12, 7


@dataclass(frozen=True, slots=True)
class Division:
    """What is trained on and what is measured with."""

    training: Corpus
    development: Corpus


def divide(folder: Path, vectors: Path, leave_out: Path | None = None) -> Division:
    """Return the groups of ``folder``, without those named in ``leave_out``, divided the same way every time."""
    unwanted = set(leave_out.read_text(encoding="utf-8").split()) if leave_out else set()
    groups = [group for group in read_groups(folder) if group.name not in unwanted]
    encoder, tokenizer = load_encoder(vectors), Tokenizer.from_file(str(vectors / "tokenizer.json"))
    cosine = _cosines(groups, encoder, tokenizer)
    rows, columns = np.nonzero(np.triu(cosine, 1) >= _TWINS)
    train, development = split(groups, zip(rows.tolist(), columns.tolist(), strict=True), share=_SHARE, seed=_SEED)
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
    sums = [sum(embed(encoder, tokenizer, [form])[0] for form in group.forms) for group in groups]
    matrix = np.stack([vector / np.linalg.norm(vector) for vector in sums]).astype(np.float32)
    return np.asarray(matrix @ matrix.T, dtype=np.float32)


@torch.no_grad()
def embed(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the normalised mean vectors of ``texts``."""
    encoder.eval()
    tokenizer.no_padding()
    tokenizer.enable_truncation(64)
    out = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        hidden = encoder(ids, torch.ones_like(ids), torch.zeros_like(ids)).mean(1)
        out.append(functional.normalize(hidden, dim=1)[0].numpy())
    return np.stack(out)

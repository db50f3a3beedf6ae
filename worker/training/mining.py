"""Hard negatives: passages of other groups that the bi-encoder takes for the claim's own subject.

The verifier is asked about nothing but passages that passed the bi-encoder's gate, so these are what it must learn
to refuse; passages drawn at random are too easy.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer

from worker.training.biencoder import vectors
from worker.training.claims import LABELS
from worker.training.encoder import Encoder
from worker.training.features import Matrix
from worker.training.pairs import Corpus, Pair

#: Passages are drawn from this many of the nearest; the very nearest groups may say the same.
_NEAREST, _GROUPS_SPARED = 60, 2


def mined(data: Corpus, encoder: Encoder, tokenizer: Tokenizer, rng: random.Random, *, each: int) -> list[Pair]:
    """Return ``each`` pairs a group with label ``other``."""
    owned = [
        (index, text) for index, group in enumerate(data.groups) for label in LABELS for text in group.passages[label]
    ]
    owner = np.array([index for index, _ in owned])
    table = _embedded(encoder, tokenizer, [text for _, text in owned])
    pairs = []
    for index, group in enumerate(data.groups):
        spared = np.isin(owner, [*data.twins[index], *data.near[index][:_GROUPS_SPARED]])
        near = _embedded(encoder, tokenizer, group.forms) @ table.T
        near[:, spared] = -1.0
        nearest = np.argsort(-near, axis=1)[:, :_NEAREST]
        for _ in range(each):
            at = rng.randrange(len(group.forms))
            passage = owned[int(rng.choice(nearest[at].tolist()))][1]
            pairs.append(Pair(claim=group.forms[at], passage=passage, label="other", kind="mined"))
    return pairs


@torch.no_grad()
def _embedded(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str], size: int = 64) -> Matrix:
    encoder.eval()
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    out = np.zeros((len(texts), encoder.shape.width), np.float32)
    for at in range(0, len(order), size):
        chunk = order[at : at + size]
        out[chunk] = vectors(encoder, tokenizer, [texts[i] for i in chunk]).numpy()
    return out

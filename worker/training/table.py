"""The token table: a vector a token, whose mean guesses a sentence's vector without running the encoder.

    python -m worker.training.table --data worker/training/groups --base BASE --out table.npz

Each token begins with what the encoder says of it alone, weighted by its rarity (Arora et al., "A Simple but
Tough-to-Beat Baseline for Sentence Embeddings", 2017); a ridge regression maps sums of tokens onto true sentence
vectors; a few epochs of gradient descent mend the tokens that are common enough to be learnt. What remains is cut to
the directions in which sentences differ most, and to 8 bits.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from worker.training.claims import LABELS, Group, names_in_file, read_groups
from worker.training.data import vectors_of
from worker.training.encoder import Encoder, load_encoder

#: Directions that are kept, and the weight of a token that has the share f of all tokens: a / (a + f).
_DIRECTIONS, _RARITY = 192, 1e-4
_RIDGE, _EPOCHS, _RATE, _BATCH = 10.0, 6, 2e-3, 256
_LOG = logging.getLogger(__name__)


def texts_of(groups: Sequence[Group]) -> list[str]:
    """Return every claim and passage of ``groups``, each once."""
    texts = (
        text for group in groups for text in (*group.forms, *(p for label in LABELS for p in group.passages[label]))
    )
    return list(dict.fromkeys(texts))


@torch.no_grad()
def alone(encoder: Encoder) -> Tensor:
    """Return what the encoder says of each token of its vocabulary by itself."""
    rows = []
    for at in range(0, encoder.shape.vocabulary, 512):
        tokens = torch.arange(at, min(at + 512, encoder.shape.vocabulary))
        ids = torch.stack([torch.full_like(tokens, 101), tokens, torch.full_like(tokens, 102)], dim=1)
        rows.append(encoder(ids, torch.ones_like(ids), torch.zeros_like(ids)).mean(1))
    return torch.cat(rows)


def sums(table: Tensor, sentences: Sequence[Sequence[int]]) -> Tensor:
    """Return the sum of its tokens' vectors for each sentence."""
    flat = torch.tensor([token for ids in sentences for token in ids])
    starts = torch.tensor(np.cumsum([0, *map(len, sentences[:-1])]))
    return functional.embedding_bag(flat, table, starts, mode="sum")


def fit(start: Tensor, sentences: Sequence[Sequence[int]], true: Tensor) -> Tensor:
    """Return a table whose sums point where ``true`` does, in the space of ``true``."""
    made = functional.normalize(sums(start, sentences), dim=1)
    gram = made.T @ made + _RIDGE * torch.eye(made.shape[1])
    mapped = torch.linalg.solve(gram, made.T @ true)
    table = (start @ mapped).requires_grad_()
    optimizer = torch.optim.Adam([table], lr=_RATE)
    order = torch.Generator().manual_seed(1)
    for epoch in range(_EPOCHS):
        total = 0.0
        for chunk in torch.randperm(len(sentences), generator=order).split(_BATCH):
            guess = functional.normalize(sums(table, [sentences[i] for i in chunk.tolist()]), dim=1)
            loss = (1 - (guess * true[chunk]).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chunk)
        _LOG.info("epoch %d: 1 - cosine %.3f", epoch + 1, total / len(sentences))
    return table.detach()


def main() -> None:
    """Make the table as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of claim groups (*.jsonl)")
    parser.add_argument("--base", type=Path, required=True, help="folder of the sentence encoder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    unused = names_in_file(options.data, "left-out.txt") | names_in_file(options.data, "development.txt")
    texts = texts_of([group for group in read_groups(options.data) if group.name not in unused])
    encoder, tokenizer = (
        load_encoder(options.base, dropout=0.0),
        Tokenizer.from_file(str(options.base / "tokenizer.json")),
    )
    encoder.eval()
    raw = torch.from_numpy(vectors_of(encoder, tokenizer, texts))
    mean = raw.mean(0)
    true = functional.normalize(raw - mean, dim=1)
    tokenizer.no_truncation()
    sentences = [tokenizer.encode(text, add_special_tokens=False).ids[:62] for text in texts]
    counts = Counter(token for ids in sentences for token in ids)
    share = torch.tensor([counts[token] for token in range(encoder.shape.vocabulary)]) / sum(counts.values())
    table = fit(alone(encoder) * (_RARITY / (_RARITY + share))[:, None], sentences, true)
    write(options.out, table=table, true=true, mean=mean, sentences=sentences)


def write(out: Path, *, table: Tensor, true: Tensor, mean: Tensor, sentences: Sequence[Sequence[int]]) -> None:
    """Write the table in 8 bits, with the directions it keeps and what is ordinary in both spaces."""
    _, directions = torch.linalg.eigh(true.T @ true)
    basis = directions[:, -_DIRECTIONS:]
    small = table @ basis
    scales = small.abs().amax(1).clamp(min=1e-8) / 127
    rows = (small / scales[:, None]).round().clamp(-127, 127).to(torch.int8)
    guessed = functional.normalize(sums(rows.float() * scales[:, None], sentences), dim=1)
    kept = functional.normalize(true @ basis, dim=1)
    _LOG.info("%d sentences, cosine of guess and truth %.3f", len(sentences), (guessed * kept).sum(1).mean().item())
    np.savez_compressed(
        out,
        rows=rows.numpy(),
        scales=scales.numpy().astype(np.float32),
        basis=basis.numpy().astype(np.float32),
        mean=mean.numpy().astype(np.float32),
        spread=(true.T @ true / len(true)).numpy().astype(np.float32),
        guessed_spread=(guessed.T @ guessed / len(guessed)).numpy().astype(np.float32),
    )


if __name__ == "__main__":
    main()

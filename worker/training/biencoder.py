"""The bi-encoder: one vector a sentence, near for passages about the same thing.

    python -m worker.training.biencoder --data claims --base BASE --out DIR

Claims are drawn to the passages that state or oppose them (the subject is the same) and away from all others of a
batch; a smaller term asks that what is stated be nearer than what is opposed or only resembles.
"""

from __future__ import annotations

import argparse
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from worker.training.claims import LABELS
from worker.training.data import divide
from worker.training.encoder import Encoder, load_encoder
from worker.training.pairs import Corpus

_TOKENS_MAX, _SCALE = 64, 20.0
_LOG = logging.getLogger(__name__)
#: The number of a group, a form of its claim, and one passage of each label.
Row: TypeAlias = tuple[int, str, str, str, str]


def vectors(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Return the normalised mean vectors of ``texts``, with gradients."""
    rows = [tokenizer.encode(text).ids for text in texts]
    tokens, mask = (torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long) for _ in range(2))
    for at, ids in enumerate(rows):
        tokens[at, : len(ids)], mask[at, : len(ids)] = torch.tensor(ids), 1
    with torch.autocast("cpu", torch.bfloat16):
        hidden = encoder(tokens, mask, torch.zeros_like(tokens))
    weight = mask[:, :, None].float()
    return functional.normalize((hidden.float() * weight).sum(1) / weight.sum(1), dim=1)


def rows(data: Corpus, size: int, rng: random.Random) -> list[list[Row]]:
    """Return one epoch of batches of (group, claim, states, opposes, other), neighbouring groups often together."""
    order = list(range(len(data.groups)))
    rng.shuffle(order)
    batches = []
    for at in range(0, len(order), size // 2):
        seeds = order[at : at + size // 2]
        chosen = list(dict.fromkeys([*seeds, *(rng.choice(data.near[index][:6]) for index in seeds)]))
        batch: list[Row] = []
        for index in chosen:
            group = data.groups[index]
            states, opposes, other = (rng.choice(group.passages[label]) for label in LABELS)
            batch.append((index, rng.choice(group.forms), states, opposes, other))
        batches.append(batch)
    return batches


def loss_of(batch: Sequence[Row], data: Corpus, encoder: Encoder, tokenizer: Tokenizer) -> Tensor:
    """Return the loss of one batch."""
    count = len(batch)
    columns = [[row[at] for row in batch] for at in (1, 2, 3, 4)]
    claim, states, opposes, other = vectors(encoder, tokenizer, [t for c in columns for t in c]).split(count)  # type: ignore[misc]
    twins = torch.tensor([[a[0] != b[0] and b[0] in data.twins[a[0]] for b in batch] for a in batch])
    target = torch.arange(count)
    subject = sum(
        functional.cross_entropy((_SCALE * left @ right.T).masked_fill(twins, -1e4), target)
        for left, right in ((claim, states), (states, claim), (claim, opposes))
    )
    near, against, beside = ((claim * side).sum(1) for side in (states, opposes, other))
    stance = (
        functional.softplus(_SCALE * (against - near)).mean() + functional.softplus(_SCALE * (beside - near)).mean()
    )
    return subject / 3 + 0.25 * stance


def train(
    data: Corpus, encoder: Encoder, tokenizer: Tokenizer, *, epochs: int, rate: float, size: int, seed: int
) -> None:
    """Fit ``encoder`` in place."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible order, not a secret
    torch.manual_seed(seed)
    encoder.words.weight.requires_grad_(False)
    batches = [batch for _ in range(epochs) for batch in rows(data, size, rng)]
    optimizer = torch.optim.AdamW(
        [p for p in encoder.parameters() if p.requires_grad], lr=rate, weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 30, max(0.0, 1 - step / len(batches)))
    )
    encoder.train()
    for number, batch in enumerate(batches, start=1):
        loss = loss_of(batch, data, encoder, tokenizer)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if number % 50 == 0:
            _LOG.info("step %d/%d loss %.3f", number, len(batches), loss.item())


def main() -> None:
    """Train one bi-encoder as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of claim groups (*.jsonl)")
    parser.add_argument("--base", type=Path, required=True, help="folder of the encoder to start from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--leave-out", type=Path, help="file of group names, one a line, never trained on")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    division = divide(options.data, options.base, options.leave_out)
    encoder = load_encoder(options.base)
    tokenizer = Tokenizer.from_file(str(options.base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_TOKENS_MAX)
    train(
        division.training,
        encoder,
        tokenizer,
        epochs=options.epochs,
        rate=options.rate,
        size=options.size,
        seed=options.seed,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(encoder.state_dict(), options.out / "encoder.pt")
    for name in ("config.json", "tokenizer.json"):
        (options.out / name).write_bytes((options.base / name).read_bytes())


if __name__ == "__main__":
    main()

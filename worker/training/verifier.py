"""The claim verifier: a cross-encoder that reads claim and passage together and answers states, opposes or other.

    python -m worker.training.verifier --data worker/training/groups --vectors ENCODER --base BASE --out DIR

Input ``[CLS] claim [SEP] passage [SEP]``, at most 96 tokens; the head sees the first vector and the mean of all.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from worker.training.claims import LABELS
from worker.training.data import Division, divide
from worker.training.encoder import Encoder, load_encoder, read_shape
from worker.training.pairs import Pair, epoch, plain

#: Tokens of claim and passage together, with the three marks.
TOKENS_MAX = 96
_WARM_UP = 0.08
_LOG = logging.getLogger(__name__)


class Verifier(nn.Module):
    """An encoder with a small head on the first vector and the mean."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.inner = nn.Linear(2 * encoder.shape.width, 384)
        self.outer = nn.Linear(384, len(LABELS))
        self.dropout = nn.Dropout(0.1)

    def forward(self, tokens: Tensor, mask: Tensor, segments: Tensor) -> Tensor:
        """Return three logits a row, in the order of ``LABELS``."""
        hidden = self.encoder(tokens, mask, segments)
        weight = mask[:, :, None].to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        both = torch.cat([hidden[:, 0], mean], dim=1)
        logits: Tensor = self.outer(self.dropout(torch.tanh(self.inner(self.dropout(both)))))
        return logits


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer at ``path``, cutting passages so that a pair has at most ``TOKENS_MAX`` tokens."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX, strategy="longest_first")
    return tokenizer


def batches(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, str]], size: int, rng: random.Random | None
) -> Iterator[tuple[list[int], tuple[Tensor, Tensor, Tensor]]]:
    """Yield batches of rows of like length, with their numbers; in random order if ``rng`` is given."""
    rows = tokenizer.encode_batch(list(texts))
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i].ids) + (rng.random() * 8 if rng else 0.0), i))
    chunks = [order[at : at + size] for at in range(0, len(order), size)]
    if rng:
        rng.shuffle(chunks)
    for chunk in chunks:
        longest = max(len(rows[i].ids) for i in chunk)
        tokens, mask, segments = (torch.zeros(len(chunk), longest, dtype=torch.long) for _ in range(3))
        for at, i in enumerate(chunk):
            ids = torch.tensor(rows[i].ids)
            tokens[at, : len(ids)], mask[at, : len(ids)] = ids, 1
            segments[at, : len(ids)] = torch.tensor(rows[i].type_ids)
        yield chunk, (tokens, mask, segments)


@torch.no_grad()
def answers(model: Verifier, tokenizer: Tokenizer, texts: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
    """Return the logits of (claim, passage) pairs, one row each."""
    model.eval()
    out = np.zeros((len(texts), len(LABELS)), np.float32)
    for chunk, inputs in batches(tokenizer, texts, 64, None):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(*inputs)
        out[chunk] = logits.float().numpy()
    return out


def _loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    hard = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.05)
    return (hard * weights).sum() / weights.sum()


def _optimizer(model: Verifier, rate: float) -> torch.optim.Optimizer:
    for table in (model.encoder.words, model.encoder.positions):
        table.weight.requires_grad_(False)
    head = [p for module in (model.inner, model.outer) for p in module.parameters()]
    known = {id(p) for p in head}
    body = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    return torch.optim.AdamW(
        [{"params": body, "lr": rate, "full": rate}, {"params": head, "lr": rate * 5, "full": rate * 5}],
        betas=(0.9, 0.98),
        weight_decay=0.01,
        fused=True,
    )


def _rate(done: float) -> float:
    # The share of the full learning rate after the share ``done`` of the training: up quickly, then down to nothing.
    return min((done + 1e-3) / _WARM_UP, (1 - done) / (1 - _WARM_UP))


def train(
    model: Verifier,
    tokenizer: Tokenizer,
    epochs: Sequence[Sequence[Pair]],
    *,
    rate: float,
    size: int,
    seed: int,
    minutes: float,
    keep: Path | None = None,
) -> None:
    """Fit ``model`` to the pairs of ``epochs``, in place."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible order, not a secret
    torch.manual_seed(seed)
    steps = sum(math.ceil(len(pairs) / size) for pairs in epochs)
    optimizer = _optimizer(model, rate)
    done, started, smooth = 0, time.monotonic(), 1.0
    for pairs in epochs:
        labels = torch.tensor([LABELS.index(pair.label) for pair in pairs])
        weights = torch.tensor([pair.weight for pair in pairs])
        model.train()
        for chunk, inputs in batches(tokenizer, [(p.claim, p.passage) for p in pairs], size, rng):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(*inputs)
            loss = _loss(logits.float(), labels[chunk], weights[chunk])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = group["full"] * _rate(
                    min(1.0, max(done / steps, (time.monotonic() - started) / (60 * minutes)))
                )
            optimizer.step()
            done, smooth = done + 1, 0.98 * smooth + 0.02 * loss.item()
            if time.monotonic() - started > 60 * minutes:
                _LOG.info("out of time after %d of %d steps", done, steps)
                break
            if done % 50 == 0 and keep is not None:
                torch.save(model.state_dict(), keep)
            if done % 25 == 0:
                _LOG.info("step %d/%d loss %.3f %.0fs", done, steps, smooth, time.monotonic() - started)


def measure(model: Verifier, tokenizer: Tokenizer, division: Division) -> dict[str, float]:
    """Return accuracy and the average precision of ``states`` on the development groups."""
    pairs = plain(division.development)
    logits = answers(model, tokenizer, [(pair.claim, pair.passage) for pair in pairs])
    labels = np.array([LABELS.index(pair.label) for pair in pairs])
    chance = np.exp(logits - logits.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    own = np.array([pair.kind != "foreign" for pair in pairs])
    named = {"accuracy": float((logits.argmax(1) == labels)[own].mean()), "ap": precision(chance[:, 0], labels == 0)}
    for index, label in enumerate(LABELS):
        named[f"recall_{label}"] = float((logits.argmax(1) == labels)[own & (labels == index)].mean())
    return {key: round(value, 4) for key, value in named.items()}


def precision(scores: npt.NDArray[np.float32], wanted: npt.NDArray[np.bool_]) -> float:
    """Return the average precision of ``scores`` for the rows that are ``wanted``."""
    order = np.argsort(-scores, kind="stable")
    hits = wanted[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of claim groups (*.jsonl)")
    parser.add_argument("--vectors", type=Path, required=True, help="folder of a sentence encoder, to find near groups")
    parser.add_argument("--base", type=Path, required=True, help="folder of the encoder to start from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="learn for at most this long, with the rate fitted to it"
    )
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Train one verifier as the command line says."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    division = divide(options.data, options.vectors)
    tokenizer = read_tokenizer(options.base / "tokenizer.json")
    model = Verifier(load_encoder(options.base))
    rng = random.Random(options.seed)  # noqa: S311 - reproducible pairs, not a secret
    epochs = [epoch(division.training, rng) for _ in range(options.epochs)]
    _LOG.info("%d groups, %d pairs an epoch", len(division.training.groups), len(epochs[0]))
    train(
        model,
        tokenizer,
        epochs,
        rate=options.rate,
        size=options.size,
        seed=options.seed,
        minutes=options.minutes,
        keep=options.out.with_suffix(".pt"),
    )
    save(model, options.base, options.out)
    _LOG.info("development groups: %s", json.dumps(measure(model, tokenizer, division)))


def save(model: Verifier, base: Path, folder: Path) -> None:
    """Write the weights, the shape and the tokenizer, so that ``load`` finds all in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), folder / "verifier.pt")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((base / name).read_bytes())


def load(folder: Path) -> tuple[Verifier, Tokenizer]:
    """Return the verifier and the tokenizer that ``save`` wrote."""
    model = Verifier(Encoder(read_shape(folder / "config.json")))
    model.load_state_dict(torch.load(folder / "verifier.pt", weights_only=True))
    return model, read_tokenizer(folder / "tokenizer.json")


if __name__ == "__main__":
    main()

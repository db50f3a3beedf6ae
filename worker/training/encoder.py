"""The transformer itself, small enough to read: a BERT encoder (MiniLM, bge) in plain torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a ``config.json`` says of an encoder."""

    vocabulary: int
    positions: int
    width: int
    inner: int
    layers: int
    heads: int
    epsilon: float


def read_shape(path: Path) -> Shape:
    """Return the shape written in the ``config.json`` at ``path``."""
    config = json.loads(path.read_text(encoding="utf-8"))
    return Shape(
        vocabulary=config["vocab_size"],
        positions=config["max_position_embeddings"],
        width=config["hidden_size"],
        inner=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config.get("layer_norm_eps", 1e-12),
    )


class RowDropout(nn.Module):
    """Dropout that drops the same features of all tokens of a row.

    Drawing one number a feature and token took a quarter of the training time on a CPU.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, hidden: Tensor) -> Tensor:
        """Return ``hidden`` with some features at zero and the rest made larger; unchanged in evaluation."""
        if not self.training or self.rate == 0:
            return hidden
        kept = torch.rand(hidden.shape[0], 1, hidden.shape[-1]) >= self.rate
        return hidden * (kept / (1 - self.rate)).to(hidden.dtype)


class _Layer(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key = nn.Linear(shape.width, shape.width)
        self.value = nn.Linear(shape.width, shape.width)
        self.joined = nn.Linear(shape.width, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.wide = nn.Linear(shape.width, shape.inner)
        self.narrow = nn.Linear(shape.inner, shape.width)
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.dropout = RowDropout(dropout)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        query, key, value = (
            project(hidden).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        # Written out: the fused attention is slower than this on a CPU for short rows, backwards above all.
        scores = query @ key.transpose(2, 3) * (width // self.heads) ** -0.5 + bias.to(query.dtype)
        mixed = scores.softmax(-1).to(value.dtype) @ value
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        hidden = self.attention_norm(hidden + self.dropout(self.joined(mixed)))
        inner: Tensor = self.narrow(functional.gelu(self.wide(hidden)))
        normed: Tensor = self.norm(hidden + self.dropout(inner))
        return normed


class Encoder(nn.Module):
    """Token numbers in, one vector a token out."""

    def __init__(self, shape: Shape, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.positions, shape.width)
        self.segments = nn.Embedding(2, shape.width)
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.dropout = RowDropout(dropout)
        self.layers = nn.ModuleList(_Layer(shape, dropout) for _ in range(shape.layers))

    def forward(self, tokens: Tensor, mask: Tensor, segments: Tensor) -> Tensor:
        """Return the vectors of the last layer; ``mask`` is 1 for tokens and 0 for padding."""
        length = tokens.shape[1]
        place = torch.arange(length, device=tokens.device)
        hidden: Tensor = self.dropout(self.norm(self.words(tokens) + self.positions(place) + self.segments(segments)))
        bias = (1.0 - mask[:, None, None, :].to(hidden.dtype)) * -1e9
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return hidden


def load_encoder(folder: Path, dropout: float = 0.1) -> Encoder:
    """Return the encoder of ``folder``: ``config.json`` beside ``model.safetensors`` or an int8 ``model.onnx``."""
    encoder = Encoder(read_shape(folder / "config.json"), dropout)
    if (folder / "model.safetensors").exists():
        from safetensors.torch import load_file  # noqa: PLC0415 - only for this kind of file

        published = load_file(folder / "model.safetensors")
    else:
        published = _dequantised(folder / "model.onnx")
    plain = {name.removeprefix("bert."): value for name, value in published.items()}
    encoder.load_state_dict({ours: plain[theirs].float() for ours, theirs in _names(encoder.shape).items()})
    return encoder


def _names(shape: Shape) -> Mapping[str, str]:
    # Our names of the weights and the ones they are published under.
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "segments.weight": "embeddings.token_type_embeddings.weight",
    }
    parts = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "joined": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "wide": "intermediate.dense",
        "narrow": "output.dense",
        "norm": "output.LayerNorm",
    }
    for part in ("weight", "bias"):
        names[f"norm.{part}"] = f"embeddings.LayerNorm.{part}"
        for index in range(shape.layers):
            for ours, theirs in parts.items():
                names[f"layers.{index}.{ours}.{part}"] = f"encoder.layer.{index}.{theirs}.{part}"
    return names


def _dequantised(path: Path) -> dict[str, Tensor]:
    # A dynamically quantised export keeps the names of biases and embeddings; a linear layer's weight is known by
    # the name of the node that multiplies with it.
    import onnx  # noqa: PLC0415 - only for this kind of file
    from onnx import numpy_helper  # noqa: PLC0415 - the same

    graph = onnx.load(str(path)).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    weights: dict[str, Tensor] = {}
    for name, value in values.items():
        stem = name.removesuffix("_quantized")
        if stem != name:
            real = (value.astype("float32") - values[f"{stem}_zero_point"].astype("float32")) * values[f"{stem}_scale"]
            weights[stem] = torch.from_numpy(real)
        elif value.dtype == "float32":
            weights[name] = torch.from_numpy(value.copy())
    for node in graph.node:
        if node.op_type == "MatMulInteger" and "/encoder/" in node.name:
            stem = node.input[1].removesuffix("_quantized")
            name = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
            weights[f"{name}.weight"] = weights[stem].T.contiguous()
    return weights

"""Trained models written as int8 ONNX files, the form that wirewatch loads.

    python -m worker.training.export --model DIR --out FILE.onnx

Weights are quantised dynamically, per channel, to 7 bits: with 8, processors without VNNI instructions saturate and
answer otherwise than those with them (onnxruntime, "Quantize ONNX models", on U8S8). Then the model is written in
quicker operators (``worker.training.fuse``). A verifier gives three logits (output ``logits``, in the order of
``worker.training.claims.LABELS``), an encoder one normalised vector (output ``vector``). Inputs of both: ``input_ids``
and ``token_type_ids``, int64, one row of tokens without padding.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional

from worker.training.encoder import Encoder, load_encoder
from worker.training.fuse import fused
from worker.training.verifier import load

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Vectors(nn.Module):
    """An encoder that returns one normalised mean vector a row."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor, mask: Tensor, segments: Tensor) -> Tensor:
        """Return the normalised mean of the token vectors."""
        hidden = self.encoder(tokens, mask, segments)
        weight = mask[:, :, None].to(hidden.dtype)
        return functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)


def write(model: nn.Module, path: Path, *, output: str, heads: int) -> None:
    """Write ``model``, whose attention has so many ``heads``, to ``path`` as int8 ONNX."""
    model.eval()
    example = torch.randint(5, 1000, (2, 9))
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        torch.onnx.export(
            model,
            (example, torch.ones_like(example), torch.zeros_like(example)),
            str(whole),
            input_names=list(_INPUTS),
            output_names=[output],
            opset_version=17,
            dynamo=False,
            dynamic_axes={name: {0: "rows", 1: "tokens"} for name in _INPUTS} | {output: {0: "rows"}},
        )
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        onnx.save(fused(onnx.load(small), heads=heads), path)


def main() -> None:
    """Export one model as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, required=True, help="folder made by worker.training.verifier, or of a published encoder"
    )
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if (options.model / "verifier.pt").exists():
        verifier = load(options.model)[0]
        write(verifier, options.out, output="logits", heads=verifier.encoder.shape.heads)
    else:
        encoder = load_encoder(options.model)
        write(Vectors(encoder), options.out, output="vector", heads=encoder.shape.heads)


if __name__ == "__main__":
    main()

"""A model in quicker operators answers as it did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from worker.training.fuse import FuseError, fused

_WIDTH, _INNER, _HEADS, _LAYERS, _VOCABULARY, _LONGEST = 32, 64, 4, 2, 50, 12
#: onnxruntime makes this by itself of what was exported; see ``worker.training.fuse`` on why ours does without.
_SLOWER = ["SkipLayerNormFusion"]


class _Export:
    """A small transformer as torch writes it: its names, and no fused operators."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._arrays: dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]] = {}

    def array(self, name: str, *shape: int, about: float = 0.0) -> str:
        self._arrays[name] = (about + self._random.normal(0, 0.3, shape)).astype(np.float32)
        return name

    def constant(self, name: str, *values: int) -> str:
        self._arrays[name] = np.array(values, np.int64)
        return name

    def scalar(self, name: str, value: float) -> str:
        self._arrays[name] = np.array(value, np.float32)
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, **about: float | Sequence[int]) -> str:
        node = helper.make_node(kind, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in about.items())
        self._nodes.append(node)
        return output

    def linear(self, read: str, place: str, rows: int, columns: int) -> str:
        made = self.add("MatMul", [read, self.array(f"weights of {place}", rows, columns)], f"/{place}/MatMul_output_0")
        return self.add("Add", [self.array(f"{place.replace('/', '.')}.bias", columns), made], f"/{place}/Add_output_0")

    def norm(self, read: str, name: str) -> str:
        kept = [self.array(f"{name}.weight", _WIDTH, about=1.0), self.array(f"{name}.bias", _WIDTH)]
        return self.add("LayerNormalization", [read, *kept], f"{name} done", epsilon=1e-12, axis=-1)

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes,
            "exported",
            [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"]) for name in _ASKED],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in self._arrays.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


_ASKED = ("input_ids", "token_type_ids", "places")


def _exported(output: str, seed: int, folder: Path) -> onnx.ModelProto:
    made = _Export(seed)
    parts = {"words": _VOCABULARY, "segments": 2, "positions": _LONGEST}
    rows = [
        made.add("Gather", [made.array(f"encoder.{part}.weight", size, _WIDTH), asked], f"{part} found")
        for (part, size), asked in zip(parts.items(), _ASKED, strict=True)
    ]
    hidden = made.norm(made.add("Sum", rows, "embedded"), "encoder.norm")
    made.constant("heads", 0, 0, _HEADS, _WIDTH // _HEADS)
    made.constant("whole", 0, 0, _WIDTH)
    made.scalar("scale", (_WIDTH // _HEADS) ** -0.5)
    for layer in range(_LAYERS):
        hidden = _layer(made, f"encoder/layers.{layer}", hidden)
    mean = made.add("ReduceMean", [hidden], "mean of all", axes=[1], keepdims=0)
    if output == "logits":
        _head(made, hidden, mean)
    else:
        made.add("LpNormalization", [mean], output, axis=1, p=2)
    plain, small = folder / "plain.onnx", folder / "small.onnx"
    onnx.save(made.model(output), plain)
    quantize_dynamic(plain, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    return onnx.load(small)


def _layer(made: _Export, place: str, hidden: str) -> str:
    turned: Mapping[str, Sequence[int]] = {"query": (0, 2, 1, 3), "key": (0, 2, 3, 1), "value": (0, 2, 1, 3)}
    parts = []
    for name, order in turned.items():
        flat = made.linear(hidden, f"{place}/{name}", _WIDTH, _WIDTH)
        cut = made.add("Reshape", [flat, "heads"], f"{place} {name} cut")
        parts.append(made.add("Transpose", [cut], f"{place} {name} turned", perm=order))
    scores = made.add("Mul", [made.add("MatMul", parts[:2], f"{place} products"), "scale"], f"{place} scores")
    mixed = made.add("MatMul", [made.add("Softmax", [scores], f"{place} shares", axis=-1), parts[2]], f"{place} mixed")
    back = made.add("Transpose", [mixed], f"{place} back", perm=(0, 2, 1, 3))
    joined = made.linear(made.add("Reshape", [back, "whole"], f"{place} flat"), f"{place}/joined", _WIDTH, _WIDTH)
    name = place.replace("/", ".")
    attended = made.norm(made.add("Add", [hidden, joined], f"{place} first sum"), f"{name}.attention_norm")
    wide = made.linear(attended, f"{place}/wide", _WIDTH, _INNER)
    narrow = made.linear(_gelu(made, wide, place), f"{place}/narrow", _INNER, _WIDTH)
    return made.norm(made.add("Add", [attended, narrow], f"{place} second sum"), f"{name}.norm")


def _gelu(made: _Export, read: str, place: str) -> str:
    root, one, half = made.scalar("root", 2**0.5), made.scalar("one", 1.0), made.scalar("half", 0.5)
    share = made.add("Erf", [made.add("Div", [read, root], f"{place} smaller")], f"{place} erf")
    whole = made.add("Mul", [read, made.add("Add", [share, one], f"{place} more")], f"{place} double")
    return made.add("Mul", [whole, half], f"{place} gelu")


def _head(made: _Export, hidden: str, mean: str) -> None:
    first = made.add("Gather", [hidden, made.constant("first", 0)], "first rows", axis=1)
    flat = made.add("Squeeze", [first, made.constant("second axis", 1)], "first row")
    both = made.add("Concat", [flat, mean], "both", axis=1)
    inner = made.add("MatMul", [both, made.array("inner.weight", 2 * _WIDTH, _WIDTH)], "/inner/Gemm_output_0_MatMul")
    biased = made.add("Add", [inner, made.array("inner.bias", _WIDTH)], "/inner/Gemm_output_0")
    outer = [made.add("Tanh", [biased], "tanh"), made.array("outer.weight", _WIDTH, 3)]
    made.add("Add", [made.add("MatMul", outer, "logits_MatMul"), made.array("outer.bias", 3)], "logits")


def _answers(model: onnx.ModelProto, *, whole: bool) -> npt.NDArray[np.float32]:
    """Return what a model answers to twenty rows; ``whole`` lets onnxruntime fuse all but what is slower."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if whole else levels.ORT_ENABLE_BASIC
    asked = onnxruntime.InferenceSession(model.SerializeToString(), options, disabled_optimizers=_SLOWER)
    random, answers = np.random.default_rng(5), []
    for _ in range(20):
        length = int(random.integers(2, _LONGEST + 1))
        row = {
            "input_ids": random.integers(0, _VOCABULARY, (1, length)),
            "token_type_ids": random.integers(0, 2, (1, length)),
            "places": np.arange(length)[None],
        }
        answers.append(asked.run(None, row)[0])
    return np.concatenate(answers)


@pytest.mark.parametrize("output", ["logits", "vector"])
@pytest.mark.parametrize("seed", range(3))
def test_a_fused_model_answers_as_the_exported_one(output: str, seed: int, tmp_path: Path) -> None:
    """A step of a quantised number, which another order of additions may tip over, is the greatest difference."""
    exported = _exported(output, seed, tmp_path)
    quicker = fused(exported, heads=_HEADS)
    kinds = {node.op_type for node in quicker.graph.node}
    assert {"QAttention", "DynamicQuantizeMatMul", "Gelu"} <= kinds
    assert not kinds & {"MatMul", "MatMulInteger", "Softmax", "Transpose", "Erf"}
    before, after = _answers(exported, whole=True), _answers(quicker, whole=False)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, atol=0.02)
    # Rows differ from each other by far more.
    assert np.abs(before - before.mean(axis=0)).max() > 0.1


def test_other_heads_are_another_model(tmp_path: Path) -> None:
    """The number of heads stands nowhere in an exported model: what it is told makes a difference."""
    exported = _exported("logits", 0, tmp_path)
    right, wrong = (_answers(fused(exported, heads=heads), whole=False) for heads in (_HEADS, 2))
    assert np.abs(right - wrong).max() > 0.05


def test_a_model_of_another_form_is_refused(tmp_path: Path) -> None:
    """What is missing is named, also when a model was fused before."""
    exported = _exported("logits", 0, tmp_path)
    with pytest.raises(FuseError, match="has no layers of the form"):
        fused(fused(exported, heads=_HEADS), heads=_HEADS)
    kept = [item for item in exported.graph.initializer if item.name != "encoder.layers.1.wide.bias"]
    del exported.graph.initializer[:]
    exported.graph.initializer.extend(kept)
    with pytest.raises(FuseError, match=r"has no initializer encoder\.layers\.1\.wide\.bias"):
        fused(exported, heads=_HEADS)

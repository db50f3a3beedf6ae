"""An exported model written anew with the operators that onnxruntime runs quickest: a third less time for a pair.

    python -m worker.training.fuse --model FILE.onnx --heads 12 --out FILE.onnx

What `worker.training.export` quantised has some 1,300 nodes, most of them about shapes. Here a layer is nine: one
product for query, key and value with the attention inside it (``QAttention``), products that quantise their own input,
and norms. Two nodes are on purpose not made one: ``SkipLayerNormalization`` takes three times as long as an addition
and ``LayerNormalization`` (onnxruntime 1.32). The answers are the same to the last bit as those of the exported model
without that one fusion. The models must be loaded without further fusions (``ORT_ENABLE_BASIC``), which would make it.

The written model reads one row without padding, and asks for no mask.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

#: Operators of onnxruntime's own (docs/ContribOperators.md in its repository).
_CONTRIB = "com.microsoft"
_OPSET = 17
#: What quantisation calls the product of a layer, from which the layer is known.
_PRODUCT = re.compile(r"^/?(?P<place>.+?)(/(MatMul|Gemm)_output_0(_MatMul)?|_MatMul)_output_quantized$")
_LAYER = re.compile(r"^encoder/layers\.(\d+)/query$")
Array: TypeAlias = npt.NDArray[Any]


class FuseError(ValueError):
    """A model is not one that `worker.training.export` wrote; the message says what is missing."""


class _Exported:
    """An exported model by the names that torch gave its parts."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.output: str = model.graph.output[0].name
        self._arrays = {item.name: item for item in model.graph.initializer}
        self._made = {name: node for node in model.graph.node for name in node.output}
        self._products = {
            found["place"]: node.input[1].removesuffix("_quantized")
            for node in model.graph.node
            if node.op_type == "MatMulInteger" and (found := _PRODUCT.match(node.output[0]))
        }
        layers = [int(found[1]) for place in self._products if (found := _LAYER.match(place))]
        if not layers:
            raise FuseError("the model has no layers of the form that worker.training.export writes")
        self.layers = 1 + max(layers)

    def array(self, name: str) -> Array:
        """Return an initializer."""
        if name not in self._arrays:
            raise FuseError(f"the model has no initializer {name}")
        return np.asarray(numpy_helper.to_array(self._arrays[name]))

    def product(self, place: str) -> tuple[Array, Array, Array]:
        """Return the int8 weights of a product, and scale and zero point of each of its columns."""
        if place not in self._products:
            raise FuseError(f"the model has no quantised product {place}")
        name = self._products[place]
        weights = self.array(f"{name}_quantized")
        columns = [np.broadcast_to(self.array(f"{name}_{what}"), weights.shape[1:]) for what in ("scale", "zero_point")]
        return weights, columns[0], columns[1]

    @property
    def epsilon(self) -> float:
        """What the norms add to a variance."""
        norm = next(node for node in self.graph.node if node.op_type == "LayerNormalization")
        return next(float(item.f) for item in norm.attribute if item.name == "epsilon")

    def embedding(self) -> tuple[list[onnx.NodeProto], str]:
        """Return the nodes up to the first norm, each after those that it needs, and the name of their result."""
        first = next((node for node in self.graph.node if node.op_type == "LayerNormalization"), None)
        if first is None:
            raise FuseError("the model has no norm")
        nodes: dict[str, onnx.NodeProto] = {}
        waiting = [first]
        while waiting:
            node = waiting.pop()
            # Found again as the need of a later one, it has to stand before that, too.
            nodes.pop(node.output[0], None)
            nodes[node.output[0]] = node
            waiting += [self._made[name] for name in node.input if name in self._made]
        return list(nodes.values())[::-1], str(first.output[0])


class _Written:
    """The model that is being written."""

    def __init__(self, source: _Exported) -> None:
        self._source = source
        self._arrays: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []

    def take(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Take over nodes as they are, with the arrays that they read."""
        made = {name for node in nodes for name in node.output}
        asked = {item.name for item in self._source.graph.input}
        for node in nodes:
            for name in node.input:
                if name and name not in made | asked:
                    self.own(name)
            self._nodes.append(node)

    def own(self, name: str) -> str:
        """Keep an array of the exported model by its name."""
        return self.keep(name, self._source.array(name))

    def keep(self, name: str, array: Array) -> str:
        """Keep an array under a name."""
        self._arrays[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, *more: str, domain: str = "", **about: object) -> str:
        """Add a node, ``about`` being its attributes, and return the name of its first result."""
        node = helper.make_node(kind, list(inputs), [output, *more], domain=domain)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in about.items())
        self._nodes.append(node)
        return output

    def weights(self, place: str, product: tuple[Array, Array, Array]) -> list[str]:
        """Keep weights, scales and zero points and return their names."""
        return [
            self.keep(f"{place}/{what}", array)
            for what, array in zip(("weights", "scales", "zeros"), product, strict=True)
        ]

    def linear(self, read: str, place: str, *, bias: str = "") -> str:
        """Add a product that quantises its own input, with its bias, which is called ``bias`` or as the place is."""
        kept = self.weights(place, self._source.product(place))
        last = self.own(bias or f"{place.replace('/', '.')}.bias")
        return self.add("DynamicQuantizeMatMul", [read, *kept, last], f"{place}/result", domain=_CONTRIB)

    def norm(self, first: str, second: str, place: str, epsilon: float) -> str:
        """Add the sum of two results and its norm."""
        both = self.add("Add", [first, second], f"{place}/sum")
        kept = [self.own(f"{place.replace('/', '.')}.{what}") for what in ("weight", "bias")]
        return self.add("LayerNormalization", [both, *kept], f"{place}/result", epsilon=epsilon, axis=-1)

    def model(self, version: int) -> onnx.ModelProto:
        """Return the model."""
        read = {name for node in self._nodes for name in node.input}
        graph = helper.make_graph(
            self._nodes,
            "fused",
            [item for item in self._source.graph.input if item.name in read],
            list(self._source.graph.output),
            list(self._arrays.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=version)


def fused(model: onnx.ModelProto, *, heads: int) -> onnx.ModelProto:
    """Return ``model``, as `worker.training.export` quantised it, in quicker operators.

    Args:
        model: A verifier (output ``logits``) or an encoder (output ``vector``).
        heads: Of its attention.

    Raises:
        FuseError: it is not such a model.
    """
    source = _Exported(model)
    written = _Written(source)
    nodes, hidden = source.embedding()
    written.take(nodes)
    for layer in range(source.layers):
        hidden = _layer(source, written, f"encoder/layers.{layer}", hidden, heads)
    mean = written.add("ReduceMean", [hidden], "mean", axes=[1], keepdims=0)
    if source.output == "logits":
        _answer(written, hidden, mean)
    else:
        written.add("LpNormalization", [mean], source.output, axis=1, p=2)
    return written.model(model.ir_version)


def _layer(source: _Exported, written: _Written, place: str, read: str, heads: int) -> str:
    three = [source.product(f"{place}/{name}") for name in ("query", "key", "value")]
    weights, scales, zeros = written.weights(f"{place}/attention", _side_by_side(three))
    biases = [source.array(f"{place}/{name}.bias".replace("/", ".")) for name in ("query", "key", "value")]
    bias = written.keep(f"{place}/attention/bias", np.concatenate(biases))
    parts = [f"{read}/{what}" for what in ("quantized", "scale", "zero")]
    small, scale, zero = written.add("DynamicQuantizeLinear", [read], *parts), *parts[1:]
    # No mask: a row has no padding. docs/ContribOperators.md, com.microsoft.QAttention.
    asked = [small, weights, bias, scale, scales, "", zero, zeros]
    mixed = written.add("QAttention", asked, f"{place}/mixed", domain=_CONTRIB, num_heads=heads)
    joined = written.linear(mixed, f"{place}/joined")
    attended = written.norm(joined, read, f"{place}/attention_norm", source.epsilon)
    wide = written.add("Gelu", [written.linear(attended, f"{place}/wide")], f"{place}/gelu", domain=_CONTRIB)
    return written.norm(written.linear(wide, f"{place}/narrow"), attended, f"{place}/norm", source.epsilon)


def _side_by_side(products: Sequence[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array]:
    def joined() -> Iterator[Array]:
        for part in range(3):
            yield np.concatenate([product[part] for product in products], axis=-1)

    weights, scales, zeros = joined()
    return weights, scales, zeros


def _answer(written: _Written, hidden: str, mean: str) -> None:
    """Add the head of a verifier: the first vector and the mean, two products, the logits."""
    first = written.add("Gather", [hidden, written.keep("first/place", np.array(0, np.int64))], "first", axis=1)
    both = written.add("Concat", [first, mean], "both", axis=1)
    inner = written.add("Tanh", [written.linear(both, "inner")], "tanh")
    result = written.linear(inner, "logits", bias="outer.bias")
    written.add("Identity", [result], "logits")


def main() -> None:
    """Fuse one model as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="model written by quantisation")
    parser.add_argument("--heads", type=int, required=True, help="heads of its attention")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    onnx.save(fused(onnx.load(options.model), heads=options.heads), options.out)


if __name__ == "__main__":
    main()

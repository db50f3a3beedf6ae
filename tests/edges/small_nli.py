"""A very small NLI model, made here, whose answers are known exactly.

A word that both texts have says entailment, as often as the premise has it; the word ``not`` in the premise says
contradiction. What a token is worth is a row of the embedding; the rows are averaged over the tokens, and a linear
layer makes the logits, so that each logit is a sum over tokens divided by their number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = ("[CLS]", "[SEP]", "[UNK]", "claim", "fires", "not", "sky")
IDS = {word: number for number, word in enumerate(WORDS)}
#: What each word is worth: three features, of which each label reads one.
ROWS = {"fires": (8.0, 0.0, 0.0), "not": (0.0, 16.0, 0.0), "sky": (0.0, 0.0, 4.0)}
LABELS = ("entailment", "contradiction", "neutral")


def tokenizer(*, marks: bool = True) -> bytes:
    """Return a tokenizer of whole words, which reads a pair as ``[CLS] premise [SEP] hypothesis [SEP]``."""
    made = Tokenizer(WordLevel(dict(IDS), unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if marks:
        made.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A:0 [SEP]:0 $B:1 [SEP]:1",
            special_tokens=[("[CLS]", IDS["[CLS]"]), ("[SEP]", IDS["[SEP]"])],
        )
    return made.to_str().encode()


def config(labels: Sequence[str] = LABELS, **more: object) -> bytes:
    """Return a configuration that names the labels in the order of the logits."""
    return json.dumps({"id2label": {str(place): label for place, label in enumerate(labels)}} | more).encode()


def features(text: str) -> npt.NDArray[np.float32]:
    """Return the sum of what the words of a text are worth."""
    rows = np.array([ROWS.get(word, (0.0, 0.0, 0.0)) for word in text.split()], np.float32)
    return np.asarray(rows.sum(axis=0), np.float32)


def model(
    columns: Sequence[int] = (0, 1, 2),
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    kind: int = TensorProto.INT64,
    size: int | str = "tokens",
    pooled: bool = True,
    first: bool = False,
) -> onnx.ModelProto:
    """Return a model: an embedding, a mean and a linear layer.

    Args:
        columns: Which feature each logit reads.
        inputs: What it asks for; with ``token_type_ids``, only tokens of the first part (type 0) count.
        kind: The type of its inputs.
        size: Of its input, when not free.
        pooled: Whether there is a mean; else it answers one row a token, as a bare encoder does.
        first: Whether another output stands before the logits.
    """
    rows = np.array([ROWS.get(word, (0.0, 0.0, 0.0)) for word in WORDS], np.float32)
    weights = np.eye(3, dtype=np.float32)[:, list(columns)]
    nodes = [helper.make_node("Gather", ["rows", "input_ids"], ["embedded"])]
    if "token_type_ids" in inputs:
        nodes += [
            helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["one", "types"], ["premise"]),
            helper.make_node("Unsqueeze", ["premise", "last"], ["weight"]),
            helper.make_node("Mul", ["embedded", "weight"], ["counted"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["embedded"], ["counted"]))
    nodes.append(
        helper.make_node("ReduceMean", ["counted"], ["mean"], axes=[1], keepdims=0)
        if pooled
        else helper.make_node("Identity", ["counted"], ["mean"])
    )
    nodes.append(helper.make_node("MatMul", ["mean", "weights"], ["logits"]))
    shape = [1, len(columns)] if pooled else [1, size, len(columns)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)]
    if first:
        outputs.insert(0, helper.make_tensor_value_info("embedded", TensorProto.FLOAT, [1, size, 3]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kind, [1, size]) for name in inputs],
        outputs,
        [
            numpy_helper.from_array(rows, "rows"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array(1, np.float32), "one"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def files(**changes: Any) -> Mapping[str, bytes]:
    """Return the files of a model; ``changes`` are for ``model``, but ``labels`` and ``config`` for ``config.json``."""
    labels, more = changes.pop("labels", LABELS), changes.pop("config", {})
    return {
        "model.onnx": model(**changes).SerializeToString(),
        "tokenizer.json": tokenizer(),
        "config.json": config(labels, **more),
    }

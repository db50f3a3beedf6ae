"""A user's own NLI model, against one so small that its answers can be worked out by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.edges import small_nli
from worker.topics.meaning.heads import OPPOSES, OTHER, STATES, Head
from worker.topics.meaning.models import ModelError
from worker.topics.meaning.nli import load_nli

_PREMISES = {"fires fires": STATES, "fires not": OPPOSES, "sky sky": OTHER}
#: [CLS], [SEP] and [SEP] again.
_MARKS = 3


def _load(files: Mapping[str, bytes] | None = None, **changes: object) -> Head:
    return load_nli(files or small_nli.files(**changes), name="mine")


def _refused(files: Mapping[str, bytes]) -> str:
    with pytest.raises(ModelError) as caught:
        load_nli(files, name="mine")
    return str(caught.value)


def test_the_passage_is_the_premise_and_the_claim_the_hypothesis() -> None:
    """The model counts words of the first part only, and its logits come back to the last digit."""
    head = _load()
    passage, claim = "sky fires fires", "claim not"
    answer = head.answer(claim, passage)
    assert head.name == "mine"
    assert answer.dtype == np.float32
    assert answer.tolist() == (small_nli.features(passage) / np.float32(3 + 2 + _MARKS)).tolist()
    assert head.answer(passage, claim).tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_labels_is_that_of_the_configuration(order: tuple[int, ...]) -> None:
    """Models have their labels in any order; the answers are the same."""
    head = _load(columns=order, labels=[small_nli.LABELS[place] for place in order])
    for passage, stance in _PREMISES.items():
        answer = head.answer("claim", passage)
        assert int(np.argmax(answer)) == stance
        assert answer.tolist() == _load().answer("claim", passage).tolist()


@pytest.mark.parametrize(
    "labels",
    [
        ("ENTAILMENT", "CONTRADICTION", "NEUTRAL"),
        ("Entail", "contradict", "neutral "),
        ("entailed", "contradictory", "Not-Entailment"),
    ],
)
def test_labels_are_read_however_they_are_spelt(labels: tuple[str, ...]) -> None:
    """Case, hyphens and grammatical form differ from model to model."""
    head = _load(labels=labels)
    assert [int(np.argmax(head.answer("claim", passage))) for passage in _PREMISES] == [STATES, OPPOSES, OTHER]


@pytest.mark.parametrize("order", [(0, 2), (2, 0)])
@pytest.mark.parametrize("other", ["not_entailment", "NOT ENTAILMENT", "neutral"])
def test_a_model_of_two_labels_never_says_opposes(order: tuple[int, int], other: str) -> None:
    """Zero-shot models know entailment and its absence; the missing answer has the probability 0."""
    names = {0: "entailment", 2: other}
    head = _load(columns=order, labels=[names[place] for place in order])
    for passage, stance in {"fires": STATES, "not not not": OTHER, "sky": OTHER}.items():
        answer = head.answer("claim", passage)
        assert np.isfinite(answer).all()
        shares = np.exp(answer - answer.max())
        assert shares[OPPOSES] == 0
        assert shares[stance] == 1


def test_what_does_not_fit_is_cut_from_the_end_of_the_passage() -> None:
    """The claim stays whole, and what stands first in the passage counts."""
    head = _load(inputs=("input_ids",), config={"max_position_embeddings": 16})
    claim = "claim not not"
    room = 16 - _MARKS - 3
    kept = " ".join(["fires"] * room)
    expected = (small_nli.features(f"{kept} {claim}") / np.float32(16)).tolist()
    assert head.answer(claim, kept).tolist() == expected
    assert head.answer(claim, f"{kept} sky sky sky").tolist() == expected
    assert head.answer(claim, f"sky {kept}").tolist() != expected


def test_a_claim_is_cut_only_when_it_would_take_more_than_half_of_the_room() -> None:
    """Something of the passage is always read."""
    head = _load(inputs=("input_ids",), config={"max_position_embeddings": 16})
    passage = "fires " * 5
    expected = (small_nli.features(f"{passage} {'not ' * 8}") / np.float32(16)).tolist()
    assert head.answer(" ".join(["not"] * 8), passage).tolist() == expected
    assert head.answer(" ".join(["not"] * 40), passage).tolist() == expected
    assert head.answer(" ".join(["not"] * 8), passage * 9).tolist() == expected


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({}, 256),
        ({"max_position_embeddings": 512}, 256),
        ({"max_position_embeddings": 40}, 40),
        ({"max_position_embeddings": 40, "model_type": "bert", "pad_token_id": 0}, 40),
        ({"max_position_embeddings": 42, "model_type": "roberta", "pad_token_id": 1}, 40),
        ({"max_position_embeddings": 42, "model_type": "xlm-roberta"}, 40),
        ({"max_position_embeddings": -1, "model_type": "deberta-v2"}, 256),
    ],
)
def test_the_limit_is_that_of_the_model(config: dict[str, object], limit: int) -> None:
    """RoBERTa and its like count positions from the padding token's number on."""
    head = load_nli(small_nli.files(inputs=("input_ids",), config=config), name="mine")
    assert len(head.pair("claim", "fires " * 400)) == limit
    assert head.answer("claim", "fires " * 400)[STATES] == np.float32(8 * (limit - _MARKS - 1) / limit)


@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask")])
def test_a_model_is_given_what_it_asks_for(inputs: tuple[str, ...]) -> None:
    """Without types the model cannot tell the parts apart, and words of both count."""
    answer = _load(inputs=inputs).answer("not", "fires")
    assert answer.tolist() == (small_nli.features("fires not") / np.float32(2 + _MARKS)).tolist()


def test_inputs_may_be_of_32_bits_and_logits_may_be_a_later_output() -> None:
    """Exporters differ."""
    expected = _load().answer("claim", "fires not").tolist()
    assert _load(kind=TensorProto.INT32).answer("claim", "fires not").tolist() == expected
    assert _load(first=True).answer("claim", "fires not").tolist() == expected


def test_an_answer_does_not_depend_on_what_was_asked_before() -> None:
    """One row a call: the same texts have the same answer in any order."""
    head, asked = _load(), ["fires", "fires not sky", "", "sky " * 300, "fires"]
    forwards = [head.answer("claim", passage).tolist() for passage in asked]
    backwards = [head.answer("claim", passage).tolist() for passage in reversed(asked)]
    assert forwards == backwards[::-1]
    assert forwards[2] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("onnx/model.onnx",), "onnx/model.onnx"),
        (("onnx/model.onnx", "onnx/model_quantized.onnx"), "onnx/model_quantized.onnx"),
        (("model.onnx", "onnx/model_int8.onnx", "onnx/model_fp16.onnx"), "onnx/model_int8.onnx"),
        (("model.onnx", "model.onnx_data", "model_quint8_avx2.onnx"), "model_quint8_avx2.onnx"),
        (("deep/down/model_quantized.onnx", "model.onnx"), "model.onnx"),
    ],
)
def test_of_several_models_the_one_of_8_bits_is_taken(names: tuple[str, ...], chosen: str) -> None:
    """The chosen file holds the good model; all others hold nothing that could be loaded."""
    whole = small_nli.files()
    files = {name: whole["model.onnx"] if name == chosen else b"no model" for name in names}
    head = _load({**files, "tokenizer.json": whole["tokenizer.json"], "config.json": whole["config.json"]})
    assert int(np.argmax(head.answer("claim", "fires"))) == STATES


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.onnx", "mine: model.onnx: missing, and there is no other .onnx file; export it with: optimum-cli"),
        ("tokenizer.json", "mine: tokenizer.json: missing; copy it from the model's repository"),
        ("config.json", "mine: config.json: missing; copy it from the model's repository"),
    ],
)
def test_a_missing_file_is_named(missing: str, message: str) -> None:
    """Each of the three is needed."""
    assert _refused({at: content for at, content in small_nli.files().items() if at != missing}).startswith(message)


@pytest.mark.parametrize(
    ("at", "content", "message"),
    [
        ("model.onnx", b"\x00", "mine: model.onnx: not a model that onnxruntime can run"),
        ("tokenizer.json", b"{}", "mine: tokenizer.json: not a tokenizer file"),
        ("tokenizer.json", small_nli.tokenizer(marks=False), "mine: tokenizer.json: has no post-processor"),
        ("config.json", b"{", "mine: config.json: not JSON"),
        ("config.json", b"\xff", "mine: config.json: not JSON"),
        ("config.json", b"[]", "mine: config.json: not a mapping"),
        ("config.json", b"{}", "mine: config.json: id2label: missing"),
        ("config.json", b'{"id2label": {"1": "neutral", "2": "entailment"}}', "keys must count from 0"),
        ("config.json", small_nli.config(["LABEL_0", "LABEL_1", "LABEL_2"]), "write, in the order that the model's"),
        ("config.json", small_nli.config(["POSITIVE", "NEGATIVE"]), "POSITIVE, NEGATIVE are not the labels of an NLI"),
        ("config.json", small_nli.config(["entailment", "entail", "neutral"]), "two labels mean the same"),
        ("config.json", small_nli.config(["entailment", "contradiction"]), "entailment and one of neutral and not_"),
        ("config.json", small_nli.config(["contradiction", "neutral"]), "entailment and one of neutral and not_"),
        ("config.json", small_nli.config(["entailment", "neutral"]), "3 logits, and config.json names 2 labels"),
        ("config.json", small_nli.config(max_position_embeddings="512"), "must be whole numbers"),
        ("config.json", small_nli.config(max_position_embeddings=8), "takes 8 tokens; a claim and a passage need 16"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_what_to_do(at: str, content: bytes, message: str) -> None:
    """Nothing is guessed: a label read wrongly would turn every answer round."""
    assert message in _refused({**small_nli.files(), at: content})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda: small_nli.model(pooled=False), "its output logits has 3 dimensions"),
        (lambda: small_nli.model(inputs=("input_ids", "bbox")), "asks for bbox; only input_ids, attention_mask"),
        (lambda: small_nli.model(kind=TensorProto.INT32, inputs=("input_ids", "attention_mask"), size=7), "failed on"),
        (lambda: small_nli.model(size=7), "is the length of its input free?"),
    ],
)
def test_a_model_of_another_kind_is_refused_before_it_is_asked(
    changed: Callable[[], onnx.ModelProto], message: str
) -> None:
    """A bare encoder, a model that wants more than text, and one of fixed length cannot serve."""
    assert message in _refused({**small_nli.files(), "model.onnx": changed().SerializeToString()})


def test_a_tokenizer_of_another_model_is_found_when_the_model_is_asked() -> None:
    """Numbers beyond the embedding's rows are an error of ours, with the remedy."""
    other = small_nli.tokenizer().replace(b'"[SEP]":1', b'"[SEP]":999').replace(b'"ids":[1]', b'"ids":[999]')
    assert other != small_nli.tokenizer()
    message = _refused({**small_nli.files(), "tokenizer.json": other})
    assert "are tokenizer.json and the model of one repository" in message


def test_weights_in_a_second_file_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """Whether or not the second file is there, the message says how to make one of two."""
    onnx.save_model(
        small_nli.model(), tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    split = (tmp_path / "model.onnx").read_bytes()
    rest = {at: content for at, content in small_nli.files().items() if at != "model.onnx"}
    for files in ({"model.onnx": split, **rest}, {"model.onnx": split, "model.onnx_data": b"", **rest}):
        message = _refused(files)
        assert message.startswith("mine: model.onnx: its weights are in a second file")
        assert "onnx.save(onnx.load('model.onnx'), 'one.onnx')" in message

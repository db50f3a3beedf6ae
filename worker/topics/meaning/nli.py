"""A stronger head: any NLI model for sequence classification that comes as ONNX.

The passage is the premise and the claim is the hypothesis: a passage that entails a claim states it, one that
contradicts it opposes it, and everything else is other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

from worker.topics.meaning.heads import OPPOSES, OTHER, STATES
from worker.topics.meaning.models import ModelError, Vector, read_tokenizer, session

#: Where the states, the opposes and the other logit stand in the model's output; ``None``: it has none.
_Places: TypeAlias = tuple[int, int | None, int]

#: Tokens of passage and claim together, marks included: passages are a few sentences, and longer ones only cost time.
_LONGEST = 256
#: A model that takes fewer tokens than this cannot hold a claim beside a passage.
_SHORTEST = 16
#: The logit of an answer that a model does not have: its probability is 0, and sums with it stay finite.
_NEVER = -1e4
#: Claims whose length has been looked at: those of all topics.
_CLAIMS = 4_096
#: Where a repository of the hub keeps ONNX files: at its top, or in a folder of this name.
_MODEL = re.compile(r"(?:onnx/)?[^/]+\.onnx")
#: How the exporters of the hub name models with weights of 8 bits: model_quantized, model_int8, model_quint8_avx2.
_EIGHT_BITS = re.compile(r"quantized|q?u?int8")
#: What an ONNX file has inside when its weights are elsewhere: the key of the field TensorProto.external_data
#: (https://onnx.ai/onnx/repo-docs/ExternalData.html), with the protobuf's tag and length before it.
_ELSEWHERE = b"\x0a\x08location"
#: Models whose first position is the padding token's number and one: a table of 514 rows holds 512 tokens
#: (create_position_ids_from_input_ids in the transformers library).
_LATE_POSITIONS = frozenset(
    {"camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta"}
    | {"xlm-roberta-xl", "xmod"}
)
#: Names of labels, as letters only and in lower case.
_LABELS: Mapping[str, int] = {
    **dict.fromkeys(("entail", "entails", "entailed", "entailment"), STATES),
    **dict.fromkeys(("contradict", "contradicts", "contradicted", "contradiction", "contradictory"), OPPOSES),
    **dict.fromkeys(("neutral", "notentail", "notentailed", "notentailment", "nonentailment"), OTHER),
}
_KINDS: Mapping[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_TOKENS = ("input_ids", "attention_mask", "token_type_ids")
_EXPORT = "export it with: optimum-cli export onnx --task text-classification"


class NliHead:
    """An NLI model of the user's own; made by ``load_nli``."""

    def __init__(
        self, name: str, *, tokenizer: Tokenizer, model: onnxruntime.InferenceSession, places: _Places, limit: int
    ) -> None:
        self.name = name
        tokenizer.enable_truncation(limit, strategy="only_first")
        self._tokenizer, self._model, self._places = tokenizer, model, places
        self._inputs = {item.name: _KINDS[item.type] for item in model.get_inputs()}
        self._output = _output(model).name
        self._claim_max = limit // 2
        self._fitting = lru_cache(_CLAIMS)(self._cut)

    def answer(self, claim: str, passage: str) -> Vector:
        """Return three logits: states, opposes, other.

        What does not fit is cut from the passage's end; a claim is cut only where it takes more than half of the room.

        Raises:
            ModelError: the model failed on these texts.
        """
        logits = self.logits(claim, passage)
        return np.array([_NEVER if place is None else logits[place] for place in self._places], np.float32)

    def pair(self, claim: str, passage: str) -> Encoding:
        """Return the tokens that the model is asked about, with the marks that its tokenizer puts around them."""
        return self._tokenizer.encode(passage, self._fitting(claim))

    def logits(self, claim: str, passage: str) -> Vector:
        """Return what the model answers, in its own order.

        Raises:
            ModelError: it failed, or answered with something that is no row of numbers.
        """
        pair = self.pair(claim, passage)
        tokens = dict(zip(_TOKENS, (pair.ids, pair.attention_mask, pair.type_ids), strict=True))
        row = {name: np.array([tokens[name]], kind) for name, kind in self._inputs.items()}
        try:
            (result,) = self._model.run([self._output], row)
        except Exception as error:  # onnxruntime has no common base class of its own
            raise ModelError(
                f"{self.name}: the model failed on {len(pair.ids)} tokens ({type(error).__name__}: {_first(error)}); "
                "are tokenizer.json and the model of one repository, and is the length of its input free?"
            ) from error
        if result.ndim != 2 or len(result) != 1 or not np.isfinite(result).all():  # noqa: PLR2004 - row and column
            raise ModelError(
                f"{self.name}: answers with {result.shape} values, not all finite or not one row; "
                f"it is no model for sequence classification, or damaged; {_EXPORT}"
            )
        return np.asarray(result[0], np.float32)

    def _cut(self, claim: str) -> str:
        tokens = self._tokenizer.encode(claim, add_special_tokens=False)
        return claim if len(tokens) <= self._claim_max else claim[: tokens.offsets[self._claim_max - 1][1]]


def load_nli(files: Mapping[str, bytes], *, name: str) -> NliHead:
    """Return a model of the user's own, having asked it once.

    Args:
        files: Its files by their path in the repository: ``config.json``, ``tokenizer.json``, and ``model.onnx`` or
            another ``.onnx`` at the top or under ``onnx/``. Of several, one with weights of 8 bits, then the smallest.
        name: What ``check`` and ``why`` call it; every message begins with it.

    Raises:
        ModelError: a file is missing or cannot be used; the message says which, and what to do.
    """
    at = _model_file(files, name)
    config = _config(files, name)
    labels = _labels(config, name)
    tokenizer = read_tokenizer(_file(files, "tokenizer.json", name), f"{name}: tokenizer.json")
    if not tokenizer.num_special_tokens_to_add(is_pair=True):
        raise ModelError(
            f"{name}: tokenizer.json: has no post-processor, so that passage and claim would run into one; "
            "save it again from the model's own fast tokenizer"
        )
    model = _session(files[at], name, at)
    _check_shape(model, len(labels), f"{name}: {at}")
    places = labels.index(STATES), labels.index(OPPOSES) if OPPOSES in labels else None, labels.index(OTHER)
    head = NliHead(name, tokenizer=tokenizer, model=model, places=places, limit=_limit(config, name))
    _try(head, len(labels), f"{name}: {at}")
    return head


def _file(files: Mapping[str, bytes], at: str, name: str) -> bytes:
    if at not in files:
        raise ModelError(f"{name}: {at}: missing; copy it from the model's repository")
    return files[at]


def _model_file(files: Mapping[str, bytes], name: str) -> str:
    found = [at for at in files if _MODEL.fullmatch(at)]
    if not found:
        raise ModelError(f"{name}: model.onnx: missing, and there is no other .onnx file; {_EXPORT}")
    whole = [at for at in found if not any(other.startswith((f"{at}_data", f"{at}.data")) for other in files)]
    if not whole:
        raise ModelError(_elsewhere(name, found[0]))
    return min(whole, key=lambda at: (not _EIGHT_BITS.search(at), len(files[at]), at))


def _session(content: bytes, name: str, at: str) -> onnxruntime.InferenceSession:
    try:
        return session(content, f"{name}: {at}")
    except ModelError as error:
        if _ELSEWHERE in content:
            raise ModelError(_elsewhere(name, at)) from error
        raise


def _elsewhere(name: str, at: str) -> str:
    return (
        f"{name}: {at}: its weights are in a second file ({at}_data or the like), which is not supported; "
        "take a quantised file of the same model, or write one file with: "
        f"python -c \"import onnx; onnx.save(onnx.load('{at}'), 'one.onnx')\""
    )


def _config(files: Mapping[str, bytes], name: str) -> Mapping[str, object]:
    try:
        config = json.loads(_file(files, "config.json", name))
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{name}: config.json: not JSON ({error}); copy it again") from error
    if not isinstance(config, dict):
        raise ModelError(f"{name}: config.json: not a mapping; copy it from the model's repository again")
    return config


def _labels(config: Mapping[str, object], name: str) -> tuple[int, ...]:
    """Return what each logit means, as ``STATES``, ``OPPOSES`` or ``OTHER``, in the order of the logits."""
    where, named = f"{name}: config.json: id2label", config.get("id2label")
    wanted = (
        'write, in the order that the model\'s page says, such as {"0": "entailment", "1": "neutral", '
        '"2": "contradiction"} or {"0": "entailment", "1": "not_entailment"}'
    )
    if not isinstance(named, dict) or not named:
        raise ModelError(f"{where}: missing, so that nobody knows what the logits mean; {wanted}")
    try:
        texts = [str(named[str(place)]) for place in range(len(named))]
    except KeyError as error:
        raise ModelError(f"{where}: its keys must count from 0 without a gap, and {error} is missing") from error
    meanings = [_LABELS.get(re.sub(r"[^a-z]", "", text.lower())) for text in texts]
    known = tuple(meaning for meaning in meanings if meaning is not None)
    if len(known) < len(texts):
        raise ModelError(f"{where}: {', '.join(texts)} are not the labels of an NLI model; if it is one, {wanted}")
    if len(set(known)) < len(known):
        raise ModelError(f"{where}: {', '.join(texts)}: two labels mean the same; {wanted}")
    if STATES not in known or OTHER not in known:
        raise ModelError(
            f"{where}: {', '.join(texts)}: entailment and one of neutral and not_entailment are needed; "
            "take a model that has both"
        )
    return known


def _limit(config: Mapping[str, object], name: str) -> int:
    """Return how many tokens may be asked about; a model with relative positions names no limit."""
    positions, padding = config.get("max_position_embeddings", _LONGEST), config.get("pad_token_id", 1)
    if not isinstance(positions, int) or not isinstance(padding, int | None):
        raise ModelError(f"{name}: config.json: max_position_embeddings and pad_token_id must be whole numbers")
    if config.get("model_type") in _LATE_POSITIONS:
        positions -= (1 if padding is None else padding) + 1
    if 0 < positions < _SHORTEST:
        raise ModelError(f"{name}: config.json: takes {positions} tokens; a claim and a passage need {_SHORTEST}")
    return min(positions, _LONGEST) if positions > 0 else _LONGEST


def _output(model: onnxruntime.InferenceSession) -> onnxruntime.NodeArg:
    outputs = model.get_outputs()
    return next((output for output in outputs if output.name == "logits"), outputs[0])


def _check_shape(model: onnxruntime.InferenceSession, labels: int, where: str) -> None:
    """Raise when the model asks for something else than tokens, or says that it answers something else."""
    inputs = {item.name: item.type for item in model.get_inputs()}
    if odd := sorted(inputs.keys() - set(_TOKENS)):
        raise ModelError(f"{where}: asks for {', '.join(odd)}; only {', '.join(_TOKENS)} can be given; {_EXPORT}")
    if "input_ids" not in inputs or not set(inputs.values()) <= _KINDS.keys():
        raise ModelError(f"{where}: must ask for input_ids, and for whole numbers only; {_EXPORT}")
    output = _output(model)
    if len(output.shape) != 2:  # noqa: PLR2004 - row and column
        raise ModelError(
            f"{where}: its output {output.name} has {len(output.shape)} dimensions, where a model for sequence "
            f"classification has a row of logits; {_EXPORT}"
        )
    _check_width(output.shape[1], labels, where)


def _check_width(width: object, labels: int, where: str) -> None:
    if isinstance(width, int) and width != labels:
        raise ModelError(
            f"{where}: answers with {width} logits, and config.json names {labels} labels (id2label); "
            "take both files from one repository"
        )


def _try(head: NliHead, labels: int, where: str) -> None:
    """Ask the shortest and the longest thing that there is to ask, so that what fails does so before work begins."""
    for passage in ("A.", "A passage. " * _LONGEST):
        _check_width(len(head.logits("A claim.", passage)), labels, where)


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]

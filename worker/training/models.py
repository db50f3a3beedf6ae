"""The exported models, called as wirewatch calls them: one text or pair a call, one thread, int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

#: Tokens of one sentence, and of claim and passage together.
SENTENCE_MAX, PAIR_MAX = 64, 96


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path, longest: int) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest, strategy="longest_first")
    return tokenizer


def _run(session: onnxruntime.InferenceSession, row: Encoding) -> npt.NDArray[np.float32]:
    # A dynamically quantised model's answer depends on what else is in the batch, so there is never anything else.
    inputs = {"input_ids": row.ids, "attention_mask": row.attention_mask, "token_type_ids": row.type_ids}
    result = session.run(None, {name: np.array([value], np.int64) for name, value in inputs.items()})
    return np.asarray(result[0][0], dtype=np.float32)


@dataclass(slots=True)
class Models:
    """A bi-encoder and a verifier; answers are kept, since evaluation asks the same again and again."""

    sentence: onnxruntime.InferenceSession
    sentence_tokenizer: Tokenizer
    pair: onnxruntime.InferenceSession
    pair_tokenizer: Tokenizer
    _vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    _answers: dict[tuple[str, str], npt.NDArray[np.float32]] = field(default_factory=dict)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one normalised vector a text."""
        for text in texts:
            if text not in self._vectors:
                self._vectors[text] = _run(self.sentence, self.sentence_tokenizer.encode(text))
        return np.stack([self._vectors[text] for text in texts])

    def answer(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return the logits (states, opposes, other) of each (claim, passage)."""
        for pair in pairs:
            if pair not in self._answers:
                self._answers[pair] = _run(self.pair, self.pair_tokenizer.encode(*pair))
        return np.stack([self._answers[pair] for pair in pairs])


def read_models(folder: Path) -> Models:
    """Return the models in ``folder``: ``encoder.onnx`` and ``verifier.onnx``, each with its tokenizer beside it."""
    return Models(
        _session(folder / "encoder.onnx"),
        _tokenizer(folder / "encoder-tokenizer.json", SENTENCE_MAX),
        _session(folder / "verifier.onnx"),
        _tokenizer(folder / "verifier-tokenizer.json", PAIR_MAX),
    )

"""The models: a token table, a sentence encoder and a verifier, checked, loaded, and asked one text at a time.

All three read the same tokens, so a text is tokenised once. A dynamically quantised model's answer depends on what
else is in its batch, so there is never anything else: the same text has the same vector in every replay, and whatever
the articles around it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from worker.topics.meaning.tokens import Ids, Tokens

Vector: TypeAlias = npt.NDArray[np.float32]

#: What ``wirewatch`` ships and what a directory under ``meaning.model`` must hold.
MANIFEST = "manifest.json"
FILES = ("tokenizer.json", "table.npz", "encoder.onnx", "verifier.onnx", "decision.json")
#: Tokens of one sentence, and of claim and passage together, marks included.
SENTENCE_MAX, PAIR_MAX = 64, 96
#: Tokens of a claim inside a pair; the passage has the rest.
_CLAIM_MAX = 40
#: Marks of the vocabulary of BERT (Devlin et al., arXiv:1810.04805): beginning, and end of a part.
_CLS, _SEP = 101, 102
#: Sentences that are guessed at a time, to bound the memory that a very long article takes.
_BLOCK = 1_000


class ModelError(ValueError):
    """The models cannot be used; the message says which file, and what to do."""


def check_files(files: Mapping[str, bytes]) -> Mapping[str, str]:
    """Return the sha256 of each model file, having compared it with the manifest's.

    Raises:
        ModelError: a file is missing, or is not the one that the manifest names.
    """
    try:
        pinned = json.loads(files[MANIFEST])["files"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{MANIFEST}: missing or not readable; install wirewatch again") from error
    for name in FILES:
        if name not in files or name not in pinned:
            raise ModelError(f"{name}: missing; install wirewatch again")
        found = hashlib.sha256(files[name]).hexdigest()
        if found != pinned[name]:
            raise ModelError(
                f"{name}: its sha256 is {found[:16]}..., {MANIFEST} says {str(pinned[name])[:16]}...; "
                "the file was damaged or exchanged: install wirewatch again"
            )
    return {name: str(pinned[name]) for name in FILES}


def session(model: bytes, name: str, *, fused: bool = False) -> onnxruntime.InferenceSession:
    """Return a model ready to be asked, on one thread: the order of additions is then always the same.

    One that is ``fused`` already (``worker.training.fuse``) is run as it is written: onnxruntime would fuse it further,
    into operators that are slower.

    Raises:
        ModelError: it is no ONNX model that this runtime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    if fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base class of its own
        raise ModelError(f"{name}: not a model that onnxruntime can run ({type(error).__name__})") from error


def read_tokenizer(content: bytes, name: str) -> Tokenizer:
    """Return a tokenizer that neither pads nor cuts.

    Raises:
        ModelError: it is no tokenizer file.
    """
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # tokenizers raises bare exceptions
        raise ModelError(f"{name}: not a tokenizer file") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@dataclass(frozen=True, slots=True)
class Table:
    """A vector a token, from which a sentence's vector can be guessed without running a model."""

    rows: npt.NDArray[np.int8]
    #: What a step of a row is worth; the weight of the token is in it.
    scales: Vector
    #: From a true sentence vector to the table's space.
    basis: Vector
    #: The mean sentence vector of news, in the encoder's space.
    mean: Vector
    #: Covariance of true centred vectors, and of guessed ones: what is ordinary for a claim.
    spread: Vector
    guessed_spread: Vector

    def guess(self, sentences: Sequence[Ids]) -> Vector:
        """Return one normalised vector a sentence; zero for a sentence without tokens."""
        blocks = [sentences[at : at + _BLOCK] for at in range(0, len(sentences), _BLOCK)]
        empty = np.zeros((0, self.rows.shape[1]), np.float32)
        return normalised(np.concatenate([empty, *map(self._sums, blocks)]))

    def units(self, tokens: npt.NDArray[np.int64]) -> Vector:
        """Return the vector of each token, of length 1; zero for a token that has none."""
        return normalised(self.rows[tokens].astype(np.float32))

    def weights(self, tokens: npt.NDArray[np.int64]) -> Vector:
        """Return how much each token says, by the length of its vector: rare words say more."""
        lengths = np.linalg.norm(self.rows[tokens].astype(np.float32), axis=1) * self.scales[tokens]
        return np.asarray(lengths, dtype=np.float32)

    def _sums(self, sentences: Sequence[Ids]) -> Vector:
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        flat = np.fromiter(chain.from_iterable(sentences), np.int64, int(lengths.sum()))
        out = np.zeros((len(sentences), self.rows.shape[1]), np.float32)
        full = np.nonzero(lengths)[0]
        if len(full):
            starts = np.concatenate([[0], np.cumsum(lengths[full])[:-1]])
            out[full] = np.add.reduceat(self.rows[flat] * self.scales[flat, None], starts, axis=0)
        return out


def normalised(rows: Vector) -> Vector:
    """Return ``rows``, each of length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


class Net:
    """A model that is loaded when it is first asked: most starts of a command never ask the verifier."""

    def __init__(self, content: bytes, name: str) -> None:
        """Keep ``content``, the file ``name``, until it is needed."""
        self._content: bytes | None = content
        self._name = name
        self._session: onnxruntime.InferenceSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether the model is loaded."""
        return self._session is not None

    def open(self) -> onnxruntime.InferenceSession:
        """Load the model, unless it is: a hundred milliseconds or two.

        Raises:
            ModelError: it is no ONNX model that this runtime can run.
        """
        while self._session is None:
            # Two threads may load it at once, and one of them in vain. What is set here is set in this order: whoever
            # finds no content finds a session.
            content = self._content
            if content is not None:
                self._session, self._content = session(content, self._name, fused=True), None
        return self._session

    def run(self, ids: Sequence[int], second: int) -> Vector:
        """Return the first output for one row of tokens, of which the last ``second`` belong to the second part.

        Raises:
            ModelError: it is no ONNX model that this runtime can run.
        """
        asked = self._session or self.open()
        inputs = {"input_ids": np.array([ids], np.int64), "token_type_ids": _kinds(len(ids), second)}
        return np.asarray(asked.run(None, inputs)[0][0], dtype=np.float32)


@lru_cache(PAIR_MAX * PAIR_MAX)
def _kinds(size: int, second: int) -> npt.NDArray[np.int64]:
    """Return for each token of a row to which of its parts it belongs."""
    kinds = np.zeros((1, size), np.int64)
    kinds[0, size - second :] = 1
    return kinds


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that decides by meaning; its nets are loaded when they are first asked."""

    tokens: Tokens
    table: Table
    encoder: Net
    verifier: Net
    #: The constants of the decision, as ``worker.topics.meaning.decision`` reads them.
    decision: Mapping[str, object]
    hashes: Mapping[str, str]

    def open(self) -> None:
        """Load what would be loaded when it is first asked.

        Raises:
            ModelError: one of them is no ONNX model that this runtime can run.
        """
        self.encoder.open()
        self.verifier.open()

    def ids(self, text: str) -> Ids:
        """Return the tokens of ``text`` without marks, at most as many as a sentence may have."""
        return self.tokens.of(text)[: SENTENCE_MAX - 2]

    def embed(self, ids: Ids) -> Vector:
        """Return the vector of a sentence, seen from the mean sentence of news, of length 1."""
        vector = self.encoder.run([_CLS, *ids[: SENTENCE_MAX - 2], _SEP], 0)
        return normalised(vector - self.table.mean)

    def answer(self, claim: Ids, passage: Ids) -> Vector:
        """Return the verifier's logits: states, opposes, other."""
        first = [_CLS, *claim[:_CLAIM_MAX], _SEP]
        second = [*passage[: PAIR_MAX - 1 - len(first)], _SEP]
        return self.verifier.run([*first, *second], len(second))


def load_models(files: Mapping[str, bytes]) -> Models:
    """Return the models in ``files``, by their names in ``FILES`` and with the manifest.

    The nets are checked, and loaded when they are first asked; ``Models.open`` loads them at once.

    Raises:
        ModelError: a file is missing, changed or unreadable.
    """
    hashes = check_files(files)
    decision = json.loads(files["decision.json"])
    made_for = decision.get("models", {})
    for name, digest in made_for.items():
        if hashes.get(name) != digest:
            raise ModelError(f"decision.json: made for another {name}; install wirewatch again")
    with np.load(io.BytesIO(files["table.npz"])) as arrays:
        table = Table(
            rows=arrays["rows"],
            scales=arrays["scales"].astype(np.float32),
            basis=arrays["basis"].astype(np.float32),
            mean=arrays["mean"].astype(np.float32),
            spread=arrays["spread"].astype(np.float32),
            guessed_spread=arrays["guessed_spread"].astype(np.float32),
        )
    return Models(
        tokens=Tokens(read_tokenizer(files["tokenizer.json"], "tokenizer.json")),
        table=table,
        encoder=Net(files["encoder.onnx"], "encoder.onnx"),
        verifier=Net(files["verifier.onnx"], "verifier.onnx"),
        decision=decision,
        hashes=hashes,
    )

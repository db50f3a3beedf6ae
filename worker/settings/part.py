"""What one file brings: values that know where they stand, problems and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.errors import Problem
from worker.settings.document import Document, Keys

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Generic[T]):
    """A value and the keys at which its file has it."""

    value: T
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[T]):
    """The value of a file as far as it is right, and what there is to say about it."""

    document: Document
    value: T
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    #: Other files that it was read from.
    files: tuple[str, ...] = ()

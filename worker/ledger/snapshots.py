"""Snapshots of the configuration: what is in force, by a number that grows with every change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, insert, select

from worker.ledger import turns
from worker.ledger.engine import Transaction
from worker.ledger.ready import Ready
from worker.ledger.tables import snapshot
from worker.model import Topic

#: How many are kept.
KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A configuration that was put in force."""

    #: From 1; a newer one has a greater number.
    generation: int
    taken_at: datetime
    #: The texts of the files by name, as ``worker.settings`` reads them; ``None`` when only the topics were kept.
    files: Mapping[str, str] | None


def keep(t: Transaction, *, topics: Sequence[Topic], files: Mapping[str, str] | None, now: datetime) -> int:
    """Put a configuration in force and return its generation: the last one's when nothing has changed since.

    ``topics`` are what ``files`` say of topics: ``why`` answers by them, also where no files are kept (``None``).
    """
    turns.take(t, "configuration")
    values: dict[str, Any] = {
        "topics": json.loads(json.dumps([asdict(topic) for topic in topics])),
        "files": None if files is None else dict(files),
    }
    last = _last(t)
    if last is not None and (last.topics, last.files) == (values["topics"], values["files"]):
        return int(last.generation)
    insertion = insert(snapshot).values(taken_at=now, **values).returning(snapshot.c.generation)
    return int(t.execute(insertion).scalar_one())


def generation(t: Transaction) -> int:
    """Return the number of the configuration in force, 0 when there is none."""
    return int(_GENERATION.first(t, {})[0])


# It is asked at every claim.
_GENERATION: Final = Ready(lambda _: select(func.coalesce(func.max(snapshot.c.generation), 0)))


def latest(t: Transaction) -> Snapshot | None:
    """Return the configuration in force, ``None`` when there is none."""
    last = _last(t)
    return last and Snapshot(generation=last.generation, taken_at=last.taken_at, files=last.files)


def topics_in_force(t: Transaction) -> tuple[Topic, ...] | None:
    """Return the topics of the configuration in force, ``None`` when there is none."""
    last = _last(t)
    return None if last is None else tuple(Topic.from_dict(value) for value in last.topics)


def _last(t: Transaction) -> Row[Any] | None:
    return t.execute(select(snapshot).order_by(snapshot.c.generation.desc()).limit(1)).one_or_none()

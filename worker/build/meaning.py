"""From settings to the stages that decide by meaning, or to the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import Unusable
from worker.model import Judge, Topic
from worker.settings import Service, hub
from worker.topics.meant import LANGUAGES, Meaning, is_meant

if TYPE_CHECKING:
    from worker.topics.meaning.heads import Head
    from worker.topics.meaning.models import Models

#: In the state directory: the answers of the judge, and the models that came from a hub.
JUDGE_RECORD, HUB_FOLDER = "judge.jsonl", "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The stages that decide by meaning, or why there are none."""

    meaning: Meaning | None = None
    #: Empty when there is nothing to say.
    why: str = ""


def open_meaning(service: Service, topics: Sequence[Topic], *, state: Path, judge_record: Path | None = None) -> Opened:
    """Return what decides by meaning for ``topics``; models are only loaded when one of them asks for meaning.

    Models that cannot be used disable meaning, with the reason: topics then match by their rules, and say so.

    Args:
        service: says which models.
        topics: those that will be asked.
        state: the state directory, for what is kept from one start to the next.
        judge_record: answers of the judge that were recorded; it is then asked nothing else.

    Raises:
        ConfigError: the judge cannot be asked as it is configured.
    """
    if not any(map(is_meant, topics)):
        return Opened()
    if service.meaning.model == "off":
        return Opened(why="meaning.model is off in service.yaml")
    from worker.topics.meaning.engine import Engine  # noqa: PLC0415 - dear, and only needed here
    from worker.topics.meaning.models import ModelError, load_models  # noqa: PLC0415 - the same

    judge = _judge(service, state, judge_record)
    try:
        models = load_models(_files(service.meaning.model))
        if service.meaning.model != "default":
            models.open()  # what ships can be run; what somebody else made had better be tried before it is needed
        head = _head(service.meaning.verifier, models, state)
        return Opened(meaning=Engine(models, head=head, judge=judge))
    except (ModelError, Unusable) as error:
        return Opened(why=str(error))


def damaged(service: Service) -> str:
    """Return why the model files that ``service`` names are not those of their manifest; empty when they are.

    Nothing is loaded, so it takes a moment only.
    """
    if service.meaning.model == "off":
        return ""
    from worker.topics.meaning.models import ModelError, check_files  # noqa: PLC0415 - dear

    try:
        check_files(_files(service.meaning.model))
    except ModelError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def disabled(topics: Iterable[Topic], why: str) -> Iterator[tuple[Topic, str]]:
    """Yield each topic that loses something because meaning is disabled for the reason ``why``, and what it loses."""
    for topic in topics:
        if not is_meant(topic):
            continue
        if not topic.has_rule or topic.require == "both":
            yield topic, f"meaning disabled: {why}; topic {topic.id} cannot match"
        else:
            yield topic, f"meaning disabled: {why}; topic {topic.id} matches by its rule alone"


def unread(topics: Iterable[Topic]) -> Iterator[tuple[Topic, str]]:
    """Yield each topic that watches languages that the models do not read, and what that means."""
    for topic in topics:
        foreign = [code for code in topic.languages if code.split("-")[0].casefold() not in LANGUAGES]
        if is_meant(topic) and foreign:
            lost = "its rule alone decides there" if topic.has_rule else "it cannot match there"
            yield topic, f"meaning disabled for {', '.join(foreign)}: the models read English; topic {topic.id}: {lost}"


def remarks(topics: Sequence[Topic], opened: Opened) -> list[tuple[Topic, str]]:
    """Return what a person should know about ``topics`` and meaning: the topics concerned, each with a remark."""
    return list(disabled(topics, opened.why) if opened.why else unread(topics))


def notes(topics: Sequence[Topic], opened: Opened) -> list[str]:
    """Return the remarks as lines."""
    return [message for _, message in remarks(topics, opened)]


def _files(model: str) -> Mapping[str, bytes]:
    if model == "default":
        folder = resources.files("worker.topics.meaning") / "models"
        return {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()} if folder.is_dir() else {}
    return {item.name: item.read_bytes() for item in Path(model).iterdir() if item.is_file()}


def _head(verifier: str, models: Models, state: Path) -> Head | None:
    from worker.topics.meaning.heads import DefaultHead  # noqa: PLC0415 - dear
    from worker.topics.meaning.nli import load_nli  # noqa: PLC0415 - the same
    from worker.web.hub import needed, sizes_in  # noqa: PLC0415 - the same

    if verifier == "off":
        return None
    if verifier == "default":
        return DefaultHead(models)
    folder = _fetched(verifier, state)
    return load_nli({name: (folder / name).read_bytes() for name in needed(sizes_in(folder))}, name=verifier)


def _fetched(verifier: str, state: Path) -> Path:
    if not verifier.startswith(hub.PREFIX):
        return Path(verifier)
    from worker.web.hub import fetch  # noqa: PLC0415 - dear

    name, revision = hub.parse(verifier)
    return fetch(name, revision, into=state / HUB_FOLDER)


def _judge(service: Service, state: Path, record: Path | None) -> Judge | None:
    configured = service.meaning.judge
    if configured is None:
        return None
    from worker.web.judge import LiveJudge, RecordedJudge  # noqa: PLC0415 - dear

    if record is not None:
        return RecordedJudge(record, model=configured.model)
    return LiveJudge(
        url=configured.url,
        model=configured.model,
        key=configured.key,
        budget_per_hour=configured.budget_per_hour,
        network=service.network,
        record=state / JUDGE_RECORD,
        timeout=configured.timeout.total_seconds(),
        user_agent=service.user_agent,
    )

"""From a directory of files to settings: everything is read, and everything that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.errors import ConfigError, Problem
from worker.model import Topic
from worker.settings.alerts_file import read_alerts
from worker.settings.document import Document
from worker.settings.feeds_file import read_feeds
from worker.settings.not_yet import not_yet
from worker.settings.part import Part
from worker.settings.reading import read
from worker.settings.references import hurried_feeds, silent_topics, unknown_channels, unknown_topics
from worker.settings.service_file import read_service
from worker.settings.topics_file import Topics, read_topics
from worker.settings.values import Service, Settings
from worker.settings.words import listed, meant

FILES = ("feeds.yaml", "service.yaml", "alerts.yaml", "topics.yaml")
_YAML = (".yaml", ".yml")


def load(
    config_dir: Path, env: Mapping[str, str], *, required: bool = False, topics_file: Path | None = None
) -> Settings:
    """Return the settings in ``config_dir``; a file that is missing means its defaults.

    Args:
        config_dir: Holds ``feeds.yaml``, ``service.yaml``, ``alerts.yaml`` and ``topics.yaml``.
        env: The environment, from which ``${VAR}`` is substituted.
        required: The directory was asked for by name, so that its absence is an error and not a warning.
        topics_file: Stands in for ``topics.yaml``; routes may then name topics that it does not have.

    Raises:
        ConfigError: With all problems of all files.
    """
    found = survey(config_dir, env, required=required, topics_file=topics_file)
    if found.problems:
        raise ConfigError(*found.problems)
    return found.settings


def load_service(config_dir: Path, env: Mapping[str, str]) -> Service:
    """Return what ``service.yaml`` in ``config_dir`` says; the defaults when there is none.

    Raises:
        ConfigError: With all problems of that file.
    """
    path = config_dir / "service.yaml"
    part = read_service(read(path, env) if path.exists() else Document(file=str(path)), env)
    if part.problems:
        raise ConfigError(*part.problems)
    return part.value


def load_topics(path: Path, env: Mapping[str, str]) -> tuple[Topic, ...]:
    """Return the topics of a file: a mapping with ``topics``, or a list of topics.

    Which channels exist is not known here, so channels are not checked.

    Raises:
        ConfigError: With all problems of the file.
    """
    return topics_and_warnings(path, env)[0]


def topics_and_warnings(path: Path, env: Mapping[str, str]) -> tuple[tuple[Topic, ...], tuple[Problem, ...]]:
    """Return what ``load_topics`` returns, and what is odd about it.

    Raises:
        ConfigError: With all problems of the file.
    """
    part = read_topics(read(path, env))
    if part.problems:
        raise ConfigError(*part.problems)
    nothing = Problem(file=str(path), message="there are no topics, so nothing can match")
    return tuple(topic.value for topic in part.value.topics), part.warnings if part.value.topics else (nothing,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Settings as far as they are right, with what is wrong with the rest."""

    settings: Settings
    problems: tuple[Problem, ...]
    #: The topics with their places, for those who have more to say about them.
    topics: Part[Topics]


def survey(
    config_dir: Path, env: Mapping[str, str], *, required: bool = False, topics_file: Path | None = None
) -> Survey:
    """Return what ``load`` returns together with all problems, raising none. Arguments are those of ``load``."""
    paths = {name: config_dir / name for name in FILES} | ({"topics.yaml": topics_file} if topics_file else {})
    present = [name for name, path in paths.items() if path.exists() or path == topics_file]
    documents = {name: read(path, env) if name in present else Document(file=str(path)) for name, path in paths.items()}
    missing, odd = _directory(config_dir, required=required)
    feeds, service = read_feeds(documents["feeds.yaml"]), read_service(documents["service.yaml"], env)
    alerts, topics = read_alerts(documents["alerts.yaml"]), read_topics(documents["topics.yaml"])
    astray = (
        *unknown_channels(topics.document, topics.value.topics, alerts.value.names),
        *unknown_topics(alerts.document, alerts.value.routes, topics.value.names),
    )
    problems = (
        *missing,
        *(problem for part in (feeds, service, alerts, topics) for problem in part.problems),
        *unknown_channels(alerts.document, alerts.value.routes, alerts.value.names),
        *(() if topics_file else astray),
    )
    warnings = (
        *odd,
        *(warning for part in (feeds, service, alerts, topics) for warning in part.warnings),
        *(warning for name, document in documents.items() for warning in not_yet(name, document)),
        *hurried_feeds(feeds, service.value.polling.min_interval),
        *silent_topics(topics.document, topics.value.whole, alerts.value.routes),
        *(astray if topics_file else ()),
    )
    settings = Settings(
        feeds=tuple(feed.value for feed in feeds.value),
        service=service.value,
        channels=alerts.value.channels,
        routes=tuple(route.value for route in alerts.value.routes),
        policy=alerts.value.policy,
        topics=tuple(topic.value for topic in topics.value.whole),
        warnings=tuple(sorted(set(warnings))),
        files=(*(str(paths[name]) for name in present), *feeds.files),
    )
    return Survey(settings=settings, problems=tuple(sorted(set(problems))), topics=topics)


def _directory(config_dir: Path, *, required: bool) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what is wrong with the directory itself, and what is odd about it."""
    file = str(config_dir)
    if not config_dir.exists():
        message = "there is no such directory"
        if required:
            return (Problem(file=file, message=f"{message}; name one with --config, or make it"),), ()
        return (), (Problem(file=file, message=f"{message}; every setting has its default, and nothing is watched"),)
    if not config_dir.is_dir():
        return (Problem(file=file, message=f"is not a directory; name the one that holds {listed(FILES)}"),), ()
    names = sorted(path.name for path in config_dir.iterdir() if path.suffix in _YAML)
    return (), tuple(_unread(config_dir / name) for name in names if name not in FILES)


def _unread(path: Path) -> Problem:
    near = meant(path.stem, [Path(name).stem for name in FILES])
    hint = f'did you mean "{near}.yaml"?' if near else f"the files here are {listed(FILES, 'and')}"
    return Problem(file=str(path), message=f"a file of this name is not read; {hint}")

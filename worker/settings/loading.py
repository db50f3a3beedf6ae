"""From a directory of files to settings: everything is read, and everything that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.errors import ConfigError, Problem
from worker.model import Topic
from worker.settings.alerts_file import read_alerts
from worker.settings.document import Document
from worker.settings.feeds_file import read_feeds
from worker.settings.part import Part
from worker.settings.reading import document as document_of
from worker.settings.reading import read
from worker.settings.references import hurried_feeds, silent_topics, unknown_channels, unknown_topics
from worker.settings.service_file import read_service
from worker.settings.sources import FILES, Copies, Folder, Source
from worker.settings.topics_file import Topics, read_topics
from worker.settings.values import Service, Settings
from worker.settings.words import listed, meant

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
    return _settings(survey(config_dir, env, required=required, topics_file=topics_file))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Settings, and copies of the files that they were read from, for ``load_files``.

    The copies hold the files as they are, their variables unsubstituted. What somebody wrote into them in plain text
    is in them too: never log them.
    """

    settings: Settings
    #: By name: those of ``FILES`` that exist, and ``opml[0]``, ``opml[1]``, ... in the order of the key ``opml``.
    files: Mapping[str, str] = field(repr=False)


def take(config_dir: Path, env: Mapping[str, str], *, required: bool = False) -> Taken:
    """Return what ``load`` returns, with copies of the very bytes that it was read from. Arguments are its own.

    Raises:
        ConfigError: With all problems of all files.
    """
    folder = Folder(config_dir)
    missing, odd = _directory(config_dir, required=required)
    settings = _settings(_surveyed(folder, env, missing=missing, odd=odd))
    return Taken(settings=settings, files=folder.taken)


def load_files(files: Mapping[str, str], env: Mapping[str, str]) -> Settings:
    """Return the settings of the copies that ``take`` made, here or elsewhere; the directory is not needed.

    Variables come from ``env``, and models that are directories must be here as well. Files are called by the names of
    their copies.

    Raises:
        ConfigError: With all problems of all files: a variable that is not set here, for one.
    """
    odd = tuple(_unread(Path(name)) for name in sorted(files) if Path(name).suffix in _YAML and name not in FILES)
    return _settings(_surveyed(Copies(files), env, odd=odd))


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
    folder = Folder(config_dir, topics_file=topics_file)
    missing, odd = _directory(config_dir, required=required)
    return _surveyed(folder, env, missing=missing, odd=odd, strangers=topics_file is not None)


def _settings(found: Survey) -> Settings:
    if found.problems:
        raise ConfigError(*found.problems)
    return found.settings


def _surveyed(
    source: Source,
    env: Mapping[str, str],
    *,
    missing: tuple[Problem, ...] = (),
    odd: tuple[Problem, ...] = (),
    strangers: bool = False,
) -> Survey:
    """Return what the files of ``source`` say. With ``strangers``, its topics are not those that routes speak of."""
    raws = {name: source.yaml(name) for name in FILES}
    documents = {name: document_of(raw, env) if raw else Document(file=source.file(name)) for name, raw in raws.items()}
    feeds = read_feeds(documents["feeds.yaml"], source)
    service = read_service(documents["service.yaml"], env)
    alerts, topics = read_alerts(documents["alerts.yaml"]), read_topics(documents["topics.yaml"])
    astray = (
        *unknown_channels(topics.document, topics.value.topics, alerts.value.names),
        *unknown_topics(alerts.document, alerts.value.routes, topics.value.names),
    )
    problems = (
        *missing,
        *(problem for part in (feeds, service, alerts, topics) for problem in part.problems),
        *unknown_channels(alerts.document, alerts.value.routes, alerts.value.names),
        *(() if strangers else astray),
    )
    warnings = (
        *odd,
        *(warning for part in (feeds, service, alerts, topics) for warning in part.warnings),
        *hurried_feeds(feeds, service.value.polling.min_interval),
        *silent_topics(topics.document, topics.value.whole, alerts.value.routes),
        *(astray if strangers else ()),
    )
    settings = Settings(
        feeds=tuple(feed.value for feed in feeds.value),
        service=service.value,
        channels=alerts.value.channels,
        recipients=alerts.value.recipients,
        routes=tuple(route.value for route in alerts.value.routes),
        policy=alerts.value.policy,
        topics=tuple(topic.value for topic in topics.value.whole),
        warnings=tuple(sorted(set(warnings))),
        files=(*(raw.file for raw in raws.values() if raw), *feeds.files),
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

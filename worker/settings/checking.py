"""``wirewatch check``: everything that can be said about a configuration without running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.errors import Problem
from worker.model import Topic
from worker.settings.loading import survey
from worker.settings.rules import rule_warnings
from worker.settings.values import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What ``check`` found, by file and line."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    #: How many ``feeds``, ``topics``, ``channels`` and ``routes`` there are, the wrong ones left out.
    counts: Mapping[str, int]
    #: The files that were read.
    files: tuple[str, ...]
    #: The topics and the service as far as they are right, for those who have more to say about them.
    topics: tuple[Topic, ...] = ()
    service: Service = field(default_factory=Service)
    #: Where each topic stands, by its id.
    places: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the service would start with this configuration; warnings do not stop it."""
        return not self.problems


def check(
    config_dir: Path, env: Mapping[str, str], topics_file: Path | None = None, *, required: bool = False
) -> Report:
    """Return all that is wrong or odd; arguments are those of ``load``. Nothing is raised, run or asked for."""
    found = survey(config_dir, env, required=required, topics_file=topics_file)
    settings, topics = found.settings, found.topics
    odd_rules = (warning for topic in topics.value.whole for warning in rule_warnings(topics.document, topic))
    return Report(
        problems=found.problems,
        warnings=tuple(sorted({*settings.warnings, *odd_rules})),
        counts={
            "feeds": len(settings.feeds),
            "topics": len(settings.topics),
            "channels": len(settings.channels),
            "routes": len(settings.routes),
        },
        files=settings.files,
        topics=settings.topics,
        service=settings.service,
        places={topic.value.id: topics.document.problem(topic.keys, "") for topic in topics.value.whole},
    )


def with_remarks(report: Report, remarks: Iterable[tuple[Topic, str]]) -> Report:
    """Return ``report`` with remarks on topics as warnings, each where its topic stands."""
    more = {
        replace(report.places[topic.id], message=message) for topic, message in remarks if topic.id in report.places
    }
    return replace(report, warnings=tuple(sorted({*report.warnings, *more})))


def render(report: Report) -> str:
    """Return ``report`` as text: a line each, the place first as compilers have it, and a last line of figures."""
    problems = [str(problem) for problem in report.problems]
    warnings = [_warning(warning) for warning in report.warnings]
    found = f"{_count(len(problems), 'problem')}, {_count(len(warnings), 'warning')}"
    read = f"{_count(len(report.files), 'file')} read"
    counts = ", ".join(_count(number, name.removesuffix("s")) for name, number in report.counts.items())
    return "\n".join([*problems, *warnings, f"{found}; {read}: {counts}"])


def _warning(warning: Problem) -> str:
    return str(
        Problem(file=warning.file, line=warning.line, column=warning.column, message=f"warning: {warning.message}")
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"

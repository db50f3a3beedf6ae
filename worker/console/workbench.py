"""The topic workbench: a topic is written, and tried at once on texts, on pages, and on what was read of late.

Nothing is saved here: topics live in topics.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response

from worker.articles.extraction import extract
from worker.build import trying
from worker.build.trying import Draft, Trial
from worker.build.wording import own_text, topic_text, variables
from worker.console.desk import Desk
from worker.console.marks import marked
from worker.console.pages import Form, desk, fragment, get, is_htmx, missing, page, post
from worker.console.trials import Job, Trials, ended
from worker.errors import Problem, WirewatchError
from worker.ledger import newest, snapshots
from worker.model import Article, Topic
from worker.settings import Settings
from worker.web.client import LiveWeb

#: What a topic can be tried on, with the words for it.
SOURCES: Final = {
    "archive": "What was read of late",
    "text": "A pasted text",
    "address": "An address",
    "examples": "Its own examples alone",
}
#: Articles of the archive that a trial looks at, at most, and days that it may go back.
ARCHIVE_MAX: Final = 2000
_DAYS, _DAYS_MAX = 7, 365
#: Ids of topics that are offered to choose from; any other can be written.
_CHOICES: Final = 500
#: A form sends every byte of a text as up to three.
_BODY_MAX: Final = 3 * (trying.YAML_MAX + trying.TEXT_MAX) + 20_000
#: Seconds for which a browser without scripts waits: the trial itself, a page that is slow, models that are opened.
_WAIT: Final = 60.0
#: What the template of a trial uses.
_TOOLS: Final[Mapping[str, Any]] = {"most": ARCHIVE_MAX, "marked": marked}
_MISTAKEN: Final = 422
_GONE: Final = "this trial is kept no longer; try it again"
_BUSY: Final = "another trial is at work, and one runs at a time; try again in some seconds"
_NEW = """\
- topic: {phrase}
  # A phrase alone works, and is less sure. More of what a topic may say:
  # anchors: [[missile, rocket]]        # one of each group must occur
  # near: {{groups: [[missile], [talks, negotiate]], within: 12, negated: true}}
  # meaning: [A whole sentence as an article might say it.]
  # unlike: [The opposite of it., A neighbour that must not be taken for it.]
  # require: both                       # rule and meaning; either by default
  # examples: {{match: [...], ignore: [...]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody has put on the bench."""

    text: str = ""
    source: str = "archive"
    title: str = ""
    words: str = ""
    address: str = ""
    days: str = str(_DAYS)
    #: By field: what is wrong with it and what to do.
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def span(self) -> timedelta:
        """How far back the archive is looked at."""
        return timedelta(days=int(self.days))


def bench_page(request: Request) -> Response:
    """The bench with a topic that is in force, with a new one for a phrase, or empty."""
    topics, files = _in_force(desk(request))
    wanted, phrase = request.query_params.get("topic", ""), request.query_params.get("phrase", "").strip()
    chosen = next((topic for topic in topics if topic.id == wanted), None)
    if wanted and chosen is None:
        missing(f"no topic in force is called {wanted}; {_listed(topics)}")
    text = own_text(files, chosen) if chosen else _new(phrase) if phrase else ""
    return _page(request, Asked(text=text), topic=chosen)


def try_it(request: Request, form: Form) -> Response:
    """Try what is on the bench."""
    asked = _checked(form)
    at = desk(request)
    drafted = _draft(at, asked.text)
    if asked.errors or drafted.problems:
        return _answer(request, asked, drafted, job=None, status_code=_MISTAKEN)
    watched = is_htmx(request)
    job = _begin(request, asked, drafted.topics, watched=watched)
    if job is not None and not watched:
        job.ended.wait(_WAIT)
    return _answer(request, asked, drafted, job=job, status_code=200 if job else 503)


def progress(request: Request) -> Response:
    """How far a trial is, or what it has found."""
    return _progress(request, _job(request))


def stop(request: Request, form: Form) -> Response:  # noqa: ARG001 - an action's signature
    """End a trial; what it has found so far is shown."""
    job = _job(request)
    job.cancelled = True
    job.ended.wait(1.0)
    return _progress(request, job)


def _progress(request: Request, job: Job) -> Response:
    if not is_htmx(request):
        return _page(request, Asked(), drafted=Draft(), job=job)
    return fragment(request, "trial.html", job=job, **_TOOLS)


def _job(request: Request) -> Job:
    job = _trials(request).get(request.path_params["job"])
    if job is None and not is_htmx(request):  # which would not show it
        missing(_GONE)
    return job or ended(_GONE)


def _answer(request: Request, asked: Asked, drafted: Draft, *, job: Job | None, status_code: int) -> Response:
    shown = job or ended("" if status_code == _MISTAKEN else _BUSY)
    if is_htmx(request):  # which shows answers that are good, and no others
        lines = _lines(asked.text, drafted)
        return fragment(request, "tried.html", asked=asked, drafted=drafted, lines=lines, job=shown, **_TOOLS)
    return _page(request, asked, drafted=drafted, job=shown, status_code=status_code)


def _page(
    request: Request,
    asked: Asked,
    *,
    topic: Topic | None = None,
    drafted: Draft | None = None,
    job: Job | None = None,
    status_code: int = 200,
) -> Response:
    topics, _ = _in_force(desk(request))
    return page(
        request,
        "workbench.html",
        title="Topic workbench",
        status_code=status_code,
        asked=asked,
        topic=topic,
        choices=[one.id for one in topics[:_CHOICES]],
        sources=SOURCES,
        drafted=drafted,
        lines=_lines(asked.text, drafted) if drafted else [],
        job=job,
        **_TOOLS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A problem or a remark, and the line that it is about."""

    problem: Problem
    #: Empty when the place is unknown.
    text: str
    #: Blanks that bring a mark below the text to the column.
    before: str
    kind: str


def _lines(text: str, drafted: Draft) -> list[Line]:
    rows = text.replace("\r\n", "\n").split("\n")
    return [
        _line(problem, rows[problem.line - 1] if 0 < problem.line <= len(rows) else "", kind)
        for kind, problems in (("bad", drafted.problems), ("warn", drafted.remarks))
        for problem in problems
    ]


def _line(problem: Problem, text: str, kind: str) -> Line:
    before = "".join("\t" if char == "\t" else " " for char in text[: max(0, problem.column - 1)])
    return Line(problem=problem, text=text, before=before, kind=kind)


def _checked(form: Form) -> Asked:
    source = form.text("source")
    asked = Asked(
        text=form.get("yaml", ""),
        source=source if source in SOURCES else "archive",
        title=form.text("title"),
        words=form.get("text", ""),
        address=form.text("address"),
        days=form.text("days") or str(_DAYS),
    )
    return replace(asked, errors=dict(_mistakes(asked)))


def _mistakes(asked: Asked) -> Iterator[tuple[str, str]]:
    if not asked.text.strip():
        yield "yaml", "there is no topic yet: write one, or begin with a phrase above"
    if asked.source == "text" and not (asked.title or asked.words.strip()):
        yield "text", "there is no text: paste an article, or at least its headline"
    if asked.source == "address" and not asked.address.lower().startswith(("http://", "https://")):
        yield "address", "write the address of an article, with http:// or https://"
    whole = asked.days.isascii() and asked.days.isdigit() and len(asked.days) <= len(str(_DAYS_MAX))
    if asked.source == "archive" and not (whole and 1 <= int(asked.days) <= _DAYS_MAX):
        yield "days", f"write a number of days from 1 to {_DAYS_MAX}"


def _draft(at: Desk, text: str) -> Draft:
    topics, files = _in_force(at)
    settings = _settings(at)
    channels = set(settings.channels) if settings is not None else None
    return trying.draft(text, known={topic.id for topic in topics}, channels=channels, env=variables(files))


def _settings(at: Desk) -> Settings | None:
    """Return the configuration; ``None`` when it cannot be used here, which other pages say."""
    try:
        return at.settings()
    except WirewatchError:
        return None


def _in_force(at: Desk) -> tuple[tuple[Topic, ...], Mapping[str, str] | None]:
    """Return the topics in force, and the copies of the files that say so where there are any."""
    with at.read() as t:
        kept, last = snapshots.topics_in_force(t), snapshots.latest(t)
    if kept is not None:
        return kept, last.files if last else None
    settings = _settings(at)
    return (settings.topics if settings else ()), None


def _begin(request: Request, asked: Asked, topics: tuple[Topic, ...], *, watched: bool) -> Job | None:
    at = desk(request)
    total = 0 if asked.source == "examples" else 1
    if asked.source == "archive":
        since = _since(at, asked)
        with at.read() as t:
            total = newest.count(t, since=since, most=ARCHIVE_MAX)
    if asked.source == "text":
        # A text from the clipboard has no outlet, as an example has none.
        topics = tuple(replace(topic, outlets=()) for topic in topics)

    def work(job: Job) -> Trial:
        opened = at.bench.meaning(at.settings().service, topics)
        return trying.trial(topics, _articles(request, asked), opened=opened, stop=job.stop)

    return _trials(request).begin(work, source=asked.source, total=total, watched=watched)


def _articles(request: Request, asked: Asked) -> Iterator[Article]:
    at = desk(request)
    match asked.source:
        case "text":
            yield trying.pasted(asked.title, asked.words, now=at.now())
        case "address":
            yield _fetched(request, asked.address)
        case "archive":
            yield from _archive(at, since=_since(at, asked))
        case _:  # its own examples, which every trial runs
            return


def _since(at: Desk, asked: Asked) -> datetime:
    """Return how far back to look: from the last article on, since in a replay all may be long ago."""
    with at.read() as t:
        last = newest.last(t)
    return (last or at.now()) - asked.span


def _archive(at: Desk, *, since: datetime) -> Iterator[Article]:
    left, after = ARCHIVE_MAX, None
    while left:
        with at.read() as t:
            portion = newest.articles(t, since=since, after=after, size=min(left, newest.PORTION))
        yield from portion.articles
        left -= len(portion.articles)
        if portion.after is None:
            return
        after = portion.after


def _fetched(request: Request, address: str) -> Article:
    at = desk(request)
    service = at.settings().service
    web = LiveWeb(service.network, user_agent=service.user_agent)
    try:
        # Whoever serves the console may hand it a reader that works in a process which can be killed.
        reader = getattr(request.app.state, "read_page", extract)
        return trying.read_page(address, web=web, extract=reader, now=at.now())
    finally:
        web.close()


def _trials(request: Request) -> Trials:
    return cast("Trials", _kept(request, "trials", Trials))


def _kept(request: Request, name: str, make: Any) -> object:  # noqa: ANN401 - a maker
    """Return what the process keeps under ``name``, made when it is first asked for."""
    # setdefault of a dict is one step: two that come at once get the same.
    kept: dict[str, object] = request.app.state._state  # noqa: SLF001 - starlette has no other way to it
    return kept.get(name) or kept.setdefault(name, make())


def _new(phrase: str) -> str:
    plain = topic_text(Topic(id="new", topic=phrase)).splitlines()[1]
    return _NEW.format(phrase=plain.removeprefix("  topic: "))


def _listed(topics: tuple[Topic, ...]) -> str:
    return f"there are {', '.join(topic.id for topic in topics[:20])}" if topics else "there are none"


ROUTES = (
    get("/workbench", bench_page),
    post("/workbench", try_it, most=_BODY_MAX),
    get("/workbench/trials/{job}", progress),
    post("/workbench/trials/{job}/stop", stop),
)

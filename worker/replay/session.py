"""One replay from beginning to end: a recording, a ledger, recorders, the loop, and what came out."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from worker import build
from worker.errors import LedgerUnusable
from worker.feeds.polling import Polling
from worker.ledger import dead, feeds, overview, snapshots
from worker.ledger.engine import Ledger
from worker.model import Reason
from worker.replay.lines import each_alert, is_line
from worker.replay.lock import alone
from worker.replay.loop import RUNNERS, Runner, play
from worker.replay.recorder import Recorder
from worker.replay.recording import Recording
from worker.settings import Settings
from worker.stages.pipeline import Matcher, Outcome, Pipeline, Readers
from worker.topics import compile_topics
from worker.topics.meant import Meaning
from worker.url import canonical
from worker.web.response import Web

#: In the state directory: what the recorders were sent, and the ledger of a replay that was not asked to keep one.
ALERTS = "alerts.jsonl"
LAST = "last-replay"
#: Runners of the stages for as long as they are needed.
Elsewhere: TypeAlias = Callable[[Callable[[dict[str, Any]], None]], AbstractContextManager[Mapping[str, Runner]]]
_FAILED = frozenset((Reason.DEAD, Reason.FETCH_FAILED, Reason.NOT_A_FEED, Reason.UNKNOWN, Reason.NO_TEXT))


@dataclass(slots=True)
class Tally:
    """What a replay has done so far. Not frozen: the loop counts in it."""

    #: Pages that the recording has a text for.
    with_text: frozenset[str] = frozenset()
    alerts: list[dict[str, Any]] = field(default_factory=list)
    read: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: What a person should hear of, each with the subjects that it happened to.
    failures: dict[str, list[str]] = field(default_factory=dict)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count what was done at one moment."""
        for outcome in outcomes:
            self.reasons[outcome.stage, outcome.reason.value] += 1
            self.read += outcome.stage == "read" and outcome.reason is not Reason.RETRY
            if said := self._worth_saying(outcome):
                self.failures.setdefault(said, []).append(outcome.subject)

    def _worth_saying(self, outcome: Outcome) -> str:
        """Return what a person should hear of an outcome; empty when it is as it should be."""
        said = f"{outcome.reason}: {outcome.detail}"
        if outcome.reason is Reason.FEED_TEXT and canonical(outcome.subject) in self.with_text:
            return f"{said}: not taken for an article, so only what the feed says of it was looked at"
        return said if outcome.reason in _FAILED or (outcome.reason is Reason.PAGE and outcome.detail) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a replay has told."""

    #: The lines of this run, in the order of sending.
    alerts: Sequence[dict[str, Any]]
    #: The lines of this state, those of earlier runs included.
    told: Sequence[dict[str, Any]]
    #: Ids of recorded articles that no topic matched.
    silent: Sequence[str]
    summary: dict[str, Any]
    #: What a person should hear of: the subjects that it happened to, and what it was.
    failures: Sequence[tuple[Sequence[str], str]]


def run(
    recording: Recording,
    settings: Settings,
    *,
    state: Path,
    heard: Callable[[dict[str, Any]], None],
    progress: Callable[[Tally, datetime], None],
    recorder: type[Recorder] = Recorder,
    meaning: Meaning | None = None,
    elsewhere: Elsewhere | None = None,
) -> Result:
    """Replay ``recording`` into the ledger in ``state`` and return what was told.

    ``heard`` is called for each alert as it is sent, ``progress`` at every moment; ``recorder`` makes the channels;
    ``meaning`` decides by meaning. ``elsewhere`` gives runners of the stages in other processes, over the same ledger;
    it is called with what hears of alerts when the ledger stands, and closed at the end.
    A second replay into the same ``state`` waits for the first to end.

    Raises:
        worker.errors.LedgerError: the ledger or the recorders' file cannot be used, or the disk is full.
        worker.errors.WirewatchError: the replay does not come to an end.
    """
    tally = Tally(with_text=frozenset(canonical(a.url) for a in recording.articles if a.text or a.html))

    def sent(line: dict[str, Any]) -> None:
        tally.alerts.append(line)
        heard(line)

    def each(outcomes: Sequence[Outcome], now: datetime) -> None:
        tally.add(outcomes)
        progress(tally, now)

    with alone(state), closing(build.open_replay_ledger(state)) as ledger:
        told(state)  # a file that cannot be read afterwards is better known before
        web = recording.web()
        p = pipeline(
            recording,
            settings,
            ledger=ledger,
            web=web,
            state=state,
            heard=sent,
            recorder=recorder,
            matcher=compile_topics(settings.topics, meaning=meaning),
        )
        with ledger.write() as t:
            feeds.sync(t, recording.feeds, now=recording.start)
            snapshots.keep(t, topics=settings.topics, files=None, now=recording.start)
        with elsewhere(sent) if elsewhere else nullcontext(RUNNERS) as runners:
            play(p, web, start=recording.start, each=each, runners=runners)
        return _result(ledger, recording, state, tally)


def pipeline(
    recording: Recording,
    settings: Settings,
    *,
    ledger: Ledger,
    web: Web,
    state: Path,
    heard: Callable[[dict[str, Any]], None],
    matcher: Matcher,
    recorder: type[Recorder] = Recorder,
    readers: Readers | None = None,
) -> Pipeline:
    """Return the pipeline of a replay: the recording's feeds, ``web``, and channels that record."""
    names = {canonical(article.url): article.id for article in recording.articles}
    return build.pipeline(
        settings,
        ledger=ledger,
        web=web,
        channels={
            name: recorder(name, state / ALERTS, names=names, heard=heard)
            for name in build.channel_ids(settings, settings.topics)
        },
        # Nothing needs to be spread where nobody else works, and every run must be the same.
        jitter=lambda: 0.0,
        feeds=recording.feeds,
        polling=_polling(settings.service.polling, recording),
        matcher=matcher,
        readers=readers,
    )


def _polling(configured: Polling, recording: Recording) -> Polling:
    """Return the rhythm of a replay.

    All that was recorded is news, also when a replay that was killed polls a feed late for the first time. And a
    recorded publisher knows its own future, so its max-age is taken at its word, however long, and tells all that
    there is to learn of its rhythm.
    """
    length = recording.end - recording.start
    return replace(configured, adaptive=False, first_poll="all", max_interval=max(configured.max_interval, length))


def _result(ledger: Ledger, recording: Recording, state: Path, tally: Tally) -> Result:
    with ledger.read() as t:
        counts = overview.counts(t)
        matched = overview.matched_pages(t)
        dead_letters = dead.letters(t)
        channels = overview.channels(t)
    pages = {canonical(url) for url in matched}
    roles = Counter(alert["role"] for alert in each_alert(tally.alerts))
    summary = {
        "kind": "summary",
        "articles": counts["articles"],
        "matches": counts["matches"],
        "stories": counts["stories"],
        "alerts": len(tally.alerts),
        "first": roles["first"],
        "report": roles["report"],
        "development": roles["development"],
        "correction": roles["correction"],
        "digests": sum(line["kind"] == "digest" for line in tally.alerts),
        "unknown": sum(channel["unknown"] for channel in channels.values()),
        "dead": len(dead_letters),
        "skipped": [{"file": p.file, "reason": p.message} for p in recording.skipped],
    }
    return Result(
        alerts=tally.alerts,
        told=told(state),
        silent=[a.id for a in recording.articles if canonical(a.url) not in pages],
        summary=summary,
        failures=[(subjects, detail) for detail, subjects in tally.failures.items()],
    )


def told(state: Path) -> list[dict[str, Any]]:
    """Return what the recorders of a state directory hold, in the order of sending: a line for each message.

    Raises:
        worker.errors.LedgerUnusable: their file holds something else, or cannot be read.
    """
    path = state / ALERTS
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerUnusable(f"{path}: cannot be read ({error.strerror}); choose another --state") from error
    return [_line(path, number, line) for number, line in enumerate(lines, start=1) if line]


class Told:
    """Follows the recorders' file of a state directory."""

    def __init__(self, state: Path) -> None:
        """Begin behind what it holds now."""
        self._path, self._count = state / ALERTS, len(told(state))

    def new(self) -> list[dict[str, Any]]:
        """Return the alerts that have come since the last call."""
        found = told(self._path.parent)[self._count :]
        self._count += len(found)
        return found


def _line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        alert = json.loads(line)
    except ValueError:
        alert = None
    if not is_line(alert):
        raise LedgerUnusable(
            f"{path}:{number}: is not a line that a replay writes; move the file away with its ledger, "
            "or choose another --state"
        )
    found: dict[str, Any] = alert
    return found


@contextmanager
def scratch(keep_in: Path) -> Iterator[Path]:
    """Yield an empty state directory for one replay; afterwards it becomes the last replay of ``keep_in``.

    Keeping it lets ``why`` answer for a replay that nobody asked to keep. It is a convenience: where ``keep_in`` cannot
    be written, nothing is kept and nothing is said.
    """
    with tempfile.TemporaryDirectory(prefix="wirewatch-") as folder:
        state = Path(folder) / "state"
        state.mkdir()
        yield state
        with suppress(OSError):
            keep_in.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(keep_in / LAST, ignore_errors=True)
            shutil.move(state, keep_in / LAST)


def ledgers(state: Path) -> list[Path]:
    """Return the ledgers of replays under a state directory, that of the state itself first."""
    places = (state / build.REPLAY_LEDGER, state / LAST / build.REPLAY_LEDGER)
    return [place for place in places if place.exists()]

"""Two days of a recording, told to three channels by their own policies, with every reason found again by ``why``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.test_stages import MISSILES, REWRITE
from tests.service import invented
from worker.build import open_replay_ledger
from worker.ledger import silences
from worker.ledger.engine import Ledger
from worker.replay import expectation, recording, session
from worker.replay.lines import each_alert
from worker.replay.recording import Recording
from worker.replay.web import RecordedWeb
from worker.settings import Settings, load
from worker.stages.explain import explain
from worker.topics import compile_topics
from worker.web.response import Response

FIRST, SECOND = datetime(2026, 2, 11, tzinfo=UTC), datetime(2026, 2, 12, tzinfo=UTC)
EDITED = SECOND + timedelta(hours=12)
ROCKET = (
    "A rocket rose from the test site near Kalvo on Wednesday morning, and came down in the marshes of the Lower Enns. "
    "Shepherds brought their animals home, and a school was closed for the day."
)

TOPICS = """
topics:
  - {id: missiles, any: [missile]}
  - {id: launches, any: [rocket]}
  - {id: tests, any: ["test site"], refines: launches}
  - {id: crops, any: [harvest]}
"""
ALERTS = """
channels:
  screen: {type: terminal}
  desk: {type: terminal, policy: {digest: "08:00 18:00 Europe/Berlin"}}
  night: {type: terminal, policy: {quiet_hours: "22:00-07:00 Europe/Berlin", per_hour: 3}}
"""


def crop(number: int) -> str:
    """Return a page about a harvest that no other page is about."""
    return f"The harvest was weighed. {invented.article(5, number).text}"


def articles() -> list[dict[str, str]]:
    """Return what was published in two days, in UTC; Berlin is an hour ahead."""
    burst = [(f"crop-{n}", invented.article(6, n).title, crop(n), FIRST + timedelta(hours=12)) for n in range(6)]
    found = [
        ("rocket", "Rocket over the marshes", ROCKET, FIRST + timedelta(hours=10)),
        *burst,
        ("silenced", "Off Velmark", MISSILES, FIRST + timedelta(hours=15, minutes=10)),
        ("told", "Nine minutes", REWRITE, FIRST + timedelta(hours=16, minutes=30)),
        ("night-1", invented.article(6, 11).title, crop(11), FIRST + timedelta(hours=22, minutes=30)),
        ("night-2", invented.article(6, 12).title, crop(12), FIRST + timedelta(hours=22, minutes=40)),
    ]
    return [
        {
            "id": name,
            "title": title,
            "text": words,
            "url": f"https://wire.example/{name}",
            "outlet": "Wire",
            "published_at": moment.isoformat(),
        }
        for name, title, words, moment in found
    ]


class EditedWeb:
    """A recorded web on which the headline about the rocket becomes another one on the second day."""

    def __init__(self, before: RecordedWeb, after: RecordedWeb) -> None:
        self._before, self._after = before, after

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,  # noqa: ARG002 - Web's signature
        allow_private: bool | tuple[str, ...] | None = None,  # noqa: ARG002 - the same
    ) -> Response:
        """Return what the one or the other web answers; nothing is fresh for longer than until the edit."""
        found = (self._before if now < EDITED else self._after).get(url, now=now, headers=headers)
        seconds = int((EDITED - now).total_seconds())
        fresh = int(found.headers.get("cache-control", "max-age=0").removeprefix("max-age="))
        if not 0 < seconds < fresh:
            return found
        return replace(found, headers={**found.headers, "cache-control": f"max-age={seconds}"})

    def last_change(self, feed_url: str) -> datetime | None:
        """Return when the feed changes for the last time."""
        return EDITED if self._after.last_change(feed_url) else None

    def next_change_after(self, now: datetime) -> datetime | None:
        """Return when something is next published."""
        return self._after.next_change_after(now) or (EDITED if now < EDITED else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedRecording(Recording):
    """A recording whose web is edited."""

    def web(self) -> Any:
        """Return that web."""
        edited = [
            replace(one, title="Rocket stayed on the ground") if one.id == "rocket" else one for one in self.articles
        ]
        feeds = {feed.outlet: feed for feed in self.feeds}
        return EditedWeb(
            RecordedWeb(self.articles, feeds, start=self.start), RecordedWeb(edited, feeds, start=self.start)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What has become of the two days."""

    lines: list[dict[str, Any]]
    summary: dict[str, Any]
    state: Path
    settings: Settings

    def of(self, channel: str) -> list[tuple[str, str]]:
        """Return when a channel was told what: role and topic, or how many alerts a digest had."""
        return [
            (line["at"], f"{line['role']} {line['topic']}" if line["kind"] == "alert" else str(len(line["alerts"])))
            for line in self.lines
            if line["channel"] == channel
        ]

    def why(self, name: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """Return the reasons and details that ``why`` has for an article, by topic and channel."""
        with closing(open_replay_ledger(self.state)) as ledger:
            (path,) = explain(ledger, compile_topics(self.settings.topics), f"https://wire.example/{name}")
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for d in path.decisions:
            found.setdefault((d["topic_id"], d["channel_id"]), []).append((d["reason"], d["detail"]))
        return found


def quiet(ledger: Ledger) -> None:
    """Silence missiles for an hour of the first day."""
    with ledger.write() as t:
        silences.add(
            t,
            topic="missiles",
            author="anna",
            comment="exercise",
            starts_at=FIRST + timedelta(hours=15),
            ends_at=FIRST + timedelta(hours=16),
            now=FIRST,
        )


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Replay the two days."""
    place = tmp_path_factory.mktemp("days")
    (place / "topics.yaml").write_text(TOPICS)
    (place / "alerts.yaml").write_text(ALERTS)
    (place / "recorded.jsonl").write_text("".join(json.dumps(one) + "\n" for one in articles()))
    settings, state = load(place, {}), place / "state"
    with closing(open_replay_ledger(state)) as ledger:
        quiet(ledger)
    recorded = recording.load(place / "recorded.jsonl")
    edited = EditedRecording(**{one.name: getattr(recorded, one.name) for one in fields(recorded)})
    lines: list[dict[str, Any]] = []
    result = session.run(edited, settings, state=state, heard=lines.append, progress=lambda _, __: None)
    assert result.told == lines
    return Days(lines=lines, summary=result.summary, state=state, settings=settings)


def test_a_channel_with_times_is_told_at_these(days: Days) -> None:
    """At 08:00 and 18:00 in Berlin, and of corrections at once."""
    assert days.of("desk") == [
        ("2026-02-11T17:00:00Z", "8"),
        ("2026-02-12T07:00:00Z", "2"),
        ("2026-02-12T12:00:00Z", "correction tests"),
    ]
    assert days.why("crop-0")["crops", "desk"] == [("digest", "told in the digest of 17:00 UTC")]
    assert days.why("night-1")["crops", "desk"] == [("digest", "told in the digest of 12 Feb 07:00 UTC")]


def test_a_channel_with_a_budget_and_quiet_hours_keeps_both(days: Days) -> None:
    """Three of a burst and one message with the rest; one message in the morning for all of the night."""
    assert days.of("night") == [
        ("2026-02-11T10:00:30Z", "first tests"),
        *[("2026-02-11T12:00:30Z", "first crops")] * 3,
        ("2026-02-11T13:00:30Z", "3"),
        ("2026-02-11T16:30:30Z", "first missiles"),
        ("2026-02-12T06:00:00Z", "2"),
        ("2026-02-12T12:00:00Z", "correction tests"),
    ]
    burst = [days.why(f"crop-{number}")["crops", "night"] for number in range(6)]
    assert burst.count([("budget", "3 in the last hour; told with the rest at 13:00 UTC")]) == 3
    told = "22:00-07:00 Europe/Berlin; told with the rest at 12 Feb 06:00 UTC"
    assert days.why("night-1")["crops", "night"] == days.why("night-2")["crops", "night"] == [("quiet-hours", told)]


def test_a_channel_without_a_policy_is_told_at_once(days: Days) -> None:
    """Each story for itself, after the seconds in which others may join."""
    assert [at[8:] for at, _ in days.of("screen")] == [
        "11T10:00:30Z",
        *["11T12:00:30Z"] * 6,
        "11T16:30:30Z",
        "11T22:30:30Z",
        "11T22:40:30Z",
        "12T12:00:00Z",
    ]
    assert days.why("crop-0")["crops", "screen"] == [("queued", "waits 30 s for others to join")]


def test_what_was_silenced_is_told_of_the_next_article(days: Days) -> None:
    """The first one is recorded with the silence, on every channel."""
    detail = "silence 1 by anna until 16:00 UTC: exercise"
    assert set(map(tuple, days.why("silenced").values())) == {(("silenced", detail),)}
    assert [line["article"] for line in each_alert(days.lines) if line["topic"] == "missiles"] == ["told"] * 3


def test_of_two_topics_the_narrower_was_told(days: Days) -> None:
    """The broader one says why it was not."""
    detail = "tests, which refines it, tells this channel of the story"
    found = days.why("rocket")
    assert {tuple(found["launches", channel]) for channel in ("screen", "desk", "night")} == {(("inhibited", detail),)}
    assert not [line for line in each_alert(days.lines) if line["topic"] == "launches"]


def test_a_headline_that_was_changed_is_corrected_once_on_every_channel(days: Days) -> None:
    """With what it was."""
    corrections = [line for line in each_alert(days.lines) if line["role"] == "correction"]
    assert [line["detail"] for line in corrections] == ['title was "Rocket over the marshes"'] * 3
    assert {line["title"] for line in corrections} == {"Rocket stayed on the ground"}
    assert days.why("rocket")["tests", "screen"][-1] == ("correction", 'title was "Rocket over the marshes"')


def test_the_summary_counts_messages_and_what_they_tell(days: Days) -> None:
    """A digest is a message; its alerts are what was told."""
    assert {name: days.summary[name] for name in ("alerts", "digests", "first", "correction")} == {
        "alerts": len(days.lines),
        "digests": 4,
        "first": 30,
        "correction": 3,
    }


def test_an_expectation_holds_what_was_told_in_digests_as_well(days: Days) -> None:
    """Each alert in its story, and those of digests marked; nothing differs from itself."""
    found = expectation.document(days.lines, [])
    told = [alert for story in found["stories"] for alert in story["alerts"]]
    assert len(told) == 33
    assert sum("digest" in alert for alert in told) == 15
    assert expectation.difference(found, expectation.document(session.told(days.state), [])) == ""

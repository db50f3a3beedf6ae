"""What is posted to a webhook is what its JSON Schema says, never too large, and always the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from tests.builders import NOON, alert, article, message
from tests.processes import wirewatch
from tests.subjects.test_wording import FIRST, FORMS
from worker.channels.payload import ADDRESS_MAX, BODY_MAX, SCHEMA_ID, VERSION, body, schema
from worker.model import Alert, Digest, Evidence, Message, Notice, Quote, Role

CLOSED = Draft202012Validator(schema(), format_checker=FormatChecker())
OPEN = Draft202012Validator(schema(is_open=True))
BOTH = pytest.mark.parametrize("cloudevents", [False, True], ids=["standard", "cloudevents"])
EVERY = pytest.mark.parametrize("form", FORMS)


def event(form: str, *, cloudevents: bool) -> dict[str, Any]:
    """Return the body of a form of message."""
    made: dict[str, Any] = json.loads(body(FORMS[form], cloudevents=cloudevents))
    return made


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object within a JSON value, and itself."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(each)


# The schema holds, and holds tightly.


def test_the_schema_is_one() -> None:
    """By the rules of JSON Schema 2020-12, under the name of its version."""
    Draft202012Validator.check_schema(schema())
    Draft202012Validator.check_schema(schema(is_open=True))
    assert (schema()["$id"], SCHEMA_ID) == (f"urn:wirewatch:webhook:{VERSION}",) * 2


@BOTH
@EVERY
def test_every_form_of_message_is_as_the_schema_says(form: str, *, cloudevents: bool) -> None:
    """In both formats."""
    CLOSED.validate(event(form, cloudevents=cloudevents))
    OPEN.validate(event(form, cloudevents=cloudevents))


@BOTH
@EVERY
def test_a_key_that_is_unknown_anywhere_is_against_the_schema(form: str, *, cloudevents: bool) -> None:
    """So no key is sent that nobody described; the open schema lets it through, for it may come one day."""
    whole = event(form, cloudevents=cloudevents)
    for number in range(len(list(objects(whole)))):
        changed = copy.deepcopy(whole)
        list(objects(changed))[number]["surprise"] = 1
        assert not CLOSED.is_valid(changed), number
        assert OPEN.is_valid(changed), number


@BOTH
@pytest.mark.parametrize("form", ["development", "digest", "notice"])
def test_a_key_that_is_missing_or_of_another_type_is_against_the_schema(form: str, *, cloudevents: bool) -> None:
    """Every key is always there, and none may be what it is not."""
    whole = event(form, cloudevents=cloudevents)
    for number, place in enumerate(objects(whole)):
        for key, value in place.items():
            changed = copy.deepcopy(whole)
            found = list(objects(changed))[number]
            found[key] = "0.9" if isinstance(value, (int, float)) else 1.5
            assert not OPEN.is_valid(changed), (number, key, value)
            del found[key]
            assert not OPEN.is_valid(changed), (number, key)


@BOTH
def test_a_type_goes_with_its_data(*, cloudevents: bool) -> None:
    """A digest is not called an alert, nor a correction something new."""
    for form in FORMS:
        for other in FORMS:
            ours, theirs = (event(each, cloudevents=cloudevents) for each in (form, other))
            mixed = ours | {"type": theirs["type"]}
            assert CLOSED.is_valid(mixed) == (ours["type"] == theirs["type"]), (form, other)


def test_every_attribute_of_an_alert_is_told_or_left_out_on_purpose() -> None:
    """A new field of the model must find its place in the payload, or in this list."""
    ours = {"topic_id", "story_id", "channel_id", "article_id", "key", "created_at"}  # under other names
    inside = {"due_at", "reason", "attempt", "digest", "repeat"}
    told = {field.name for field in fields(Alert)} - ours - inside
    assert told <= event("first", cloudevents=False)["data"].keys()


# Cloud events.


@EVERY
def test_the_attributes_of_a_cloud_event_are_those_of_its_specification(form: str) -> None:
    """Names of letters and digits, the four that are required not empty, and times with a zone."""
    made = event(form, cloudevents=True)
    assert all(name.isascii() and name.isalnum() and name == name.lower() for name in made)
    assert all(isinstance(made[name], str) and made[name] for name in made.keys() - {"data"})
    assert {"id", "source", "specversion", "type"} <= made.keys()
    assert datetime.fromisoformat(made["time"]).utcoffset() == timedelta(0)
    assert made["data"] == event(form, cloudevents=False)["data"]


# Sizes.

LONG = st.sampled_from(["", "x", "wörter ", "\ud83d", "\x00", "🚀", '"\\', "ab\n"]).flatmap(
    lambda part: st.sampled_from([0, 1, 7, 200, 3000, 40_000]).map(lambda count: part * count)
)
QUOTES = st.lists(st.builds(Quote, field=st.just("text"), before=LONG, text=LONG, after=LONG), max_size=30)
EVIDENCE = st.lists(
    st.builds(Evidence, field=st.just("title"), start=st.just(0), end=st.just(9), text=LONG), max_size=30
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Draw a message whose texts may be of any length."""
    about = alert(
        role=draw(st.sampled_from([Role.FIRST, Role.REPORT, Role.DEVELOPMENT, Role.CORRECTION])),
        clause=draw(LONG),
        detail=draw(LONG),
        evidence=tuple(draw(EVIDENCE)),
        score=draw(st.floats(0, 1)),
    )
    page = article(title=draw(LONG), outlet=draw(LONG), url="https://wire.example/" + draw(LONG))
    link = "https://w.example/" + draw(LONG)
    return message(alert=about, article=page, quotes=tuple(draw(QUOTES)), topic=draw(LONG), link=link)


@settings(deadline=None)
@given(made=messages(), cloudevents=st.booleans())
def test_no_alert_is_too_large(made: Message, *, cloudevents: bool) -> None:
    """Whatever an article says, and as the schema has it; the same message has the same body."""
    content = body(made, cloudevents=cloudevents)
    assert len(content) <= BODY_MAX
    CLOSED.validate(json.loads(content))
    assert body(replace(made, alert=replace(made.alert, attempt=9, repeat=True)), cloudevents=cloudevents) == content


@settings(deadline=None, max_examples=15)
@given(made=st.lists(messages(), max_size=6), copies=st.integers(1, 8), more=st.integers(0, 50))
def test_no_digest_is_too_large_and_none_of_its_alerts_is_lost(made: list[Message], copies: int, more: int) -> None:
    """Those that have no room are counted, and the first are told."""
    items = tuple(made * copies)
    content = body(Digest(alert=alert(role=Role.DIGEST), items=items, more=more, at=NOON))
    assert len(content) <= BODY_MAX
    said = json.loads(content)
    CLOSED.validate(said)
    told = said["data"]["alerts"]
    assert len(told) + said["data"]["more"] == len(items) + more
    assert [each["title"][:1] for each in told] == [item.article.title[:1] for item in items[: len(told)]]


@given(text=LONG)
def test_no_notice_is_too_large(text: str) -> None:
    """It is cut."""
    content = body(Notice(alert=alert(role=Role.NOTICE, clause=text), at=NOON))
    assert len(content) <= BODY_MAX
    CLOSED.validate(json.loads(content))


def test_an_ordinary_alert_is_told_whole() -> None:
    """Ten pieces of evidence and their surroundings are nothing out of the ordinary."""
    text = "Once upon a time there was a sentence of some length, which somebody had said. " * 40
    found = tuple(
        Evidence(field="text", start=n * 79, end=n * 79 + 78, text=text[n * 79 : n * 79 + 78]) for n in range(10)
    )
    said = json.loads(body(message(alert=alert(evidence=found), article=article(text=text))))["data"]
    assert [each["text"] for each in said["evidence"]] == [each.text for each in found]
    assert len(said["quotes"]) == 10
    assert "…" not in said["evidence"][0]["text"]


def test_what_is_cut_says_so() -> None:
    """A text at its end, the words before evidence at their beginning; an address is whole or not there."""
    found = Evidence(field="text", start=5, end=5005, text="e" * 5000)
    around = Quote(field="text", before="b" * 2000 + "x", text="e" * 5000, after="a" * 2000)
    long = message(alert=alert(evidence=(found,)), article=article(url="https://w.example/" + "u" * ADDRESS_MAX))
    data = json.loads(body(replace(long, quotes=(around,))))["data"]
    assert data["evidence"] == [{"field": "text", "start": 5, "end": 5005, "text": "e" * 999 + "…"}]
    assert data["quotes"][0] == {
        "field": "text",
        "before": "…" + "b" * 998 + "x",
        "text": "e" * 999 + "…",
        "after": "a" * 999 + "…",
    }
    assert data["url"] == ""


def test_a_digest_of_thirty_tells_of_those_that_have_room() -> None:
    """The rest is counted: nobody is told more than he is sent."""
    items = tuple(replace(FIRST, alert=replace(FIRST.alert, key=f"{n:032}")) for n in range(30))
    said = json.loads(body(Digest(alert=alert(role=Role.DIGEST), items=items, more=7, at=NOON)))["data"]
    assert 12 <= len(said["alerts"]) < 30
    assert said["more"] == 37 - len(said["alerts"])
    assert [each["alert"] for each in said["alerts"]] == [f"{n:032}" for n in range(len(said["alerts"]))]


def test_times_are_in_utc_to_the_microsecond() -> None:
    """As the schema's pattern has it."""
    at = datetime(2026, 2, 11, 12, 0, 0, 5, tzinfo=UTC)
    said = json.loads(body(replace(message(newest_at=at), at=at)))
    assert (said["data"]["at"], said["data"]["newest_at"]) == ("2026-02-11T12:00:00.000005Z",) * 2
    CLOSED.validate(said)


# The command.


def test_the_command_prints_the_schema(tmp_path: Path) -> None:
    """As it is in the package, or open."""
    for arguments, expected in (([], schema()), (["webhook"], schema()), (["--open"], schema(is_open=True))):
        done = wirewatch("schema", *arguments, cwd=tmp_path)
        assert (done.code, done.err, json.loads(done.out)) == (0, "", expected)
    assert wirewatch("schema", "slack", cwd=tmp_path).code == 2

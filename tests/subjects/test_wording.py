"""The words of a message: every form as a file, and no text from outside that gets out of its line.

``WIREWATCH_WRITE_MESSAGES=1 pytest tests/subjects/test_wording.py`` writes the files in tests/data/messages anew.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.builders import NOON, alert, article, at, message
from worker.channels import wording
from worker.channels.payload import body
from worker.channels.terminal import as_text
from worker.model import Digest, Evidence, Message, Notice, Outgoing, Quote, Role

MESSAGES = Path(__file__).parents[1] / "data" / "messages"
TITLE = "Minister: our missile programme is “not negotiable”"
TEXT = (
    "TEVRAN — The foreign minister said on Monday that the missile programme was not open to negotiation under any "
    "circumstances, and that talks would be about other matters.\nHe spoke after a meeting of the cabinet."
)
CLAIM = "the missile programme was not open to negotiation"


def told(role: Role = Role.FIRST, number: int = 1, **changes: Any) -> Message:
    """Return a message about an article, as a reader could get it."""
    found = Evidence(field="text", start=TEXT.index(CLAIM), end=TEXT.index(CLAIM) + len(CLAIM), text=CLAIM)
    about = alert(
        number,
        key=f"{number:032x}",
        topic_id="missile-stance",
        story_id="s-000042",
        channel_id="ops",
        role=role,
        score=0.934,
        by="both",
        clause="meaning: A government says its missile programme is not open to negotiation.",
        evidence=(found,),
        created_at=at(1),
        **changes,
    )
    page = article(
        number, title=TITLE, text=TEXT, outlet="Meridian Dispatch", url=f"https://meridian.example/2026/02/{number}"
    )
    return message(
        number, alert=about, article=page, topic="missile program non-negotiable", at=at(2.5), articles=1, outlets=1
    )


def bundle(role: Role, **changes: Any) -> Any:
    """Return the alert of a digest or of a notice."""
    return alert(key="f" * 32, channel_id="ops", role=role, topic_id="", story_id="", article_id="", **changes)


GROWN: dict[str, Any] = {
    "articles": 4,
    "outlets": 3,
    "origins": 2,
    "newest_at": at(58),
    "at": at(60),
    "linked": "s-000007",
    "linked_at": datetime(2025, 12, 22, 9, 40, tzinfo=UTC),
    "thread": "C0123:1770811350.000100",
    "link": "https://wirewatch.example/stories/s-000042",
}
FIRST = told()
REPORT = replace(told(Role.REPORT, 2), **GROWN)
DEVELOPMENT = replace(told(Role.DEVELOPMENT, 3, detail="killed 31 and not 12"), **GROWN)
CORRECTION = replace(told(Role.CORRECTION, 1, detail=f'title was "{TITLE}"'), **GROWN)
FORMS: dict[str, Outgoing] = {
    "first": FIRST,
    "report": REPORT,
    "development": DEVELOPMENT,
    "correction": CORRECTION,
    "repeat": replace(FIRST, alert=replace(FIRST.alert, attempt=2, repeat=True)),
    "digest": Digest(alert=bundle(Role.DIGEST), items=(FIRST, DEVELOPMENT), more=3, at=at(480)),
    "notice": Notice(
        alert=bundle(Role.NOTICE, clause="channel siem takes nothing: the receiver answered 410 (Gone)"), at=at(61)
    ),
}


def as_json(content: bytes) -> str:
    """Return a body as people read it; that it is compact is for others to test."""
    return json.dumps(json.loads(content), indent=2, ensure_ascii=False) + "\n"


CHANNELS: dict[str, Callable[[Outgoing], str]] = {
    "terminal.txt": lambda form: as_text(form) + "\n",
    "plain.txt": lambda form: "Subject: {}\n\n{}\n".format(*wording.plain(form)),
    "standard.json": lambda form: as_json(body(form)),
    "cloudevents.json": lambda form: as_json(body(form, cloudevents=True)),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_message_is_as_it_was_read_and_approved(form: str, channel: str) -> None:
    """A change of words shows in the files, where people can judge it."""
    path, made = MESSAGES / f"{form}.{channel}", CHANNELS[channel](FORMS[form])
    if os.environ.get("WIREWATCH_WRITE_MESSAGES"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, "utf-8")
    assert path.read_text("utf-8") == made


def test_no_file_is_there_for_a_form_that_is_no_more() -> None:
    """What is read and approved is what is sent."""
    assert {path.name for path in MESSAGES.iterdir()} == {f"{form}.{channel}" for form in FORMS for channel in CHANNELS}


# Text from outside stays in its line.

ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from("a \n\r\t\x00\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\u200d\ud83d\U0001f680»«<@"), max_size=30
)
FIELDS = ("title", "outlet", "clause", "detail", "topic", "quoted", "by")


def hostile(field: str, text: str, role: Role = Role.DEVELOPMENT) -> Message:
    """Return a message one of whose texts is anything."""
    made = told(role, detail=text if field == "detail" else "")
    given: dict[str, Any] = {field: text}
    alerted = replace(made.alert, **given) if field in {"clause", "by"} else made.alert
    page = replace(made.article, **given) if field in {"title", "outlet"} else made.article
    quote = Quote(field="text", before=text, text=text, after=text) if field == "quoted" else made.quotes[0]
    return replace(made, alert=alerted, article=page, quotes=(quote,), topic=text if field == "topic" else made.topic)


def lines(made: Message) -> dict[str, str]:
    """Return what is one line of a message, by the name of its function."""
    return {
        "title": wording.title(made),
        "headline": wording.headline(made.article),
        "source": wording.source(made.article),
        "topic": wording.topic(made),
        "why": wording.why(made),
        "news": wording.news(made),
        "correction": wording.correction(made),
        "standing": wording.standing(made),
        "delay": wording.delay(made),
        "earlier": wording.earlier(made),
        "quoted": wording.quoted(made.quotes[0]),
        "digest": wording.digest_title(Digest(alert=made.alert, items=(made,), at=NOON)),
        "notice": wording.notice_text(Notice(alert=made.alert, at=NOON)),
    }


@given(text=ANY_TEXT, field=st.sampled_from(FIELDS), role=st.sampled_from([Role.DEVELOPMENT, Role.CORRECTION]))
def test_no_text_from_outside_gets_out_of_its_line(text: str, field: str, role: Role) -> None:
    """No control character, no end of a line, no turn of direction, and nothing that cannot be encoded."""
    for name, line in lines(hostile(field, text, role)).items():
        assert len(line.splitlines()) <= 1, name
        assert not [c for c in line if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}], name
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", line), name
        assert line == line.strip(), name


@given(text=ANY_TEXT, field=st.sampled_from(FIELDS))
def test_a_plain_text_has_as_many_lines_whatever_it_tells(text: str, field: str) -> None:
    """So nothing in it can look like a line of our own; and it can be encoded."""
    title, said = wording.plain(hostile(field, text))
    usual = wording.plain(hostile(field, "usual"))[1].split("\n")
    missing = int(field == "detail" and not wording.one_line(text))
    assert len(title.splitlines()) == 1
    assert len(said.splitlines()) == len(usual) - missing
    (title + said).encode("utf-8")


@given(text=ANY_TEXT, most=st.integers(1, 40))
def test_one_line_is_short_and_done_once(text: str, most: int) -> None:
    """A second time changes nothing, and a short text on one line is left as it is."""
    line = wording.one_line(text, most=most)
    assert len(line) <= most
    assert wording.one_line(line, most=most) == line
    if text.isprintable() and text.isascii() and text == " ".join(text.split()) and len(text) <= most:
        assert line == text


@given(url=ANY_TEXT.map("https://meridian.example/".__add__) | ANY_TEXT)
def test_an_address_is_an_address_or_nothing(url: str) -> None:
    """Of http(s) alone, without a blank, a quote or a bracket in which a text could hide."""
    made = wording.address(url)
    assert made == "" or re.fullmatch(r"https?://[^\s<>\"|\\^`{}\x00-\x1f\x7f]+", made)
    assert wording.address(made) == made


def test_an_address_that_is_one_is_left_as_it_is() -> None:
    """With everything that may stand in one."""
    for url in ("https://a.example/b;c?d=e&f[]=%C3%A9#g:(h)!*'~,$@+", "http://a.example/ä/日本"):
        assert wording.address(url) == url
    for url in ("javascript:alert(1)", "https:///x", "ftp://a.example", "", " https://a.example"):
        assert wording.address(url) == ""


# The parts.


def test_a_long_text_is_cut_and_says_so() -> None:
    """A headline and a piece of evidence have a limit each."""
    assert wording.headline(article(title="word " * 100)) == ("word " * 60).strip()[:299] + "…"
    long = wording.quoted(Quote(field="text", before="b", text="e" * 600, after="a"))
    assert long == "b»" + "e" * 499 + "…«a"


@pytest.mark.parametrize(
    ("length", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_399, "23 h"), (200_000, "2 d")],
)
def test_a_span_is_told_in_its_largest_unit(length: float, said: str) -> None:
    """Rounded down."""
    assert wording.span(timedelta(seconds=length)) == said


def test_an_article_from_the_future_was_told_at_once() -> None:
    """Publishers' clocks are wrong."""
    assert wording.delay(replace(FIRST, at=at(-5))) == "told 0 s after publication"


def test_only_a_development_has_news_and_only_a_correction_a_change() -> None:
    """Whatever the detail of another role may be."""
    for role in Role:
        made = told(role, detail="killed 31")
        assert wording.news(made) == ("new: killed 31" if role is Role.DEVELOPMENT else "")
        assert wording.correction(made) == ("changed: killed 31" if role is Role.CORRECTION else "")
    assert wording.news(told(Role.DEVELOPMENT)) == ""


@pytest.mark.parametrize(
    ("topics", "more", "said"),
    [
        (["iran"], 0, "Digest: 1 alert on iran"),
        (["iran", "iran"], 0, "Digest: 2 alerts on iran"),
        (["iran", "oil"], 0, "Digest: 2 alerts on 2 topics"),
        (["iran", "oil"], 5, "Digest: 7 alerts"),
        ([], 0, "Digest: 0 alerts"),
    ],
)
def test_a_digest_says_what_it_is_about(topics: list[str], more: int, said: str) -> None:
    """Topics only where all of its alerts are known."""
    items = tuple(builders.message(topic=topic) for topic in topics)
    assert wording.digest_title(Digest(alert=bundle(Role.DIGEST), items=items, more=more, at=NOON)) == said


def test_a_possible_repeat_is_marked_in_every_title() -> None:
    """So that nobody takes it for news."""
    for form in FORMS.values():
        again = replace(form, alert=replace(form.alert, repeat=True))
        assert wording.plain(again)[0].endswith(" (possible repeat)")
        assert wording.plain(again)[1] == wording.plain(form)[1]


def test_a_title_that_is_none_is_said_to_be_none() -> None:
    """Also one of blanks alone."""
    assert wording.headline(article(title=" \n\u2028")) == "(no title)"

"""What Slack messages look like, whatever strangers have written: held in files, and held to Slack's rules."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import builders
from tests.builders import NOON, alert, article
from tests.edges import slack
from worker.channels import slack_blocks, slack_limits, slack_text
from worker.model import Digest, Message, Notice, Outgoing, Quote, Role
from worker.replay.slack import CHANNEL, Fault, Workspace
from worker.replay.slack_rules import refusal
from worker.replay.slack_seen import notification, seen

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

#: Set to write the files anew; read the difference before you keep it.
WRITE = "WIREWATCH_WRITE_DATA"
FILES = Path(__file__).parent.parent / "data" / "slack" / "forms"
THREAD = f"{CHANNEL}:1770811200.000001"

# The files.

_CORRECTED = "title was \u201cTehran: missiles are negotiable\u201d"
_FORMS: dict[str, Callable[[], Outgoing]] = {
    "first": slack.first,
    "report": lambda: slack.told_as(Role.REPORT, THREAD),
    "development": lambda: slack.told_as(Role.DEVELOPMENT, THREAD, detail="killed 31 and not 12"),
    "correction": lambda: slack.told_as(Role.CORRECTION, THREAD, detail=_CORRECTED),
    "linked": lambda: slack.first(linked="s-0", linked_at=NOON - timedelta(days=9)),
    "repeat": lambda: slack.again(slack.first(), attempt=1, repeat=True),
    "digest": lambda: slack.digest(3, more=2),
    "notice": slack.notice,
}


def held(name: str, sent: object) -> object:
    """Return what the file of that name holds, which is ``sent`` when files are being written."""
    path = FILES / f"{name}.json"
    if os.environ.get(WRITE):
        path.write_text(json.dumps(sent, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def posted(space: Workspace, method: str = "chat.postMessage") -> Any:
    """Return the last post that the workspace was sent."""
    return [call for call in space.calls if call.method == method][-1].arguments


@pytest.mark.parametrize("name", _FORMS)
def test_the_app_posts_what_the_file_holds(name: str) -> None:
    """One file a form: whoever changes a form sees in it what has changed."""
    with slack.working() as space:
        parent = slack.bot(space).send(slack.first(), now=NOON)
        assert parent == THREAD
        slack.bot(space).send(_FORMS[name](), now=NOON)
        assert posted(space) == held(name, posted(space))


def test_the_edit_of_a_first_message_is_what_the_file_holds() -> None:
    """Its standing is new, and everything else as it was posted."""
    with slack.working() as space:
        channel = slack.bot(space)
        thread = channel.send(slack.first(), now=NOON)
        channel.send(slack.told_as(Role.REPORT, thread), now=NOON)
        assert posted(space, "chat.update") == held("edit", posted(space, "chat.update"))


@pytest.mark.parametrize("name", ["first", "digest", "notice", "repeat"])
def test_the_webhook_posts_what_the_file_holds(name: str) -> None:
    """It has no channel, no thread and no metadata."""
    with slack.working() as space:
        slack.hook(space).send(_FORMS[name](), now=NOON)
        assert posted(space, "hook") == held(f"hook-{name}", posted(space, "hook"))


@pytest.mark.parametrize("name", ["first", "development", "digest", "notice", "repeat"])
def test_what_is_said_without_blocks_is_what_the_file_holds(name: str) -> None:
    """For when Slack has refused the blocks: the alert is worth more than its form."""
    with slack.working() as space:
        slack.bot(space).send(slack.first(), now=NOON)
        space.faults = [Fault(method="chat.postMessage", status=200, body='{"ok": false, "error": "invalid_blocks"}')]
        slack.bot(space).send(_FORMS[name](), now=NOON)
        assert posted(space) == held(f"text-{name}", posted(space))
        assert "blocks" not in posted(space)


def test_every_file_is_of_a_form_that_there_is() -> None:
    """A file that nobody writes would be believed for ever."""
    names = {*_FORMS, "edit"}
    names |= {f"hook-{name}" for name in ("first", "digest", "notice", "repeat")}
    names |= {f"text-{name}" for name in ("first", "development", "digest", "notice", "repeat")}
    assert {path.stem for path in FILES.iterdir()} == names


# What a reader sees.


def test_a_first_alert_says_all_that_is_known() -> None:
    """Headline, source, topic, evidence in bold within its sentence, why, how far, how late, and both links."""
    shown = seen({"blocks": slack_blocks.blocks(slack.first())})
    assert shown.text.split("\n") == [
        "Tehran: missiles are \u201cnot negotiable\u201d (1)",
        "Wire, 11 Feb 2026 12:00 UTC",
        "Topic: *missile programme non-negotiable*",
        "| *The missile programme is not open to negotiation*, the foreign ministry said & repeated.",
        "score 0.90 by rule: near: missile, negotiation",
        "2 articles, 2 outlets, 1 independent origin",
        "told 0 s after publication",
        "Read the article  Why, in the console",
    ]
    assert [url for url, _ in shown.links] == ["https://wire.example/1", slack.CONSOLE]


def test_a_development_says_what_is_new_and_a_correction_what_was_changed() -> None:
    """With their names in the headline, for both are shown in the channel."""
    new = seen({"blocks": slack_blocks.blocks(_FORMS["development"]())}).text
    assert new.startswith("Development: Tehran")
    assert "New: killed 31 and not 12" in new
    changed = seen({"blocks": slack_blocks.blocks(_FORMS["correction"]())}).text
    assert changed.startswith("Correction: Tehran")
    assert f"Changed: {_CORRECTED}" in changed


def test_a_report_in_a_thread_is_short() -> None:
    """What holds for the story stands above it."""
    shown = seen({"blocks": slack_blocks.blocks(_FORMS["report"]())}).text
    assert shown.startswith("*Report: Tehran")
    assert "Topic:" not in shown
    assert "independent origin" not in shown
    assert "told 2 min after publication" in shown


def test_a_passage_is_quoted_once_and_the_headline_not_at_all() -> None:
    """Several clauses often find their evidence in one sentence, and in the headline above it."""
    title, text = "Missiles are not negotiable", "Its missiles are not negotiable, it said."
    rule = Quote(field="text", before="Its ", text="missiles are not negotiable", after=", it said.")
    whole = Quote(field="text", before="", text=text, after="")
    other = Quote(field="text", before="", text="No talks are planned", after=" for now…")
    head = Quote(field="title", before="", text=title, after="")
    message = slack.first(quotes=(head, whole, rule, other), article=article(title=title, text=text))
    assert slack_text.quotes(message) == [whole, other]
    assert slack_text.quotes(replace(message, quotes=(rule, whole))) == [rule]
    assert slack_text.quotes(replace(message, quotes=(head, head))) == [head]
    assert slack_text.quotes(replace(message, quotes=())) == []
    many = tuple(Quote(field="text", before="", text=f"said {n} times", after="") for n in range(5))
    shown = seen({"blocks": slack_blocks.blocks(replace(message, quotes=many))}).text
    assert shown.count("| ") == slack_blocks.QUOTES


def test_a_headline_that_is_too_long_for_a_header_is_told_in_full_below() -> None:
    """A header takes 150 characters."""
    title = "Foreign ministry " * 20
    shown = seen({"blocks": slack_blocks.blocks(slack.first(article=article(title=title)))}).text
    assert f"Headline: {title.strip()[:290]}" in shown


def test_a_digest_tells_of_every_alert_that_there_is_room_for() -> None:
    """Thirty short ones fit without their evidence; of what does not fit it says how many there are."""
    few = seen({"blocks": slack_blocks.blocks(slack.digest(3))}).text
    assert few.count("not open to negotiation") == 3
    many = slack_blocks.blocks(slack.digest(20, more=7))
    shown = seen({"blocks": many}).text
    assert [f"({number})" in shown for number in range(10, 30)] == [True] * 20
    assert shown.endswith("and 7 more")
    assert len(many) <= slack_blocks.BLOCKS
    long = slack.digest(30, article=article(title="Wolf " * 40, url="https://wire.example/" + "x" * 500))
    shown = seen({"blocks": slack_blocks.blocks(long)}).text
    told = shown.count("Wolf Wolf Wolf") and shown.count("article")
    assert 0 < told < 30
    assert shown.endswith(f"and {30 - told} more")


def test_a_digest_as_text_counts_what_it_leaves_out() -> None:
    """The same promise, for when blocks were refused."""
    long = slack.digest(30, more=4, article=article(title="Wolf " * 40))
    lines = slack_text.plain(long).split("\n")
    told = sum("Wolf" in line for line in lines)
    assert lines[-1] == f"and {34 - told} more"
    assert len(slack_text.plain(long)) <= slack_text.TEXT + 50


def test_an_address_that_is_none_of_the_web_is_shown_and_leads_nowhere() -> None:
    """A feed may say anything of where its articles are."""
    for url in ("javascript:alert(1)", "slack://user?id=U1", "file:///etc/passwd", "http://", "//wire.example/1"):
        shown = seen({"blocks": slack_blocks.blocks(slack.first(article=article(url=url), link=""))})
        assert not shown.links, url
        assert slack_text.web_address(url) == ""
        assert url in shown.text


def test_what_ends_a_link_is_encoded() -> None:
    """So that an address can write nothing behind itself."""
    url = "https://wire.example/a|b><!channel> c\u00fc?q=<@U1>"
    assert slack_text.web_address(url) == "https://wire.example/a%7Cb%3E%3C!channel%3Ec%C3%BC?q=%3C@U1%3E"
    message = slack.first(article=article(title="Quiet", url=url), link="")
    shown = notification({"text": slack_text.plain(message)})
    assert [link for link, _ in shown.links] == [slack_text.web_address(url)]
    assert not shown.mentions


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab\u2026"),
        ("\U0001f680\U0001f680", 4, "\U0001f680\U0001f680"),
        ("\U0001f680\U0001f680\U0001f680", 4, "\U0001f680\u2026"),
        ("ab   cd", 5, "ab\u2026"),
    ],
)
def test_texts_are_cut_by_the_longest_meaning_of_a_character(text: str, limit: int, expected: str) -> None:
    """Slack does not say whether a rocket is one character or two."""
    assert slack_text.cut(text, limit) == expected
    assert slack_text.size(slack_text.cut(text, limit)) <= limit


# What strangers may write.

_NASTY = st.sampled_from([
    "<!channel>", "<!here|@here>", "<@U012AB3CD>", "<#C1|general>", "<!subteam^S1>", "@here", "@channel", "@everyone",
    "#general", "<https://evil.example|bank.example>", "https://evil.example/a?b=c", "http://127.0.0.1/", "www.evil.co",
    "evil.com", "me@evil.com", "mailto:me@evil.com", "&lt;!channel&gt;", "&amp;", "<", ">", "|", "*bold*", "`code`",
    "\n> quote", "\n\n", "\u202e", "\u2028", "\0", "\x1b[31m", "\ud83d", "\U0001f680", ":skull:", "\u200b", " ",
    '"\\', "\u0645", "x" * 400, "\u20ac" * 200, "<" * 160, "\U0001f680" * 160, "\ufeff", "slack://open", "ftp://a.b",
])  # fmt: skip
_STRANGERS = st.lists(_NASTY | st.text(max_size=40) | st.characters(), max_size=12).map("".join)
_QUOTES = st.lists(
    st.builds(Quote, field=st.just("text"), before=_STRANGERS, text=_STRANGERS, after=_STRANGERS), max_size=5
).map(tuple)
_URLS = st.sampled_from(["https://wire.example/1", "https://wire.example/\u00fc|>", "javascript:x", ""]) | _STRANGERS


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    told = alert(
        channel_id="ops",
        role=draw(st.sampled_from([Role.FIRST, Role.REPORT, Role.DEVELOPMENT, Role.CORRECTION, Role.COPY])),
        clause=draw(_STRANGERS),
        detail=draw(_STRANGERS),
        by=draw(st.sampled_from(["rule", "meaning", "both"])),
        repeat=draw(st.booleans()),
        key=f"{draw(st.integers(0, 2**128 - 1)):032x}",
    )
    return builders.message(
        alert=told,
        article=article(title=draw(_STRANGERS), outlet=draw(_STRANGERS), url=draw(_URLS)),
        topic=draw(_STRANGERS),
        quotes=draw(_QUOTES),
        thread=draw(st.sampled_from([None, THREAD])),
        link=draw(st.sampled_from(["", slack.CONSOLE])),
        linked=draw(st.sampled_from([None, "s-0"])),
    )


_DIGESTS = st.builds(
    Digest,
    alert=st.just(alert(role=Role.DIGEST, channel_id="ops")),
    items=st.lists(_messages(), max_size=6).map(tuple),
    more=st.integers(0, 3),
    at=st.just(NOON),
)
_NOTICES = _STRANGERS.map(lambda said: Notice(alert=alert(role=Role.NOTICE, clause=said), at=NOON))


def addresses(outgoing: Outgoing) -> set[str]:
    """Return the addresses that may be links in a message: those of its articles and of the console."""
    messages: tuple[Message, ...] = ()
    if isinstance(outgoing, Message):
        messages = (outgoing,)
    elif isinstance(outgoing, Digest):
        messages = outgoing.items
    urls = [url for message in messages for url in (message.article.url, message.link)]
    return {found for url in urls if (found := slack_text.web_address(url))}


@given(_messages() | _DIGESTS | _NOTICES)
@example(slack.first(article=article(title="<!channel> https://evil.example", outlet="@here")))
def test_nothing_that_strangers_write_is_a_mention_a_link_or_a_refusal(outgoing: Outgoing) -> None:
    """Not in the blocks, not in a notification, and not in the text that stands in for refused blocks."""
    blocks = slack_blocks.blocks(outgoing)
    assert slack_limits.problems(blocks) == ()
    assert len(blocks) <= slack_blocks.BLOCKS
    short, long = slack_text.summary(outgoing), slack_text.plain(outgoing)
    sent = json.loads(json.dumps({"blocks": blocks, "text": short}))
    json.dumps(sent, ensure_ascii=False).encode("utf-8")
    assert refusal(sent) == ""
    assert refusal({"text": long}) == ""
    allowed = addresses(outgoing)
    for shown in (seen(sent), notification({"text": short}), notification({"text": long})):
        assert shown.mentions == ()
        assert {url for url, _ in shown.links} <= allowed
        assert {words for _, words in shown.links} <= {
            "Read the article", "Why, in the console", "article", "why, in the console"
        }  # fmt: skip


@given(_messages())
def test_a_message_survives_its_edit(message: Message) -> None:
    """Read back with the entities that Slack writes, everything but the standing is sent as it was at first."""
    was = slack_blocks.blocks(replace(message, thread=None))
    given_back = json.loads(json.dumps(was))
    for block in given_back:
        for text in (block.get("text"), *block.get("elements", ())):
            if isinstance(text, dict) and text.get("type") == "plain_text":
                text["text"] = text["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert slack_blocks.restanding(given_back, message) is None
    later = replace(message, articles=17)
    now = slack_blocks.restanding(given_back, later)
    assert now is not None
    places = [block.get("block_id") for block in was]
    assert [block.get("block_id") for block in now] == places
    standing = places.index(slack_blocks.STANDING)
    assert now[standing]["elements"][0]["text"].startswith("17 articles")
    assert [b for n, b in enumerate(now) if n != standing] == [b for n, b in enumerate(was) if n != standing]


@given(st.lists(_NASTY | st.characters(), max_size=30).map("".join))
def test_escaped_text_reads_as_it_was_written(text: str) -> None:
    """But for the invisible characters that keep addresses and names from being links."""
    shown = notification({"text": slack_text.escaped(text)})
    assert shown.text.replace(slack_text.JOINER, "") == slack_text.clean(text).replace(slack_text.JOINER, "")


def test_what_slack_reads_as_markup_is_written_in_entities() -> None:
    """The ampersand first, or the entities would be escaped themselves; nothing else is touched."""
    assert slack_text.escaped("<a|b> & &lt; *c* 'd' \"e\"") == "&lt;a|b&gt; &amp; &amp;lt; *c* 'd' \"e\""
    assert slack_text.escaped("@a #b c.d http://e 3.5 f. g") == "@\u2060a #\u2060b c.\u2060d http:\u2060//e 3.5 f. g"


# Our own limits.


def _text(said: str, kind: str = "plain_text") -> dict[str, str]:
    return {"type": kind, "text": said}


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([], "no blocks"),
        ([{"type": "divider"}] * 51, "51 blocks"),
        ([{"type": "header", "text": _text("x" * 151)}], "151 characters"),
        ([{"type": "header", "text": _text("x", "mrkdwn")}], "type mrkdwn"),
        ([{"type": "header", "text": _text(" ")}], "empty text"),
        ([{"type": "header"}], "no text"),
        ([{"type": "section", "text": _text("x" * 3001)}], "3001 characters"),
        ([{"type": "section"}], "no text"),
        ([{"type": "section", "fields": [_text("x")] * 11}], "11 fields"),
        ([{"type": "section", "fields": [_text("x" * 2001)]}], "2001 characters"),
        ([{"type": "context", "elements": [_text("x")] * 11}], "11 elements"),
        ([{"type": "context", "elements": []}], "0 elements"),
        ([{"type": "section", "text": _text("x" * 2500)}] * 4, "characters in all blocks"),
        ([{"type": "divider", "block_id": "a"}] * 2, "one id"),
        ([{"type": "divider", "block_id": "a" * 256}], "longer than 255"),
        ([{"type": "actions", "elements": []}], "type actions"),
        ([{"type": "rich_text", "elements": []}], "no elements"),
        (
            [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
            "empty rich_text_section",
        ),
        (
            [{"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": [_text("", "text")]}]}],
            "an empty text",
        ),
    ],
)
def test_our_own_check_finds_what_slack_would_refuse(blocks: list[dict[str, Any]], said: str) -> None:
    """It says what and where."""
    assert any(said in problem for problem in slack_limits.problems(blocks)), slack_limits.problems(blocks)


def test_what_is_within_the_limits_is_left_alone() -> None:
    """At each limit, to the character."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _text("x" * 150)},
        {"type": "section", "text": _text("x" * 3000)},
        {"type": "section", "fields": [_text("x" * 10)] * 10},
        {"type": "context", "elements": [_text("x")] * 10},
        {"type": "divider", "block_id": "a" * 255},
    ]
    assert slack_limits.problems(blocks) == ()
    assert refusal({"blocks": blocks}) == ""

"""The workspace that stands in for Slack: it says no where Slack's pages do, or tests against it would prove little."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.builders import NOON
from tests.edges import slack
from worker.replay.slack import CHANNEL, TOKEN, Fault, Workspace
from worker.replay.slack_seen import notification, seen

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def space() -> Iterator[Workspace]:
    """Give a workspace whose clock stands at noon."""
    with slack.working() as served:
        yield served


def ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
    """Return the status, body and headers of an answer, by a client that has nothing to do with ours."""
    asked = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - the same
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def call(space: Workspace, method: str, /, **arguments: Any) -> Any:
    """Return what a method with a JSON body answers."""
    _, body, _ = ask(f"{space.api}/{method}", json.dumps(arguments).encode(), AUTH)
    return json.loads(body)


def get(space: Workspace, method: str, /, **arguments: Any) -> Any:
    """Return what a method with a query answers."""
    _, body, _ = ask(f"{space.api}/{method}?{urlencode(arguments)}", headers=AUTH)
    return json.loads(body)


def post(space: Workspace, /, **arguments: Any) -> Any:
    """Return what chat.postMessage answers."""
    return call(space, "chat.postMessage", **{"channel": CHANNEL, "text": "hello"} | arguments)


def plain(said: str = "x") -> dict[str, str]:
    """Return a text object."""
    return {"type": "plain_text", "text": said}


def mrkdwn(said: str = "x") -> dict[str, str]:
    """Return a text object of the other kind."""
    return {"type": "mrkdwn", "text": said}


def rich(*elements: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    """Return a rich_text block."""
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": plain("x" * 151)},
        {"type": "header", "text": mrkdwn()},
        {"type": "header", "text": plain("")},
        {"type": "header"},
        {"type": "section"},
        {"type": "section", "text": mrkdwn("x" * 3001)},
        {"type": "section", "text": "x"},
        {"type": "section", "fields": [plain()] * 11},
        {"type": "section", "fields": [plain("x" * 2001)]},
        {"type": "context", "elements": []},
        {"type": "context", "elements": [plain()] * 11},
        {"type": "paragraph", "text": plain()},
        {"text": plain()},
        {"type": "divider", "block_id": "x" * 256},
        {"type": "section", "text": mrkdwn() | {"emoji": True}},
        {"type": "section", "text": plain() | {"verbatim": True}},
        {"type": "rich_text", "elements": []},
        rich({"type": "text", "text": ""}),
        rich({"type": "marquee", "text": "x"}),
        rich({"type": "link", "url": "javascript:alert(1)"}),
        rich({"type": "text", "text": "x", "style": {"blink": True}}),
        rich(kind="rich_text_table"),
        "text",
        None,
    ],
)
def test_blocks_that_slack_refuses_are_refused(space: Workspace, block: Any) -> None:
    """One wrong block is enough."""
    assert post(space, blocks=[{"type": "divider"}, block]) == {"ok": False, "error": "invalid_blocks"}
    status, body, _ = ask(space.hook, json.dumps({"blocks": [block]}).encode())
    assert (status, body) == (400, "invalid_blocks")
    assert not space.parents()


def test_blocks_that_slack_takes_are_taken(space: Workspace) -> None:
    """Each at its limit, and fifty of them."""
    blocks = [
        {"type": "header", "text": plain("x" * 150)},
        {"type": "section", "text": mrkdwn("x" * 3000)},
        {"type": "section", "fields": [plain()] * 10},
        {"type": "context", "elements": [mrkdwn()] * 10},
        rich({"type": "text", "text": "x", "style": {"bold": True}}, {"type": "link", "url": "https://x.example"}),
        *[{"type": "divider"}] * 45,
    ]
    assert post(space, blocks=blocks)["ok"]
    assert post(space, blocks=[*blocks, {"type": "divider"}])["error"] == "invalid_blocks"
    same = [{"type": "divider", "block_id": "a"}] * 2
    assert post(space, blocks=same)["error"] == "invalid_blocks"
    heavy = [{"type": "section", "text": mrkdwn("x" * 3000)}] * 5
    assert post(space, blocks=heavy)["error"] == "msg_blocks_too_long"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"channel": "C0NONE"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"text": " "}, "no_text"),
        ({"thread_ts": "1.2"}, "thread_not_found"),
        ({"metadata": {"event_payload": {}}}, "invalid_metadata_format"),
        ({"metadata": {"event_type": "a", "event_payload": {"deep": {}}}}, "invalid_metadata_schema"),
        ({"metadata": {"event_type": "a", "event_payload": {"k": "x" * 9000}}}, "metadata_too_large"),
    ],
)
def test_a_message_must_be_whole(space: Workspace, arguments: dict[str, Any], word: str) -> None:
    """With Slack's own word for what is missing."""
    assert post(space, **arguments) == {"ok": False, "error": word}


def test_only_the_app_gets_in(space: Workspace) -> None:
    """Every no of authentication is a 200, as Slack has it."""
    for headers, word in (
        ({}, "not_authed"),
        ({"Authorization": "Bearer xoxb-other"}, "invalid_auth"),
        ({"Authorization": f"Basic {TOKEN}"}, "not_authed"),
    ):
        status, body, _ = ask(f"{space.api}/chat.postMessage", b'{"text": "x"}', headers)
        assert (status, json.loads(body)["error"]) == (200, word)
    space.scopes = {"chat:write"}
    assert get(space, "conversations.history", channel=CHANNEL)["needed"] == "channels:history"
    assert call(space, "chat.postEphemeral")["error"] == "unknown_method"
    assert ask(f"{space.api}/chat.postMessage", b"not json", AUTH)[1].endswith('"invalid_json"}')
    assert ask(f"{space.api}/chat.postMessage", b'{"text": "\\ud800"}', AUTH)[1].endswith('"invalid_json"}')


def test_replies_stand_in_their_thread_and_some_in_the_channel_too(space: Workspace) -> None:
    """A reply to a reply is none."""
    parent = post(space)["ts"]
    quiet, shown = post(space, thread_ts=parent)["ts"], post(space, thread_ts=parent, reply_broadcast=True)["ts"]
    assert post(space, thread_ts=quiet)["error"] == "thread_not_found"
    assert [m["ts"] for m in space.thread(parent)] == [quiet, shown]
    assert [m["ts"] for m in get(space, "conversations.history", channel=CHANNEL)["messages"]] == [shown, parent]
    replies = get(space, "conversations.replies", channel=CHANNEL, ts=parent)["messages"]
    assert [m["ts"] for m in replies] == [parent, quiet, shown]
    assert get(space, "conversations.replies", channel=CHANNEL, ts="1.2")["error"] == "thread_not_found"


def test_only_the_apps_own_messages_can_be_edited(space: Workspace) -> None:
    """What is not given stays, but blocks go when a text comes alone."""
    metadata = {"event_type": "a", "event_payload": {"k": 1}}
    ts = post(space, blocks=[{"type": "divider"}], metadata=metadata)["ts"]
    update = {"channel": CHANNEL, "ts": ts}
    assert call(space, "chat.update", **update, blocks=[{"type": "divider"}] * 2, text="new")["ok"]
    (message,) = space.parents()
    assert (len(message["blocks"]), message["text"], message["metadata"]) == (2, "new", metadata)
    assert call(space, "chat.update", **update, blocks=[{"type": "x"}])["error"] == "invalid_blocks"
    assert call(space, "chat.update", **update, text="x" * 4001)["error"] == "msg_too_long"
    assert call(space, "chat.update", **update, text="alone")["ok"]
    assert "blocks" not in message
    assert call(space, "chat.update", channel=CHANNEL, ts="1.2", text="x")["error"] == "message_not_found"
    message["bot_id"] = "B0OTHER"
    assert call(space, "chat.update", **update, text="x")["error"] == "cant_update_message"
    space.rooms[CHANNEL].archived = True
    assert call(space, "chat.update", **update, text="x")["error"] == "is_inactive"


def test_lists_have_pages_and_bounds(space: Workspace) -> None:
    """Newest first; ``inclusive`` says whether the bounds themselves belong to it; metadata only if asked for."""
    sent = [post(space, metadata={"event_type": "a", "event_payload": {}})["ts"] for _ in range(5)]
    first = get(space, "conversations.history", channel=CHANNEL, limit=2)
    assert [m["ts"] for m in first["messages"]] == [sent[4], sent[3]]
    assert first["has_more"]
    cursor = first["response_metadata"]["next_cursor"]
    second = get(space, "conversations.history", channel=CHANNEL, limit=4, cursor=cursor)
    assert [m["ts"] for m in second["messages"]] == [sent[2], sent[1], sent[0]]
    assert not second["has_more"]
    bounds = {"oldest": sent[1], "latest": sent[3]}
    assert [m["ts"] for m in get(space, "conversations.history", channel=CHANNEL, **bounds)["messages"]] == [sent[2]]
    wider = get(space, "conversations.history", channel=CHANNEL, inclusive="true", **bounds)["messages"]
    assert [m["ts"] for m in wider] == [sent[3], sent[2], sent[1]]
    assert "metadata" not in wider[0]
    whole = get(space, "conversations.history", channel=CHANNEL, include_all_metadata="true")["messages"]
    assert whole[0]["metadata"] == {"event_type": "a", "event_payload": {}}


def test_plain_texts_come_back_with_entities(space: Workspace) -> None:
    """As Slack gives them (slackapi/bolt-python#513); what a reader sees has none."""
    post(space, blocks=[{"type": "header", "text": plain("A & <B>")}])
    (given,) = get(space, "conversations.history", channel=CHANNEL)["messages"]
    assert given["blocks"][0]["text"]["text"] == "A &amp; &lt;B&gt;"
    assert seen(space.parents()[0]).text == "A & <B>"


def test_a_limited_workspace_takes_a_message_a_second(space: Workspace) -> None:
    """With 429 and Retry-After for the rest; edits do not count."""
    space.limited = True
    ts = post(space)["ts"]
    status, body, headers = ask(
        f"{space.api}/chat.postMessage", json.dumps({"channel": CHANNEL, "text": "x"}).encode(), AUTH
    )
    assert (status, json.loads(body)["error"], headers["Retry-After"]) == (429, "ratelimited", "1")
    assert ask(space.hook, b'{"text": "x"}')[0] == 429
    assert call(space, "chat.update", channel=CHANNEL, ts=ts, text="y")["ok"]
    slack.turn(space, NOON + timedelta(seconds=1))
    assert post(space)["ok"]


def test_the_webhook_answers_in_words(space: Workspace) -> None:
    """With the status that the word has."""
    assert ask(space.hook, b'{"text": "hello"}')[:2] == (200, "ok")
    assert ask(space.hook, b"payload=%7B%7D")[:2] == (400, "invalid_payload")
    assert ask(space.hook, b"{}")[:2] == (400, "no_text")
    assert ask(f"{space.hook}x", b'{"text": "x"}')[:2] == (404, "no_service")
    space.rooms[CHANNEL].archived = True
    assert ask(space.hook, b'{"text": "x"}')[:2] == (410, "channel_is_archived")


def test_a_fault_happens_once_and_to_its_method(space: Workspace) -> None:
    """So a test can say which request of several goes wrong."""
    space.faults = [Fault(method="chat.update", status=500), Fault(status=502, taken=True)]
    assert ask(f"{space.api}/chat.postMessage", b'{"channel": "C0123ABCD", "text": "x"}', AUTH)[0] == 502
    assert len(space.parents()) == 1
    assert ask(f"{space.api}/chat.update", b"{}", AUTH)[0] == 500
    assert space.faults == []
    assert post(space)["ok"]


@pytest.mark.parametrize(
    ("text", "links", "mentions"),
    [
        ("<!channel>", [], ["!channel"]),
        ("<@U012|bob> and <#C1>", [], ["@U012", "#C1"]),
        ("@here #general", [], ["@here", "#general"]),
        ("<https://a.example|b>", [("https://a.example", "b")], []),
        ("<https://a.example>", [("https://a.example", "https://a.example")], []),
        ("see https://a.example/x now", [("https://a.example/x", "https://a.example/x")], []),
        ("see a.example now", [("a.example", "a.example")], []),
        ("slack://open", [("slack://open", "slack://open")], []),
        ("&lt;!channel&gt; 3.5 e.g. U.S.", [], []),
    ],
)
def test_what_is_seen_is_parsed_as_slack_parses_it(
    text: str, links: list[tuple[str, str]], mentions: list[str]
) -> None:
    """In mrkdwn alone; the same words in plain and rich text are words."""
    for shown in (notification({"text": text}), seen({"blocks": [{"type": "section", "text": mrkdwn(text)}]})):
        found = [link for link in shown.links if link[0] not in {"e.g", "U.S"}]
        assert (found, list(shown.mentions)) == (links, mentions)
    for block in ({"type": "header", "text": plain(text)}, rich({"type": "text", "text": text})):
        shown = seen({"blocks": [block]})
        assert (shown.text, shown.links, shown.mentions) == (text, (), ())


def test_mentions_and_links_of_rich_text_are_seen() -> None:
    """They are elements of their own."""
    shown = seen(
        {
            "blocks": [
                rich(
                    {"type": "user", "user_id": "U1"},
                    {"type": "broadcast", "range": "here"},
                    {"type": "link", "url": "https://a.example", "text": "there"},
                    {"type": "emoji", "name": "skull"},
                ),
                {"type": "divider"},
                {"type": "section", "fields": [plain("a"), plain("b")]},
            ]
        }
    )
    assert shown.mentions == ("U1", "here")
    assert shown.links == (("https://a.example", "there"),)
    assert ":skull:" in shown.text
    assert shown.text.endswith("a\nb")


def test_it_can_be_reached_from_this_machine_alone_and_ends_with_its_block() -> None:
    """By default its clock is the machine's."""
    with Workspace() as space:
        assert space.api.startswith("http://127.0.0.1:")
        assert post(space)["ok"]
    with pytest.raises(urllib.error.URLError):
        ask(space.api)

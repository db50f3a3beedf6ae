"""The Slack app as a channel, against a workspace on loopback: what it posts where, what it edits, and what it asks."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON
from tests.edges import slack
from tests.edges.servers import listen, resets, says
from worker import build
from worker.channels.base import Busy, Disabled, Doubtful, Found
from worker.channels.slack import EVENT, SlackChannel
from worker.channels.slack_hook import SlackHookChannel
from worker.errors import ConfigError, Retryable, Unusable, WirewatchError
from worker.model import Message, Outgoing, Role
from worker.replay.slack import CHANNEL, TOKEN, Fault, Workspace
from worker.replay.slack_seen import seen
from worker.settings import load
from worker.web.connections import CheckedTransport
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

#: Seconds; what a test waits for an answer that does not come.
SOON = 0.5
LATER = NOON + timedelta(hours=2)
POST, EDIT, READ = "chat.postMessage", "chat.update", "conversations.history"


@pytest.fixture
def space() -> Iterator[Workspace]:
    """Give a workspace whose clock stands at noon."""
    with slack.working() as served:
        yield served


def methods(space: Workspace) -> list[str]:
    """Return what the workspace was asked, in order."""
    return [call.method for call in space.calls]


def refused(word: str, method: str = POST) -> Fault:
    """Return a fault in which Slack says no with a word."""
    return Fault(method=method, status=200, body=json.dumps({"ok": False, "error": word}))


def ts(remote_id: str | None) -> str:
    """Return the part of a remote id that names the message."""
    assert remote_id is not None
    return remote_id.partition(":")[2]


# One message a story.


def test_a_first_alert_is_a_message_of_the_channel(space: Workspace) -> None:
    """Slack's names for the channel and the message come back as its remote id."""
    remote_id = slack.bot(space).send(slack.first(), now=NOON)
    (parent,) = space.parents()
    assert remote_id == f"{CHANNEL}:{parent['ts']}"
    assert parent["metadata"] == {"event_type": EVENT, "event_payload": {"alert_key": "key-0001"}}
    (call,) = space.calls
    assert call.headers["authorization"] == f"Bearer {TOKEN}"
    assert call.headers["content-type"] == "application/json; charset=utf-8"
    assert {name: call.arguments[name] for name in ("unfurl_links", "unfurl_media", "parse", "link_names")} == {
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
    }


@pytest.mark.parametrize(
    ("role", "shown"),
    [(Role.REPORT, False), (Role.COPY, False), (Role.DEVELOPMENT, True), (Role.CORRECTION, True)],
)
def test_what_follows_is_a_reply_and_the_first_message_says_how_far_the_story_has_gone(
    space: Workspace, role: Role, shown: bool
) -> None:
    """A report is quiet; a development and a correction are shown in the channel as well."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    before = seen(space.parents()[0]).text
    assert "2 articles, 2 outlets, 1 independent origin" in before
    slack.turn(space, LATER)
    remote_id = channel.send(slack.told_as(role, thread), now=LATER)
    (parent,) = space.parents()
    standing = "5 articles, 4 outlets, 2 independent origins, last 11 Feb 14:00 UTC"
    assert seen(parent).text == before.replace("2 articles, 2 outlets, 1 independent origin", standing)
    (reply,) = space.thread(parent["ts"])
    assert remote_id == f"{CHANNEL}:{reply['ts']}"
    assert bool(reply.get("reply_broadcast")) is shown
    # The edit can be made twice, the reply cannot.
    assert methods(space) == [POST, READ, EDIT, POST]


def test_an_edit_keeps_what_the_message_was_recognised_by(space: Workspace) -> None:
    """An edited message can still be found, and its notification text stays."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    text = space.parents()[0]["text"]
    channel.send(slack.told_as(Role.REPORT, thread), now=NOON)
    assert channel.find(slack.first(), since=NOON) == Found(arrived=True, remote_id=thread)
    assert space.parents()[0]["text"] == text


def test_a_message_that_says_it_already_is_not_edited(space: Workspace) -> None:
    """So a reply that is sent a second time costs no second edit."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    follow_up = slack.told_as(Role.REPORT, thread)
    space.faults = [refused("ratelimited")]
    with pytest.raises(Busy):
        channel.send(follow_up, now=NOON)
    channel.send(follow_up, now=NOON)
    assert methods(space) == [POST, READ, EDIT, READ, POST]


def test_digests_and_notices_are_messages_of_the_channel(space: Workspace) -> None:
    """Each with the key of its own alert."""
    channel = slack.bot(space)
    for outgoing in (slack.digest(), slack.notice()):
        remote_id = channel.send(outgoing, now=NOON)
        assert channel.find(outgoing, since=NOON) == Found(arrived=True, remote_id=remote_id)
    assert len(space.parents()) == 2


@pytest.mark.parametrize(
    "word",
    ["edit_window_closed", "cant_update_message", "message_not_found", "is_inactive", "invalid_blocks", "msg_too_long"],
)
def test_an_edit_that_slack_refuses_for_good_is_let_go(
    space: Workspace, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    """The reply is what matters; the log says what became of the edit."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    space.faults = [refused(word, EDIT)]
    assert channel.send(slack.told_as(Role.REPORT, thread), now=NOON)
    assert len(space.thread(ts(thread))) == 1
    assert f"slack verdict=edit-dropped channel=ops alert=key-0002 detail='{word}'" in caplog.text


def test_without_the_right_to_read_nothing_is_edited_and_the_reply_goes_out(
    space: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that was given ``chat:write`` only still tells everything."""
    space.scopes = {"chat:write"}
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    channel.send(slack.told_as(Role.DEVELOPMENT, thread), now=NOON)
    assert len(space.thread(ts(thread))) == 1
    assert "missing_scope" in caplog.text


def test_a_message_that_stands_where_the_first_one_stood_is_not_edited(space: Workspace) -> None:
    """Somebody has deleted it; the list then begins with another one."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    other = slack.first(5)
    space.rooms[CHANNEL].messages.clear()
    channel.send(other, now=NOON)
    before = json.dumps(space.parents())
    remote_id = channel.send(slack.told_as(Role.DEVELOPMENT, thread), now=NOON)
    assert EDIT not in methods(space)
    assert json.dumps(space.parents()[:1]) == before
    # There is no thread any more, so it is told in the channel, in full.
    assert [f"{CHANNEL}:{m['ts']}" for m in space.parents()][1] == remote_id
    assert "Topic:" in seen(space.parents()[1]).text


def test_only_the_first_message_itself_is_edited(space: Workspace) -> None:
    """Whatever else a list may hold."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    other = {**space.parents()[0], "ts": "1.000001"}
    space.faults = [Fault(method=READ, status=200, body=json.dumps({"ok": True, "messages": [other, "nothing"]}))]
    channel.send(slack.told_as(Role.REPORT, thread), now=NOON)
    assert EDIT not in methods(space)


@pytest.mark.parametrize(
    ("word", "error"), [("service_unavailable", Retryable), ("internal_error", Retryable), ("ratelimited", Busy)]
)
@pytest.mark.parametrize("method", [READ, EDIT])
def test_an_edit_that_may_come_through_a_little_later_is_waited_for(
    space: Workspace, method: str, word: str, error: type[Retryable]
) -> None:
    """The reply has surely not been sent, so both are tried again; but the edit cannot hold up the reply for long."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    follow_up = slack.told_as(Role.REPORT, thread)
    space.faults = [refused(word, method)]
    with pytest.raises(error):
        channel.send(follow_up, now=NOON)
    assert not space.thread(ts(thread))
    if error is Retryable:
        # The second attempt asks first whether it has arrived, in the thread and in the channel, and then reads.
        listed = {"conversations.history": 2, EDIT: 1}[method]
        space.faults = [Fault(method=READ, taken=True, late=0.01)] * (listed - 1) + [refused(word, method)]
        channel.send(slack.again(follow_up), now=NOON)
        assert len(space.thread(ts(thread))) == 1
        assert "2 articles" in seen(space.parents()[0]).text


def test_an_edit_without_an_answer_is_made_again_before_the_reply(space: Workspace) -> None:
    """It can be made twice, so there is no doubt to be settled."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    space.faults = [Fault(method=EDIT, taken=True)]
    follow_up = slack.told_as(Role.REPORT, thread)
    with pytest.raises(Retryable, match="while its first message was being edited"):
        channel.send(follow_up, now=NOON)
    channel.send(slack.again(follow_up), now=NOON)
    assert len(space.thread(ts(thread))) == 1
    assert "5 articles" in seen(space.parents()[0]).text


@pytest.mark.parametrize(
    "word", ["thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked", "message_not_found"]
)
def test_what_cannot_be_said_in_its_thread_is_said_in_the_channel(space: Workspace, word: str) -> None:
    """A thread can be locked, or lost with its first message."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    space.faults = [refused(word)]
    follow_up = slack.told_as(Role.REPORT, thread)
    remote_id = channel.send(follow_up, now=NOON)
    first, second = space.parents()
    assert remote_id == f"{CHANNEL}:{second['ts']}"
    assert "Topic:" in seen(second).text
    assert channel.find(follow_up, since=NOON) == Found(arrived=True, remote_id=remote_id)
    assert first["ts"] == ts(thread)


def test_a_story_that_was_begun_in_another_channel_goes_on_in_this_one(space: Workspace) -> None:
    """Whoever changes the channel of a configuration wants to hear nothing in the old one."""
    with slack.working(channels=("C0OLD", "C0NEW")) as moved:
        thread = slack.bot(moved, to="C0OLD").send(slack.first(), now=NOON)
        slack.bot(moved, to="C0NEW").send(slack.told_as(Role.DEVELOPMENT, thread), now=NOON)
        assert len(moved.parents("C0OLD")) == len(moved.parents("C0NEW")) == 1
        assert not moved.thread(ts(thread), "C0OLD")
    channel = slack.bot(space)
    for nonsense in ("", "17", "https://siem.example/17", "C1:", "c1:1.2"):
        channel.send(slack.told_as(Role.REPORT, nonsense), now=NOON)
    assert len(space.parents()) == 5


def test_in_a_conversation_with_a_person_threads_work_as_well() -> None:
    """There the channel that Slack names is another than the one that was configured."""
    with slack.working(channels=("U0PERSON",)) as direct:
        channel = slack.bot(direct, to="U0PERSON")
        thread = channel.send(slack.first(), now=NOON)
        channel.send(slack.told_as(Role.REPORT, thread), now=NOON)
        assert len(direct.thread(ts(thread))) == 1


# What Slack answers.


@pytest.mark.parametrize(
    ("word", "error", "said"),
    [
        ("channel_not_found", Disabled, "set the id of a channel"),
        ("not_in_channel", Disabled, "/invite"),
        ("is_archived", Disabled, "unarchive"),
        ("invalid_auth", Disabled, "set a token that is in force"),
        ("token_revoked", Disabled, "set a token that is in force"),
        ("token_expired", Disabled, ""),
        ("account_inactive", Disabled, "install it"),
        ("missing_scope", Disabled, "add the scope"),
        ("not_allowed_token_type", Disabled, "xoxb-"),
        ("restricted_action", Disabled, ""),
        ("restricted_action_read_only_channel", Disabled, ""),
        ("ekm_access_denied", Disabled, ""),
        ("accesslimited", Disabled, ""),
        ("ratelimited", Busy, ""),
        ("rate_limited", Busy, ""),
        ("message_limit_exceeded", Busy, ""),
        ("service_unavailable", Retryable, ""),
        ("request_timeout", Retryable, ""),
        ("team_added_to_org", Retryable, ""),
        ("a_word_of_next_year", Retryable, ""),
        ("metadata_too_large", Unusable, ""),
        ("invalid_arg_name", Unusable, ""),
    ],
)
def test_a_no_of_slack_has_its_meaning(space: Workspace, word: str, error: type[WirewatchError], said: str) -> None:
    """The error says Slack's own word, and what can be done where the word does not."""
    space.faults = [refused(word)]
    with pytest.raises(error) as caught:
        slack.bot(space).send(slack.first(), now=NOON)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"channel ops: Slack answered {word}")
    assert said in str(caught.value)
    assert methods(space) == []


def test_a_missing_scope_is_named(space: Workspace) -> None:
    """As Slack names it."""
    space.scopes = set()
    with pytest.raises(Disabled, match=r"missing_scope; add the scope chat:write to the app and install it again$"):
        slack.bot(space).send(slack.first(), now=NOON)


@pytest.mark.parametrize(
    ("channel", "word"), [("C0NONE", "channel_not_found"), ("C0SHUT", "not_in_channel"), ("C0OLD", "is_archived")]
)
def test_a_channel_that_takes_nothing_disables_ours(channel: str, word: str) -> None:
    """Somebody must mend it; no alert is dropped meanwhile."""
    with slack.working(channels=(CHANNEL, "C0SHUT", "C0OLD")) as space:
        space.rooms["C0SHUT"].closed = space.rooms["C0OLD"].archived = True
        with pytest.raises(Disabled, match=word):
            slack.bot(space, to=channel).send(slack.first(), now=NOON)


def test_a_wrong_token_disables_the_channel(space: Workspace) -> None:
    """Also one that no header can hold."""
    for token in ("xoxb-2-other", "xoxb-\u00fc", "xoxb-1\r\nhost: x", ""):
        with pytest.raises(Disabled, match=r"invalid_auth|not_authed"):
            slack.bot(space, token=token).send(slack.first(), now=NOON)
    assert not space.parents()


def test_a_message_a_second_and_channel() -> None:
    """More is refused by Slack with 429 and a time to wait, and then the whole channel waits."""
    with slack.working(limited=True) as space:
        channel = slack.bot(space)
        assert channel.gap == timedelta(seconds=1)
        channel.send(slack.first(1), now=NOON)
        with pytest.raises(Busy, match=r"429 \(Too Many Requests\)") as caught:
            channel.send(slack.first(2), now=NOON)
        assert caught.value.after == timedelta(seconds=1)
        slack.turn(space, NOON + channel.gap)
        channel.send(slack.first(2), now=NOON)
        assert len(space.parents()) == 2


@pytest.mark.parametrize(
    ("given", "after"), [("30", 30), ("", 60), ("soon", 60), ("Wed, 11 Feb 2026 12:05:00 GMT", 300)]
)
def test_busy_says_for_how_long(space: Workspace, given: str, after: int) -> None:
    """As Retry-After says, else a minute."""
    headers = {"Retry-After": given} if given else {}
    space.faults = [Fault(method=POST, status=429, headers=headers)]
    with pytest.raises(Busy) as caught:
        slack.bot(space).send(slack.first(), now=NOON)
    assert caught.value.after == timedelta(seconds=after)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410])
def test_what_does_not_answer_like_slack_disables_the_channel(space: Workspace, status: int) -> None:
    """Slack says no with 200: whatever says these things is not its Web API. No redirect is followed."""
    space.faults = [Fault(method=POST, status=status, body="<html>", headers={"Location": f"{space.api}/{POST}"})]
    with pytest.raises(Disabled, match=f"Slack answered {status}"):
        slack.bot(space).send(slack.first(), now=NOON)
    assert methods(space) == []


@pytest.mark.parametrize("word", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"])
def test_no_alert_is_lost_over_its_markup(space: Workspace, caplog: pytest.LogCaptureFixture, word: str) -> None:
    """What Slack refuses as blocks it gets as text, and can be asked for by the metadata."""
    channel = slack.bot(space)
    space.faults = [refused(word)]
    remote_id = channel.send(slack.first(), now=NOON)
    (parent,) = space.parents()
    assert "blocks" not in parent
    assert "not open to negotiation" in seen(parent).text
    assert "sent-plainer" in caplog.text
    assert channel.find(slack.first(), since=NOON) == Found(arrived=True, remote_id=remote_id)
    # And it has no place for a standing, so it is left as it is.
    channel.send(slack.told_as(Role.REPORT, remote_id), now=NOON)
    assert EDIT not in methods(space)
    space.faults = [refused(word), refused(word)]
    with pytest.raises(Unusable, match=word):
        channel.send(slack.first(3), now=NOON)


def test_what_our_own_check_refuses_is_sent_as_text(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have been refused by Slack."""
    monkeypatch.setattr("worker.channels.slack_limits.HEADER", 10)
    monkeypatch.setattr("worker.channels.slack_blocks.title", lambda _: "x" * 20)
    monkeypatch.setattr("worker.channels.slack_blocks.cut", lambda text, _: text)
    slack.bot(space).send(slack.first(), now=NOON)
    assert "blocks" not in space.parents()[0]


# In doubt.

_LOST = {
    "dropped": Fault(method=POST, taken=True),
    "500": Fault(method=POST, taken=True, status=500),
    "502": Fault(method=POST, taken=True, status=502, body="<html>bad gateway"),
    "internal-error": Fault(method=POST, taken=True, status=200, body='{"ok": false, "error": "internal_error"}'),
    "fatal-error": Fault(method=POST, taken=True, status=200, body='{"ok": false, "error": "fatal_error"}'),
    "not-json": Fault(method=POST, taken=True, status=200, body="<html>sign in to this network"),
    "cut-off": Fault(method=POST, taken=True, status=200, body='{"ok": true, "chan'),
    "deep": Fault(method=POST, taken=True, status=200, body="[" * 100_000),
    "no-object": Fault(method=POST, taken=True, status=200, body="[]"),
}


def _outgoing() -> dict[str, Callable[[str | None], Outgoing]]:
    return {
        "first": lambda _: slack.first(3),
        "reply": lambda thread: slack.told_as(Role.DEVELOPMENT, thread, number=3),
        "digest": lambda _: slack.digest(),
    }


@pytest.mark.parametrize("kind", _outgoing())
@pytest.mark.parametrize("lost", _LOST)
def test_what_was_taken_is_found_and_not_told_again(space: Workspace, lost: str, kind: str) -> None:
    """Slack is asked, and says its id."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    outgoing = _outgoing()[kind](thread)
    slack.turn(space, outgoing.at)
    space.faults = [_LOST[lost]]
    remote_id = channel.send(outgoing, now=NOON)
    posted = [
        m for m in space.rooms[CHANNEL].messages if m["metadata"]["event_payload"]["alert_key"] == outgoing.alert.key
    ]
    assert [f"{CHANNEL}:{m['ts']}" for m in posted] == [remote_id]


@pytest.mark.parametrize("kind", _outgoing())
@pytest.mark.parametrize("lost", _LOST)
def test_what_was_not_taken_is_sent_again_later(space: Workspace, lost: str, kind: str) -> None:
    """Slack says that it has not; before it is sent again, Slack is asked once more."""
    channel = slack.bot(space)
    thread = channel.send(slack.first(), now=NOON)
    outgoing = _outgoing()[kind](thread)
    slack.turn(space, outgoing.at)
    space.faults = [replace(_LOST[lost], taken=False)]
    with pytest.raises(Retryable, match=r"^channel ops: .*, but Slack says that it has not$"):
        channel.send(outgoing, now=NOON)
    assert channel.find(outgoing, since=NOON) == Found(arrived=False)
    remote_id = channel.send(slack.again(outgoing), now=NOON)
    assert channel.find(outgoing, since=NOON) == Found(arrived=True, remote_id=remote_id)
    assert channel.send(slack.again(outgoing, attempt=3), now=NOON) == remote_id
    keys = [m["metadata"]["event_payload"]["alert_key"] for m in space.rooms[CHANNEL].messages]
    assert keys.count(outgoing.alert.key) == 1


def test_an_answer_that_comes_too_late_is_no_answer(space: Workspace) -> None:
    """The message is there, and is found."""
    space.faults = [Fault(method=POST, taken=True, late=2.0)]
    remote_id = slack.bot(space, deadline=SOON).send(slack.first(), now=NOON)
    assert [f"{CHANNEL}:{m['ts']}" for m in space.parents()] == [remote_id]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (refused("missing_scope", READ), "missing_scope"),
        (refused("ratelimited", READ), "ratelimited"),
        (Fault(method=READ, status=429), "429"),
        (Fault(method=READ, status=500), "500"),
        (Fault(method=READ), "the connection was lost"),
        (Fault(method=READ, status=200, body='{"ok": true}'), "ok"),
    ],
)
def test_a_doubt_that_slack_does_not_settle_stays_one(space: Workspace, trouble: Fault, said: str) -> None:
    """Sent again, the alert might be told twice; so it is said why nobody knows."""
    channel = slack.bot(space)
    space.faults = [Fault(method=POST, taken=True), trouble]
    with pytest.raises(Doubtful) as caught:
        channel.send(slack.first(), now=NOON)
    assert said in str(caught.value).partition(";")[2]
    assert str(caught.value).count("channel ops") == 1
    space.faults = [trouble]
    assert channel.find(slack.first(), since=NOON) == Found(arrived=None)


def test_nothing_is_concluded_from_a_list_without_an_end(space: Workspace) -> None:
    """A thousand messages are read, and not more."""
    channel = slack.bot(space)
    with slack.working() as crowded:
        channel = slack.bot(crowded)
        channel.send(slack.first(), now=NOON)
        crowded.rooms[CHANNEL].messages += [{"ts": f"{int(NOON.timestamp()) + n}.000001"} for n in range(1, 1001)]
        assert channel.find(slack.first(), since=NOON) == Found(arrived=None)
        del crowded.rooms[CHANNEL].messages[-1]
        assert channel.find(slack.first(), since=NOON).arrived
        assert [call.arguments.get("cursor") for call in crowded.calls[-5:]] == [None, "200", "400", "600", "800"]
        # What is older than it can be is not even listed.
        assert channel.find(slack.first(), since=NOON + timedelta(seconds=61)) == Found(arrived=False)
        assert channel.find(slack.first(), since=LATER) == Found(arrived=False)


def test_a_clock_that_is_a_minute_behind_hides_nothing(space: Workspace) -> None:
    """Slack dates messages by its own clock."""
    channel = slack.bot(space)
    slack.turn(space, NOON - timedelta(seconds=59))
    channel.send(slack.first(), now=NOON)
    assert channel.find(slack.first(), since=NOON).arrived


def test_an_alert_is_known_by_its_first_block_where_the_metadata_is_gone(space: Workspace) -> None:
    """Two marks are better than one: by a wrong no, an alert would be told twice."""
    channel = slack.bot(space)
    remote_id = channel.send(slack.first(), now=NOON)
    del space.parents()[0]["metadata"]
    assert channel.find(slack.first(), since=NOON) == Found(arrived=True, remote_id=remote_id)


def test_messages_of_others_are_no_alerts(space: Workspace) -> None:
    """Whatever they are made of."""
    key = slack.first().alert.key
    at = f"{int(NOON.timestamp())}.000001"
    space.rooms[CHANNEL].messages += [
        {"ts": at, "text": key},
        {"ts": at, "metadata": None, "blocks": None},
        {"ts": at, "metadata": {"event_type": "other", "event_payload": {"alert_key": key}}},
        {"ts": at, "metadata": {"event_type": EVENT, "event_payload": {"alert_key": f"{key}x"}}},
        {"ts": at, "blocks": [{"type": "divider"}, {"type": "divider", "block_id": f"wirewatch-{key}"}]},
        {"ts": at, "blocks": ["nothing"]},
    ]
    assert slack.bot(space).find(slack.first(), since=NOON) == Found(arrived=False)


def test_a_receiver_that_misbehaves_in_every_way_gets_each_alert_once(space: Workspace) -> None:
    """Refused, dropped before or after, late, busy: tried again as by the deliver stage, none is lost or told twice."""
    ways = [
        Fault(method=POST, status=500),
        Fault(method=POST, taken=True, status=500),
        Fault(method=POST, taken=True),
        Fault(method=POST),
        Fault(method=POST, status=429, headers={"Retry-After": "1"}),
        Fault(method=POST, taken=True, late=SOON + 1),
        refused("service_unavailable"),
        refused("invalid_blocks"),
    ]
    space.faults = ways * 3
    channel = slack.bot(space, deadline=SOON)
    for number in range(40):
        attempt = 1
        while True:
            try:
                assert channel.send(slack.first(number, attempt=attempt), now=NOON)
            except Retryable:
                attempt += 1
            else:
                break
    keys = [m["metadata"]["event_payload"]["alert_key"] for m in space.parents()]
    assert sorted(keys) == [slack.first(number).alert.key for number in range(40)]
    assert not space.faults


def test_no_answer_to_a_reader_of_raw_bytes() -> None:
    """Whatever is written before the connection ends: no answer is a doubt, and an answer without a body as well."""
    ends = [
        lambda _: None,
        resets(),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b'{"ok": true'),
        resets(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x", pause=0.05, repeat=100),
    ]
    for end in ends:
        with listen(end) as listener:
            transport = CheckedTransport(Network(allow_private=True, allow_ports=(listener.port,)), total=SOON)
            api = f"http://127.0.0.1:{listener.port}/api"
            channel = SlackChannel("ops", TOKEN, CHANNEL, transport=transport, api=api, deadline=SOON)
            with pytest.raises(Doubtful):
                channel.send(slack.first(), now=NOON)


def test_a_server_that_nobody_reaches_is_tried_again() -> None:
    """Nothing was written, for a follow-up as for a first alert."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transport = CheckedTransport(Network(allow_private=True, allow_ports=(port,)), total=5)
    channel = SlackChannel("ops", TOKEN, CHANNEL, transport=transport, api=f"http://127.0.0.1:{port}/api")
    for outgoing in (slack.first(), slack.told_as(Role.REPORT, f"{CHANNEL}:1.2"), slack.again(slack.first())):
        with pytest.raises(Retryable, match=r"^channel ops: no connection") as caught:
            channel.send(outgoing, now=NOON)
        assert type(caught.value) is Retryable


def test_an_address_that_is_not_allowed_disables_the_channel(space: Workspace) -> None:
    """The message names the key that could allow it; nothing is connected to."""
    transport = CheckedTransport(Network(allow_ports=(space.port,)), total=5)
    channel = SlackChannel("ops", TOKEN, CHANNEL, transport=transport, api=space.api)
    with pytest.raises(Disabled, match="allow_private of this channel"):
        channel.send(slack.first(), now=NOON)
    assert channel.find(slack.first(), since=NOON) == Found(arrived=None)
    assert not space.calls


# How it is held.


def test_threads_share_a_channel(space: Workspace) -> None:
    """Every alert is posted once, with its own text."""
    channel = slack.bot(space)
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: channel.send(slack.first(n), now=NOON), range(40)))
    assert len(set(sent)) == 40
    for message in space.parents():
        key = message["metadata"]["event_payload"]["alert_key"]
        assert f"({int(key.removeprefix('key-'))})" in seen(message).text


def test_every_request_has_a_connection_of_its_own_and_no_cookies(space: Workspace) -> None:
    """A kept connection could be closed by Slack just when we write."""
    channel = slack.bot(space)
    space.faults = [Fault(method=POST, status=503, headers={"Set-Cookie": "d=track"})]
    with pytest.raises(Retryable):
        channel.send(slack.first(), now=NOON)
    channel.send(slack.first(), now=NOON)
    (call,) = space.calls
    assert call.headers["connection"] == "close"
    assert "cookie" not in call.headers


def _everything_said(channel: Any, outgoing: Message, space: Workspace, faults: list[Fault]) -> str:
    said = [repr(channel), str(channel)]
    for fault in faults:
        space.faults = [fault, fault]
        try:
            channel.send(outgoing, now=NOON)
        except WirewatchError as error:
            said += ["".join(traceback.format_exception(error)), repr(error)]
    return "\n".join(said)


def test_the_token_is_in_no_log_no_error_and_no_repr(space: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when Slack, or what stands in its place, gives it back."""
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"ok": False, "error": TOKEN, "needed": TOKEN})
    faults = [
        Fault(method=POST, status=200, body=echo),
        Fault(method=POST, status=200, body=json.dumps({"ok": False, "error": "missing_scope", "needed": TOKEN})),
        Fault(method=POST, status=500, body=TOKEN),
        Fault(method=POST, status=302, body=TOKEN),
        Fault(method=POST, taken=True),
        refused("invalid_auth"),
        refused("invalid_blocks"),
    ]
    channel = slack.bot(space)
    said = _everything_said(channel, slack.first(), space, faults) + caplog.text
    assert "Slack answered" in said
    assert TOKEN not in said


def test_the_address_must_be_one() -> None:
    """It is said which key is wrong, and never what it holds."""
    transport = CheckedTransport(Network(), total=5)
    with pytest.raises(ConfigError, match=r"channel ops: api_url is an address that cannot be asked") as caught:
        SlackChannel("ops", TOKEN, CHANNEL, transport=transport, api="https://secret:secret/x")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="webhook_url is an address that cannot be asked") as caught:
        SlackHookChannel("ops", "https://secret:secret/x", transport=transport)
    assert "secret" not in str(caught.value)


def _built(tmp_path: Path, options: str) -> Any:
    (tmp_path / "alerts.yaml").write_text(f"channels:\n  ops: {{type: slack, {options}}}\n", encoding="utf-8")
    return build.live_channels(load(tmp_path, {"SLACK_BOT_TOKEN": TOKEN}), screen=StringIO())["ops"]


def test_channels_are_made_of_what_alerts_yaml_says(space: Workspace, tmp_path: Path) -> None:
    """Token and channel make an app, a webhook_url a webhook; both reach a workspace of this machine if allowed to."""
    told = f"token: '${{SLACK_BOT_TOKEN}}', channel: {CHANNEL}, api_url: '{space.api}', allow_private: true"
    app = _built(tmp_path, told)
    assert isinstance(app, SlackChannel)
    assert app.send(slack.first(), now=NOON)
    webhook = _built(tmp_path, f"webhook_url: '{space.hook}', allow_private: true")
    assert isinstance(webhook, SlackHookChannel)
    webhook.send(slack.first(2), now=NOON)
    assert len(space.parents()) == 2
    with pytest.raises(Disabled, match="allow_private"):
        _built(tmp_path, f"webhook_url: '{space.hook}'").send(slack.first(2), now=NOON)
    assert {call.headers["user-agent"] for call in space.calls} != {"wirewatch"}


def test_making_a_channel_does_not_load_slacks_library() -> None:
    """Most processes of the service send nothing to Slack."""
    code = (
        "import sys, worker.channels.slack, worker.channels.slack_hook as h\n"
        "assert not [m for m in sys.modules if m.startswith('slack_sdk')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""A Slack incoming webhook as a channel, against a workspace on loopback: what each of its answers means."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.edges import slack
from tests.edges.servers import listen, resets, says
from worker.channels.base import NOBODY_KNOWS, Busy, Disabled, Doubtful
from worker.channels.slack_hook import SlackHookChannel
from worker.errors import Retryable, Unusable, WirewatchError
from worker.model import Role
from worker.replay.slack import SECRET, Fault, Workspace
from worker.replay.slack_seen import seen
from worker.web.connections import CheckedTransport
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

#: Seconds; what a test waits for an answer that does not come.
SOON = 0.5


@pytest.fixture
def space() -> Iterator[Workspace]:
    """Give a workspace whose clock stands at noon."""
    with slack.working() as served:
        yield served


def test_alerts_digests_and_notices_are_messages_without_an_id(space: Workspace) -> None:
    """They say the same as those of an app, and nobody can ask for them."""
    channel = slack.hook(space)
    assert channel.gap == timedelta(seconds=1)
    for outgoing in (slack.first(), slack.digest(), slack.notice()):
        assert channel.send(outgoing, now=NOON) is None
        assert channel.find(outgoing, since=NOON) is NOBODY_KNOWS
    first, digest, notice = (seen(message).text for message in space.parents())
    assert "not open to negotiation" in first
    assert "Digest: 3 alerts" in digest
    assert "410 (Gone)" in notice


def test_nothing_is_threaded(space: Workspace) -> None:
    """Whatever a message says of its thread."""
    channel = slack.hook(space)
    channel.send(slack.told_as(Role.DEVELOPMENT, "C0123ABCD:1.2"), now=NOON)
    (parent,) = space.parents()
    assert seen(parent).text.startswith("Development:")
    assert "thread_ts" not in space.calls[0].arguments


def test_only_ok_is_a_delivery(space: Workspace) -> None:
    """The body is part of the answer: a page of somebody in between is none."""
    channel = slack.hook(space)
    for body in ("", "<html>sign in", "OK", "ok ok", '{"ok": true}', "no_service"):
        space.faults = [Fault(status=200, body=body)]
        with pytest.raises(Doubtful, match=r"^channel ops: Slack answered 200 \(OK\); the alert may have arrived$"):
            channel.send(slack.first(), now=NOON)
    space.faults = [Fault(status=200, body="ok\n")]
    channel.send(slack.first(), now=NOON)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, "action_prohibited", Disabled),
        (403, "invalid_token", Disabled),
        (403, "", Disabled),
        (404, "channel_not_found", Disabled),
        (404, "no_service", Disabled),
        (404, "no_active_hooks", Disabled),
        (404, "no_team", Disabled),
        (404, "<html>", Disabled),
        (410, "channel_is_archived", Disabled),
        (410, "", Disabled),
        (400, "user_not_found", Disabled),
        (400, "posting_to_general_channel_denied", Disabled),
        (401, "", Disabled),
        (302, "", Disabled),
        (429, "", Busy),
        (429, "rate_limited", Busy),
        (408, "", Retryable),
        (503, "", Retryable),
        (503, "service_unavailable", Retryable),
        (500, "rollup_error", Doubtful),
        (500, "", Doubtful),
        (502, "<html>", Doubtful),
        (504, "", Doubtful),
    ],
)
def test_a_status_and_a_word_have_their_meaning(
    space: Workspace, status: int, body: str, error: type[WirewatchError]
) -> None:
    """A server error leaves a doubt, for nobody can be asked; 503 does not, for nothing was begun."""
    space.faults = [Fault(status=status, body=body, headers={"Location": space.hook})]
    with pytest.raises(error) as caught:
        slack.hook(space).send(slack.first(), now=NOON)
    assert type(caught.value) is error
    assert not space.calls


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, "invalid_blocks"), (400, "invalid_payload"), (400, ""), (400, "invalid_blocks_format"), (413, "")],
)
def test_no_alert_is_lost_over_its_markup(space: Workspace, status: int, body: str) -> None:
    """Once more as text, and after that it can never be delivered."""
    channel = slack.hook(space)
    space.faults = [Fault(status=status, body=body)]
    channel.send(slack.first(), now=NOON)
    (parent,) = space.parents()
    assert "blocks" not in parent
    assert "not open to negotiation" in seen(parent).text
    space.faults = [Fault(status=status, body=body)] * 2
    with pytest.raises(Unusable):
        channel.send(slack.first(), now=NOON)


def test_a_message_a_second(space: Workspace) -> None:
    """Retry-After is for the whole channel."""
    space.limited = True
    channel = slack.hook(space)
    channel.send(slack.first(), now=NOON)
    with pytest.raises(Busy) as caught:
        channel.send(slack.first(2), now=NOON)
    assert caught.value.after == timedelta(seconds=1)


def test_an_archived_channel_and_a_deleted_webhook_disable_the_channel(space: Workspace) -> None:
    """As the workspace says it."""
    space.rooms[space.hook_channel].archived = True
    with pytest.raises(Disabled, match="channel_is_archived; unarchive the channel or set another one"):
        slack.hook(space).send(slack.first(), now=NOON)
    with pytest.raises(Disabled, match="no_service; make a new webhook and set its address"):
        slack.hook(space, url=f"{space.hook}x").send(slack.first(), now=NOON)


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("late", [0.0, 2.0])
def test_without_an_answer_nobody_knows(space: Workspace, taken: bool, late: float) -> None:
    """Each accepted request is a message, so it is not sent again by itself."""
    space.faults = [Fault(taken=taken, late=late)]
    with pytest.raises(Doubtful, match="the alert may have arrived"):
        slack.hook(space, deadline=SOON).send(slack.first(), now=NOON)
    assert len(space.parents()) == int(taken)


def test_an_answer_that_ends_before_its_body_is_none() -> None:
    """A status of 200 alone is no ``ok``."""
    for end in (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"o"),
        resets(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\n\r\n", b"ok" * 40_000),
    ):
        with listen(end) as listener:
            transport = CheckedTransport(Network(allow_private=True, allow_ports=(listener.port,)), total=5)
            channel = SlackHookChannel("ops", f"http://127.0.0.1:{listener.port}/services/x", transport=transport)
            with pytest.raises(Doubtful):
                channel.send(slack.first(), now=NOON)


def test_the_address_is_in_no_log_no_error_and_no_repr(space: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has it can post to the channel."""
    caplog.set_level(logging.DEBUG)
    channel = slack.hook(space, deadline=SOON)
    said = [repr(channel), str(channel)]
    for fault in (
        Fault(status=404, body=SECRET),
        Fault(status=500, body=space.hook),
        Fault(status=400, body=SECRET),
        Fault(taken=True),
        Fault(late=1.0),
    ):
        space.faults = [fault, fault]
        with pytest.raises(WirewatchError) as caught:
            channel.send(slack.first(), now=NOON)
        said += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
    everything = "\n".join(said) + caplog.text
    assert "Slack answered 404" in everything
    assert not [part for part in (SECRET, *SECRET.split("/")) if part in everything]


def test_what_a_webhook_does_not_take_is_not_sent_to_it(space: Workspace) -> None:
    """Channel, thread and metadata are an app's."""
    slack.hook(space).send(slack.first(), now=NOON)
    (call,) = space.calls
    names = {"text", "blocks", "unfurl_links", "unfurl_media", "parse", "link_names", "mrkdwn"}
    assert set(call.arguments) == names
    assert "authorization" not in call.headers
    assert json.dumps(call.arguments["blocks"])

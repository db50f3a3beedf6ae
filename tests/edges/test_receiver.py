"""The receiver that ships: what a sender may rely on, tried with our own channel and with requests of any kind."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook

from tests import builders
from tests.builders import NOON, alert
from tests.processes import begin, ended, finish, wirewatch
from worker.channels.base import Busy, Disabled, Doubtful
from worker.channels.signing import signature, signing_key
from worker.channels.webhook import WebhookChannel
from worker.errors import ConfigError, Retryable, Unusable
from worker.model import Message
from worker.replay.inbox import Received
from worker.replay.receiver import Receiver, expect_plan
from worker.web.connections import CheckedTransport
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1", "::1"])]

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLDER = "whsec_" + base64.b64encode(b"o" * 24).decode()
EVENT = {"type": "alert.created", "timestamp": "2026-02-11T12:00:00Z", "data": {"alert": "key-0001"}}


@dataclass
class Clock:
    """A clock that a test turns."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def message(key: str = "key-0001", *, attempt: int = 1) -> Message:
    """Return a message with a key."""
    return builders.message(alert=alert(key=key, channel_id="siem", attempt=attempt))


def channel(receiver: Receiver, *, secret: str | list[str] = SECRET, read_back: bool = True) -> WebhookChannel:
    """Return our own channel to a receiver."""
    network = Network(allow_private=True, allow_ports=(urlsplit(receiver.url).port or 0,))
    back = receiver.read_back if read_back else ""
    transport = CheckedTransport(network, total=20)
    return WebhookChannel("siem", receiver.url, transport=transport, secret=secret, read_back=back)


@contextmanager
def running(**options: Any) -> Iterator[Receiver]:
    """Run a receiver at noon that knows the secret."""
    base: dict[str, Any] = {"clock": Clock(), "secrets": [SECRET]}
    with Receiver(**base | options) as receiver:
        yield receiver


def ask(receiver: Receiver, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of the answer to a request; underscores in headers stand for hyphens."""
    connection = HTTPConnection("127.0.0.1", urlsplit(receiver.url).port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body if method == "POST" else None, named)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def signed(body: bytes, *, key: str = "key-0001", at: datetime = NOON, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a genuine request."""
    seconds = int(at.timestamp())
    made = signature(signing_key(secret), webhook_id=key, at=seconds, content=body)
    return {"webhook_id": key, "webhook_timestamp": str(seconds), "webhook_signature": made}


BODY = json.dumps(EVENT).encode()


# What a sender may rely on.


def test_an_alert_is_taken_once_however_often_it_comes() -> None:
    """The repeat is answered as well as the first, counted, and told to nobody."""
    told: list[Received] = []
    with running(told=told.append) as receiver:
        hook = channel(receiver)
        for attempt in (1, 1, 1):
            assert hook.send(message(attempt=attempt), now=NOON) is None
        hook.send(message("key-0002"), now=NOON)
        assert [each.key for each in receiver.received] == ["key-0001", "key-0002"]
        assert (receiver.repeats, receiver.changed) == (2, 0)
    assert [each.key for each in told] == ["key-0001", "key-0002"]
    assert told[0].event["data"]["title"] == "Headline 1"


def test_it_can_be_asked_for_what_it_has() -> None:
    """200 and 404, and nothing else under that address."""
    with running() as receiver:
        hook = channel(receiver)
        assert hook.find(message("a/b?c#d é"), since=NOON).arrived is False
        hook.send(message("a/b?c#d"), now=NOON)
        assert hook.find(message("a/b?c#d"), since=NOON).arrived is True
        assert ask(receiver, "GET", "/alerts")[0] == 404
        assert ask(receiver, "GET", "/other/alerts/key-0001")[0] == 404
        assert ask(receiver, "PUT", "/alerts/key-0001")[0] == 501


def test_what_it_hung_up_on_is_found_by_asking() -> None:
    """An alert that was kept and not answered for is neither lost nor repeated."""
    with running(plan=["drop"]) as receiver:
        assert channel(receiver).send(message(), now=NOON) is None
        assert (len(receiver.received), receiver.repeats) == (1, 0)


def test_without_asking_a_sender_is_left_in_doubt_and_may_repeat() -> None:
    """The key says that it is the same."""
    with running(plan=["drop"]) as receiver:
        hook = channel(receiver, read_back=False)
        with pytest.raises(Doubtful):
            hook.send(message(), now=NOON)
        hook.send(message(attempt=2), now=NOON)
        assert (len(receiver.received), receiver.repeats, receiver.changed) == (1, 1, 0)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [("503", Busy), ("429", Busy), ("500", Retryable), ("409", Retryable), ("400", Unusable), ("410", Disabled)],
)
def test_a_plan_shows_what_a_sender_does(answer: str, ends: type[Exception]) -> None:
    """What is refused is not kept; after the plan all is well."""
    with running(plan=[answer, "ok"]) as receiver:
        hook = channel(receiver)
        with pytest.raises(ends):
            hook.send(message(), now=NOON)
        assert hook.find(message(), since=NOON).arrived is False
        assert hook.send(message(), now=NOON) is None
        assert len(receiver.received) == 1


def test_a_plan_may_answer_well_in_another_way() -> None:
    """With a status that has no body, too."""
    with running(plan=["204", "202"]) as receiver:
        for key in ("key-0001", "key-0002"):
            assert channel(receiver).send(message(key), now=NOON) is None
        assert len(receiver.received) == 2


def test_a_key_that_comes_with_another_body_is_seen() -> None:
    """It is the same alert all the same; the count tells that its sender breaks its word."""
    with running() as receiver:
        other = BODY.replace(b"12:00", b"12:01")
        assert ask(receiver, "POST", "/alerts", BODY, **signed(BODY))[0] == 200
        assert ask(receiver, "POST", "/alerts", other, **signed(other))[0] == 200
        assert (len(receiver.received), receiver.repeats, receiver.changed) == (1, 1, 1)


def test_many_at_once_are_taken_once_each(tmp_path: Path) -> None:
    """Every alert comes eight times at the same moment, while the others are being written."""
    together = threading.Barrier(8)
    with running(state=tmp_path / "alerts.jsonl", secrets=[]) as receiver:

        def post(_: int) -> None:
            for number in range(20):
                together.wait(20)
                assert ask(receiver, "POST", "/alerts", BODY, webhook_id=f"key-{number}")[0] == 200

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(post, range(8)))
        assert [each.key for each in receiver.received] == [f"key-{number}" for number in range(20)]
        assert (receiver.repeats, receiver.changed) == (140, 0)
    assert (tmp_path / "alerts.jsonl").read_bytes().count(b"\n") == 20


# What it takes for genuine.


def test_it_takes_what_the_library_of_the_standard_signs() -> None:
    """And not what is changed on the way."""
    with running() as receiver:
        headers = {
            "webhook_id": "key-0001",
            "webhook_timestamp": str(int(NOON.timestamp())),
            "webhook_signature": Webhook(SECRET).sign("key-0001", NOON.replace(tzinfo=None), BODY.decode()),
        }
        assert ask(receiver, "POST", "/alerts", BODY + b" ", **headers)[0] == 401
        assert ask(receiver, "POST", "/alerts", BODY, **headers | {"webhook_id": "key-0002"})[0] == 401
        assert ask(receiver, "POST", "/alerts", BODY, **headers)[0] == 200


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401)])
def test_the_time_of_an_attempt_is_five_minutes_off_at_most(seconds: int, status: int) -> None:
    """Older ones may be somebody's recording."""
    with running() as receiver:
        headers = signed(BODY, at=NOON + timedelta(seconds=seconds))
        assert ask(receiver, "POST", "/alerts", BODY, **headers)[0] == status


@pytest.mark.parametrize("known", [[SECRET], [OLDER], [OLDER, SECRET], ["x" * 24, SECRET]])
def test_while_a_secret_is_changed_either_will_do(known: list[str]) -> None:
    """The sender signs with both, and the receiver may know both."""
    with running(secrets=known) as receiver:
        assert channel(receiver, secret=[SECRET, OLDER]).send(message(), now=NOON) is None
    with running(secrets=known) as receiver, pytest.raises(Unusable, match="401"):
        channel(receiver, secret="y" * 24).send(message(), now=NOON)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"webhook_id": ""}, 400),
        ({"webhook_timestamp": ""}, 401),
        ({"webhook_timestamp": "soon"}, 401),
        ({"webhook_timestamp": "9" * 5000}, 401),
        ({"webhook_timestamp": "-5"}, 401),
        ({"webhook_signature": ""}, 401),
        ({"webhook_signature": "v1,"}, 401),
        ({"webhook_signature": "v1a,AAAA v2,BBBB ,,, v1"}, 401),
        ({"webhook_signature": "v1,\u00e9"}, 401),
    ],
)
def test_headers_of_any_kind_are_refused(changes: dict[str, str], status: int) -> None:
    """With a reason that repeats nothing of them."""
    refused: list[str] = []
    with running(refused=refused.append) as receiver:
        headers = signed(BODY) | changes
        answer, said = ask(receiver, "POST", "/alerts", BODY, **headers)
        assert (answer, len(receiver.received)) == (status, 0)
        assert said["said"].startswith("webhook-")
    assert refused == [f"{status}: {said['said']}"]


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"type": 1, "data": {}}', b"[" * 100_000, b"null"])
def test_bodies_of_any_kind_are_refused(body: bytes) -> None:
    """What is signed and no event is not kept either."""
    with running() as receiver:
        assert ask(receiver, "POST", "/alerts", body, **signed(body))[0] == 400
        assert not receiver.received


def test_requests_that_are_not_whole_or_too_large_are_refused() -> None:
    """Nothing is kept of them, and the receiver goes on."""
    with running() as receiver:
        place = urlsplit(receiver.url)
        with socket.create_connection(("127.0.0.1", place.port or 0)) as torn:
            torn.sendall(b"POST /alerts HTTP/1.1\r\nwebhook-id: a\r\ncontent-length: 50\r\n\r\nhalf")
            torn.shutdown(socket.SHUT_WR)
            assert torn.makefile("rb").readline() == b"HTTP/1.1 400 Bad Request\r\n"
        assert ask(receiver, "POST", "/alerts", BODY, content_length="99999999")[0] == 413
        assert ask(receiver, "POST", "/alerts", BODY, content_length="-1")[0] == 411
        assert ask(receiver, "POST", "/hook", BODY, **signed(BODY))[0] == 404
        assert channel(receiver).send(message(), now=NOON) is None
        assert len(receiver.received) == 1


# What it keeps.


def test_what_was_kept_is_known_after_a_restart(tmp_path: Path) -> None:
    """The file is the record: every body, as a line."""
    state, told = tmp_path / "kept" / "alerts.jsonl", list[Received]()
    with running(state=state) as receiver:
        channel(receiver).send(message(), now=NOON)
    with running(state=state, told=told.append) as receiver:
        assert receiver.kept == 1
        assert channel(receiver).find(message(), since=NOON).arrived is True
        channel(receiver).send(message(attempt=2), now=NOON)
        channel(receiver, read_back=False).send(message(attempt=3), now=NOON)
        channel(receiver).send(message("key-0002"), now=NOON)
        assert (receiver.repeats, receiver.changed, receiver.kept) == (1, 0, 2)
    assert [each.key for each in told] == ["key-0002"]
    lines = [json.loads(line) for line in state.read_text("ascii").splitlines()]
    assert [(line["id"], line["event"]["data"]["alert"]) for line in lines] == [("key-0001",) * 2, ("key-0002",) * 2]


def test_a_line_that_a_death_cut_off_was_not_kept(tmp_path: Path) -> None:
    """Nor does it spoil the line after it; lines of others are let be."""
    state = tmp_path / "alerts.jsonl"
    with running(state=state) as receiver:
        channel(receiver).send(message(), now=NOON)
    whole = state.read_bytes()
    state.write_bytes(b'{"of": "somebody"}\nnonsense\n' + whole + whole.replace(b"key-0001", b"key-0002")[:-9])
    with running(state=state) as receiver:
        assert receiver.kept == 1
        channel(receiver).send(message("key-0002"), now=NOON)
    with running(state=state) as receiver:
        assert receiver.kept == 2
    assert b"nonsense" in state.read_bytes()


def test_what_cannot_be_kept_is_not_taken(tmp_path: Path) -> None:
    """The disk is full: the sender is asked to come again, and the file is as it was."""
    state, limits = tmp_path / "alerts.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with running(state=state) as receiver:
        channel(receiver).send(message(), now=NOON)
        held = state.read_bytes()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(held) + 50, limits[1]))
            with pytest.raises(Busy, match="503"):
                channel(receiver).send(message("key-0002"), now=NOON)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert (state.read_bytes(), receiver.kept) == (held, 1)
        assert channel(receiver).find(message("key-0002"), since=NOON).arrived is False
        assert channel(receiver).send(message("key-0002"), now=NOON) is None


def test_two_receivers_do_not_share_a_file(tmp_path: Path) -> None:
    """Each would take what the other has."""
    with running(state=tmp_path / "alerts.jsonl"), pytest.raises(ConfigError, match="another receiver keeps"):
        Receiver(clock=Clock(), state=tmp_path / "alerts.jsonl")
    with pytest.raises(ConfigError, match="cannot be kept here"):
        Receiver(clock=Clock(), state=tmp_path)


# Where it listens.


def test_without_a_secret_it_is_for_this_machine_only() -> None:
    """Nobody else may tell it anything."""
    for host in ("0.0.0.0", "::", "10.1.2.3", "siem.example"):  # noqa: S104 - what is refused
        with pytest.raises(ConfigError, match=r"can be reached by others; name a secret"):
            Receiver(clock=Clock(), host=host)
    with running(secrets=[]) as receiver:
        assert channel(receiver, secret="").send(message(), now=NOON) is None


def test_an_address_that_is_taken_is_said() -> None:
    """Before anything else is done."""
    with running() as receiver, pytest.raises(ConfigError, match=r"^--listen: 127\.0\.0\.1:\d+ cannot be had"):
        Receiver(clock=Clock(), port=urlsplit(receiver.url).port or 0)


@pytest.mark.parametrize(("plan", "answers"), [("", ()), ("503, drop,ok", ("503", "drop", "ok")), ("204,", ("204",))])
def test_a_plan_is_a_list_of_answers(plan: str, answers: tuple[str, ...]) -> None:
    """Parted by commas."""
    assert expect_plan(plan) == answers


@pytest.mark.parametrize("plan", ["50", "100", "600", "no", "503;drop", "503 drop"])
def test_a_plan_of_anything_else_is_refused(plan: str) -> None:
    """The message says what can be written."""
    with pytest.raises(ValueError, match="is no answer; write ok, drop or a status"):
        expect_plan(plan)


# The command.


def lines_of(path: Path, count: int) -> list[str]:
    """Return the lines of a file once there are as many."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        threading.Event().wait(0.02)
    raise AssertionError(f"{path} has not got {count} lines")


def test_the_command_prints_each_new_alert_and_keeps_it(tmp_path: Path) -> None:
    """As the body that came, on stdout; killed at any moment it knows what it has said yes to."""
    arguments = (
        "receiver",
        "--listen",
        "127.0.0.1:0",
        "--state",
        "kept.jsonl",
        "--secret-env",
        "NEW",
        "--secret-env",
        "OLD",
    )
    env = {"NEW": SECRET, "OLD": OLDER}
    now = datetime.fromtimestamp(time.time(), NOON.tzinfo)  # noqa: TID251 - it verifies by the clock of the machine
    for attempt, new in ((1, ["key-0001", "key-0002"]), (2, ["key-0003"])):
        process = begin(*arguments, cwd=tmp_path, env=env)
        try:
            (greeting,) = lines_of(tmp_path / "stderr", 1)
            port = int(greeting.partition("127.0.0.1:")[2].partition("/")[0])
            network = Network(allow_private=True, allow_ports=(port,))
            transport = CheckedTransport(network, total=20)
            hook = WebhookChannel("siem", f"http://127.0.0.1:{port}/alerts", transport=transport, secret=OLDER)
            for key in ("key-0001", "key-0002", "key-0001", *new[-1:]):
                hook.send(message(key, attempt=attempt), now=now)
            assert [json.loads(line)["data"]["alert"] for line in lines_of(tmp_path / "stdout", len(new))] == new
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL if attempt == 1 else signal.SIGTERM)
        except BaseException:
            process.kill()
            raise
        if attempt == 1:
            assert finish(process) == -signal.SIGKILL
        else:
            last = ended(process, tmp_path)
            assert (last.code, last.err.splitlines()[-1]) == (0, "receiver: 1 new, 3 repeated, 3 kept")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "8600"], "is no HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "is no HOST:PORT"),
        (["--listen", "0.0.0.0:0"], "can be reached by others"),
        (["--secret-env", "NOT_THERE"], "the environment has no NOT_THERE"),
        (["--answer", "nonsense"], "is no answer"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    """With exit code 2."""
    done = wirewatch("receiver", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_it_ends_when_nobody_reads_what_it_says() -> None:
    """What was taken is kept; to go on would be to work for nobody."""

    def deaf(_: Received) -> None:
        raise BrokenPipeError("nobody reads")

    receiver = Receiver(clock=Clock(), told=deaf)
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(receiver.serve)
        channel(receiver, secret="").send(replace(message()), now=NOON)
        assert isinstance(serving.exception(timeout=20), BrokenPipeError)
    assert receiver.kept == 1

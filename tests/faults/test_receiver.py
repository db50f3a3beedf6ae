"""A receiver that misbehaves, and several workers that tell it of many alerts: none is lost, and none repeated.

The receiver writes every request down before it answers, so it is known what has arrived; the ledger says what we
believe. Two negative controls make the usual mistakes, and the same count sees both.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import alert, article
from tests.commands.shells import ends_well
from tests.long import LONG, long_only
from tests.processes import wirewatch
from tests.service.receiver import DROPPED, LATE, Plan, Post, Receiver, receiver
from worker.alerts.policy import Policy
from worker.build import SERVICE_LEDGER
from worker.channels.base import Channel, Disabled, Doubtful
from worker.channels.webhook import WebhookChannel
from worker.errors import Retryable, Unusable
from worker.feeds.polling import Polling
from worker.ledger import decided, deliveries, entries, outbox
from worker.ledger.engine import Ledger, open_file
from worker.model import Outgoing
from worker.stages import deliver, sending
from worker.stages.pipeline import Pipeline
from worker.topics import compile_topics
from worker.web.connections import CheckedTransport
from worker.web.network import Network
from worker.web.response import Response

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

ALERTS, WORKERS = (2000, 8) if LONG else (160, 6)
#: Seconds: how long an answer is waited for (longer where a question must be answered, too), and the longest wait
#: between attempts, in place of a day.
DEADLINE, ASKING, LONGEST = 0.4, 1.0, 0.05
PLAN = Plan(seed=7, errors=0.25, busy=0.2, dropped=0.15, late=0.08, late_s=1.6)
#: Seconds after which it does not come to an end any more.
PATIENCE = 600.0 if LONG else 120.0


class NoWeb:
    """Nothing is read here."""

    def get(self, url: str, **_: object) -> Response:
        """Return that there is nothing."""
        return Response(status=404, url=url)


class MarksFirst(WebhookChannel):
    """The mistake of marking before sending: whatever comes of it, it counts as sent."""

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Send, and look away."""
        try:
            return super().send(message, now=now)
        except (Retryable, Unusable, Doubtful, Disabled):
            return None


class NeverDoubts(WebhookChannel):
    """The mistake of taking no answer for a no."""

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Send, and be sure of it."""
        try:
            return super().send(message, now=now)
        except Doubtful as error:
            raise Retryable(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What became of all alerts: those that arrived are held against what the ledger believes."""

    states: Counter[str]
    #: Delivered, as the ledger has it, and never arrived; or nowhere in the ledger.
    lost: int
    #: Arrivals beyond the first of an alert, and how many of them say that they may be a repeat.
    repeated: int
    marked: int
    #: In doubt, by their keys.
    unknown: frozenset[str]


def count(ledger: Ledger, inbox: Receiver) -> Ends:
    """Return what became of all alerts."""
    with ledger.read() as t:
        told = {one.alert.key: one.state for one in deliveries.told(t)}
    arrived: dict[str, list[Post]] = {}
    for post in inbox.requests():
        if post.accepted:
            arrived.setdefault(post.alert, []).append(post)
    again = [post for posts in arrived.values() for post in posts[1:]]
    return Ends(
        states=Counter(told.values()),
        lost=sum(state == "delivered" and key not in arrived for key, state in told.items()) + ALERTS - len(told),
        repeated=len(again),
        marked=sum(bool(post.repeat) for post in again),
        unknown=frozenset(key for key, state in told.items() if state == "unknown"),
    )


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Receiver]:
    """Give a receiver that misbehaves."""
    with receiver(tmp_path / "posts.jsonl", plan=PLAN) as running:
        yield running


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let days pass in moments, and give up later: what is counted here is not given up."""
    for module in (outbox, sending):
        monkeypatch.setattr(module, "CAP", timedelta(seconds=LONGEST))
    monkeypatch.setattr(sending, "ATTEMPTS", 40)


@contextmanager
def ledger_with_alerts(place: Path) -> Iterator[Ledger]:
    """Give a ledger in which all alerts are due."""
    ledger = open_file(place / ".wirewatch" / SERVICE_LEDGER, durable=False)
    now = ledger.clock()
    with ledger.write() as t:
        for number in range(ALERTS):
            about = article(number, url=f"https://wire.example/{number}")
            entries.add_article(t, about, now=now)
            one = alert(number, key=f"{number:032x}", story_id=f"s-{number}", channel_id="siem")
            decided.add(t, replace(one, created_at=now, due_at=now))
    yield ledger
    ledger.close()


def run(
    ledger: Ledger,
    inbox: Receiver,
    *,
    kind: type[WebhookChannel] = WebhookChannel,
    ask: bool = False,
    on_unknown: str = "hold",
) -> Ends:
    """Deliver with several threads, half of which have connections of their own to the ledger; return the count."""
    with ExitStack() as stack:
        path = Path(str(ledger._engine.url.database))
        ledgers = [ledger]
        for _ in range(WORKERS // 2):
            own = open_file(path, durable=False)
            stack.callback(own.close)
            ledgers.append(own)
        deadline = ASKING if ask else DEADLINE
        channel = kind(
            "siem",
            inbox.url,
            transport=CheckedTransport(Network(allow_private=True, allow_ports=(inbox.port,)), total=deadline),
            read_back=inbox.read_back if ask else "",
            deadline=deadline,
        )
        pipelines = [_pipeline(ledgers[n % len(ledgers)], channel, on_unknown) for n in range(WORKERS)]
        _all(pipelines)
    return count(ledger, inbox)


def _pipeline(ledger: Ledger, channel: Channel, on_unknown: str) -> Pipeline:
    return Pipeline(
        feeds={},
        topics={},
        matcher=compile_topics([]),
        rarity=lambda _: 1.0,
        routes=(),
        policy=Policy(on_unknown=on_unknown),
        polling=Polling(),
        ledger=ledger,
        web=NoWeb(),
        channels={channel.id: channel},
        jitter=lambda: 0.5,
    )


def _all(pipelines: list[Pipeline]) -> None:
    """Have one thread for each pipeline deliver until nothing is open any more."""
    until, errors = time.monotonic() + PATIENCE, []

    def work(p: Pipeline) -> None:
        try:
            while time.monotonic() < until:
                claims, _ = deliver.claim(p, now=p.ledger.clock(), limit=2)
                for one in claims:
                    deliver.do(p, one, now=p.ledger.clock())
                if not claims and not _open(p.ledger):
                    return
                if not claims:
                    time.sleep(LONGEST)  # nothing is due just now
        except BaseException as error:  # noqa: BLE001 - it is raised below, where pytest sees it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(p,)) for p in pipelines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE + 60)
    assert not errors, errors
    assert time.monotonic() < until, "it does not come to an end"


def _open(ledger: Ledger) -> bool:
    with ledger.read() as t:
        return bool(deliveries.told(t, state="open", limit=1))


def doubted(inbox: Receiver) -> frozenset[str]:
    """Return the alerts that the receiver has taken without an answer in time."""
    return frozenset(post.alert for post in inbox.requests() if post.outcome in {DROPPED, LATE})


def bodies(inbox: Receiver) -> set[int]:
    """Return how many different bodies alerts were sent with."""
    sent: dict[str, set[str]] = {}
    for post in inbox.requests():
        sent.setdefault(post.alert, set()).add(post.body)
    return {len(different) for different in sent.values()}


def test_a_receiver_that_can_be_asked_gets_each_alert_once(tmp_path: Path, inbox: Receiver) -> None:
    """It fails, refuses, drops and dawdles: nothing is lost, repeated or in doubt, and every body stays the same."""
    with ledger_with_alerts(tmp_path) as ledger:
        found = run(ledger, inbox, ask=True)
    assert (found.lost, found.repeated, found.states) == (0, 0, Counter(delivered=ALERTS))
    seen = Counter(post.outcome for post in inbox.requests())
    assert min(seen[outcome] for outcome in ("ok", "error", "busy", "dropped", "late")) > 0
    assert bodies(inbox) == {1}


def test_a_receiver_that_cannot_be_asked_gets_none_twice_and_every_doubt_is_shown(
    tmp_path: Path, inbox: Receiver
) -> None:
    """Held, and listed by the commands that a person asks."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "alerts.yaml").write_text("channels: {siem: {type: file, path: alerts.jsonl}}\n")
    with ledger_with_alerts(tmp_path) as ledger:
        found = run(ledger, inbox)
    assert (found.lost, found.repeated) == (0, 0)
    assert found.states.keys() == {"delivered", "unknown"}
    assert found.unknown >= doubted(inbox)
    assert len(doubted(inbox)) > ALERTS / 10
    args = ("deliveries", "--only", "unknown", "--limit", str(ALERTS), "--json")
    listed = ends_well(wirewatch(*args, cwd=tmp_path), 0).out.splitlines()
    assert {json.loads(line)["alert"] for line in listed} == found.unknown
    status = json.loads(wirewatch("status", "--json", cwd=tmp_path).out)
    (channel,) = status["channels"]
    assert (channel["unknown"], channel["delivered"]) == (len(found.unknown), ALERTS - len(found.unknown))


@long_only
def test_what_is_sent_again_in_doubt_says_that_it_may_be_a_repeat(tmp_path: Path, inbox: Receiver) -> None:
    """Where the policy would rather repeat than hold: nothing is lost, and every repeat is marked."""
    with ledger_with_alerts(tmp_path) as ledger:
        found = run(ledger, inbox, on_unknown="resend")
    assert (found.lost, found.states) == (0, Counter(delivered=ALERTS))
    assert found.repeated == found.marked > 0
    assert bodies(inbox) == {1}
    firsts = {post.alert: post for post in reversed(inbox.requests())}
    assert not any(post.repeat for post in firsts.values())


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (MarksFirst, lambda found: found.lost > ALERTS / 4),
        (NeverDoubts, lambda found: found.repeated > ALERTS / 10 and not found.marked),
    ],
    ids=["marks-first", "never-doubts"],
)
def test_the_count_sees_what_other_ways_of_sending_lose_and_repeat(
    tmp_path: Path, inbox: Receiver, kind: type[WebhookChannel], seen: Callable[[Ends], bool]
) -> None:
    """Negative controls: the same receiver, the same workers, the same count."""
    with ledger_with_alerts(tmp_path) as ledger:
        found = run(ledger, inbox, kind=kind)
    assert seen(found), found

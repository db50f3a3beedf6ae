"""The harness of the service's fault suite: it runs what it says, sees what goes wrong, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from sqlalchemy import URL, delete, insert
from sqlalchemy.exc import OperationalError

from tests.builders import NOON
from tests.long import LONG, long_only
from tests.processes import ROOT
from tests.service import invented
from tests.service.beside import Beside, wait_for
from tests.service.count import Count, count, settled
from tests.service.entry import change
from tests.service.house import House
from tests.service.press import Press, press
from tests.service.receiver import Plan, Receiver, receiver
from worker.articles.extraction import Extract, extract
from worker.ledger import tables
from worker.ledger.engine import Ledger, Transaction, open_file
from worker.ledger.stories import memberships
from worker.model import Article, Role, Topic
from worker.stages.placing import Alone, place
from worker.topics import compile_topics

_MANY = 50
#: Articles that are no reports of each other.
_INVENTED = 1000 if LONG else 200


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers with five feeds."""
    with press(feeds=5) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Receiver]:
    """Give a receiver that behaves."""
    with receiver(tmp_path / "posts.jsonl") as running:
        yield running


def read(number: int, seed: int = 1) -> Article:
    """Return an invented article as it would be read."""
    made = invented.article(seed, number)
    return Article(
        id=f"a-{number}",
        url=made.path,
        title=made.title,
        text=made.text,
        outlet="Wire",
        published_at=NOON,
        language="en",
    )


# Invented articles


def test_invented_articles_are_stories_of_their_own(tmp_path: Path) -> None:
    """Joining takes no two of them for reports of one event, although all came out at once."""
    parts = Alone()
    with closing(open_file(tmp_path / "stories.sqlite", durable=False)) as ledger, ledger.write() as t:
        for number in range(_INVENTED):
            place(t, parts, read(number), now=NOON)
        found = memberships(t)
    assert len(found) == _INVENTED
    assert {one.role for one in found.values()} == {Role.FIRST}


def test_every_invented_article_matches_the_topic_and_is_read_whole_from_its_page() -> None:
    """What the page gives is the text, whatever the extractor leaves out elsewhere."""
    topics = compile_topics([Topic(id="alarm", any=("alarm",))])
    for number in range(200):
        article, made = read(number), invented.article(1, number)
        found = extract(made.page(), url=f"http://wire.example{made.path}", charset="utf-8", title=made.title)
        assert isinstance(found, Extract)
        assert found.text.split() == article.text.split()
        assert [match.matched for match in topics.match(article)] == [True]


def test_the_same_seed_invents_the_same_articles_and_another_one_others() -> None:
    """Tests and publishers agree on them without a word."""
    assert invented.article(1, 7) == invented.article(1, 7)
    assert not set(invented.article(1, 7).sentences) & set(invented.article(2, 7).sentences)


# The publishers


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1", "127.77.1.1", "127.77.1.2"])
def test_articles_come_out_when_the_test_says_so(publishers: Press) -> None:
    """A feed shows what is out, says 304 until there is more, and a page is there once its article is."""
    feed, page = "/feed/0.xml", "/a/5"
    first = publishers.publish(5)
    status, body, headers = get("127.77.1.1", publishers.port, feed)
    assert (status, body.count(b"<item>"), body.count(first[0].encode())) == (200, 1, 2)
    assert get("127.77.1.1", publishers.port, feed, etag=headers["etag"])[0] == 304
    assert get("127.77.1.1", publishers.port, page)[0] == 404
    more = publishers.publish(2, rate=1000)
    publishers.wait(seconds=30)
    assert get("127.77.1.1", publishers.port, feed, etag=headers["etag"])[1].count(b"<item>") == 2
    assert get("127.77.1.1", publishers.port, page)[1] == invented.article(1, 5).page()
    assert more == [publishers.url(5), publishers.url(6)]
    assert publishers.asked() == Counter({feed: 2, page: 2})


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.77.1.2"])
def test_a_page_of_the_tests_own_comes_out_byte_for_byte(publishers: Press) -> None:
    """As one that kills its readers will have to."""
    url = publishers.publish_page("Alarm & poison", b"\x00<\xff", feed=1, status=203)
    assert get("127.77.1.2", publishers.port, url.partition(str(publishers.port))[2])[:2] == (203, b"\x00<\xff")
    assert b"<title>Alarm &amp; poison</title>" in get("127.77.1.2", publishers.port, "/feed/1.xml")[1]


def get(host: str, port: int, path: str, *, etag: str = "") -> tuple[int, bytes, dict[str, str]]:
    """Ask a server; return status, body and headers."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path, headers={"If-None-Match": etag} if etag else {})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


# The receiver


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_receiver_writes_down_what_it_takes_and_can_be_asked_for_it(inbox: Receiver) -> None:
    """With what tests count by: alert, article, attempt and body."""
    assert post(inbox, "k1", attempt=3) == 204
    (written,) = inbox.requests()
    assert (written.alert, written.url, written.attempt, written.idempotency) == (
        "k1",
        "http://a.example/k1",
        "3",
        "k1",
    )
    assert written.accepted
    assert [get("127.0.0.1", inbox.port, f"/alerts/{key}")[0] for key in ("k1", "k2")] == [200, 404]
    inbox.answer_questions(on=False)
    assert get("127.0.0.1", inbox.port, "/alerts/k1")[0] == 503
    assert inbox.asked() == 3


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    ("plan", "status", "accepted"),
    [
        (Plan(errors=1), 500, False),
        (Plan(busy=1, retry_after_s=7), 429, False),
        (Plan(dropped=1), None, True),
        (Plan(late=1, late_s=0.01), 204, True),
    ],
    ids=["error", "busy", "dropped", "late"],
)
def test_a_receiver_misbehaves_as_planned(inbox: Receiver, plan: Plan, status: int | None, accepted: bool) -> None:
    """Each way of it is written down before the answer, with whether the alert has arrived."""
    inbox.behave(plan)
    assert post(inbox, "k") == status
    assert [one.accepted for one in inbox.requests()] == [accepted]
    assert inbox.posts() == Counter({"k": 1} if accepted else {})
    assert get("127.0.0.1", inbox.port, "/alerts/k")[0] == (200 if accepted else 404)


def test_which_requests_fail_follows_from_the_seed_and_in_the_shares_that_were_asked_for() -> None:
    """The order in which alerts come has no say, so that a run can be had again."""
    plan = Plan(seed=5, errors=0.25, busy=0.2, dropped=0.15, late=0.08)
    found = Counter(plan.outcome(f"k{number}", 1) for number in range(10_000))
    assert found == Counter(replace(plan).outcome(f"k{number}", 1) for number in reversed(range(10_000)))
    wanted = {"error": 2500, "busy": 2000, "dropped": 1500, "late": 800, "ok": 3200}
    assert all(abs(found[name] - number) < 200 for name, number in wanted.items())
    assert found != Counter(replace(plan, seed=6).outcome(f"k{number}", 1) for number in range(10_000))


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_receiver_hangs_until_it_is_told(inbox: Receiver) -> None:
    """What hangs has arrived, and is answered in the end."""
    inbox.hang()
    with socket.create_connection(("127.0.0.1", inbox.port), timeout=30) as connection:
        connection.sendall(raw_post("k"))
        wait_for(inbox.requests, "the request")
        assert [one.outcome for one in inbox.requests()] == ["hung"]
        inbox.release()
        assert connection.recv(100).startswith(b"HTTP/1.1 204")
    assert post(inbox, "k2") == 204


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_request_that_ends_in_the_middle_has_not_arrived(inbox: Receiver) -> None:
    """As when its sender is killed while it writes."""
    with socket.create_connection(("127.0.0.1", inbox.port), timeout=30) as connection:
        connection.sendall(raw_post("k")[:-1])
    wait_for(inbox.requests, "the request")
    assert [(one.outcome, one.accepted) for one in inbox.requests()] == [("torn", False)]
    assert get("127.0.0.1", inbox.port, "/alerts/k")[0] == 404


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_receiver_that_is_started_again_knows_what_it_has_taken(inbox: Receiver) -> None:
    """What it wrote down is all that it is."""
    post(inbox, "k")
    inbox.close()
    with receiver(inbox.path) as again:
        assert get("127.0.0.1", again.port, "/alerts/k")[0] == 200
        assert post(again, "k") == 204
        assert again.posts() == Counter({"k": 2})


def raw_post(key: str, *, attempt: int = 1) -> bytes:
    """Return a webhook's request."""
    body = json.dumps({"type": "alert.created", "data": {"alert": key, "url": f"http://a.example/{key}"}}).encode()
    head = (
        f"POST /inbox HTTP/1.1\r\nHost: x\r\nwebhook-id: {key}\r\nIdempotency-Key: {key}\r\n"
        f"X-Wirewatch-Attempt: {attempt}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def post(to: Receiver, key: str, *, attempt: int = 1) -> int | None:
    """Send an alert; return the status, ``None`` when the connection ends without an answer."""
    with socket.create_connection(("127.0.0.1", to.port), timeout=30) as connection:
        connection.sendall(raw_post(key, attempt=attempt))
        answer = connection.recv(1000)
    return int(answer.split()[1]) if answer else None


# The count


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, URL]]:
    """Give an empty ledger and its URL."""
    if request.param == "postgresql":
        opened: Ledger = request.getfixturevalue("postgres_ledger")
        yield opened, opened._engine.url
        return
    path = tmp_path / "odd ?name#" / "ledger.sqlite"
    opened = open_file(path)
    yield opened, URL.create("sqlite", database=str(path))
    opened.close()


def write_entry(t: Transaction, name: str, work: str) -> None:
    """Write an entry in a state."""
    values = {"title": name, "text": "", "outlet": "Wire", "first_seen_at": NOON, "reason": "queued", "due_at": NOON}
    t.execute(insert(tables.entry).values(feed_id="wire", key=name, url=name, page=name, work=work, **values))


def write_alert(t: Transaction, name: str, work: str) -> None:
    """Write an entry that was read, its article, and an alert in a state, whose key is the name as well."""
    write_entry(t, name, "done")
    values = {"title": name, "text": "", "outlet": "Wire", "published_at": NOON, "read_at": NOON, "source": "page"}
    t.execute(insert(tables.article).values(id=f"a-{name}", url=name, **values))
    values = {"topic_id": "alarm", "story_id": f"s-{name}", "channel_id": "desk", "role": "first", "score": 1.0}
    values |= {"by": "rule", "clause": "any", "evidence": [], "reason": "queued", "created_at": NOON, "due_at": NOON}
    t.execute(insert(tables.alert).values(key=name, article_id=f"a-{name}", work=work, **values))


def test_every_article_comes_to_one_end_in_the_count(ledger: tuple[Ledger, URL]) -> None:
    """Whatever ledger and receiver say of it, and whether they agree or not."""
    opened, url = ledger
    with opened.write() as t:
        for name, work in {"to read": "open", "given up": "dead", "read in vain": "done"}.items():
            write_entry(t, name, work)
        told = {"sent": "done", "sent twice": "done", "vanished": "done", "waits": "open", "doubt": "unknown"}
        for name, work in (told | {"refused": "dead", "unexpected": "done"}).items():
            write_alert(t, name, work)
    expected = ["to read", "given up", "read in vain", *told, "refused", "never seen"]
    arrived = ["sent", "sent twice", "sent twice", "doubt", "unexpected"]
    found = count(expected, ledger=url, received=lambda: [(name, name) for name in arrived])
    assert found == Count(expected=10, delivered=2, repeated=1, dead=2, unknown=1, open=2, lost=3, stray=1)
    assert found.unseen == 1
    assert set(found.which["lost"]) == {"read in vain", "vanished", "never seen"}
    assert found.which["repeated"] == ("sent twice",)


def test_two_alerts_about_one_article_are_a_repetition(ledger: tuple[Ledger, URL]) -> None:
    """Also when their keys differ, and one that the ledger does not know is a stray besides."""
    opened, url = ledger
    with opened.write() as t:
        write_alert(t, "sent", "done")
    found = count(["sent"], ledger=url, received=lambda: [("sent", "sent"), ("other key", "sent")])
    assert found == Count(expected=1, delivered=1, repeated=1, stray=1)


def test_where_there_is_no_ledger_all_is_lost(tmp_path: Path) -> None:
    """And none is made by asking."""
    url = URL.create("sqlite", database=str(tmp_path / "ledger.sqlite"))
    assert count(["a"], ledger=url, received=list) == Count(expected=1, lost=1)
    (tmp_path / "ledger.sqlite").touch()
    assert count(["a"], ledger=url, received=list) == Count(expected=1, lost=1)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_count_settles_when_nothing_is_under_way_any_more() -> None:
    """What is open or not there yet is waited for, and what stays lost is believed in the end."""
    steps = [Count(expected=2, lost=2), Count(expected=2, open=2), Count(expected=2, open=1, delivered=1)]
    ends = Count(expected=2, delivered=2)
    assert settled(iter([*steps, ends, steps[0]]).__next__, every=0) == ends
    lost = Count(expected=2, delivered=1, lost=1)
    assert settled(lambda: lost, every=0, patience=0.05) == lost
    unseen = replace(lost, unseen=1)
    assert settled(iter([unseen, unseen, unseen, ends]).__next__, every=0, patience=-1) == ends
    assert settled(lambda: steps[1], every=0, working=lambda: False) == steps[1]


def test_a_count_that_does_not_settle_ends_and_says_so_meanwhile() -> None:
    """A ledger that is away is asked again, and the last count that could be had is the answer."""
    waits = Count(expected=1, open=1)
    answers = iter([waits])

    def counted() -> Count:
        try:
            return next(answers)
        except StopIteration:
            raise OperationalError("SELECT", None, Exception("the server has gone")) from None

    said: list[str] = []
    assert settled(counted, every=0, seconds=0.2, say_every=0.05, say=said.append) == waits
    assert "the server has gone" in said[-1]
    with pytest.raises(AssertionError, match="could not be read"):
        settled(counted, every=0, seconds=0.01)


# The service


@pytest.mark.faults
def test_fifty_articles_are_told_once_each_and_the_count_sees_when_one_is_not(
    tmp_path: Path, publishers: Press, inbox: Receiver
) -> None:
    """The whole of it; then a request is written down twice, and another one and its alert are erased."""
    with House(tmp_path / "house", publishers, receiver=inbox) as house:
        house.start()
        expected = [*publishers.publish(_MANY - 20), *publishers.publish(20, rate=10)]
        good = Count(expected=_MANY, delivered=_MANY)
        assert house.settled(expected) == good, house.last_words()
        assert {"service", "cage", "cage child"} <= {one.role for one in house.processes()}
        house.restart()
        house.wait_until_said("Ctrl-C stops")
        assert house.settled(expected) == good
        assert house.stop() == 0
        assert house.processes() == []
        posts = inbox.path.read_bytes().splitlines(keepends=True)
        inbox.path.write_bytes(b"".join([*posts, posts[0]]))
        assert house.count(expected) == replace(good, repeated=1)
        inbox.path.write_bytes(b"".join(posts[1:]))
        assert house.count(expected) == replace(good, delivered=_MANY - 1, lost=1)
        gone = json.loads(posts[0])
        ledger = open_file(Path(house.ledger_url.database or ""))
        with ledger.write() as t:
            t.execute(delete(tables.alert).where(tables.alert.c.key == gone["alert"]))
        ledger.close()
        found = house.count(expected)
        assert found == replace(good, delivered=_MANY - 1, lost=1)
        assert found.which["lost"] == (gone["url"],)
        inbox.path.write_bytes(b"".join(posts))
        assert house.count(expected) == replace(good, stray=1)


@long_only
@pytest.mark.faults
@pytest.mark.parametrize("ask", [True, False], ids=["asked", "not-asked"])
def test_a_receiver_that_misbehaves_is_counted_as_it_was(
    tmp_path: Path, publishers: Press, inbox: Receiver, ask: bool
) -> None:
    """Nothing is lost or repeated; what it took without an answer is delivered if it can be asked, else unknown."""
    inbox.behave(Plan(seed=3, errors=0.2, busy=0.1, dropped=0.2, late=0.1, late_s=6))
    constants = {"worker.ledger.outbox.CAP": 1, "worker.channels.webhook.DEADLINE": 3}
    alone = ("--single-process",)
    with House(tmp_path / "h", publishers, receiver=inbox, ask=ask, constants=constants, args=alone) as house:
        expected = publishers.publish(_MANY)
        house.start()
        found = house.settled(expected)
        ends = Counter(post.outcome for post in inbox.requests())
        assert set(ends) == {"ok", "error", "busy", "dropped", "late"}
        doubtful = 0 if ask else ends["dropped"] + ends["late"]
        wanted = Count(expected=_MANY, delivered=_MANY - doubtful, unknown=doubtful)
        assert found == wanted, house.last_words()
        assert sorted(inbox.posts().values()) == [1] * _MANY
        assert bool(inbox.asked()) is ask


@long_only
@pytest.mark.faults
def test_a_house_is_killed_part_by_part_and_nothing_of_it_stays(tmp_path: Path, publishers: Press) -> None:
    """Parts in sessions of their own are its processes too, also when what started them is dead."""
    constants = {"worker.ledger.leases.LEASE": 2, "worker.web.gates.LEASE": 2}
    with House(tmp_path / "house", publishers, constants=constants) as house:
        expected = publishers.publish(20)
        house.start()
        wait_for(lambda: house.of_role("cage child"), "readers")
        cage, *_ = house.of_role("cage")
        assert house.kill(cage)
        assert cage not in house.processes()
        assert not house.kill(cage)
        assert not house.kill(cage.pid)
        with pytest.raises(AssertionError, match="none of the house"):
            house.kill(os.getpid())
        assert house.kill(house.pid)
        assert house.code() == -signal.SIGKILL
        house.restart()
        assert house.settled(expected) == Count(expected=20, delivered=20), house.last_words()
        publishers.publish(1)
        assert house.kill_all()
        assert house.processes() == []
        house.start()
        wait_for(lambda: house.of_role("cage child"), "readers")
        last = house.processes()
    assert not [one for one in last if alive(one.pid, one.born)]


def test_a_service_that_cannot_start_is_told_with_its_own_words(tmp_path: Path, publishers: Press) -> None:
    """So that a test that fails says why."""
    with House(tmp_path / "house", publishers, service={"broker": "nonsense"}) as house:
        house.start()
        with pytest.raises(AssertionError, match=r"has ended \(2\)(?s:.*)broker"):
            house.wait_until_said("Ctrl-C stops")


def test_orphans_in_sessions_of_their_own_end_with_their_keeper() -> None:
    """Even one whose parents are all dead, and even when the test is killed: its keeper's standard input ends."""
    keeper = Beside("tests.service.keeper")
    orphan = "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  time.sleep(1000)\n"
    try:
        pid = keeper.ask("start", args=[sys.executable, "-c", orphan], cwd="/", env={}, out=os.devnull, err=os.devnull)
        wait_for(lambda: keeper.ask("ended", pid=pid) == 0, "the end of the parents")
        family = psutil.Process(keeper.pid)
        wait_for(lambda: [one.ppid() for one in family.children()] == [keeper.pid], "the orphan")
        (left,) = family.children()
    finally:
        keeper.close()
    assert not alive(left.pid, left.create_time())


def alive(pid: int, born: float) -> bool:
    """Return whether a process runs."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    return False


# Constants


_PROBE = """
import sys
from tests.service.entry import change
from tests.long import long_only
import worker.ledger.leases, worker.ledger.entries, worker.ledger.overview
change({"worker.ledger.leases.LEASE": 10, "worker.ledger.leases.MAX_ATTEMPTS": 2})
import worker.ledger.outbox, worker.stages.read
print(
    {module.LEASE.total_seconds() for module in (worker.ledger.leases, worker.ledger.entries, worker.ledger.outbox)},
    {module.MAX_ATTEMPTS for module in (worker.ledger.leases, worker.stages.read)},
)
"""


def test_constants_are_changed_wherever_they_were_imported() -> None:
    """Before and after."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "{10.0} {2}\n"


@pytest.mark.parametrize("place", ["worker.ledger.leases.LAESE", "worker.ledger.leases.claim_rows"])
def test_a_constant_that_is_none_stops_the_entry(place: str) -> None:
    """A test that shortens nothing would wait for nothing."""
    with pytest.raises(SystemExit, match="neither a span nor a number"):
        change({place: 1})

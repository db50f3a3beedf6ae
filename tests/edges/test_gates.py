from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from tests import valkey
from tests.processes import DEADLINE, finish, start
from worker.live.broker import open_broker
from worker.live.clock import wall_clock
from worker.live.gates import RedisGates, open_gates
from worker.web.gates import FAILURES, GAPS, IDLE, LEASE, Closed, LocalGates
from worker.web.network import Network

_GAP = timedelta(seconds=10)
_NETWORK = Network(per_host_concurrency=2, per_host_gap=_GAP)
_START = datetime(2026, 2, 1, tzinfo=UTC)
#: More than calls take between two clocks that are compared; far less than any gap and span here.
_NEAR = timedelta(seconds=3)
_LITTLE = timedelta(milliseconds=1)
_TIMES = ("entered", "promised", "held", "shut")


class _World(Protocol):
    """Gates in a world whose time moves only when told to (or, beside that, hardly)."""

    @property
    def gates(self) -> LocalGates | RedisGates: ...

    @property
    def now(self) -> datetime: ...

    def pass_(self, span: timedelta) -> None: ...


class _Local:
    def __init__(self, network: Network) -> None:
        self.gates = LocalGates(network)
        self.now = _START

    def pass_(self, span: timedelta) -> None:
        self.now += span


class _Shared:
    def __init__(self, url: str, network: Network) -> None:
        self.gates = RedisGates(url, network)
        self.client = Redis.from_url(url)
        self.client.flushall()

    @property
    def now(self) -> datetime:
        return wall_clock()

    def pass_(self, span: timedelta) -> None:
        """Move all that is remembered into the past."""
        us = span // timedelta(microseconds=1)
        for key in self.client.scan_iter("wirewatch:gate:at:*"):
            for name in _TIMES:
                value = self.client.hget(key, name)
                if value is not None:
                    self.client.hset(key, name, int(value) - us)
        for key in [*self.client.scan_iter("wirewatch:gate:in:*"), *self.client.scan_iter("wirewatch:gate:shut")]:
            for member in self.client.zrange(key, 0, -1):
                self.client.zincrby(key, -us, cast("bytes", member))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Give the URL of a server of its own."""
    with valkey.server() as url:
        yield url


@pytest.fixture(params=["local", "shared"])
def make(request: pytest.FixtureRequest) -> Callable[[Network], _World]:
    """Give what makes gates of either kind."""
    if request.param == "local":
        return _Local
    url: str = request.getfixturevalue("url")
    return lambda network: _Shared(url, network)


@pytest.fixture
def world(make: Callable[[Network], _World]) -> _World:
    """Give gates for two at once, ten seconds apart."""
    return make(_NETWORK)


def _enter(world: _World, host: str = "x.example") -> timedelta | None:
    """Ask for a place and return how long to wait."""
    now = world.now
    told = world.gates.enter(host, now=now)
    return told - now if told is not None else None


def _leave(world: _World, host: str = "x.example", *, answered: bool = True) -> None:
    world.gates.leave(host, now=world.now, answered=answered)


def _near(span: timedelta | None, seconds: float) -> bool:
    return span is not None and timedelta() <= timedelta(seconds=seconds) - span + _LITTLE < _NEAR


def test_the_gap_lies_between_two_entries(world: _World) -> None:
    """The second one is told when the gap is over, and may enter then."""
    assert _enter(world) is None
    assert _near(_enter(world), 10)
    world.pass_(_GAP - _NEAR)
    assert _near(_enter(world), 20 - 7)
    world.pass_(_NEAR)
    assert _enter(world) is None


def test_hosts_do_not_wait_for_each_other(world: _World) -> None:
    """Each host has a gate of its own."""
    assert _enter(world, "a.example") is None
    assert _enter(world, "b.example") is None
    assert _enter(world, "a.example") is not None


def test_those_who_wait_are_spread_over_the_gaps_that_follow(world: _World) -> None:
    """Twenty feeds of one host: the j-th refused is sent to the j-th slot."""
    assert _enter(world) is None
    assert all(_near(_enter(world), 10 * (j + 1)) for j in range(19))


def test_promises_that_have_passed_are_forgotten(world: _World) -> None:
    """Those who never came back keep nobody waiting."""
    assert _enter(world) is None
    for _ in range(5):
        assert _enter(world) is not None
    world.pass_(timedelta(minutes=2))
    assert _enter(world) is None
    assert _near(_enter(world), 10)


def test_nobody_is_sent_into_next_week(world: _World) -> None:
    """However many ask, the wait is an hour and a gap at most."""
    waits = [_enter(world) for _ in range(400)]
    assert max(wait for wait in waits if wait is not None) <= timedelta(hours=1) + _GAP


def test_no_more_than_allowed_are_inside(world: _World) -> None:
    """The third one waits until a place is given back, whatever the gap says."""
    assert _enter(world) is None
    world.pass_(_GAP)
    assert _enter(world) is None
    world.pass_(_GAP)
    assert _near(_enter(world), 10)
    _leave(world)
    assert _enter(world) is None


def test_without_a_gap_a_taken_place_is_asked_for_again_after_a_second(make: Callable[[Network], _World]) -> None:
    """Only the number is in the way then."""
    world = make(Network(per_host_concurrency=1, per_host_gap=timedelta()))
    assert _enter(world) is None
    assert _near(_enter(world), 1)
    _leave(world)
    assert _enter(world) is None


def test_places_that_are_never_given_back_expire(world: _World) -> None:
    """A thread that died keeps nobody out for ever."""
    assert _enter(world) is None
    world.pass_(_GAP)
    assert _enter(world) is None
    world.pass_(LEASE - _NEAR)
    assert _enter(world) is None  # the first has expired, the second has not
    world.pass_(_GAP + _NEAR)
    assert _enter(world) is None


def test_a_held_gate_lets_nobody_in_before_its_time(world: _World) -> None:
    """Retry-After holds for all feeds of the host, and those who wait come one by one after it."""
    world.gates.hold("x.example", until=world.now + timedelta(minutes=5), now=world.now)
    assert _near(_enter(world), 300)
    assert _near(_enter(world), 310)
    (closed,) = world.gates.report(world.now)
    assert (closed.host, closed.why) == ("x.example", "held")
    assert _near(closed.until - world.now, 300)
    world.pass_(timedelta(minutes=5))
    assert _enter(world) is None
    assert world.gates.report(world.now) == ()


def test_a_hold_is_never_shortened_nor_longer_than_a_day(world: _World) -> None:
    """A later and smaller wish does not overrule an earlier one; a date in 2099 is a mistake."""
    world.gates.hold("x.example", until=world.now + timedelta(days=400), now=world.now)
    world.gates.hold("x.example", until=world.now + timedelta(seconds=5), now=world.now)
    assert _near(_enter(world), 24 * 3600)
    world.gates.hold("y.example", until=world.now - timedelta(hours=1), now=world.now)
    assert _enter(world, "y.example") is None


def _fail(world: _World, times: int) -> None:
    for _ in range(times):
        world.pass_(_GAP)
        assert _enter(world) is None
        _leave(world, answered=False)


def test_a_host_that_does_not_answer_is_left_alone(world: _World) -> None:
    """Five in a row close the gate for a minute."""
    _fail(world, FAILURES - 1)
    assert world.gates.report(world.now) == ()
    _fail(world, 1)
    assert _near(_enter(world), 60)
    (closed,) = world.gates.state("x.example", now=world.now)
    assert closed.why == "circuit"
    assert _near(closed.until - world.now, 60)


def test_any_answer_resets_the_count(world: _World) -> None:
    """Four failures, an answer and four failures are no circuit to open."""
    _fail(world, FAILURES - 1)
    world.pass_(_GAP)
    assert _enter(world) is None
    _leave(world, answered=True)
    _fail(world, FAILURES - 1)
    assert world.gates.state("x.example", now=world.now) == ()


def test_one_probe_at_a_time_asks_a_silent_host(world: _World) -> None:
    """While it is under way nobody else enters; each failure doubles the time, up to an hour."""
    _fail(world, FAILURES)
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        assert _near(_enter(world), 60 * minutes)
        world.pass_(timedelta(minutes=minutes))
        assert _enter(world) is None
        world.pass_(_GAP)
        assert _enter(world) is not None
        _leave(world, answered=False)


def test_an_answer_to_the_probe_opens_the_gate(world: _World) -> None:
    """The next silence then begins at a minute again."""
    _fail(world, FAILURES)
    world.pass_(timedelta(minutes=1))
    assert _enter(world) is None
    _leave(world, answered=False)
    assert _near(_enter(world), 120)
    _leave(world, answered=True)  # one that was under way all the time
    assert world.gates.report(world.now) == ()
    _fail(world, FAILURES)
    (closed,) = world.gates.report(world.now)
    assert _near(closed.until - world.now, 60)


def test_those_under_way_when_the_circuit_opens_open_it_no_further(make: Callable[[Network], _World]) -> None:
    """Six failures that were under way together are one silence."""
    world = make(Network(per_host_concurrency=8, per_host_gap=timedelta()))
    for _ in range(8):
        assert _enter(world) is None
    for _ in range(8):
        _leave(world, answered=False)
    assert _near(_enter(world), 60)


def test_a_crawl_delay_widens_the_gap_of_its_host(world: _World) -> None:
    """A narrower one changes nothing."""
    world.gates.slow("x.example", gap=timedelta(seconds=30))
    world.gates.slow("x.example", gap=timedelta(seconds=20))
    world.gates.slow("y.example", gap=timedelta(seconds=1))
    assert _enter(world) is None
    assert _near(_enter(world), 30)
    assert _enter(world, "y.example") is None
    assert _near(_enter(world, "y.example"), 10)


def test_leaving_without_having_entered_is_no_mistake(world: _World) -> None:
    """All may be erased between the two."""
    _leave(world)
    assert _enter(world) is None


def test_idle_hosts_are_forgotten() -> None:
    """The memory of a process is bounded by the hosts of the last hour."""
    gates = LocalGates(_NETWORK)
    for number in range(1000):
        assert gates.enter(f"{number}.example", now=_START) is None
        gates.leave(f"{number}.example", now=_START, answered=True)
        gates.slow(f"{number}.example", gap=_GAP)
    gates.hold("held.example", until=_START + timedelta(hours=9), now=_START)
    assert gates.remembered == 1001
    gates.enter("x.example", now=_START + IDLE)
    assert gates.remembered == 2
    assert [closed.host for closed in gates.report(_START + IDLE)] == ["held.example"]
    for number in range(GAPS + 5):
        gates.slow(f"{number}.example", gap=_GAP)
    assert len(gates._gaps) == GAPS


def test_everything_in_the_server_expires(url: str) -> None:
    """Nothing is left for somebody to clean up."""
    world = _Shared(url, _NETWORK)
    world.gates.slow("x.example", gap=_GAP)
    _fail(world, FAILURES)
    _enter(world, "y.example")
    world.gates.hold("z.example", until=world.now + timedelta(hours=30), now=world.now)
    keys = list(world.client.scan_iter())
    assert len(keys) == 6
    assert all(0 < world.client.pttl(key) <= 26 * 3600 * 1000 for key in keys)


def test_everything_in_the_server_may_be_erased(url: str) -> None:
    """Keys and scripts go, and the next call works."""
    world = _Shared(url, _NETWORK)
    assert _enter(world) is None
    world.client.flushall()
    world.client.script_flush()
    _leave(world)
    assert _enter(world) is None
    assert _enter(world) is not None


def test_a_place_of_a_process_that_died_is_not_given_back_by_another(url: str) -> None:
    """A busy process gives back its own, so that the lost one expires in its time."""
    world = _Shared(url, Network(per_host_concurrency=2, per_host_gap=timedelta()))
    other = RedisGates(url, Network(per_host_concurrency=2, per_host_gap=timedelta()))
    assert other.enter("x.example", now=world.now) is None  # and is never heard of again
    for _ in range(10):
        assert _enter(world) is None
        assert _enter(world) is not None
        world.pass_(timedelta(seconds=5))
        _leave(world)
    world.pass_(LEASE - timedelta(seconds=49))
    assert _enter(world) is None
    assert _enter(world) is None
    other.close()


def test_without_a_server_each_process_is_polite_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once and not for each call; when the server is there again, it is used again."""
    with valkey.server() as url:
        gates = RedisGates(url, _NETWORK, again=timedelta())
        assert gates.enter("x.example", now=wall_clock()) is None
    with caplog.at_level(logging.WARNING, logger="wirewatch"):
        gates.leave("x.example", now=_START, answered=True)
        gates.hold("h.example", until=_START + _GAP, now=_START)
        gates.slow("s.example", gap=3 * _GAP)
        assert gates.enter("x.example", now=_START) is None
        assert gates.enter("x.example", now=_START) == _START + _GAP
        assert gates.enter("h.example", now=_START) == _START + _GAP
        assert gates.enter("s.example", now=_START) is None
        assert gates.enter("s.example", now=_START) == _START + 3 * _GAP
        assert gates.report(_START) == (Closed(host="h.example", until=_START + _GAP, why="held"),)
    (record,) = caplog.records
    assert "does not answer" in record.getMessage()
    assert url not in caplog.text
    gates.close()


_ASKED = st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), max_size=12)


@given(hosts=_ASKED)
def test_asking_for_many_places_is_asking_for_one_after_another(hosts: list[str]) -> None:
    """Gates of one process: the same answers, and the same for those who come after."""
    one, many = LocalGates(_NETWORK), LocalGates(_NETWORK)
    assert many.enter_all(hosts, now=_START) == [one.enter(host, now=_START) for host in hosts]
    assert many.enter("a.example", now=_START) == one.enter("a.example", now=_START)


@settings(deadline=None)
@given(hosts=_ASKED)
def test_many_places_are_given_by_the_server_as_one_after_another(url: str, hosts: list[str]) -> None:
    """A host that is named again and again is entered once, and those refused are sent to one slot after the other."""
    world, seen = _Shared(url, _NETWORK), dict.fromkeys(hosts, 0)
    answers = world.gates.enter_all(hosts, now=world.now)
    assert len(answers) == len(hosts)
    for host, told in zip(hosts, answers, strict=True):
        assert (told is None) is (seen[host] == 0)
        assert told is None or _near(told - world.now, 10 * seen[host])
        seen[host] += 1


def test_many_questions_survive_that_the_server_forgets_its_scripts(url: str) -> None:
    """Each is answered in its own place, and none is asked twice."""
    world = _Shared(url, _NETWORK)
    assert _enter(world, "b.example") is None
    world.client.script_flush()
    first, second, third = world.gates.enter_all(["a.example", "b.example", "c.example"], now=world.now)
    assert (first, third) == (None, None)
    assert second is not None
    assert world.client.zcard("wirewatch:gate:in:a.example") == 1


def _gathering(url: str) -> tuple[RedisGates, RedisGates]:
    """Return gates that gather what is left, and gates of another process, for one at a time at a host."""
    Redis.from_url(url).flushall()
    network = Network(per_host_concurrency=1, per_host_gap=timedelta())
    return RedisGates(url, network, gather=True), RedisGates(url, network)


def test_places_that_are_gathered_are_given_back_together(url: str) -> None:
    """They are taken until the flush, and free after it; a second flush has nothing to give back."""
    ours, other = _gathering(url)
    hosts = [f"{number}.example" for number in range(5)]
    assert ours.enter_all(hosts, now=wall_clock()) == [None] * 5
    for host in hosts:
        ours.leave(host, now=wall_clock(), answered=True)
    assert None not in other.enter_all(hosts, now=wall_clock())
    ours.flush()
    assert other.enter_all(hosts, now=wall_clock()) == [None] * 5
    ours.flush()
    assert None not in ours.enter_all(hosts, now=wall_clock())
    ours.close()
    other.close()


@pytest.mark.parametrize("then", ["enter", "report", "close"])
def test_gathered_places_go_back_with_whatever_is_asked_next(url: str, then: str) -> None:
    """Nobody has to remember the flush for the sake of his own next question."""
    ours, other = _gathering(url)
    assert ours.enter("x.example", now=wall_clock()) is None
    ours.leave("x.example", now=wall_clock(), answered=True)
    match then:
        case "enter":
            assert ours.enter("x.example", now=wall_clock()) is None
            ours.leave("x.example", now=wall_clock(), answered=True)
            ours.enter("y.example", now=wall_clock())
        case "report":
            ours.report(wall_clock())
        case _:
            ours.close()
    assert other.enter("x.example", now=wall_clock()) is None
    ours.close()
    other.close()


def test_gathered_failures_open_a_circuit(url: str) -> None:
    """Five that were left together without an answer are five in a row."""
    network = Network(per_host_concurrency=8, per_host_gap=timedelta())
    Redis.from_url(url).flushall()
    gates = RedisGates(url, network, gather=True)
    assert gates.enter_all(["x.example"] * FAILURES, now=wall_clock()) == [None] * FAILURES
    for _ in range(FAILURES):
        gates.leave("x.example", now=wall_clock(), answered=False)
    gates.flush()
    (closed,) = gates.report(wall_clock())
    assert (closed.host, closed.why) == ("x.example", "circuit")
    gates.close()


def test_gathered_failures_count_here_when_the_server_has_gone() -> None:
    """What could not be told to the server is kept by the process, which is polite by itself meanwhile."""
    with valkey.server() as url:
        gates = RedisGates(url, Network(per_host_concurrency=8, per_host_gap=timedelta()), gather=True)
        assert gates.enter_all(["x.example"] * FAILURES, now=wall_clock()) == [None] * FAILURES
    for _ in range(FAILURES):
        gates.leave("x.example", now=_START, answered=False)
    gates.flush()
    assert [closed.why for closed in gates.state("x.example", now=_START)] == ["circuit"]
    gates.close()


@pytest.mark.parametrize("scheme", ["unix", "valkey+unix", "redis+socket"])
def test_a_url_opens_the_gates_that_it_names(url: str, scheme: str) -> None:
    """Valkey and Redis are one to us."""
    gates = open_gates(url.replace("unix", scheme), _NETWORK)
    assert isinstance(gates, RedisGates)
    assert gates.enter(f"{scheme}.example", now=wall_clock()) is None
    assert gates.enter(f"{scheme}.example", now=wall_clock()) is not None
    gates.close()


@pytest.mark.parametrize(
    "broker",
    ["redis://h/1", "REDISS://u:p@h:1", "valkey://h", "valkeys://h", "sentinel://:secret@a:1;b:2/0?master_name=main"],
)
def test_no_connection_is_made_before_it_is_needed(broker: str) -> None:
    """Opening gates asks nobody."""
    gates = open_gates(broker, _NETWORK)
    assert isinstance(gates, RedisGates)
    gates.close()


def test_the_embedded_broker_means_gates_of_the_process_until_its_server_is_named(url: str) -> None:
    """The word alone does not say where the server is; what `open_broker` makes of it does."""
    assert isinstance(open_gates("embedded", _NETWORK), LocalGates)
    gates = open_gates(open_broker("embedded", socket=Path(url.removeprefix("unix://"))), _NETWORK)
    assert isinstance(gates, RedisGates)
    assert gates.enter("embedded.example", now=wall_clock()) is None
    assert gates.enter("embedded.example", now=wall_clock()) is not None
    gates.close()


@dataclass(frozen=True, slots=True)
class _Visit:
    """When one was inside: the earliest and the latest moments at which it may have entered and left."""

    asked: float
    entered: float
    left: float


def _visit(gates: LocalGates | RedisGates, times: int, stay: float, log: list[_Visit]) -> None:
    """Enter and leave ``times`` times, asking again and again without waiting as told."""
    wait = threading.Event()
    while times:
        asked = time.monotonic()
        if gates.enter("x.example", now=wall_clock()) is None:
            entered = time.monotonic()
            wait.wait(stay)
            log.append(_Visit(asked, entered, time.monotonic()))
            gates.leave("x.example", now=wall_clock(), answered=True)
            times -= 1
        wait.wait(0.003)


def _crowd(gates: LocalGates | RedisGates, threads: int, times: int, stay: float) -> list[_Visit]:
    log: list[_Visit] = []
    crowd = [threading.Thread(target=_visit, args=(gates, times, stay, log)) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(DEADLINE)
    return log


def _crowd_elsewhere(connection: Connection, url: str, threads: int, times: int, stay: float) -> None:
    gates = RedisGates(url, _BUSY)
    connection.recv()
    connection.send([(v.asked, v.entered, v.left) for v in _crowd(gates, threads, times, stay)])
    gates.close()


def _most_at_once(visits: list[_Visit]) -> int:
    """Return how many were surely inside at the same time."""
    steps = sorted([(v.entered, 1) for v in visits] + [(v.left, -1) for v in visits])
    inside, most = 0, 0
    for _, step in steps:
        inside += step
        most = max(most, inside)
    return most


def _lawful(visits: list[_Visit], limit: int, gap: float) -> bool:
    """Return whether never too many were inside and no two entered closer than the gap, as far as can be known."""
    inside = _most_at_once(visits) <= limit
    apart = all(
        later.entered - earlier.asked >= gap for earlier, later in pairwise(sorted(visits, key=lambda v: v.entered))
    )
    return inside and apart


_BUSY = Network(per_host_concurrency=2, per_host_gap=timedelta(milliseconds=30))


def test_many_threads_keep_the_law_together(make: Callable[[Network], _World]) -> None:
    """Six impatient threads: never more than two inside, never closer than the gap."""
    visits = _crowd(make(_BUSY).gates, threads=6, times=3, stay=0.08)
    assert len(visits) == 18
    assert _lawful(visits, 2, 0.03)
    assert _most_at_once(visits) == 2


def test_two_processes_keep_the_law_together(url: str) -> None:
    """Two processes with three threads each are no different from one with six."""
    Redis.from_url(url).flushall()
    ends = [Pipe() for _ in range(2)]
    processes = [start(_crowd_elsewhere, theirs, url, 3, 3, 0.08) for _, theirs in ends]
    for ours, _ in ends:
        ours.send("go")
    visits = [_Visit(*times) for ours, _ in ends for times in ours.recv()]
    assert [finish(process) for process in processes] == [0, 0]
    assert len(visits) == 18
    assert _lawful(visits, 2, 0.03)
    for pipe in ends:
        for end in pipe:
            end.close()


#: Hypothesis takes no fixtures of a module.
_servers: dict[str, str] = {}
#: Spans whose sums and differences lie nowhere near each other, so that small delays change no answer.
_SPANS = (3.7123, 11.3457, 61.1091, 197.3371)
_STEP = st.one_of(
    st.just(("enter", 0.0)),
    st.just(("enter", 0.0)),
    st.just(("leave", 0.0)),
    st.just(("fail", 0.0)),
    st.sampled_from([("hold", 45.1733), ("hold", 130.2717)]),
    st.sampled_from([("slow", 17.5393)]),
    st.sampled_from([("pass", span) for span in _SPANS]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_STEP, min_size=5, max_size=40))
def test_both_kinds_of_gates_give_the_same_answers(steps: list[tuple[str, float]]) -> None:
    """Whatever happens, the script in the server decides as the code does."""
    local, shared = _Local(_NETWORK), _Shared(_servers["url"], _NETWORK)
    worlds: tuple[_World, _World] = (local, shared)
    for step, seconds in steps:
        span = timedelta(seconds=seconds)
        answers = []
        for world in worlds:
            if step == "enter":
                answers.append(_enter(world))
            elif step == "pass":
                world.pass_(span)
            elif step == "hold":
                world.gates.hold("x.example", until=world.now + span, now=world.now)
            elif step == "slow":
                world.gates.slow("x.example", gap=span)
            else:
                _leave(world, answered=step == "leave")
        if answers:
            mine, theirs = answers
            assert (mine is None) is (theirs is None), (mine, theirs)
            assert mine is None or theirs is None or abs(mine - theirs) < _NEAR
    shared.client.close()
    shared.gates.close()


@pytest.fixture(autouse=True, scope="module")
def _server_for_hypothesis(url: str) -> Iterator[None]:
    _servers["url"] = url
    yield
    _servers.clear()

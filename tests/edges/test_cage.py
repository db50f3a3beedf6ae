from __future__ import annotations

import multiprocessing.process
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import billiard
import pytest

from tests.edges import calls
from tests.processes import DEADLINE, ROOT
from worker.errors import ConfigError, Problem, Retryable, Unusable, WirewatchError
from worker.feeds.document import parse
from worker.live.cage import CALLS, Cage
from worker.model import Feed

_LIMIT = timedelta(seconds=20)
_SHORT = timedelta(seconds=1)


@pytest.fixture
def make() -> Iterator[Callable[..., Cage]]:
    """Give what makes cages that end with the test; they import nothing beforehand unless told to."""
    cages: list[Cage] = []

    def cage(size: int = 1, limit: timedelta = _LIMIT, **more: Any) -> Cage:
        cages.append(Cage(size, limit, **({"preload": (calls.__name__,)} | more)))
        return cages[-1]

    yield cage
    for each in cages:
        each.close()


@pytest.fixture
def cage(make: Callable[..., Cage]) -> Cage:
    """Give a cage with one child."""
    return make()


def _alive(process: int) -> bool:
    """Return whether a process runs: one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end_of(processes: tuple[int, ...]) -> bool:
    """Wait, within bounds, until none of them runs."""
    until = time.monotonic() + DEADLINE
    while any(map(_alive, processes)) and time.monotonic() < until:
        threading.Event().wait(0.005)
    return not any(map(_alive, processes))


def test_a_call_returns_what_the_function_returns(cage: Cage) -> None:
    """Arguments and answers travel as they are, in another process."""
    assert cage.call(calls.double, "ab") == "abab"
    assert cage.call(calls.double, "ab", times=3) == "ababab"
    assert cage.call(calls.who) not in {os.getpid(), 0}
    assert len(cage.call(calls.double, "x" * calls.MIB)) == 2 * calls.MIB


def test_nothing_is_started_before_the_first_call(make: Callable[..., Cage]) -> None:
    """Commands that parse nothing pay nothing."""
    cage = make()
    assert cage.processes() == ()
    cage.call(calls.who)
    assert len(cage.processes()) == 2


def test_a_feed_is_parsed_as_it_is_without_a_cage(make: Callable[..., Cage]) -> None:
    """What comes back is the same value."""
    feed = Feed(id="x", url="https://x.example/feed", outlet="X")
    item = b"<item><title>One</title><link>https://x.example/1</link><guid>1</guid></item>"
    body = b"<rss version='2.0'><channel><title>X</title>" + item + b"</channel></rss>"
    assert make(preload=("worker.feeds.document",)).call(parse, body, feed=feed, headers={}) == parse(
        body, feed=feed, headers={}
    )


@pytest.mark.parametrize(
    "error",
    [
        Unusable("no feed", name="not-a-feed"),
        Retryable("later", after=timedelta(minutes=5), name="rate-limited"),
        ConfigError(Problem(file="a.yaml", line=3, message="wrong")),
        WirewatchError("plain"),
    ],
)
def test_an_error_of_ours_comes_back_as_it_was_raised(cage: Cage, error: WirewatchError) -> None:
    """Type, message, name and time are kept, and the child goes on."""
    child = cage.call(calls.who)
    with pytest.raises(type(error)) as caught:
        cage.call(calls.fail, error)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)
    assert cage.call(calls.who) == child


@pytest.mark.parametrize("error", [ValueError("bad"), RecursionError("deep"), KeyboardInterrupt(), SystemExit(3)])
def test_any_other_error_comes_back_with_where_it_was_raised(cage: Cage, error: BaseException) -> None:
    """It is a mistake of ours, and its place is needed to mend it."""
    with pytest.raises(type(error)) as caught:
        cage.call(calls.fail, error)
    assert caught.value.args == error.args
    assert "fail" in caught.value.__notes__[0]


def test_what_cannot_travel_is_told_in_words(cage: Cage) -> None:
    """Neither an odd error nor an odd answer ends the child."""
    child = cage.call(calls.who)
    with pytest.raises(RuntimeError, match="Stubborn: 1 and 2"):
        cage.call(calls.fail_with_what_cannot_travel)
    with pytest.raises(TypeError, match="cannot pickle"):
        cage.call(calls.return_what_cannot_travel)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        cage.call(lambda: None)
    assert cage.call(calls.who) == child


def _overran(cage: Cage, function: Callable[..., Any], *args: Any) -> str:
    """Call what cannot go well, and check that its child is gone and the next call is well."""
    child = cage.call(calls.who)
    with pytest.raises(Retryable) as caught:
        cage.call(function, *args)
    assert caught.value.name == "overran"
    assert _end_of((child,))
    assert cage.call(calls.who) != child
    return str(caught.value)


def test_a_call_that_never_ends_is_killed(make: Callable[..., Cage]) -> None:
    """The reason says after how long."""
    assert _overran(make(limit=_SHORT), calls.loop) == "loop: killed after 1 s"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_call_may_take_its_process_with_it(cage: Cage, number: int) -> None:
    """A crash of a library, and the kernel when memory is short."""
    assert _overran(cage, calls.die, number) == f"die: its process died (signal {number:d})"


def test_a_call_may_end_its_process(cage: Cage) -> None:
    """No library should, and one might."""
    assert _overran(cage, calls.leave, 3) == "leave: its process died (exit code 3)"


@pytest.mark.parametrize("function", [calls.eat, calls.eat_and_say_otherwise])
def test_a_call_has_so_much_memory_and_no_more(make: Callable[..., Cage], function: Callable[..., Any]) -> None:
    """Even if the function takes the end of memory for something else."""
    cage = make(memory=100 * calls.MIB)
    assert cage.call(calls.eat, 80) == 80 * calls.MIB
    assert _overran(cage, function, 120) == f"{function.__name__}: used more than 100 MiB of memory"


def test_a_child_that_died_while_idle_is_nobodys_fault(cage: Cage) -> None:
    """The next call gets another one and knows nothing of it."""
    child = cage.call(calls.who)
    os.kill(child, signal.SIGKILL)
    assert _end_of((child,))
    assert cage.call(calls.who) != child


def test_a_template_that_died_is_replaced(cage: Cage) -> None:
    """Children live on without it, and the next ones have another."""
    child = cage.call(calls.who)
    template = cage.processes()[0]
    os.kill(template, signal.SIGKILL)
    assert _end_of((template,))
    assert cage.call(calls.who) == child
    assert _overran(cage, calls.leave, 1) == "leave: its process died"
    assert cage.processes()[0] != template


def test_a_child_is_replaced_after_many_calls(cage: Cage) -> None:
    """What a library hoards goes with it."""
    children = {cage.call(calls.who) for _ in range(CALLS)}
    assert len(children) == 1
    assert cage.call(calls.who) not in children
    assert _end_of(tuple(children))


def test_neighbours_of_a_hostile_call_are_well(make: Callable[..., Cage]) -> None:
    """Eight threads on three children: one hangs, one crashes, and the others have the right answers."""
    cage = make(size=3, limit=timedelta(seconds=2))
    answers: dict[int, list[object]] = {n: [] for n in range(8)}

    def good(n: int) -> None:
        answers[n] += [cage.call(calls.double, f"{n}.{i} ") for i in range(20)]

    def hostile(n: int, function: Callable[..., Any], *args: Any) -> None:
        try:
            cage.call(function, *args)
        except Retryable as error:
            answers[n].append(error.name)

    threads = [threading.Thread(target=good, args=(n,)) for n in range(6)]
    threads.append(threading.Thread(target=hostile, args=(6, calls.loop)))
    threads.append(threading.Thread(target=hostile, args=(7, calls.die, signal.SIGSEGV)))
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert all(answers[n] == [f"{n}.{i} " * 2 for i in range(20)] for n in range(6))
    assert answers[6] == answers[7] == ["overran"]


def test_waiting_for_a_free_child_takes_nothing_off_the_time(make: Callable[..., Cage]) -> None:
    """Five calls of 0.3 s each on one child: the last waits 1.2 s, and none is killed after one."""
    cage = make(limit=timedelta(seconds=1))
    cage.call(calls.who)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            cage.call(time.sleep, 0.3)
        except Retryable as error:
            errors.append(error)

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert errors == []


def test_signals_to_the_group_are_not_for_the_children(cage: Cage) -> None:
    """Ctrl-C and a stop of the service reach whoever asked; he ends the children when he is ready."""
    child = cage.call(calls.who)
    for process in cage.processes():
        assert os.getpgid(process) != os.getpgid(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
    assert cage.call(calls.who) == child


def test_children_write_nothing_where_answers_for_machines_go(cage: Cage, capfd: pytest.CaptureFixture[str]) -> None:
    """A library that prints does not break a line of JSON."""
    cage.call(calls.noise)
    assert capfd.readouterr().out == ""


def test_a_closed_cage_has_no_processes(make: Callable[..., Cage]) -> None:
    """Whoever waits for an answer is told, and later calls are refused."""
    cage = make(size=2)
    assert cage.call(calls.double, "x") == "xx"
    said: list[Retryable] = []

    def ask() -> None:
        try:
            cage.call(calls.loop)
        except Retryable as error:
            said.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until = time.monotonic() + DEADLINE
    while cage._slots.qsize() == 2 and time.monotonic() < until:
        threading.Event().wait(0.001)
    processes = cage.processes()
    cage.close()
    thread.join(DEADLINE)
    assert _end_of(processes)
    assert [error.name for error in said] == [""]
    with pytest.raises(Retryable, match="closed"):
        cage.call(calls.who)
    cage.close()


_PARENT = """
import sys
from worker.live.cage import Cage
from tests.edges import calls
import threading
cage = Cage(2, preload=(calls.__name__,))
idle = cage.call(calls.who)
threading.Thread(target=cage.call, args=(calls.loop,), daemon=True).start()
while len(cage.processes()) < 3 and cage._slots.qsize() == 2:
    pass
print(*cage.processes(), flush=True)
sys.stdin.read()
"""


def test_children_end_when_their_parent_is_killed() -> None:
    """Even the one that is in the middle of a call that never ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    ) as parent:
        assert parent.stdout is not None
        processes = tuple(map(int, parent.stdout.readline().split()))
        assert len(processes) >= 2
        assert all(map(_alive, processes))
        parent.kill()
    assert _end_of(processes)


def _use(cage: Cage | None, connection: Any) -> None:
    """Call from a process that is not the main one."""
    # Children of the process that this one was forked from, which other tests may have left: they are not its own.
    multiprocessing.process._children.clear()  # type: ignore[attr-defined]
    with connection:
        mine = cage or Cage(1, preload=(calls.__name__,))
        connection.send((mine.call(calls.double, "x"), mine.call(calls.who)))
        mine.close()


def test_a_daemon_of_multiprocessing_may_use_a_cage() -> None:
    """Although its own library lets it have no children."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_use, args=(None, theirs), daemon=True)
    process.start()
    theirs.close()
    with ours:
        assert ours.poll(DEADLINE)
        assert ours.recv()[0] == "xx"
    process.join(DEADLINE)
    assert process.exitcode == 0
    process.close()


def test_processes_of_celery_may_use_a_cage_that_was_used_before_they_were_forked(cage: Cage) -> None:
    """Each has children of its own, and those of the parent are well when it has ended."""
    child = cage.call(calls.who)
    ours, theirs = billiard.Pipe()
    process = billiard.context.ForkContext().Process(target=_use, args=(cage, theirs), daemon=True)
    process.start()
    theirs.close()
    answer, theirs_child = ours.recv()
    assert answer == "xx"
    assert theirs_child != child
    process.join(int(DEADLINE))
    assert process.exitcode == 0
    ours.close()
    assert _end_of((theirs_child,))
    assert cage.call(calls.who) == child


def test_what_is_preloaded_is_there_for_every_child(make: Callable[..., Cage]) -> None:
    """A function of a module can be called once, so that what it keeps is shared."""
    cage = make(preload=(calls.__name__, f"{calls.__name__}:remember"))
    template = cage.call(calls.remember)
    assert template == cage.processes()[0]
    child = cage.call(calls.who)
    os.kill(child, signal.SIGKILL)
    assert _end_of((child,))
    assert cage.call(calls.remember) == template

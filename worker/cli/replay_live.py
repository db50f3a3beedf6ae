"""``replay --live``: the stages of a replay in real workers, over loopback HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.live.crew import Crew
    from worker.live.station import Plan
    from worker.replay.loop import Runner
    from worker.replay.recording import Recording
    from worker.replay.session import Elsewhere
    from worker.settings import Settings


@contextmanager
def workers(recorded: Recording, settings: Settings, *, state: Path, judge_record: Path) -> Iterator[Elsewhere]:
    """Yield what runs the stages of ``recorded`` in other processes: real Celery, Valkey and HTTP on loopback."""
    from worker.live.crew import crew
    from worker.replay.loopback import Listener

    with (
        Listener() as listener,
        crew(lambda: _plan(recorded, settings, state, listener.port, judge_record), state) as begin,
    ):

        @contextmanager
        def elsewhere(heard: Callable[[dict[str, Any]], None]) -> Iterator[Mapping[str, Runner]]:
            from worker.replay.session import Told

            led, told = begin(), Told(state)
            with listener.serving(recorded.web(), now=led.now):
                yield {stage: _runner(led, stage, told, heard) for stage in ("poll", "read", "deliver")}

        yield elsewhere


def _runner(led: Crew, stage: str, told: Any, heard: Callable[[dict[str, Any]], None]) -> Runner:  # noqa: ANN401
    def run(_: Any, now: Any) -> Any:  # noqa: ANN401 - a Runner
        outcomes = led.run(stage, now)
        for line in told.new():
            heard(line)
        return outcomes

    return run


def _plan(recorded: Recording, settings: Settings, state: Path, port: int, judge_record: Path) -> Plan:
    """Return how the workers get the replay's own pipeline, whose web is the server at ``port``."""
    from worker import build
    from worker.build.meaning import open_meaning
    from worker.ledger import snapshots
    from worker.ledger.engine import Ledger
    from worker.live.cage import Cage
    from worker.live.readers import caged
    from worker.live.station import Plan
    from worker.replay import session
    from worker.replay.loopback import Loopback
    from worker.topics import compile_topics
    from worker.web.client import LiveWeb
    from worker.web.network import Network

    def newest(ledger: Ledger) -> tuple[Settings, int]:
        with ledger.read() as t:
            return settings, snapshots.generation(t)

    def pipeline(settings: Settings, ledger: Ledger, _: int, stack: ExitStack) -> Any:  # noqa: ANN401 - a Pipeline
        network = Network(allow_private=("127.0.0.0/8",), allow_ports=(port,))
        web = LiveWeb(network, user_agent=settings.service.user_agent)
        stack.callback(web.close)
        cage = Cage(1)
        stack.callback(cage.close)

        def matcher() -> Any:  # noqa: ANN401 - a Matcher
            opened = open_meaning(settings.service, settings.topics, state=state, judge_record=judge_record)
            return compile_topics(settings.topics, meaning=opened.meaning)

        return session.pipeline(
            recorded,
            settings,
            ledger=ledger,
            web=Loopback(web, port),
            state=state,
            heard=lambda _: None,
            matcher=build.LazyMatcher(matcher),
            readers=caged(cage),
        )

    return Plan(
        open_ledger=lambda: build.open_replay_ledger(state),
        settings=newest,
        pipeline=pipeline,
        clock=lambda ledger: ledger.clock,
        rooms={},
    )

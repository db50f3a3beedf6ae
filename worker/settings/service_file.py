"""``service.yaml``: how the service runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field

from worker.errors import Problem
from worker.feeds.polling import Polling
from worker.ledger.retention import Retention
from worker.settings.addresses import listen
from worker.settings.document import Document
from worker.settings.fields import (
    AtLeastOne,
    AtLeastZero,
    Broker,
    FirstPoll,
    Flag,
    HeaderValue,
    Ledger,
    Listen,
    Model,
    Networks,
    OptionalUrl,
    Pause,
    Port,
    ServiceUrl,
    Shape,
    Size,
    Span,
    Text,
    Url,
    Verifier,
)
from worker.settings.part import Part
from worker.settings.shape import check_shape
from worker.settings.values import Console, Heartbeat, Judge, Meaning, Service
from worker.web.network import MIB, Network

_TOKEN = "WIREWATCH_TOKEN"  # noqa: S105 - the name of a variable
_LOOPBACK = re.compile(r"127\.[0-9.]+|::1|localhost")


class _Network(Shape):
    allow_private: Networks = False
    allow_ports: list[Port] = Field(default_factory=lambda: [80, 443])
    max_body: Size = 10 * MIB
    deadline: Span = timedelta(seconds=30)
    max_redirects: AtLeastZero = 5
    per_host_concurrency: AtLeastOne = 2
    per_host_gap: Pause = timedelta(seconds=1)
    proxy: OptionalUrl = ""


class _Polling(Shape):
    adaptive: Flag = True
    min_interval: Span = timedelta(seconds=60)
    max_interval: Span = timedelta(hours=24)
    permanent_after: AtLeastOne = 3
    first_poll: FirstPoll = "baseline"


class _Judge(Shape):
    url: Url
    model: Text = ""
    key: str = ""
    budget_per_hour: AtLeastZero = 100
    timeout: Span = timedelta(seconds=20)


class _Meaning(Shape):
    model: Model = "default"
    verifier: Verifier = "default"
    judge: _Judge | None = None


class _Console(Shape):
    listen: Listen = "127.0.0.1:8484"
    token: str | None = None
    url: ServiceUrl = ""


class _Retention(Shape):
    articles: Span = timedelta(days=30)
    seen: Span = timedelta(days=180)
    alerts: Span = timedelta(days=365)
    dead: Span = timedelta(days=90)


class _Heartbeat(Shape):
    url: OptionalUrl = ""
    every: Span = timedelta(minutes=5)


class _File(Shape):
    broker: Broker = "embedded"
    ledger: Ledger = "sqlite"
    user_agent: HeaderValue = Service().user_agent
    workers: AtLeastOne = 2
    network: _Network = _Network()
    polling: _Polling = _Polling()
    meaning: _Meaning = _Meaning()
    console: _Console = _Console()
    retention: _Retention = _Retention()
    heartbeat: _Heartbeat = _Heartbeat()


def read_service(document: Document, env: Mapping[str, str]) -> Part[Service]:
    """Return what ``service.yaml`` says. The console's token comes from ``WIREWATCH_TOKEN`` when no key gives it."""
    checked = check_shape(_File, document, ())
    file = checked.value or _File()
    return Part(
        document=document,
        value=_service(file, env),
        problems=(*document.problems, *checked.problems, *_order(document, file.polling)),
        warnings=_exposed(document, file.console, env),
    )


def _service(file: _File, env: Mapping[str, str]) -> Service:
    network = file.network.model_dump()
    network["allow_ports"] = tuple(file.network.allow_ports)
    judge = file.meaning.judge
    host, port = listen(file.console.listen)
    return Service(
        broker=file.broker,
        ledger=file.ledger,
        user_agent=file.user_agent,
        workers=file.workers,
        network=Network(**network),
        polling=Polling(**file.polling.model_dump()),
        meaning=Meaning(
            model=file.meaning.model,
            verifier=file.meaning.verifier,
            judge=Judge(**judge.model_dump()) if judge else None,
        ),
        console=Console(host=host, port=port, token=_token(file.console, env), url=file.console.url),
        retention=Retention(**file.retention.model_dump()),
        heartbeat=Heartbeat(**file.heartbeat.model_dump()),
    )


def _token(console: _Console, env: Mapping[str, str]) -> str:
    return env.get(_TOKEN, "") if console.token is None else console.token


def _order(document: Document, polling: _Polling) -> tuple[Problem, ...]:
    if polling.min_interval <= polling.max_interval:
        return ()
    message = "min_interval: is longer than max_interval"
    return (document.problem(("polling", "min_interval"), message),)


def _exposed(document: Document, console: _Console, env: Mapping[str, str]) -> tuple[Problem, ...]:
    if _LOOPBACK.fullmatch(listen(console.listen)[0]) or _token(console, env):
        return ()
    message = "listen: this address is not of this machine alone; set console.token before you open it to others"
    return (document.problem(("console", "listen"), message),)

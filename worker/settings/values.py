"""Settings as the rest of the house knows them: frozen values without a trace of YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import worker
from worker.alerts.policy import Policy, Recipient, Route
from worker.channels.config import ChannelConfig
from worker.errors import Problem
from worker.feeds.polling import Polling
from worker.ledger.retention import Retention
from worker.model import Feed, Topic
from worker.web.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A language model that decides what the verifier leaves open."""

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    #: How many questions it is asked in an hour at most; 0: none, and answers come from the record only.
    budget_per_hour: int = 100
    #: How long an answer may take.
    timeout: timedelta = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The models that decide by meaning: ``default``, ``off``, a directory, or ``hub:OWNER/NAME@REVISION``."""

    model: str = "default"
    verifier: str = "default"
    judge: Judge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where the console listens, the token that it asks for, and where readers find it."""

    host: str = "127.0.0.1"
    port: int = 8484
    token: str = field(default="", repr=False)
    #: Where those who read alerts reach it, without a slash at its end; empty when they do not.
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The URL that is called while all is well, and how often; no URL means never."""

    url: str = field(default="", repr=False)
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """``service.yaml``."""

    #: ``embedded``, or a URL, which may hold a password: never log it.
    broker: str = field(default="embedded", repr=False)
    #: ``sqlite``, or a URL, which may hold a password: never log it.
    ledger: str = field(default="sqlite", repr=False)
    user_agent: str = f"wirewatch/{worker.__version__}"
    workers: int = 2
    network: Network = field(default_factory=Network)
    polling: Polling = field(default_factory=Polling)
    meaning: Meaning = field(default_factory=Meaning)
    console: Console = field(default_factory=Console)
    retention: Retention = field(default_factory=Retention)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the configuration says, checked."""

    feeds: tuple[Feed, ...] = ()
    service: Service = field(default_factory=Service)
    channels: Mapping[str, ChannelConfig] = field(default_factory=dict)
    #: The same channels, as decisions about alerts know them.
    recipients: Mapping[str, Recipient] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    policy: Policy = field(default_factory=Policy)
    topics: tuple[Topic, ...] = ()
    #: What a person should know although nothing is wrong: files that are not read, topics that cannot match.
    warnings: tuple[Problem, ...] = ()
    #: The files that were read.
    files: tuple[str, ...] = ()

from __future__ import annotations

from datetime import timedelta

import pytest

from worker.feeds.polling import Polling
from worker.ledger.retention import Retention
from worker.settings.document import parse
from worker.settings.part import Part
from worker.settings.service_file import read_service
from worker.settings.values import Console, Heartbeat, Judge, Meaning, Service
from worker.web.network import Network

_ENV = {"PASSWORD": "hunter2", "N": "7", "YES": "True"}


def _read(text: str) -> Part[Service]:
    return read_service(parse("service.yaml", text, _ENV), _ENV)


def _service(text: str) -> Service:
    part = _read(text)
    assert part.problems == ()
    return part.value


def test_nothing_said_is_every_default() -> None:
    """An empty file, empty sections and no file at all are the same."""
    assert _service("") == Service()
    assert _service("network:\npolling:\nmeaning:\nconsole:\nretention:\nheartbeat:\nbroker:\nworkers:\n") == Service()


def test_every_key_is_read() -> None:
    """What the file says reaches the value of the same name."""
    service = _service(
        """
        broker: "rediss://user:${PASSWORD}@redis.example:6380/0"
        ledger: "postgresql+psycopg://user:${PASSWORD}@db.example/wirewatch"
        user_agent: "watch (+https://example.org)"
        workers: ${N}
        network: {allow_private: [127.77.0.0/16, "::1"], allow_ports: [8080], max_body: 1MiB, deadline: 5s,
                  max_redirects: 0, per_host_concurrency: 1, per_host_gap: 0}
        polling: {adaptive: false, min_interval: 1s, max_interval: 2h, permanent_after: 1, first_poll: 24h}
        meaning: {model: off, verifier: "hub:o/n@r", judge: {url: "https://x.example", model: m, key: "${PASSWORD}"}}
        console: {listen: "[::1]:80", token: "${PASSWORD}"}
        retention: {articles: 1d, seen: 2d, alerts: 3d, dead: 4d}
        heartbeat: {url: "https://x.example/${PASSWORD}", every: 1m}
        """
    )
    assert service == Service(
        broker="rediss://user:hunter2@redis.example:6380/0",
        ledger="postgresql+psycopg://user:hunter2@db.example/wirewatch",
        user_agent="watch (+https://example.org)",
        workers=7,
        network=Network(
            allow_private=("127.77.0.0/16", "::1/128"),
            allow_ports=(8080,),
            max_body=2**20,
            deadline=timedelta(seconds=5),
            max_redirects=0,
            per_host_concurrency=1,
            per_host_gap=timedelta(),
        ),
        polling=Polling(
            adaptive=False,
            min_interval=timedelta(seconds=1),
            max_interval=timedelta(hours=2),
            permanent_after=1,
            first_poll=timedelta(hours=24),
        ),
        meaning=Meaning(
            model="off", verifier="hub:o/n@r", judge=Judge(url="https://x.example", model="m", key="hunter2")
        ),
        console=Console(host="::1", port=80, token=_ENV["PASSWORD"]),
        retention=Retention(
            articles=timedelta(days=1), seen=timedelta(days=2), alerts=timedelta(days=3), dead=timedelta(days=4)
        ),
        heartbeat=Heartbeat(url="https://x.example/hunter2", every=timedelta(minutes=1)),
    )


def test_a_service_shows_no_secret_in_a_log() -> None:
    """The values that may hold a password are left out of repr."""
    service = _service(
        "{broker: 'redis://:${PASSWORD}@h', ledger: 'postgresql+psycopg://u:${PASSWORD}@h/d', "
        "meaning: {judge: {url: 'https://x.example', key: '${PASSWORD}'}}, console: {token: '${PASSWORD}'}, "
        "heartbeat: {url: 'https://x.example/${PASSWORD}'}}"
    )
    assert "hunter2" not in repr(service)


def test_the_token_of_the_console_comes_from_the_environment_unless_said() -> None:
    """The default of DESIGN is a variable, and an empty text turns it off."""
    env = {"WIREWATCH_TOKEN": "t"}
    assert read_service(parse("f", "", env), env).value.console.token == env["WIREWATCH_TOKEN"]
    assert not read_service(parse("f", "console: {token: ''}", env), env).value.console.token


@pytest.mark.parametrize(
    "url", ["embedded", "redis://h", "rediss://h:1/0", "valkey://h", "sentinel://a:26379;sentinel://b:26379"]
)
def test_every_kind_of_broker_is_accepted(url: str) -> None:
    """Embedded, or a server that speaks the protocol of Redis."""
    assert _service(f"broker: '{url}'").broker == url


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [("true", True), ("false", False), ("[]", False), ("['10.0.0.0/8']", ("10.0.0.0/8",)), ("'${YES}'", True),
     ("[192.0.2.1]", ("192.0.2.1/32",))],
)  # fmt: skip
def test_private_addresses_are_allowed_all_none_or_by_network(setting: str, allowed: object) -> None:
    """An address alone is a network of one; an empty list allows none."""
    assert _service(f"network: {{allow_private: {setting}}}").network.allow_private == allowed


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("brocker: embedded", 1, 'brocker: unknown key; did you mean "broker"?'),
        ("broker: amqp://h", 9, "broker: expected embedded, or a URL that begins with redis://"),
        ("broker: redis://", 9, "broker: expected a URL with a host"),
        ("ledger: postgres://h/d", 9, "ledger: write postgresql+psycopg:// instead"),
        ("ledger: mysql://h/d", 9, "ledger: expected sqlite"),
        ("user_agent: ''", 13, "user_agent: expected text, found an empty one"),
        ('user_agent: "a\\nb"', 13, "user_agent: a header's value is one line"),
        ("workers: 0", 10, "workers: must be at least 1"),
        ("workers: two", 10, "workers: expected a whole number, found text"),
        ("workers: 1.5", 10, "workers: expected a whole number, found a number with a fraction"),
        ("network: {allow_private: 10.0.0.0/8}", 26, "allow_private: expected true, false or a list of networks"),
        ("network: {allow_private: [10.0.0.1/8]}", 26, "has bits set beyond its prefix; write 10.0.0.0/8"),
        ("network: {allow_private: [home]}", 26, '"home" is no network'),
        ("network: {allow_private: yes}", 26, "write true, without quotes"),
        ("network: {allow_ports: [0]}", 25, "allow_ports[0]: must be at least 1"),
        ("network: {allow_ports: 80}", 24, "allow_ports: expected a list, found a number"),
        ("network: {max_body: 10 MB}", 21, 'max_body: "10 MB" is no size; write 10MB'),
        ("network: {max_body: 0}", 21, "max_body: expected a size larger than 0"),
        ("network: {per_host_concurrency: 0}", 33, "per_host_concurrency: must be at least 1"),
        ("network: {max_redirects: -1}", 26, "max_redirects: must be at least 0"),
        ("network: {deadline: 0s}", 21, "deadline: expected a duration longer than 0"),
        ("polling: {first_poll: basline}", 23, 'found "basline"; did you mean "baseline"?'),
        ("polling: {first_poll: 0}", 23, "first_poll: expected a duration longer than 0"),
        ("polling: {permanent_after: 0}", 28, "permanent_after: must be at least 1"),
        ("polling: {min_interval: 2h, max_interval: 1h}", 25, "min_interval: is longer than max_interval"),
        ("meaning: {judge: {model: m}}", 18, "url: missing"),
        ("meaning: {judge: {url: x}}", 24, "url: expected a URL"),
        ("meaning: {model: false}", 18, "model: expected text, found true or false without quotes; put it in quotes"),
        ("console: {listen: 8484}", 19, "listen: expected text, found a number"),
        ("console: {listen: '127.0.0.1'}", 19, "is no host:port"),
        ("console: {listen: 'h:99999'}", 19, "is no host:port"),
        ("retention: {seen: 0d}", 19, "seen: expected a duration longer than 0"),
        ("heartbeat: {evry: 5m}", 13, 'evry: unknown key; did you mean "every"?'),
        ("heartbeat: {url: ping}", 18, "url: expected a URL"),
    ],
)
def test_a_mistake_in_the_service_is_found_at_its_place(text: str, column: int, message: str) -> None:
    """Each message names the key, what was expected and what was found."""
    (problem,) = _read(text).problems
    assert (problem.line, problem.column) == (1, column)
    assert message in problem.message


def test_an_open_console_without_a_token_is_odd() -> None:
    """Whoever reaches the address could operate the service."""
    assert _read("console: {listen: '0.0.0.0:8484'}").warnings
    assert not _read("console: {listen: '0.0.0.0:8484', token: t}").warnings
    assert not _read("console: {listen: 'localhost:8484'}").warnings

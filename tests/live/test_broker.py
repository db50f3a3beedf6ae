"""Brokers: what a URL means to Celery and to us, and what servers are refused. Real servers on loopback."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError

from tests import valkey
from tests.processes import DEADLINE
from worker.errors import ConfigError
from worker.live.broker import PREFIX, Broker, findings, judged, open_broker, skewed, unreachable
from worker.live.clock import wall_clock

_NOWHERE = Path("/nowhere/valkey.sock")
_SECRET = "s3cret:/?#[]@;%&+ word"
_WRITTEN = quote(_SECRET, safe="")
loopback = pytest.mark.usefixtures("_loopback")


@pytest.fixture
def _loopback(socket_enabled: None) -> None:
    """Let the test reach servers on loopback."""


def opened(address: str) -> Broker:
    """Return the broker of an address that is not embedded."""
    return open_broker(address, socket=_NOWHERE)


def to_celery(broker: Broker) -> Connection:
    """Return the broker as Celery connects to it."""
    return Connection(broker.url, transport_options={**broker.transport_options, "socket_connect_timeout": 5})


def carries(broker: Broker) -> bool:
    """Return whether a message goes through, and its queue is where our own client looks for it."""
    with to_celery(broker) as connection, closing(connection.SimpleQueue("words")) as queue:
        queue.put("hello")
        with closing(broker.client()) as client:
            lengths = client.llen(f"{PREFIX}words")
        message = queue.get(timeout=10)
        message.ack()
        return bool(lengths == 1 and message.payload == "hello")


def said(broker: Broker) -> list[tuple[str, str]]:
    """Return the level and the text of each finding."""
    with closing(broker.client()) as client:
        return [(finding.level, str(finding)) for finding in findings(client, clock=wall_clock)]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("embedded", "unix:/nowhere/valkey.sock"),
        ("redis://h", "redis://h:6379/0"),
        ("VALKEY://User:pass@h:7000/3", "redis://h:7000/3"),
        ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
        ("valkeys://:pass@h/2", "rediss://h:6379/2"),
        ("redis://h?db=4", "redis://h:6379/4"),
        ("unix:///run/valkey.sock?db=5", "unix:/run/valkey.sock database 5"),
        ("redis+socket://u:pass@/run/valkey.sock?virtual_host=5", "unix:/run/valkey.sock database 5"),
        (
            "sentinel://u:pass@a:1;b;sentinel://c:3/2?master_name=main&sentinel_password=pass",
            "main by way of sentinel a:1, sentinel b:26379, sentinel c:3",
        ),
    ],
)
def test_a_broker_is_named_without_who_asks(address: str, name: str) -> None:
    """The name is for logs, and so is everything that Python prints of it."""
    broker = opened(address)
    assert (broker.name, str(broker)) == (name, name)
    assert "pass" not in repr(broker)


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("amqp://h", "expected embedded"),
        ("redis", "expected embedded"),
        ("redis://", "with a host"),
        (f"redis://:{_SECRET}@h", "write"),
        ("redis://:s3cret?word@h", "not valid"),
        ("redis://user:1?s3cret@h", "only these are understood"),
        ("redis://user:1#s3cret@h", "behind #"),
        ("redis://user:1/s3cret@h", "a database is a number"),
        ("redis://:s3cret/word@h", "not valid"),
        ("redis://h:s3cret", "not valid"),
        ("redis://h/s3cret", "a database is a number"),
        ("redis://h:0", "no port 0"),
        ("redis://h?s3cret=1", "only these"),
        ("rediss://h?ssl_cert_reqs=s3cret", "one of required"),
        ("unix://s3cret/run/x.sock", "three slashes"),
        ("redis+socket://", "three slashes"),
        ("sentinel://:s3cret@a:1;b:2/0", "master_name"),
        ("sentinel://a,b?master_name=main&s3cret=1", "only these"),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str, wrong: str) -> None:
    """What is taken for an option or a port may be the end of a password."""
    with pytest.raises(ConfigError, match=wrong) as raised:
        opened(address)
    text = f"{raised.value!r} {raised.value}"
    assert "s3cret" not in text.lower()
    assert "service.yaml" in text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@settings(deadline=None)  # The first call imports Celery.
@given(user=_TEXT, password=_TEXT, database=st.integers(0, 99))
def test_celery_and_we_read_the_same_from_a_url(user: str, password: str, database: int) -> None:
    """Server, database, user and password, whatever characters they have; and nothing that is printed has a secret."""
    who = f"{quote(user, safe='')}:{quote('s3cret' + password, safe='')}@"
    for address in (
        f"redis://{who}h:7000/{database}",
        f"rediss://{who}h:7000/{database}",
        f"sentinel://{who}h:7000;g:7001/{database}?master_name=main",
    ):
        broker = opened(address)
        theirs = to_celery(broker)
        ours: dict[str, Any] = broker.client().connection_pool.connection_kwargs
        seen = (theirs.userid, theirs.password, int(theirs.virtual_host))
        assert seen == (ours["username"], ours["password"], ours["db"]) == (user, "s3cret" + password, database)
        assert (theirs.hostname, theirs.port) == ("h", 7000)
        assert "s3cret" not in f"{broker} {broker!r} {theirs!r} {theirs.as_uri()}"
    theirs = to_celery(opened(f"sentinel://{who}h:7000;g:7001/{database}?master_name=main"))
    theirs.maybe_switch_next()
    assert (theirs.hostname, theirs.port, theirs.password) == ("g", 7001, "s3cret" + password)


def test_tls_is_checked_unless_told_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    """Celery's transport checks nothing when the URL does not say so; ours says so."""
    with caplog.at_level(logging.WARNING):
        theirs = to_celery(opened("rediss://h"))
        assert theirs.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
        assert not caplog.records
    ours = opened("rediss://h?ssl_ca_certs=/etc/our%20ca.pem").client().connection_pool.connection_kwargs
    assert ours["ssl_ca_certs"] == "/etc/our ca.pem"
    checked = to_celery(opened("rediss://h?ssl_ca_certs=/etc/our%20ca.pem")).ssl
    assert isinstance(checked, dict)
    assert checked["ssl_ca_certs"] == "/etc/our ca.pem"
    unchecked = to_celery(opened("rediss://h?ssl_cert_reqs=none")).ssl
    assert unchecked == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Give the URL of a server on a Unix socket."""
    with valkey.server() as running:
        yield running


@pytest.mark.parametrize("scheme", ["unix", "redis+socket"])
def test_messages_go_through_a_unix_socket(url: str, scheme: str) -> None:
    """For Celery and for our own client, in a database of its own."""
    broker = opened(f"{url.replace('unix', scheme)}?virtual_host=3")
    assert carries(broker)
    with closing(broker.client(name="somebody")) as client:
        assert client.client_info()["db"] == 3
        assert client.client_info()["name"] == "somebody"


def test_a_server_that_keeps_nothing_over_a_restart_is_noted(url: str) -> None:
    """It costs seconds only, since the ledger is elsewhere."""
    ((level, text),) = said(opened(url))
    assert level == "note"
    assert "appendonly is off" in text


@loopback
def test_a_cluster_is_refused(tmp_path: Path) -> None:
    """Celery's transport cannot work with one."""
    with valkey.on_loopback(tmp_path, "--cluster-enabled", "yes", "--appendonly", "yes") as port:
        ((level, text),) = said(opened(f"redis://127.0.0.1:{port}"))
    assert level == "refuse"
    assert "CROSSSLOT" in text
    assert "use a single server or Sentinel" in text


@loopback
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_evicts_is_refused(tmp_path: Path, policy: str) -> None:
    """It would throw the bindings of queues away; after the remedy it is taken."""
    with valkey.on_loopback(tmp_path, "--maxmemory-policy", policy, "--appendonly", "yes") as port:
        broker = opened(f"redis://127.0.0.1:{port}")
        ((level, text),) = said(broker)
        assert level == "refuse"
        assert policy in text
        assert "CONFIG SET maxmemory-policy noeviction" in text
        with closing(broker.client()) as client:
            client.config_set("maxmemory-policy", "noeviction")
        assert said(broker) == []


@loopback
def test_a_replica_is_refused(tmp_path: Path) -> None:
    """It takes no writes."""
    with (
        valkey.on_loopback(tmp_path / "one") as first,
        valkey.on_loopback(tmp_path / "two", "--replicaof", f"127.0.0.1 {first}", "--appendonly", "yes") as port,
    ):
        found = said(opened(f"redis://127.0.0.1:{port}"))
    assert ("refuse", True) in [(level, "replica" in text) for level, text in found]


@loopback
def test_a_password_is_needed_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a wrong one nor a right one stands in any text."""
    caplog.set_level(logging.DEBUG)
    with valkey.on_loopback(tmp_path, "--requirepass", _SECRET, "--appendonly", "yes", password=_SECRET) as port:
        assert said(opened(f"redis://:{_WRITTEN}@127.0.0.1:{port}")) == []
        assert carries(opened(f"redis://:{_WRITTEN}@127.0.0.1:{port}"))
        for who in ("", ":wr0ng@", "nobody:wr0ng@"):
            ((level, text),) = said(opened(f"redis://{who}127.0.0.1:{port}"))
            assert level == "refuse"
            assert "refuses the user or the password" in text
            assert "wr0ng" not in text + caplog.text
    assert _SECRET not in caplog.text


@loopback
def test_a_user_who_may_not_ask_for_settings_is_warned(tmp_path: Path) -> None:
    """INFO may be forbidden; that is no reason not to run."""
    with valkey.on_loopback(tmp_path, "--appendonly", "yes") as port:
        broker = opened(f"redis://127.0.0.1:{port}")
        with closing(broker.client()) as client:
            client.acl_setuser(
                "default", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"]
            )
        ((level, text),) = said(broker)
    assert level == "warn"
    assert "INFO is not allowed" in text


@loopback
def test_a_server_is_found_through_its_sentinel(tmp_path: Path) -> None:
    """By Celery and by us, with a password for the server and another for the sentinel."""
    with (
        valkey.on_loopback(
            tmp_path / "server", "--requirepass", _SECRET, "--appendonly", "yes", password=_SECRET
        ) as server,
        valkey.sentinel(tmp_path / "sentinel", server, password="other") as port,
    ):
        with closing(Redis(port=port, password="other")) as watching:
            watching.sentinel_set("main", "auth-pass", _SECRET)
            _until_known(watching)
        place = f"sentinel://:{_WRITTEN}@127.0.0.1:1;127.0.0.1:{port}/2?master_name="
        broker = opened(f"{place}main&sentinel_password=other")
        assert carries(broker)
        assert said(broker) == []
        with closing(broker.client()) as client:
            assert client.client_info()["db"] == 2
        for wrong in (f"{place}nobody&sentinel_password=other", f"{place}main&sentinel_password=wr0ng"):
            ((level, text),) = said(opened(wrong))
            assert level == "refuse"
            assert "no sentinel" in text
            assert "wr0ng" not in text
        ((level, text),) = said(opened(f"redis://:other@127.0.0.1:{port}"))
        assert (level, "master_name=NAME" in text) == ("refuse", True)


def _until_known(watching: Redis) -> None:
    """Wait until the sentinel has reached its server with the password."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        state = watching.sentinel_master("main")
        if isinstance(state, dict) and state["flags"] == "master":
            return
        time.sleep(0.05)
    raise AssertionError(watching.sentinel_master("main"))


@loopback
def test_a_server_that_is_not_there_may_come(tmp_path: Path) -> None:
    """Whoever starts may wait for it."""
    with valkey.on_loopback(tmp_path) as port:
        broker = opened(f"redis://:s3cret@127.0.0.1:{port}")
    with closing(broker.client()) as client:
        (finding,) = findings(client)
    assert (finding.level, finding.passing) == ("refuse", True)
    assert "connection refused" in finding.what
    assert "s3cret" not in str(finding)


def test_a_client_does_not_wait_for_long() -> None:
    """Its time-outs are short, and it tries once more and not for ever."""
    for address in ("redis://h", "unix:///x", "sentinel://h?master_name=main"):
        kwargs = opened(address).client(timeout=1.5).connection_pool.connection_kwargs
        # The socket of a file has no other time-out.
        assert kwargs["socket_timeout"] == kwargs.get("socket_connect_timeout", 1.5) == 1.5
        assert kwargs["retry"].get_retries() == 1


@pytest.mark.parametrize(
    ("info", "level", "text"),
    [
        ({"redis_version": "5.0.14"}, "warn", "version 5.0.14"),
        ({"redis_version": "6.0.9"}, "warn", "version 6.0.9"),
        ({"loading": 1}, "warn", "still loading"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "warn", "make room"),
        ({"maxmemory_policy": "allkeys-random"}, "refuse", "allkeys-random"),
        ({"cluster_enabled": 1}, "refuse", "Redis Cluster"),
    ],
)
def test_what_a_server_says_of_itself_is_judged(info: dict[str, Any], level: str, text: str) -> None:
    """One thing at a time, in words that name the remedy."""
    (finding,) = judged(info)
    assert finding.level == level
    assert text in str(finding)
    assert finding.remedy


@pytest.mark.parametrize("version", ["6.2.0", "7.2.4", "10.0.0", "", "unstable"])
def test_newer_and_unknown_versions_are_taken(version: str) -> None:
    """A fork may count as it likes."""
    assert judged({"redis_version": version, "maxmemory_policy": "noeviction", "aof_enabled": 1}) == []


@given(st.floats(-30, 30, allow_nan=False), st.floats(0, 10, allow_nan=False))
def test_a_clock_is_too_far_off_beyond_the_time_that_asking_took(off: float, took: float) -> None:
    """A slow answer is no wrong clock: only what the two readings around it cannot explain counts."""
    before = datetime(2026, 2, 1, tzinfo=UTC)
    after, there = before + timedelta(seconds=took), before + timedelta(seconds=off)
    found = skewed("broker", there, before=before, after=after)
    outside = max(before - there, there - after)
    assert bool(found) is (outside > timedelta(seconds=5))
    for finding in found:
        assert ("behind" in finding.what) is (off < 0)
        assert finding.level == "warn"


def test_a_server_whose_clock_is_wrong_is_warned_of(url: str) -> None:
    """Seen from a machine that is an hour ahead."""
    with closing(opened(url).client()) as client:
        texts = [str(found) for found in findings(client, clock=lambda: wall_clock() + timedelta(hours=1))]
    assert any("behind this machine's" in text and "36" in text for text in texts)


def test_whatever_is_raised_is_told_without_its_text() -> None:
    """Texts of libraries may hold addresses."""
    for error in (RedisError("s3cret"), OSError("s3cret"), ValueError("s3cret")):
        assert "s3cret" not in str(unreachable(error))

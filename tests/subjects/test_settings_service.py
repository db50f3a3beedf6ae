from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds.polling import Polling
from worker.ledger.retention import Retention
from worker.settings import hub
from worker.settings.document import parse
from worker.settings.models import MODEL_FILES
from worker.settings.part import Part
from worker.settings.service_file import read_service
from worker.settings.values import Console, Heartbeat, Judge, Meaning, Service
from worker.topics.meaning.models import FILES, MANIFEST
from worker.web.network import Network

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_ENV = {"PASSWORD": "hunter2", "N": "7", "YES": "True", "COMMIT": _COMMIT}


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
                  max_redirects: 0, per_host_concurrency: 1, per_host_gap: 0, proxy: "http://u:${PASSWORD}@p.example:3128"}
        polling: {adaptive: false, min_interval: 1s, max_interval: 2h, permanent_after: 1, first_poll: 24h}
        meaning: {model: off, verifier: "hub:o/n@${COMMIT}", judge: {url: "https://x.example", model: m,
                  key: "${PASSWORD}", budget_per_hour: 0, timeout: 1m}}
        console: {listen: "[::1]:80", token: "${PASSWORD}", url: "https://watch.example/wire"}
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
            proxy="http://u:hunter2@p.example:3128",
        ),
        polling=Polling(
            adaptive=False,
            min_interval=timedelta(seconds=1),
            max_interval=timedelta(hours=2),
            permanent_after=1,
            first_poll=timedelta(hours=24),
        ),
        meaning=Meaning(
            model="off",
            verifier=f"hub:o/n@{_COMMIT}",
            judge=Judge(
                url="https://x.example", model="m", key="hunter2", budget_per_hour=0, timeout=timedelta(minutes=1)
            ),
        ),
        console=Console(host="::1", port=80, token=_ENV["PASSWORD"], url="https://watch.example/wire"),
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
        "heartbeat: {url: 'https://x.example/${PASSWORD}'}, network: {proxy: 'http://u:${PASSWORD}@p'}}"
    )
    assert "hunter2" not in repr(service)


def test_the_token_of_the_console_comes_from_the_environment_unless_said() -> None:
    """The default of DESIGN is a variable, and an empty text turns it off."""
    env = {"WIREWATCH_TOKEN": "t"}
    assert read_service(parse("f", "", env), env).value.console.token == env["WIREWATCH_TOKEN"]
    assert not read_service(parse("f", "console: {token: ''}", env), env).value.console.token


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        "redis://h",
        "rediss://h:1/0",
        "redis://me:p%40ss@h:1/12",
        "rediss://h?ssl_ca_certs=/etc/ca.pem",
        "valkey://h/",
        "valkeys://[::1]:6380/1",
        "redis+socket:///run/valkey.sock",
        "redis+socket:///run/valkey.sock?virtual_host=3",
        "sentinel://a?master_name=mymaster",
        "sentinel://me:hunter2@a:26379;b:26379/0?master_name=mymaster",
        "sentinel://a:26379;sentinel://b:26379;sentinel://c/1?sentinel_password=x&master_name=my%20master",
        "SENTINEL://a:26379/0?master_name=m;sentinel://b:26379/0",
        "unix:///run/valkey.sock",
        "redis+socket://:hunter2@/run/valkey.sock",
    ],
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
        ("broker: redis://h:port", 9, "broker: the host or the port of this URL is not valid"),
        ("broker: redis://h/main", 9, "broker: after the host comes the number of the database"),
        ("broker: redis+socket://h/x", 9, "broker: expected embedded, or a URL that begins with redis://"),
        ("broker: sentinel://a;sentinel://b/0", 9, "broker: sentinels need the name of the master that they watch"),
        ("broker: 'sentinel://a;b/0?master_name='", 9, "end the URL with ?master_name=NAME"),
        ("broker: 'sentinel://a,b/0?master_name=m'", 9, "broker: sentinels are parted by a semicolon"),
        ("broker: 'sentinel://a;;b?master_name=m'", 9, "broker: expected a URL with a host"),
        ("broker: 'sentinel://a;b/x?master_name=m'", 9, "broker: after the host comes the number of the database"),
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
        ("network: {proxy: 'socks5://p'}", 18, "proxy: expected a URL that begins with https:// or http://"),
        ("network: {proxy: p:3128}", 18, "proxy: expected a URL with a host"),
        ("polling: {first_poll: basline}", 23, 'found "basline"; did you mean "baseline"?'),
        ("polling: {first_poll: 0}", 23, "first_poll: expected a duration longer than 0"),
        ("polling: {permanent_after: 0}", 28, "permanent_after: must be at least 1"),
        ("polling: {min_interval: 2h, max_interval: 1h}", 25, "min_interval: is longer than max_interval"),
        ("meaning: {judge: {model: m}}", 18, "url: missing"),
        ("meaning: {judge: {url: x}}", 24, "url: expected a URL"),
        ("meaning: {model: false}", 18, "model: expected text, found true or false without quotes; put it in quotes"),
        ("meaning: {model: ''}", 18, "model: expected text, found an empty one"),
        ("meaning: {model: defualt}", 18, 'there is no directory "defualt"; did you mean "default"?'),
        ('meaning: {model: "a\\0b"}', 18, "model: expected default, off or a directory; there is no directory"),
        (f"meaning: {{model: 'hub:o/n@{_COMMIT}'}}", 18, "model: expected default, off or a directory; only meaning."),
        ("meaning: {verifier: nowhere/here}", 21, "verifier: expected default, off, a directory or hub:OWNER/NAME@"),
        ("meaning: {verifier: 'hub:o/n'}", 21, "verifier: expected hub:OWNER/NAME@REVISION; the revision is missing"),
        ("meaning: {verifier: 'hub:o/n@'}", 21, "the revision is missing: write the commit, all 40 hexadecimal digits"),
        ("meaning: {verifier: 'hub:o/n@main'}", 21, "the revision is the name of a branch or a tag, whose files can"),
        ("meaning: {verifier: 'hub:o/n@0a1b2c3'}", 21, "the revision has 7 digits; write the commit, all 40"),
        (f"meaning: {{verifier: 'hub:o@{_COMMIT}'}}", 21, "where OWNER/NAME is the name of a model repository"),
        (f"meaning: {{verifier: 'hub:o/../n@{_COMMIT}'}}", 21, "where OWNER/NAME is the name of a model repository"),
        (f"meaning: {{verifier: 'hub:../n@{_COMMIT}'}}", 21, "where OWNER/NAME is the name of a model repository"),
        ("meaning: {judge: {url: https://x.example, budget_per_hour: -1}}", 60, "budget_per_hour: must be at least 0"),
        ("meaning: {judge: {url: https://x.example, timeout: 0s}}", 52, "timeout: expected a duration longer than 0"),
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


def _directory(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"x")
    return path


def test_a_directory_of_models_is_accepted_when_it_holds_them(tmp_path: Path) -> None:
    """Every file that the models are read from must be there."""
    folder = _directory(tmp_path / "models", *MODEL_FILES)
    assert _service(f"meaning: {{model: '{folder}'}}").meaning.model == str(folder)
    (folder / "encoder.onnx").unlink()
    (folder / "table.npz").unlink()
    (problem,) = _read(f"meaning: {{model: '{folder}'}}").problems
    assert (problem.line, problem.column) == (1, 18)
    assert problem.message.endswith("lacks table.npz and encoder.onnx")


def test_the_files_of_a_model_are_those_that_are_read() -> None:
    """The names stand twice, because the module that reads them is dear to import."""
    assert (MANIFEST, *FILES) == MODEL_FILES


@pytest.mark.parametrize("model", ["model.onnx", "onnx/model_quantized.onnx"])
def test_a_directory_with_a_verifier_is_accepted(tmp_path: Path, model: str) -> None:
    """The layout is that of the repositories of the hub."""
    folder = _directory(tmp_path / "nli", "config.json", "tokenizer.json", model)
    assert _service(f"meaning: {{verifier: '{folder}'}}").meaning.verifier == str(folder)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "config.json and tokenizer.json: missing"),
        (("config.json", "model.onnx"), "tokenizer.json: missing"),
        (("config.json", "tokenizer.json", "pytorch_model.bin"), "there is no .onnx file"),
        (("config.json", "tokenizer.json", "deep/down/model.onnx"), "there is no .onnx file"),
        (("config.json", "tokenizer.json", "model.onnx", "model.onnx_data"), "weights in a second file"),
    ],
)
def test_a_directory_without_a_verifier_is_a_mistake_at_its_place(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    """What is missing is found when the configuration is read, not when the first article comes."""
    folder = _directory(tmp_path, "README", *names)
    (problem,) = _read(f"meaning:\n  verifier: '{folder}'").problems
    assert (problem.line, problem.column) == (2, 13)
    assert message in problem.message


@given(
    st.from_regex(r"[A-Za-z0-9_]{1,9}(?:[.-][A-Za-z0-9_]{1,9})?", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_]{1,9}(?:[.-][A-Za-z0-9_]{1,9})?", fullmatch=True),
    st.from_regex(r"[0-9A-Fa-f]{40}", fullmatch=True),
)
def test_a_model_of_a_hub_has_a_name_and_a_commit(owner: str, name: str, commit: str) -> None:
    """Whatever a repository is called, its name comes back as it is and the commit in lower case."""
    assert hub.parse(f"hub:{owner}/{name}@{commit}") == (f"{owner}/{name}", commit.lower())
    with pytest.raises(ValueError, match="digits"):
        hub.parse(f"hub:{owner}/{name}@{commit[:-1]}")
    with pytest.raises(ValueError, match="branch or a tag"):
        hub.parse(f"hub:{owner}/{name}@v{commit}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://watch.example/", "url: expected a URL without a slash at its end"),
        ("https://watch.example/?x=1", "url: expected a URL without a slash at its end"),
        ("https://watch.example#top", "url: expected a URL without a slash at its end"),
        ("watch.example", "url: expected a URL"),
        ("ftp://watch.example", "url: expected a URL that begins with https:// or http://"),
    ],
)
def test_the_address_of_the_console_is_one_to_which_paths_can_be_added(url: str, message: str) -> None:
    """The address of a story in an alert is made of it; an empty one is none."""
    (problem,) = _read(f"console: {{url: '{url}'}}").problems
    assert (problem.line, problem.column) == (1, 16)
    assert message in problem.message
    assert _service("console: {url: ''}").console.url == ""

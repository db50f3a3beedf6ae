"""Models from a hub: the real client in a process of its own, against a server on loopback that answers like one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tests.edges import small_nli
from worker.errors import Unusable
from worker.topics.meaning.heads import OPPOSES
from worker.topics.meaning.nli import load_nli
from worker.web.hub import choose, fetch, needed, sizes_in

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

_ROOT = Path(__file__).parents[2]
_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_NAME = "some-owner/small.nli"
_TREE = f"/api/models/{_NAME}/revision/{_COMMIT}?blobs=true"
_FETCH = """
import sys
from pathlib import Path
from worker.errors import Unusable
from worker.web.hub import fetch
try:
    print("fetched", fetch(sys.argv[1], sys.argv[2], into=Path(sys.argv[3])))
except Unusable as error:
    print("unusable", error)
"""


@dataclass(slots=True)
class _Hub:
    """A hub with one repository."""

    url: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: Method and path of every request.
    asked: list[str] = field(default_factory=list)
    #: What the listing is answered with instead: a status, and the hub's name for the error.
    error: tuple[int, str] | None = None
    #: Files of which only the first half is sent before the connection closes.
    cut: frozenset[str] = frozenset()

    def path(self, name: str) -> str:
        """Return the path under which a file is served."""
        return f"/{_NAME}/resolve/{_COMMIT}/{name}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: _Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub
        hub.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub = self.server.hub
        path = self.path.replace("blobs=True", "blobs=true")  # versions of the client write it in both ways
        hub.asked.append(f"{self.command} {path}")
        names = {hub.path(name): name for name in hub.files}
        if path == _TREE:
            self._listing(hub)
        elif path in names:
            content = hub.files[names[path]]
            sent = len(content) // 2 if names[path] in hub.cut else len(content)
            self._send(200, content[:sent] if body else b"", length=len(content))
        else:
            self._send(404, b"", error="EntryNotFound")

    def _listing(self, hub: _Hub) -> None:
        if hub.error:
            self._send(hub.error[0], b"{}", error=hub.error[1])
            return
        siblings = [{"rfilename": name, "size": len(content)} for name, content in hub.files.items()]
        found = {"id": _NAME, "modelId": _NAME, "sha": _COMMIT, "siblings": siblings}
        self._send(200, json.dumps(found).encode())

    def _send(self, status: int, body: bytes, *, length: int = -1, error: str = "") -> None:
        self.send_response(status)
        self.send_header("X-Repo-Commit", _COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(self.path.encode()).hexdigest()}"')
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def _serving(hub: _Hub) -> Iterator[_Hub]:
    server = _Server(hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


@pytest.fixture
def hub() -> Iterator[_Hub]:
    """Give a hub whose repository holds a small model twice, plain and as if quantised, and much that is not needed."""
    whole = small_nli.files()
    rest = {at: content for at, content in whole.items() if at != "model.onnx"}
    heavy = dict.fromkeys(("README.md", "model.safetensors", "onnx/model_fp16.onnx"), b"heavy" * 1000)
    models = {"onnx/model.onnx": whole["model.onnx"] + bytes(99), "onnx/model_quantized.onnx": whole["model.onnx"]}
    with _serving(_Hub(files={**heavy, **models, **rest})) as running:
        yield running


def _fetch(hub: _Hub, into: Path, name: str = _NAME, revision: str = _COMMIT, **env: str) -> str:
    """Return what a process of its own says, which knows nothing of this machine's own settings of the hub."""
    home = into.parent / "home"
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
    done = subprocess.run(
        [sys.executable, "-c", _FETCH, name, revision, str(into)],
        cwd=_ROOT,
        env={**own, "HF_HUB_DISABLE_TELEMETRY": "1", **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_the_files_that_are_needed_are_fetched_and_only_once(hub: _Hub, tmp_path: Path) -> None:
    """One listing, three files, the model last; the second time asks nothing, not even with the network forbidden."""
    said = _fetch(hub, tmp_path / "models")
    folder = tmp_path / "models" / "some-owner--small.nli" / _COMMIT
    names = ("config.json", "tokenizer.json", "onnx/model_quantized.onnx")
    assert said == f"fetched {folder}"
    assert hub.asked == [f"GET {_TREE}"] + [
        f"{method} {hub.path(name)}" for name in names for method in ("HEAD", "GET")
    ]
    assert {name: (folder / name).read_bytes() for name in sizes_in(folder)} == {
        name: hub.files[name] for name in names
    }
    hub.asked.clear()
    assert _fetch(hub, tmp_path / "models") == said
    assert _fetch(hub, tmp_path / "models", HF_HUB_OFFLINE="1") == said
    assert hub.asked == []


def test_what_was_fetched_is_a_head(hub: _Hub, tmp_path: Path) -> None:
    """From the hub to an answer."""
    assert _fetch(hub, tmp_path / "models", revision=_COMMIT.upper()).startswith("fetched ")
    folder = fetch(_NAME, _COMMIT, into=tmp_path / "models")
    files = {name: (folder / name).read_bytes() for name in needed(sizes_in(folder))}
    assert int(np.argmax(load_nli(files, name="hub").answer("claim", "not fires"))) == OPPOSES


def test_a_download_that_breaks_off_is_no_model_and_goes_on_later(hub: _Hub, tmp_path: Path) -> None:
    """What came whole is kept; what did not is asked for again."""
    model = "onnx/model_quantized.onnx"
    hub.cut = frozenset({model})
    said = _fetch(hub, tmp_path / "models")
    assert said.startswith(f"unusable hub:{_NAME}@{_COMMIT}: could not be fetched")
    assert "try again, or copy config.json, tokenizer.json and the .onnx file to" in said
    folder = tmp_path / "models" / "some-owner--small.nli" / _COMMIT
    assert set(sizes_in(folder)) == {"config.json", "tokenizer.json"}
    hub.cut = frozenset()
    hub.asked.clear()
    assert _fetch(hub, tmp_path / "models") == f"fetched {folder}"
    assert (folder / model).read_bytes() == hub.files[model]
    assert f"GET {hub.path(model)}" in hub.asked
    assert f"GET {hub.path('config.json')}" not in hub.asked


def test_without_the_network_the_error_says_where_the_files_go(hub: _Hub, tmp_path: Path) -> None:
    """A machine that may not ask is told what to bring; nothing was asked."""
    said = _fetch(hub, tmp_path / "models", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE forbids the network" in said
    assert str(tmp_path / "models" / "some-owner--small.nli" / _COMMIT) in said
    assert hub.asked == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ((404, "RepoNotFound"), "there is no such repository, or it is not public; mend the name, or set HF_TOKEN"),
        ((404, "RevisionNotFound"), "the repository has no such commit"),
        ((403, "GatedRepo"), "its owner asks for consent"),
    ],
)
def test_a_refusal_of_the_hub_is_said_in_plain_words(
    hub: _Hub, tmp_path: Path, error: tuple[int, str], message: str
) -> None:
    """The hub names its errors in a header."""
    hub.error = error
    assert _fetch(hub, tmp_path / "models").startswith(f"unusable hub:{_NAME}@{_COMMIT}: {message}")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (("tokenizer.json",), "tokenizer.json: missing; take a repository that has both"),
        (("onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_fp16.onnx"), "there is no .onnx file"),
    ],
)
def test_a_repository_without_what_is_needed_is_refused_before_anything_is_fetched(
    hub: _Hub, tmp_path: Path, lost: tuple[str, ...], message: str
) -> None:
    """The listing is enough to know."""
    hub.files = {name: content for name, content in hub.files.items() if name not in lost}
    assert _fetch(hub, tmp_path / "models").startswith(f"unusable hub:{_NAME}@{_COMMIT}: {message}")
    assert hub.asked == [f"GET {_TREE}"]


@pytest.mark.parametrize("revision", ["main", "v1.0", "", _COMMIT[:7], _COMMIT[:-1], _COMMIT + "0", "../" + _COMMIT])
def test_a_branch_is_refused_with_the_reason(tmp_path: Path, revision: str) -> None:
    """The files must not change under us."""
    with pytest.raises(Unusable, match="must be a commit, all 40 hexadecimal digits: the files of a branch or a tag"):
        fetch(_NAME, revision, into=tmp_path)


@pytest.mark.parametrize("name", ["small", "a/b/c", "../b", "a/..", "/b", "a/", ""])
def test_what_is_no_name_of_a_repository_is_refused(tmp_path: Path, name: str) -> None:
    """A name becomes a path."""
    with pytest.raises(Unusable, match="expected the name of a repository, OWNER/NAME"):
        fetch(name, _COMMIT, into=tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is an extra; a model that is there needs none."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(Unusable, match=r'pip install "wirewatch\[hub\]"'):
        fetch(_NAME, _COMMIT, into=tmp_path)
    folder = tmp_path / "some-owner--small.nli" / _COMMIT
    folder.mkdir(parents=True)
    for name, content in small_nli.files().items():
        (folder / name).write_bytes(content)
    assert fetch(_NAME, _COMMIT, into=tmp_path) == folder


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ({"model.onnx": 10, "model_fp16.onnx": 5}, "model.onnx"),
        ({"model.onnx": 10, "onnx/model_quantized.onnx": 50}, "onnx/model_quantized.onnx"),
        ({"onnx/model_uint8.onnx": 3, "onnx/model_int8.onnx": 4}, "onnx/model_uint8.onnx"),
        ({"onnx/model_int8.onnx": 3, "onnx/model_quantized.onnx": 3}, "onnx/model_int8.onnx"),
        ({"onnx/model_qint8_arm64.onnx": 1, "onnx/model_quint8_avx2.onnx": 9}, "onnx/model_quint8_avx2.onnx"),
        ({"onnx/model_qint8_arm64.onnx": 1, "onnx/model.onnx": 9}, "onnx/model_qint8_arm64.onnx"),
        ({"onnx/model_fp16.onnx": 7, "onnx/model_q4.onnx": 5}, "onnx/model_q4.onnx"),
        ({"model.onnx": 1, "model.onnx_data": 9, "model_fp16.onnx": 5}, "model_fp16.onnx"),
        ({"model.onnx": 2**31, "model_fp16.onnx": 2**30}, "model_fp16.onnx"),
        ({"a/model_int8.onnx": 1, "model.onnx": 9}, "model.onnx"),
    ],
)
def test_the_smallest_fitting_model_is_chosen(sizes: Mapping[str, int], chosen: str) -> None:
    """Weights of 8 bits first; whatever the order of the listing."""
    assert choose(sizes) == chosen
    assert choose(dict(reversed(list(sizes.items())))) == chosen


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"model.safetensors": 1}, "there is no .onnx file at the top or under onnx/"),
        ({"onnx/model.onnx": 1, "onnx/model.onnx_data": 9}, "weights in a second file"),
        ({"onnx/model.onnx": 2**31}, "or of 2 GiB, is not supported"),
    ],
)
def test_a_repository_without_a_fitting_model_is_unusable(sizes: Mapping[str, int], message: str) -> None:
    """The message says what to do instead."""
    with pytest.raises(Unusable, match=message):
        choose(sizes)

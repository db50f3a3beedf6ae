"""Prometheus and Alertmanager, as the tests run them: real ones, on loopback, over what ``config/`` ships."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.processes import ROOT
from tests.service.beside import Beside, wait_for

CONFIG = ROOT / "config"
HOST = "127.0.0.1"
#: Programs by the Debian package that has them.
_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
_OTHER_NAMES = {"prometheus-alertmanager": "alertmanager"}


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, or fails where nothing may be left out.

    Those are the runs with ``CI`` or ``WIREWATCH_ALL`` in the environment.
    """
    found = shutil.which(name) or shutil.which(_OTHER_NAMES.get(name, name))
    if found is not None:
        return found
    missing = f"{name} is not installed: apt-get install {_PACKAGES[name]}"
    if os.environ.get("CI") or os.environ.get("WIREWATCH_ALL"):
        pytest.fail(missing)
    pytest.skip(missing)


def run(name: str, *args: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> str:
    """Run a program to its end and return what it said.

    Raises:
        AssertionError: it ended with an error; the text has what it said.
    """
    done = subprocess.run([program(name), *map(str, args)], input=stdin, capture_output=True, cwd=cwd, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, f"{name} {args}: exit code {done.returncode}\n{said}"
    return said


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Return a text with parts of it replaced, each of which must be there."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not there any more"
        text = text.replace(old, new)
    return text


def without_token(text: str) -> str:
    """Return prometheus.yml as it is for a console without a token."""
    changed, count = re.subn(r"    authorization:\n      credentials_file: .*\n", "", text)
    assert count == 1
    return changed


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int
    said: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples that an expression gives now.

        Raises:
            AssertionError: it is no expression.
        """
        return self._get("/api/v1/query?" + urlencode({"query": expression}))["result"]  # type: ignore[no-any-return]

    def value(self, expression: str) -> float | None:
        """Return the only value of an expression; ``None`` when it gives none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _get(self, path: str) -> dict[str, Any]:
        answer = get(self.port, path)
        said = json.loads(answer)
        assert said["status"] == "success", f"{path}: {said}"
        data: dict[str, Any] = said["data"]
        return data


def get(port: int, path: str) -> bytes:
    """Return the body of an answer on loopback."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


@contextmanager
def running(place: Path) -> Iterator[Beside]:
    """Give a keeper of processes, which ends them with the block, or with the tests if those are killed."""
    place.mkdir(parents=True, exist_ok=True)
    keeper = Beside("tests.service.keeper")
    try:
        yield keeper
    finally:
        keeper.ask("kill_all")
        keeper.close()


def prometheus(keeper: Beside, place: Path, *, scraped: str, rules: str, alertmanager: int = 9) -> Prometheus:
    """Start a Prometheus that scrapes ``scraped`` every second, by the shipped configuration and the given rules."""
    shipped = without_token((CONFIG / "prometheus" / "prometheus.yml").read_text("utf-8"))
    changes = {
        "scrape_interval: 15s": "scrape_interval: 1s",
        "evaluation_interval: 15s": "evaluation_interval: 1s",
        "scrape_timeout: 10s": "scrape_timeout: 1s",
        "console:8484": scraped,
        "alertmanager:9093": f"{HOST}:{alertmanager}",
    }
    (place / "prometheus.yml").write_text(replaced(shipped, changes), "utf-8")
    (place / "rules.yml").write_text(rules, "utf-8")
    port = keeper.ask("free_port")
    _begin(
        keeper,
        place,
        "prometheus",
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'tsdb'}",
        f"--web.listen-address={HOST}:{port}",
        # Alerts that fire in its first seconds are lost, and told again only after this, which is a minute by itself.
        "--rules.alert.resend-delay=1s",
    )
    _answers(port, "/-/ready", place / "prometheus.err")
    return Prometheus(port, place / "prometheus.err")


def alertmanager(keeper: Beside, place: Path, *, told: int) -> int:
    """Start an Alertmanager that tells a webhook on a port of this machine; return its own port."""
    shipped = (CONFIG / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    (place / "token").write_text("for the pager alone", "utf-8")
    changes = {
        "http://pager:8080": f"http://{HOST}:{told}",
        "/run/secrets/pager_token": str(place / "token"),
        "group_wait: 30s": "group_wait: 1s",
        "group_wait: 10s": "group_wait: 1s",
        "group_interval: 5m": "group_interval: 1s",
        "group_interval: 1m": "group_interval: 1s",
    }
    (place / "alertmanager.yml").write_text(replaced(shipped, changes), "utf-8")
    port: int = keeper.ask("free_port")
    _begin(
        keeper,
        place,
        "prometheus-alertmanager",
        f"--config.file={place / 'alertmanager.yml'}",
        f"--storage.path={place / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        # By itself: it looks for no others.
        "--cluster.listen-address=",
    )
    _answers(port, "/-/ready", place / "prometheus-alertmanager.err")
    return port


def _begin(keeper: Beside, place: Path, name: str, *args: str) -> None:
    keeper.ask(
        "start",
        args=[program(name), *args],
        cwd=str(place),
        env={"PATH": os.environ["PATH"], "HOME": str(place)},
        out=str(place / f"{name}.out"),
        err=str(place / f"{name}.err"),
    )


def _answers(port: int, path: str, said: Path) -> None:
    def ready() -> bool:
        try:
            with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
                connection.request("GET", path)
                return connection.getresponse().status == 200
        except OSError:
            return False

    try:
        wait_for(ready, f"{path} on port {port}")
    except AssertionError as error:
        last = said.read_text("utf-8", "replace")[-2000:] if said.exists() else "nothing"
        raise AssertionError(f"{error}; it said:\n{last}") from None

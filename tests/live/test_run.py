"""The service as a real process against a real server on loopback."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edges.servers import Site, plain, serve
from tests.processes import DEADLINE, begin, ended, wirewatch

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

FEED = """<rss version="2.0"><channel><title>Wire</title><item><guid>1</guid><link>{page}</link>
<title>Ostria tests a missile</title><pubDate>Wed, 11 Feb 2026 11:00:00 GMT</pubDate></item></channel></rss>"""
PAGE = b"""<html lang="en"><head><title>Ostria tests a missile</title></head><body><article>
<h1>Ostria tests a missile</h1><p>The ministry of Ostria said on Wednesday that a missile had been tested over the sea
off Velmark. The test was a success, a spokesman told reporters in the capital.</p></article></body></html>"""


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a publisher on loopback with one feed and one page."""
    with serve() as running:
        page = running.url("/1")
        running.answers = {
            "/feed.xml": plain(FEED.format(page=page).encode(), Content_Type="application/rss+xml", ETag='"1"'),
            "/1": plain(PAGE, Content_Type="text/html; charset=utf-8"),
            "/login": plain(b"<html><body>Log in</body></html>"),
        }
        yield running


def configure(tmp_path: Path, site: Site) -> None:
    """Write a configuration that polls the site and tells a file."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "feeds.yaml").write_text(
        f"feeds:\n  - {{id: wire, url: '{site.url('/feed.xml')}', outlet: Wire}}\n"
        f"  - {{id: login, url: '{site.url('/login')}', outlet: Login}}\n"
    )
    (config / "service.yaml").write_text(
        f"network: {{allow_private: ['127.0.0.0/8'], allow_ports: [{site.port}]}}\npolling: {{first_poll: all}}\n"
    )
    (config / "alerts.yaml").write_text(
        "channels: {archive: {type: file, path: alerts.jsonl}}\n"
        "routes: [{channels: [archive]}]\npolicy: {group_wait: 0s}\n"
    )
    (config / "topics.yaml").write_text("topics: [{id: missiles, any: [missile]}]\n")


def wait_for(path: Path) -> str:
    """Return what a file holds as soon as it holds a whole line."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} was never written")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_the_service_tells_what_a_publisher_publishes_and_stops_when_told(
    tmp_path: Path, site: Site, number: int
) -> None:
    """Feed, page, match and alert over real HTTP; a second start repeats nothing, and status shows the feeds."""
    configure(tmp_path, site)
    for _ in range(2):
        process = begin("run", cwd=tmp_path)
        alert = json.loads(wait_for(tmp_path / "alerts.jsonl"))
        _wait_until_ready(tmp_path)
        assert process.pid is not None
        os.kill(process.pid, number)
        assert ended(process, tmp_path).code == 0
        assert (alert["topic"], alert["title"], alert["role"]) == ("missiles", "Ostria tests a missile", "first")
    assert [asked.path for asked in site.asked].count("/1") == 1
    shown = json.loads(wirewatch("status", "--json", cwd=tmp_path).out)
    by_id = {feed["id"]: feed for feed in shown["feeds"]}
    assert (by_id["wire"]["state"], by_id["login"]["outcome"]) == ("ok", "html-page")
    assert by_id["login"]["failures"] == 0.5
    assert shown["ready"] is True
    assert [(c["id"], c["delivered"]) for c in shown["channels"]] == [("archive", 1)]


def _wait_until_ready(tmp_path: Path) -> None:
    """Wait until the service has said on stderr that it can be stopped."""
    until = time.monotonic() + DEADLINE
    said = tmp_path / "stderr"
    while time.monotonic() < until and not (said.exists() and "Ctrl-C" in said.read_text()):
        time.sleep(0.02)


def test_one_poll_shows_what_a_feed_holds_and_records_nothing(tmp_path: Path, site: Site) -> None:
    """`wirewatch poll` is for looking: no state is made."""
    configure(tmp_path, site)
    good = wirewatch("poll", "--feed", "wire", "--json", cwd=tmp_path)
    assert (good.code, json.loads(good.out)["entries"][0]["title"]) == (0, "Ostria tests a missile")
    assert json.loads(good.out)["entries"][0]["verdict"] == "queued"
    bad = wirewatch("poll", "--feed", "login", cwd=tmp_path)
    assert bad.code == 1
    assert "HTML page" in bad.out
    assert not (tmp_path / ".wirewatch").exists()


def test_a_poll_knows_what_the_service_knows_and_brings_a_stopped_feed_back(tmp_path: Path, site: Site) -> None:
    """`wirewatch poll --feed` says which entries are known; with --resume a feed that was gone is polled again."""
    configure(tmp_path, site)
    good, site.answers["/login"] = site.answers["/login"], plain(b"", status=410)
    process = begin("run", cwd=tmp_path)
    wait_for(tmp_path / "alerts.jsonl")
    _wait_until_ready(tmp_path)
    os.kill(process.pid or 0, signal.SIGTERM)
    ended(process, tmp_path)
    known = wirewatch("poll", "--feed", "wire", "--json", cwd=tmp_path)
    assert [entry["verdict"] for entry in json.loads(known.out)["entries"]] == ["duplicate"]
    assert _state(tmp_path, "login") == ("gone", None)
    site.answers["/login"] = good
    back = wirewatch("poll", "--feed", "login", "--resume", cwd=tmp_path)
    assert "is polled again" in back.err
    assert _state(tmp_path, "login")[0] == "failing"
    assert "was not stopped" in wirewatch("poll", "--feed", "wire", "--resume", cwd=tmp_path).err


def _state(tmp_path: Path, feed_id: str) -> tuple[str, str | None]:
    shown = json.loads(wirewatch("status", "--json", cwd=tmp_path).out)
    (feed,) = (feed for feed in shown["feeds"] if feed["id"] == feed_id)
    return feed["state"], feed["next_poll_at"]


def test_one_page_is_extracted_over_http(tmp_path: Path, site: Site) -> None:
    """`wirewatch extract URL` reads a page as the service would."""
    configure(tmp_path, site)
    done = wirewatch("extract", site.url("/1"), "--json", cwd=tmp_path)
    assert done.code == 0
    assert "tested over the sea" in json.loads(done.out)["text"]


def test_a_channel_that_cannot_be_sent_to_stops_the_service_at_the_start(tmp_path: Path, site: Site) -> None:
    """Better no service than one that swallows alerts."""
    configure(tmp_path, site)
    (tmp_path / "config" / "alerts.yaml").write_text(
        "channels: {desk: {type: apprise, url: 'nosuch://secret-of-mine'}}\n"
    )
    done = wirewatch("run", cwd=tmp_path)
    assert done.code == 2
    assert "desk" in done.err
    assert "secret-of-mine" not in done.err

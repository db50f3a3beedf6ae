"""What we make of redirects and errors: behaviours 25 to 30."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import Watch, item, reasons, rss, wire
from tests.polling.publisher import Publisher, Reply
from worker.ledger import feeds

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]

GOOD = Reply(rss(item(1)))


def to(press: Publisher, path: str, status: int) -> Reply:
    """Return a redirect."""
    return Reply(status=status, headers=(("Location", press.url(path)),))


@pytest.mark.parametrize("status", [301, 308])
def test_25_a_permanent_redirect_is_stored_after_three_polls(watch: Watch, press: Publisher, status: int) -> None:
    """Followed from the first one on, believed after three in a row, and kept over a restart."""
    press.say("/feed.xml", to(press, "/new.xml", status))
    press.say("/new.xml", GOOD)
    watch.start(wire(press))
    for n in range(3):
        assert watch.state().address is None
        watch.poll(at(10 * n))
    assert watch.state().address == press.url("/new.xml")
    watch.restart(now=at(21))
    watch.poll(at(30))
    assert [seen.path for seen in press.seen] == ["/feed.xml", "/new.xml"] * 3 + ["/new.xml"]


def test_25_a_redirect_that_comes_and_goes_is_not_believed(watch: Watch, press: Publisher) -> None:
    """A mistake of an hour is no move: the count begins anew."""
    press.say(
        "/feed.xml",
        to(press, "/new.xml", 301),
        to(press, "/new.xml", 301),
        GOOD,
        to(press, "/new.xml", 301),
        to(press, "/other.xml", 301),
        to(press, "/new.xml", 301),
    )
    press.say("/new.xml", GOOD)
    press.say("/other.xml", GOOD)
    watch.start(wire(press))
    for n in range(6):
        watch.poll(at(10 * n))
    assert watch.state().address is None


def test_25_a_redirect_to_something_else_than_a_feed_is_not_believed(watch: Watch, press: Publisher) -> None:
    """Captive portals and parked domains redirect for good as well."""
    press.say("/feed.xml", to(press, "/parked", 301))
    press.say("/parked", Reply(b"<!DOCTYPE html><html><body>This domain is for sale</body></html>"))
    watch.start(wire(press))
    for n in range(8):
        watch.poll(at(60 * n))
    assert (watch.state().address, watch.state().outcome) == (None, "html-page")


@pytest.mark.parametrize("status", [302, 303, 307])
def test_26_a_temporary_redirect_is_never_stored(watch: Watch, press: Publisher, status: int) -> None:
    """It is followed anew each time."""
    press.say("/feed.xml", to(press, "/new.xml", status))
    press.say("/new.xml", GOOD)
    watch.start(wire(press))
    for n in range(6):
        watch.poll(at(10 * n))
    assert watch.state().address is None
    assert len(press.asked()) == 6


def test_27_a_mixed_chain_is_not_stored(watch: Watch, press: Publisher) -> None:
    """One temporary hop makes the whole chain temporary, wherever it stands."""
    press.say("/feed.xml", to(press, "/a", 301))
    press.say("/a", to(press, "/b", 302))
    press.say("/b", to(press, "/new.xml", 308))
    press.say("/new.xml", GOOD)
    watch.start(wire(press))
    for n in range(6):
        assert reasons(watch.poll(at(10 * n))) == ["unchanged" if n else "baseline"]
    assert watch.state().address is None


@pytest.mark.parametrize("hops", [5, 6, 99])
def test_28_a_long_or_endless_chain_ends_as_an_error(watch: Watch, press: Publisher, hops: int) -> None:
    """Five hops are followed; the sixth ends it, as does a loop."""
    for n in range(hops):
        press.say(f"/{n}", to(press, f"/{n + 1}", 301))
    press.say(f"/{hops}", GOOD)
    press.say("/loop", to(press, "/loop", 302))
    watch.start(wire(press, "/0"), wire(press, "/loop", id="loop"))
    watch.poll()
    assert watch.state().state == ("ok" if hops == 5 else "failing")
    assert watch.state("loop").outcome == "forbidden"
    assert len(press.asked("/loop")) == 6


def test_29_gone_stops_the_feed_for_ever_and_is_shown(watch: Watch, press: Publisher) -> None:
    """Also after a restart; and whoever wants it back says so."""
    press.say("/feed.xml", Reply(status=410), GOOD)
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["gone"]
    watch.restart(now=at(1))
    assert watch.poll(NOON + timedelta(days=40)) == []
    assert (watch.state().state, watch.state().next_poll_at) == ("gone", None)
    assert "410" in (watch.state().error or "")
    with watch.p.ledger.write() as t:
        assert feeds.resume(t, "wire", now=NOON + timedelta(days=41))
    assert reasons(watch.poll(NOON + timedelta(days=41))) == ["baseline"]


@pytest.mark.parametrize(("status", "weight"), [(404, 0.5), (500, 0.5), (503, 0.5), (401, 1.0), (403, 1.0), (400, 1.0)])
def test_29_other_errors_do_not_stop_the_feed(watch: Watch, press: Publisher, status: int, weight: float) -> None:
    """They wait longer each time, and one good answer makes all well."""
    press.say("/feed.xml", *[Reply(status=status)] * 10, GOOD)
    watch.start(wire(press))
    now, waits = NOON, []
    for _ in range(10):
        watch.poll(now)
        waits.append(watch.next_poll() - now)
        now += waits[-1]
    assert waits == sorted(waits)
    assert watch.state().failures == 10 * weight
    assert (watch.state().state, watch.state().outcome) == ("failing", "http-error")
    watch.poll(now)
    assert (watch.state().state, watch.state().failures, watch.state().error) == ("ok", 0.0, None)


def test_29_a_feed_is_given_up_only_after_failures_of_a_weight_of_thirty(watch: Watch, press: Publisher) -> None:
    """Thirty hard ones in a row, over weeks; then it is disabled, and shown."""
    press.say("/feed.xml", Reply(status=403))
    watch.start(wire(press, interval=timedelta(hours=1)))
    now = NOON
    for _ in range(29):
        watch.poll(now)
        now = watch.next_poll()
        assert now - NOON <= timedelta(days=30)
    watch.poll(now)
    assert (watch.state().state, watch.state().next_poll_at) == ("disabled", None)


def test_29_a_moved_feed_that_fails_is_asked_at_its_old_address(watch: Watch, press: Publisher) -> None:
    """What was stored can be forgotten again."""
    press.say("/feed.xml", *[to(press, "/new.xml", 301)] * 3, GOOD)
    press.say("/new.xml", *[GOOD] * 4, Reply(status=410))
    watch.start(wire(press))
    for n in range(5):
        watch.poll(at(10 * n))
    assert (watch.state().address, watch.state().state) == (None, "failing")
    watch.poll(watch.next_poll())
    assert watch.state().state == "ok"


def test_29_a_feed_that_has_moved_to_another_one_is_merged(watch: Watch, press: Publisher) -> None:
    """Two addresses of one feed are polled once, and the operator is told."""
    press.say("/feed.xml", to(press, "/new.xml", 301))
    press.say("/new.xml", GOOD)
    watch.start(wire(press), wire(press, "/new.xml", id="new"))
    for n in range(5):
        watch.poll(at(10 * n))
    assert (watch.state().state, watch.state().outcome) == ("merged", "merged")
    assert "new" in (watch.state().error or "")
    assert len(press.asked("/feed.xml")) == 3
    assert watch.state("new").state == "ok"


def test_30_an_html_page_is_an_error_and_no_empty_feed(watch: Watch, press: Publisher) -> None:
    """A login page comes with status 200; the error names what it is and where the feeds are."""
    page = (
        b'<!DOCTYPE html><html><head><title>Log in</title><link rel="alternate" type="application/rss+xml" '
        b'href="/rss/world.xml"></head><body><form>Password</form></body></html>'
    )
    press.say("/feed.xml", Reply(page, headers=(("Content-Type", "application/rss+xml"),)))
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["html-page"]
    state = watch.state()
    assert (state.state, state.failures, state.last_success_at) == ("failing", 0.5, None)
    assert "/rss/world.xml" in (state.error or "")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<title>Just a moment...</title>", status=403, headers=(("cf-mitigated", "challenge"),)),
        Reply(b"<html><title>Attention Required! | Cloudflare</title></html>", status=403),
        Reply(b"<html>Checking your browser before accessing</html>", status=503),
    ],
)
def test_30_a_challenge_is_named_and_not_evaded(watch: Watch, press: Publisher, reply: Reply) -> None:
    """The same honest request the next time, and a word of its own for the operator."""
    press.say("/feed.xml", reply)
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["challenged"]
    watch.poll(watch.next_poll())
    first, second = press.asked()
    assert first.headers == second.headers

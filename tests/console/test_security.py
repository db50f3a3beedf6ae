"""Who may ask the console, from where, and what a browser may do with the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.builders import NOON
from tests.console import desks
from worker.console.exposure import is_loopback, refusal
from worker.console.login import _goal
from worker.console.pages import tell
from worker.console.routes import ROUTES
from worker.console.security import CONTENT, COOKIE, SESSION, TRIES, Key, is_ours
from worker.ledger import channels, silences
from worker.ledger.engine import Ledger

TOKEN = "open sesame"
READER = {"Accept": "text/html"}


@dataclass
class Clock:
    """A clock that a test turns."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        """Return its time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands at noon."""
    return Clock()


@pytest.fixture
def locked(ledger: Ledger, tmp_path: Path, clock: Clock) -> Iterator[TestClient]:
    """Give a console that asks for a token."""
    with desks.client(desks.desk(ledger, state=tmp_path), token=TOKEN, clock=clock) as opened:
        yield opened


def sign_in(browser: TestClient, token: str = TOKEN, **more: str) -> int:
    """Send the login form and return the status of the answer."""
    return browser.post("/login", data={"token": token} | more).status_code


def test_every_answer_tells_browsers_to_run_nothing_but_our_own_files(locked: TestClient) -> None:
    """Pages, refusals, files and answers for programs alike; what is secret is stored nowhere."""
    for path in ("/login", "/stories", "/healthz", "/readyz", "/status", "/nothing", "/static/0/console.css"):
        answer = locked.get(path, headers=READER)
        assert answer.headers["content-security-policy"] == CONTENT, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
    refused = locked.post("/login", headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, refused.headers["content-security-policy"]) == (403, CONTENT)
    strange = locked.get("/login", headers={"Host": "evil.example"})
    assert (strange.status_code, strange.headers["content-security-policy"]) == (400, CONTENT)


def test_the_policy_allows_no_inline_script_or_style() -> None:
    """Text that got past the templates would do nothing, and no page can be framed or post elsewhere."""
    rules = dict(rule.split(" ", 1) for rule in CONTENT.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"


def test_our_files_are_kept_for_ever_under_an_address_of_their_content(locked: TestClient) -> None:
    """They need no login; another version of a file, or a way out of the folder, is not there."""
    page = locked.get("/login").text
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = locked.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    for wrong in (path.replace("/static/", "/static/0"), "/static/0/../app.py", "/static/0/..%2fapp.py"):
        assert locked.get(wrong, headers=READER).status_code in {303, 404}, wrong


def test_without_the_token_only_health_and_the_login_answer(locked: TestClient) -> None:
    """A reader is led to the login and back to where he was going; a program is told; htmx leads the whole window."""
    for route in ROUTES:
        path = route.path.replace("{id:path}", "x").replace("{id:int}", "1").replace("{job}", "x")
        for method in sorted(route.methods or ()):
            answer = locked.request(method, path, headers=READER)
            expected = 401 if method == "POST" else 303
            assert answer.status_code == expected, (method, path)
    assert locked.get("/healthz").status_code == 200
    assert locked.get("/readyz").status_code == 503
    led = locked.get("/stories?topic=x&state=told", headers=READER)
    assert led.headers["location"] == "/login?next=/stories%3Ftopic%3Dx%26state%3Dtold"
    assert locked.get("/stories/list", headers={"HX-Request": "true"}).headers["hx-redirect"] == "/login"
    told = locked.get("/status")
    assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")


def test_the_login_sets_a_cookie_that_is_no_token_and_that_only_our_site_sends(locked: TestClient) -> None:
    """The cookie opens every page, until somebody signs out."""
    answer = locked.post("/login", data={"token": TOKEN, "next": "/health"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/health")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert locked.get("/health").status_code == 200
    assert "Sign out" in locked.get("/health").text
    assert locked.post("/logout").headers["location"] == "/login"
    assert locked.get("/health", headers=READER).status_code == 303


def test_over_https_the_cookie_is_sent_over_nothing_else(ledger: Ledger, tmp_path: Path) -> None:
    """Behind a proxy that ends TLS the scheme is what the proxy says."""
    with desks.client(desks.desk(ledger, state=tmp_path), token=TOKEN) as browser:
        browser.base_url = "https://127.0.0.1"
        assert "Secure" in browser.post("/login", data={"token": TOKEN}).headers["set-cookie"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"), id="another-seal"),
        pytest.param(lambda value: "9" + value, id="a-later-end"),
        pytest.param(lambda value: value.partition(".")[0], id="no-seal"),
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: TOKEN, id="the-token"),
        pytest.param(lambda _: ".", id="a-dot"),
    ],
)
def test_a_cookie_that_we_have_not_made_opens_nothing(clock: Clock, spoil: Callable[[str], str]) -> None:
    """However it is bent."""
    key = Key(TOKEN, clock)
    made = key.session()
    assert key.holds(made)
    assert not key.holds(spoil(made))
    assert not Key("another", clock).holds(made)


@given(cookie=st.text(max_size=60))
def test_any_text_may_come_as_a_cookie(cookie: str) -> None:
    """None is an error, and none opens anything."""
    assert not KEY.holds(cookie)


KEY = Key(TOKEN, Clock())


def test_a_login_ends_after_its_time(locked: TestClient, clock: Clock) -> None:
    """The cookie holds no longer than it says."""
    assert sign_in(locked) == 303
    clock.now = NOON + SESSION - timedelta(seconds=1)
    assert locked.get("/silences").status_code == 200
    clock.now = NOON + SESSION
    assert locked.get("/silences", headers=READER).status_code == 303


def test_ten_wrong_tokens_close_the_door_for_a_minute(locked: TestClient, clock: Clock) -> None:
    """Also for who has the right one, or it could be guessed at any rate; those who are in stay in."""
    with desks.client(locked.app.state.desk, token=TOKEN, clock=clock) as other:  # type: ignore[attr-defined] # Starlette
        assert sign_in(other) == 303
    assert [sign_in(locked, f"guess {n}") for n in range(TRIES)] == [403] * (TRIES - 1) + [429]
    assert sign_in(locked) == 429
    assert locked.get("/status", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 429
    waits = locked.post("/login", data={"token": TOKEN})
    assert waits.headers["retry-after"] == "61"
    assert "Try again in" in waits.text
    clock.now += timedelta(seconds=61)
    assert sign_in(locked) == 303


def test_wrong_tokens_of_programs_count_as_well(locked: TestClient) -> None:
    """What is asked with no token at all does not."""
    for _ in range(3 * TRIES):
        assert locked.get("/status").status_code == 401
    found = [locked.get("/status", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(TRIES)]
    assert found == [401] * (TRIES - 1) + [429]
    assert sign_in(locked) == 429


def test_who_was_slowed_while_signed_in_goes_on(locked: TestClient) -> None:
    """A cookie is no guess."""
    assert sign_in(locked) == 303
    for n in range(TRIES):
        locked.get("/status", headers={"Authorization": f"Bearer {n}", "Cookie": f"{COOKIE}="})
    assert locked.get("/silences").status_code == 200


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        pytest.param({"sec-fetch-site": "same-origin"}, True, id="own-page"),
        pytest.param({"sec-fetch-site": "none"}, True, id="typed-by-a-person"),
        pytest.param({"sec-fetch-site": "same-site"}, False, id="neighbour"),
        pytest.param({"sec-fetch-site": "cross-site"}, False, id="stranger"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"}, False, id="stranger-with-origin"),
        pytest.param({"origin": "http://127.0.0.1"}, True, id="older-browser"),
        pytest.param({"origin": "http://127.0.0.1:81"}, False, id="another-port"),
        pytest.param({"origin": "http://evil.example"}, False, id="another-origin"),
        pytest.param({"origin": "null"}, False, id="sandboxed"),
        pytest.param({"origin": "http://[::1"}, False, id="broken"),
        pytest.param({"origin": ""}, False, id="empty"),
        pytest.param({}, False, id="neither"),
    ],
)
def test_only_our_own_pages_change_something(
    ledger: Ledger, tmp_path: Path, headers: dict[str, str], ours: bool
) -> None:
    """A silence is added when the form is ours, and nothing happens when it is another site's."""
    assert is_ours(Headers({"host": "127.0.0.1"} | headers)) is ours
    form = {"topic": "x", "author": "me", "comment": "why", "length": "1h"}
    with desks.client(desks.desk(ledger, state=tmp_path)) as browser:
        browser.headers.pop("sec-fetch-site")
        status = browser.post("/silences", data=form, headers=headers).status_code
    with ledger.read() as t:
        assert len(silences.listed(t)) == int(ours)
    assert status == (303 if ours else 403)


def test_no_get_changes_anything(browser: TestClient, ledger: Ledger) -> None:
    """Addresses that act answer POST alone."""
    with ledger.write() as t:
        channels.disable(t, "screen", reason="gone", config="", now=NOON)
    for route in ROUTES:
        methods = set(route.methods or ())
        assert methods <= {"GET", "HEAD"} or methods == {"POST"}, route
    assert browser.get("/channels/screen/enable").status_code == 405
    with ledger.read() as t:
        assert channels.states(t)["screen"].disabled


def test_a_channel_is_enabled_by_its_button(browser: TestClient, ledger: Ledger) -> None:
    """The page says so once."""
    with ledger.write() as t:
        channels.disable(t, "screen", reason="gone", config="", now=NOON)
    assert "disabled" in browser.get("/health").text
    answer = browser.post("/channels/screen/enable")
    assert (answer.status_code, answer.headers["location"]) == (303, "/health")
    assert "is sent to again" in browser.get("/health").text
    assert "is sent to again" not in browser.get("/health").text
    with ledger.read() as t:
        assert not channels.states(t)["screen"].disabled
    assert browser.post("/channels/nobody/enable").status_code == 404


@pytest.mark.parametrize("said", ["", "x", "e30=", "W10=", "eyJ0ZXh0IjogMSwgImtpbmQiOiBbXX0=", '"\\377"'])
def test_a_forged_message_is_at_most_text(browser: TestClient, said: str) -> None:
    """Whoever can set a cookie can show himself a text, and break no page."""
    assert browser.get("/silences", headers={"Cookie": f"wirewatch-said={said}"}).status_code == 200


def test_a_long_message_in_any_writing_fits_into_a_cookie(browser: TestClient) -> None:
    """Browsers drop what is longer than 4,096 bytes; the page shows the beginning."""
    asked = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []})
    cookie = tell(asked, "/silences", "\U0001f600" * 2000).headers["set-cookie"].partition(";")[0]
    assert 3000 < len(cookie) < 4096
    page = browser.get("/silences", headers={"Cookie": cookie}).text
    assert '<p class="said ok" role="status">\U0001f600\U0001f600' in page


def test_forms_have_a_bound(browser: TestClient) -> None:
    """In bytes, in fields, and in kinds."""
    assert browser.post("/silences", content=b"a=" + b"x" * 1_100_000).status_code == 413
    assert browser.post("/silences", content=b"&".join(b"a=1" for _ in range(2000))).status_code == 413
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert browser.post("/silences", content=b"--x", headers=kind).status_code == 415


@pytest.mark.parametrize(
    ("path", "goal"),
    [
        ("/stories?topic=x", "/stories?topic=x"),
        ("", "/stories"),
        ("//evil.example", "/stories"),
        ("/\\evil.example", "/stories"),
        ("https://evil.example", "/stories"),
        ("javascript:alert(1)", "/stories"),
        ("/x\r\nSet-Cookie: a=b", "/stories"),
        ("/login", "/stories"),
        ("/logout", "/stories"),
    ],
)
def test_a_login_leads_nowhere_but_to_our_own_pages(path: str, goal: str) -> None:
    """Whatever stands in its address."""
    assert _goal(path) == goal


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the case itself
        ("::", False),
        ("192.0.2.7", False),
        ("watch.example", False),
    ],
)
def test_a_console_that_others_reach_needs_a_token(host: str, ours: bool) -> None:
    """And is refused without one, in words that say what to do."""
    assert is_loopback(host) is ours
    assert bool(refusal(host, token="")) is not ours
    assert refusal(host, token="long") == ""
    assert ours or "WIREWATCH_TOKEN" in refusal(host, token="")


def test_a_mistake_of_ours_is_a_page_with_the_same_headers(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The page shows nothing of it, the log all."""
    broken = desks.desk(ledger, state=tmp_path)
    broken._report = lambda *_: {"why_not": []}  # an object without what the page needs
    with desks.client(broken) as browser:
        answer = browser.get("/health")
    assert answer.status_code == 500
    assert "KeyError" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT
    assert "KeyError" in caplog.text


def test_without_a_ledger_every_page_says_what_to_do(tmp_path: Path) -> None:
    """The console waits for one."""
    with desks.client(desks.desk(None, state=tmp_path)) as browser:
        for path in ("/stories", "/feeds", "/health", "/search?q=x"):
            answer = browser.get(path)
            assert answer.status_code == 503, path
            assert "wirewatch run" in answer.text
        assert browser.get("/readyz").json() == {
            "ready": False,
            "why_not": ["there is no ledger yet; start `wirewatch run`, or replay something"],
        }

"""Signing in with a browser, and the doors that stay shut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Tab
from tests.browser.houses import House
from tests.processes import wirewatch

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

TOKEN = "open sesame"


def test_a_reader_signs_in_goes_where_he_wanted_to_and_signs_out(
    own_house: Callable[..., House], open_tab: Callable[..., Tab]
) -> None:
    """A wrong token is told beside its field; after signing out nothing is to be seen."""
    house = own_house(token=TOKEN)
    tab = open_tab(house)
    tab.expect_status(403)
    page = tab.go("/search?q=missile")
    expect(page.get_by_role("heading", name="wirewatch")).to_be_visible()
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This is not the token.")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Token").press("Enter")
    expect(page).to_have_url(f"{house.origin}/search?q=missile")
    assert page.locator(".story").count() > 4
    cookies = tab.page.context.cookies()
    assert [(c["name"], c["httpOnly"], c["sameSite"]) for c in cookies] == [("wirewatch-session", True, "Strict")]
    assert TOKEN not in json.dumps(cookies)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{house.origin}/login")
    tab.go("/stories")
    expect(page).to_have_url(f"{house.origin}/login?next=/stories")


def test_another_site_cannot_have_a_browser_change_anything(
    own_house: Callable[..., House], open_tab: Callable[..., Tab]
) -> None:
    """Its form is refused, and its page cannot read ours or put it into a frame."""
    house = own_house(service=True)
    tab = open_tab(house)
    tab.expect_status(403)
    tab.expected += ["refused to connect", "frame-ancestors", "ERR_BLOCKED_BY_RESPONSE", "Framing", "asked http"]
    form = (
        f'<form method="post" action="{house.origin}/silences"><input name="topic" value="*"><input name="author" '
        f'value="x"><input name="comment" value="x"><input name="length" value="1h"><button>Win</button></form>'
        f'<iframe src="{house.origin}/stories"></iframe>'
    )
    page = tab.page
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://evil.example/")
    assert not page.frames[-1].url.startswith(house.origin) or page.frames[-1].locator("h1").count() == 0
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_text("refused: this form was not sent by a page of this console")).to_be_visible()
    assert "Nothing is silenced" in tab.go("/silences").locator("main").inner_text()


@pytest.mark.parametrize("command", ["console", "run"])
def test_a_console_that_others_reach_is_refused_without_a_token(tmp_path: Path, command: str) -> None:
    """At once, with the address and what to do, and exit code 2."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "service.yaml").write_text('{"console": {"listen": "0.0.0.0:8484"}}')
    done = wirewatch(command, "--state", tmp_path / "state", cwd=tmp_path)
    assert done.code == 2
    assert "would listen on 0.0.0.0" in done.err
    assert "WIREWATCH_TOKEN" in done.err
    assert not (tmp_path / "state").exists()

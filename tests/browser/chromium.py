"""A real Chromium before a real console, with everything that it complained of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_NAMED: Final = "WIREWATCH_CHROMIUM"
_NEEDED: Final = ("CI", "WIREWATCH_ALL")
#: Nothing but the page: no sandbox (tests run as root in containers), and nothing that asks somebody for something.
_ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: A phone, and a desk.
PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 900}
#: Findings of axe that count (https://github.com/dequelabs/axe-core/blob/develop/doc/issue_impact.md).
_GRAVE: Final = frozenset({"serious", "critical"})


def program() -> Path:
    """Return the browser.

    Where there is none, a test that needs it is skipped by name, and fails where all must run (``CI``,
    ``WIREWATCH_ALL``).
    """
    named = os.environ.get(_NAMED, "")
    for name in (named,) if named else _NAMES:
        if found := shutil.which(name):
            return Path(found)
    message = f"no Chromium here: install one (Debian: apt-get install chromium), or name it in {_NAMED}"
    if any(os.environ.get(name) for name in _NEEDED):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser."""
    path = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@dataclass(slots=True)
class Tab:
    """A tab of the browser, and what it complained of."""

    page: Page
    origin: str
    #: Errors of the console, of scripts, of the Content-Security-Policy, and requests to anybody else.
    complaints: list[str] = field(default_factory=list)
    #: What an error may hold because the test means it to be there.
    expected: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page of the console and return it when all of it is there."""
        self.page.goto(self.origin + path, wait_until="load")
        return self.page

    def unexpected(self) -> list[str]:
        """Return the complaints that no test has asked for."""
        return [each for each in self.complaints if not any(known in each for known in self.expected)]

    def expect_status(self, code: int) -> None:
        """Have pages with this status be no complaint: a browser says of each that it failed to load."""
        self.expected.append(f"status of {code}")


@contextmanager
def tab(
    browser: Browser, origin: str, *, dark: bool = False, viewport: Mapping[str, int] = DESK, scripts: bool = True
) -> Iterator[Tab]:
    """Open a tab of a browser of its own, without cookies; without ``scripts`` no page may run any."""
    context = browser.new_context(
        viewport=dict(viewport),  # type: ignore[arg-type] # a TypedDict
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="UTC",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    # What the policy forbids is an event of the page as well as a line of the console.
    context.add_init_script(
        "window.violations = []; document.addEventListener('securitypolicyviolation', "
        "e => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));"
        "window.attacked = false; window.alert = () => { window.attacked = true; };"
    )
    opened = Tab(page=context.new_page(), origin=origin)

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            opened.complaints.append(f"console {message.type}: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith((origin, "data:", "blob:")):
            opened.complaints.append(f"asked {request.url}")

    opened.page.on("console", said)
    opened.page.on("pageerror", lambda error: opened.complaints.append(f"script: {error}"))
    opened.page.on("request", asked)
    yield opened
    if scripts and opened.page.url.startswith(origin):
        opened.complaints += [f"policy: {each}" for each in opened.page.evaluate("window.violations")]
        assert not opened.page.evaluate("window.attacked")
    context.close()


def grave(page: Page) -> list[str]:
    """Return what axe finds on a page that is serious or critical, each with the elements concerned."""
    found: Mapping[str, Any] = Axe().run(page).response
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: " + "; ".join(str(node["html"])[:200] for node in one["nodes"])
        for one in found["violations"]
        if one["impact"] in _GRAVE
    ]

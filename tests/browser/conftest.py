"""One browser, and one console to read in, for all tests; those that change something have a console of their own.

A test module says of itself::

    pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Tab, chromium, tab
from tests.browser.houses import House, console, replayed


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """Give a browser."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state directory of a replay of the seeds and of hostile articles. Copy it before changing it."""
    return replayed(tmp_path_factory.mktemp("replayed"))


@pytest.fixture(scope="session")
def library(archive: Path, tmp_path_factory: pytest.TempPathFactory, chrome: Browser) -> Iterator[House]:  # noqa: ARG001 - no console where there is no browser
    """Give a console over the replay, for tests that only read."""
    with console(tmp_path_factory.mktemp("library") / "place", archive) as house:
        yield house


@pytest.fixture
def own_house(archive: Path, tmp_path: Path, chrome: Browser) -> Iterator[Callable[..., House]]:  # noqa: ARG001 - as above
    """Give a function that starts a console over a copy of the replay: ``own_house(service=True, token=...)``."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(console(tmp_path / "house", archive, **options))


@pytest.fixture
def open_tab(chrome: Browser) -> Iterator[Callable[..., Tab]]:
    """Give a function that opens a tab at a console: ``open_tab(house, dark=True, viewport=PHONE)``.

    In the end no tab may have complained of anything.
    """
    tabs: list[Tab] = []
    with ExitStack() as stack:

        def opened(house: House, **options: Any) -> Tab:
            tabs.append(stack.enter_context(tab(chrome, house.origin, **options)))
            return tabs[-1]

        yield opened
    assert [complaint for each in tabs for complaint in each.unexpected()] == []

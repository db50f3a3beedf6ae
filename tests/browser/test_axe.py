"""What axe finds on each page, in light and dark, at a desk and on a phone: nothing serious."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.chromium import DESK, PHONE, Tab, grave
from tests.browser.houses import House
from tests.browser.test_pages import PAGES, hrefs

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.mark.parametrize(
    ("dark", "viewport"),
    [
        pytest.param(False, DESK, id="light"),
        pytest.param(True, DESK, id="dark"),
        pytest.param(False, PHONE, id="phone"),
        pytest.param(True, PHONE, id="dark-phone"),
    ],
)
def test_nothing_serious_is_found_on_any_page(
    library: House, open_tab: Callable[..., Tab], dark: bool, viewport: dict[str, int]
) -> None:
    """Contrast, names, roles and order (https://github.com/dequelabs/axe-core)."""
    tab = open_tab(library, dark=dark, viewport=viewport)
    story = hrefs(tab.go("/stories"), ".story h2 a")[0]
    article = hrefs(tab.go(story), ".chapter h3 a")[0]
    feed = hrefs(tab.go("/feeds"), "tbody th a")[0]
    found = {path: grave(tab.go(path)) for path in (*PAGES, "/search?q=missile", story, article, feed)}
    assert {path: each for path, each in found.items() if each} == {}


def test_axe_would_find_something(library: House, open_tab: Callable[..., Tab]) -> None:
    """A picture without words and a label that is gone are serious."""
    page = open_tab(library).go("/stories")
    page.evaluate("document.querySelector('label').remove(); document.querySelector('html').removeAttribute('lang')")
    assert len(grave(page)) >= 2

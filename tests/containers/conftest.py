"""The marker of tests that start containers, and what keeps them out of every other run."""

from __future__ import annotations

import os

import pytest

#: Set by `make containers`.
_WANTED = "WIREWATCH_CONTAINERS"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "containers: builds images and starts containers, by `make containers`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what starts containers, unless it is asked for."""
    if os.environ.get(_WANTED):
        return
    for item in items:
        if item.get_closest_marker("containers") is not None:
            item.add_marker(pytest.mark.skip(reason="runs with `make containers`"))

"""In which order tests run, and which of them run in one worker of pytest-xdist (``pytest -n 4``)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

#: Folders whose tests run in one worker, one after another: those of ``browser`` share one Chromium and one console.
_TOGETHER: Final = ("browser",)
#: Folders whose tests take seconds each: they are handed out one by one, and first, so that no worker is left alone
#: with a long one at the end. Of the others a worker gets whole files, whose tests share what a module makes once.
_SLOW: Final = ("faults", "monitoring", "live", "containers", "service", "replay", "commands")
_ORDER: Final = {name: number for number, name in enumerate((*_TOGETHER, *_SLOW))}


def ordered(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those first that take long, otherwise in their order."""
    return sorted(items, key=lambda item: _ORDER.get(_folder(item.nodeid), len(_ORDER)))


def unit(nodeid: str) -> str:
    """Return the name of what is handed to one worker as a whole: a folder, a file or a test."""
    folder = _folder(nodeid)
    if folder in _TOGETHER:
        return folder
    return nodeid if folder in _SLOW else nodeid.partition("::")[0]


def _folder(nodeid: str) -> str:
    """Return the name of a test's folder: ``tests/edges/test_a.py::test_b[x/y]`` is in ``edges``."""
    return PurePosixPath(nodeid.partition("::")[0]).parent.name


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist tells mypy no types
    """Hands out units one by one, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        super().__init__(config, log)
        # It would begin with the units of many tests, which are the quick ones.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

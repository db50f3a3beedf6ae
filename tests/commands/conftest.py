"""State directories that many tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.shells import SEEDS
from tests.processes import wirewatch


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state directory of a replay of the seeds. Copy it before changing it."""
    cwd = tmp_path_factory.mktemp("replayed")
    assert wirewatch("replay", SEEDS, "--state", "state", cwd=cwd).code == 0
    return cwd / "state"

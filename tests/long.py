"""Which form of a test runs: the short one of `make test`, or the long one of `make faults`."""

from __future__ import annotations

import os
from typing import Final

import pytest

#: Whether each test takes all the time that it needs.
LONG: Final = os.environ.get("WIREWATCH_FAULTS") == "long"

#: For tests that another one covers in the short form, in part.
long_only: Final = pytest.mark.skipif(not LONG, reason="runs with `make faults`")

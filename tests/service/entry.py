"""``wirewatch`` with other constants: ``python -m tests.service.entry '{"worker.ledger.leases.LEASE": 10}' run ...``.

Numbers stay numbers, and are seconds where the constant is a span. What is forked from this process has them too. What
the same module has made of a constant at its import, such as another constant or the default of an argument, stays.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from datetime import timedelta


def change(constants: Mapping[str, float]) -> None:
    """Set constants, by module and name, in their modules and in all that have imported them by name.

    Raises:
        SystemExit: there is no such constant, or it is neither a span nor a number.
    """
    for place, value in constants.items():
        module_name, _, name = place.rpartition(".")
        module = importlib.import_module(module_name)
        before = getattr(module, name, None)
        after = _like(before, value)
        if after is None:
            raise SystemExit(f"{place} is {before!r}, which is neither a span nor a number")
        for holder in [module for at, module in sys.modules.items() if at.split(".")[0] == "worker"]:
            if getattr(holder, name, None) is before:
                setattr(holder, name, after)


def _like(before: object, value: float) -> object:
    match before:
        case bool():
            return None
        case timedelta():
            return timedelta(seconds=value)
        case int():
            return int(value)
        case float():
            return float(value)
        case _:
            return None


if __name__ == "__main__":
    change(json.loads(sys.argv[1]))
    sys.argv = ["wirewatch", *sys.argv[2:]]
    from worker.cli import main

    main()

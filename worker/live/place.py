"""Where a service lives: its configuration and its state directory, as every process of it knows them."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Variables of the environment; ``celery -A worker.live.app`` has no other way to be told.
CONFIG: Final = "WIREWATCH_CONFIG"
STATE: Final = "WIREWATCH_STATE"
_DEFAULT_CONFIG, _DEFAULT_STATE = "config", ".wirewatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A configuration directory and a state directory."""

    config: Path = Path(_DEFAULT_CONFIG)
    state: Path = Path(_DEFAULT_STATE)
    #: Whether the configuration directory was asked for by name, so that its absence is an error.
    named: bool = False

    def tell(self, env: MutableMapping[str, str]) -> None:
        """Write the place into ``env``, for this process and those that it starts."""
        env[STATE] = str(self.state.absolute())
        if self.named or self.config.exists():
            env[CONFIG] = str(self.config.absolute())
        else:
            env.pop(CONFIG, None)


def machine() -> str:
    """Return the name of this machine, or of the container."""
    return os.uname().nodename


def here(env: Mapping[str, str] = os.environ) -> Place:
    """Return the place that ``env`` tells; the defaults, below the working directory, when it tells none."""
    config = env.get(CONFIG, "")
    return Place(
        config=Path(config or _DEFAULT_CONFIG), state=Path(env.get(STATE) or _DEFAULT_STATE), named=bool(config)
    )

"""Channels as they are configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """A channel's id, its type, and what that type needs. ``options`` may hold secrets: never log it."""

    id: str
    #: ``terminal``, ``file``, ``slack``, ``webhook`` or ``apprise``.
    type: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

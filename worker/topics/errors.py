"""What is wrong with the rule of a topic, and where."""

from __future__ import annotations

from functools import lru_cache

from worker.errors import WirewatchError


class RuleError(WirewatchError):
    """A rule cannot be read; a person mends the topic file.

    ``path`` leads from the topic to the value, such as ``("near", 0, "groups", 1)`` or ``("query",)``; it is empty
    when the topic as a whole is meant. ``column`` counts characters of that value from 1.
    """

    def __init__(self, message: str, column: int = 1, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message, column, path)
        self.message = message
        self.column = column
        self.path = path

    def __str__(self) -> str:
        """Return ``near[0].groups[1]: column 3: message``, without a place when the topic as a whole is meant."""
        return f"{place(self.path)}: column {self.column}: {self.message}" if self.path else self.message

    def at(self, *path: str | int) -> RuleError:
        """Return the same error, found at ``path``."""
        return RuleError(self.message, self.column, path)


@lru_cache(maxsize=1024)
def place(path: tuple[str | int, ...]) -> str:
    """Return ``path`` as people write it: ``near[0].groups[1]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text

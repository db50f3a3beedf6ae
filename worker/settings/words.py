"""Words for messages: what was found, what was meant, what may be shown."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

#: A value longer than this is cut in a message.
_SHOWN = 60
_KINDS = {
    type(None): "nothing",
    bool: "true or false without quotes",
    int: "a number",
    float: "a number with a fraction",
    list: "a list",
}


class Substituted(str):
    """A text into which the environment was substituted: it may be a secret, so no message shows it."""

    __slots__ = ()


def shown(value: object) -> str:
    """Return ``value`` as a message may show it: quoted, cut, and never when it came from the environment."""
    if isinstance(value, Substituted):
        return "the value of the variable"
    text = str(value)
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return '"' + "".join(c if c.isprintable() else "�" for c in text) + '"'


def kind(value: object) -> str:
    """Return what ``value`` is, in words of YAML and without the value itself."""
    return "text" if isinstance(value, str) else _KINDS.get(type(value), "a mapping")


def listed(names: Iterable[str], last: str = "or") -> str:
    """Return ``names`` as a sentence lists them: ``a, b or c``."""
    *head, tail = names
    return f"{', '.join(head)} {last} {tail}" if head else tail


def meant(name: str, candidates: Collection[str]) -> str:
    """Return the candidate that ``name`` was probably meant to be, or an empty string."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def did_you_mean(name: str, candidates: Collection[str]) -> str:
    """Return ``; did you mean "..."?``, or an empty string when nothing is near; a secret is never compared."""
    guess = "" if isinstance(name, Substituted) else meant(name, candidates)
    return f'; did you mean "{guess}"?' if guess else ""

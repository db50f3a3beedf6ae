"""Scalars: from the text of a YAML file to a value.

The rules are those of the YAML 1.2 core schema (YAML 1.2.2 section 10.3.2), applied here and not by the library,
so that ``NO``, ``on`` and ``yes`` are texts even under a ``%YAML 1.1`` directive, and ``2026-01-01`` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from worker.settings.words import Substituted

_CONSTANTS: Mapping[str, object] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
#: Python refuses to read integers of more than 4300 digits; no setting needs more than these.
_DIGITS = 30
_DECIMAL = re.compile(rf"[-+]?[0-9]{{1,{_DIGITS}}}")
_BASED = re.compile(rf"0o[0-7]{{1,{_DIGITS}}}|0x[0-9a-fA-F]{{1,{_DIGITS}}}")
_FLOAT = re.compile(
    rf"[-+]?(?:\.[0-9]{{1,{_DIGITS}}}|[0-9]{{1,{_DIGITS}}}(?:\.[0-9]{{0,{_DIGITS}}})?)(?:[eE][-+]?[0-9]{{1,3}})?"
)
_VARIABLE = re.compile(
    r"\$\$ | \$\{ (?P<name>[A-Za-z_][A-Za-z0-9_]*) (?: :- (?P<default>[^{}]*) )? \} | (?P<broken>\$\{)", re.VERBOSE
)


def resolve(text: str) -> object:
    """Return what the plain (unquoted) scalar ``text`` stands for: nothing, a boolean, a number or a text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A text after substitution, and what went wrong on the way, in words."""

    text: str
    errors: tuple[str, ...] = ()


def expand(text: str, env: Mapping[str, str]) -> Expanded:
    """Return ``text`` with ``${VAR}`` and ``${VAR:-default}`` replaced from ``env``, and ``$$`` by one dollar.

    As in a shell, ``${VAR:-default}`` takes the default when the variable is unset or empty. A dollar that is
    not followed by a brace stands for itself. What contains a variable comes back as ``Substituted``.
    """
    if "$" not in text:
        return Expanded(text=text)
    errors: list[str] = []
    found = False

    def value(match: re.Match[str]) -> str:
        nonlocal found
        name, default = match["name"], match["default"]
        if match["broken"]:
            errors.append("${ begins no variable: write ${NAME} or ${NAME:-default}, and $$ for a dollar sign")
        if not name:
            return "$"
        found = True
        if default is not None:
            return env.get(name) or default
        if name not in env:
            errors.append(f"the environment variable {name} is not set; set it, or give a default: ${{{name}:-...}}")
        return env.get(name, "")

    replaced = _VARIABLE.sub(value, text)
    return Expanded(text=Substituted(replaced) if found else replaced, errors=tuple(errors))

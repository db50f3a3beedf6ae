"""docker-compose.yml as Compose reads it: merged, and with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.processes import ROOT

FILE: Final = ROOT / "docker-compose.yml"
#: What the rehearsal's variables are.
REHEARSAL: Final = ROOT / "config" / "replay" / "compose.env"
#: ``$$`` or ``${NAME}``, with ``:-default`` or ``:?message`` (https://docs.docker.com/reference/compose-file/interpolation/).
_VARIABLE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")


@cache
def raw(file: Path = FILE) -> dict[str, Any]:
    """Return the document as YAML has it, always the same one: nobody may change it."""
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    return loaded


def document(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with the variables of ``env``.

    Raises:
        KeyError: it needs one that ``env`` does not have; the text says what Compose would say.
    """
    filled: dict[str, Any] = _filled(raw(), env)
    return filled


def services(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services, by name."""
    found: dict[str, dict[str, Any]] = document(env)["services"]
    return found


def ours(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return those services that run our own image."""
    return {name: service for name, service in services(env).items() if service.get("build")}


def variables(text: str) -> dict[str, str | None]:
    """Return the variables that ``text`` names: each with its default, ``None`` when there must be a value."""
    found = [one for one in _VARIABLE.finditer(text) if one["name"]]
    return {one["name"]: one["rest"] if one["how"] == "-" else None for one in found}


def env_file(file: Path) -> dict[str, str]:
    """Return the variables of a file such as ``.env``."""
    lines = [line for line in file.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _filled(each, env) for key, each in value.items()}
        case list():
            return [_filled(each, env) for each in value]
        case str():
            return _VARIABLE.sub(lambda found: _value(found, env), value)
        case _:
            return value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    given = env.get(found["name"], "")
    if given or found["how"] != "?":
        return given or found["rest"] or ""
    raise KeyError(f"{found['name']}: {found['rest']}")

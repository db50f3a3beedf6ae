"""What a replay has told, as a document that can be kept, read by people, and compared."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from worker.errors import ConfigError, Problem
from worker.replay.lines import each_alert

_HEADER = """\
# What a replay must tell. Compared by `wirewatch replay PATH --expect FILE`, rewritten with `--update`.
# Leave out what you do not care about: a key that is missing here is not compared.
"""


def document(alerts: Iterable[Mapping[str, Any]], silent: Sequence[str]) -> dict[str, Any]:
    """Return what was told: stories with their alerts in the order of sending, and the articles that told nothing.

    ``alerts`` are the lines that the recorders have written. Stories are in order of their first alert. An alert that
    was told in a digest says so, and stands there with the time of the digest; notices tell of no article.
    """
    stories: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for alert in each_alert(alerts):
        stories.setdefault((alert["topic"], alert["story"]), []).append(_told(alert))
    return {
        "stories": [{"topic": topic, "alerts": told} for (topic, _), told in stories.items()],
        "silent": sorted(silent),
    }


def _told(alert: Mapping[str, Any]) -> dict[str, Any]:
    gathered = {"digest": True} if "digest" in alert else {}
    detail = {"detail": alert["detail"]} if alert.get("detail") else {}
    return {
        "role": alert["role"],
        "article": alert["article"],
        "outlet": alert["outlet"],
        "channel": alert["channel"],
        "at": alert["at"],
        "articles": alert["articles"],
        "evidence": alert["evidence"][0]["text"] if alert["evidence"] else "",
        **gathered,
        **detail,
    }


def write(path: Path, told: Mapping[str, Any]) -> None:
    """Write ``told`` to ``path``, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(_HEADER + _dump(told), "utf-8")
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise ConfigError(Problem(file=str(path), message=f"cannot be written: {error.strerror}")) from error


def read(path: Path) -> dict[str, Any]:
    """Return the expectation in ``path``.

    Raises:
        ConfigError: it cannot be read, or is not an expectation.
    """
    try:
        loaded = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except OSError as error:
        remedy = "; make it with --update" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(Problem(file=str(path), message=f"cannot be read: {error.strerror}{remedy}")) from error
    except (MarkedYAMLError, YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(_unreadable(path, error)) from error
    if not isinstance(loaded, dict) or not {"stories", "silent"} >= set(loaded):
        message = 'an expectation is a mapping with "stories" and "silent"; make one with --update'
        raise ConfigError(Problem(file=str(path), message=message))
    return loaded


def _unreadable(path: Path, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark is None:
        return Problem(file=str(path), message=f"is no YAML: {said}")
    return Problem(file=str(path), line=mark.line + 1, column=mark.column + 1, message=f"is no YAML: {said}")


def difference(expected: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """Return a readable difference between what was expected and what was told; empty when there is none."""
    seen = _as_far_as(expected, told)
    before, after = _dump(expected).splitlines(), _dump(seen).splitlines()
    return "\n".join(difflib.unified_diff(before, after, "expected", "told", lineterm="", n=4))


def _as_far_as(expected: Any, told: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Return ``told`` without the keys that ``expected`` does not name, in the order of ``expected``."""
    if isinstance(expected, Mapping) and isinstance(told, Mapping):
        return {key: _as_far_as(expected[key], told[key]) for key in expected if key in told}
    if isinstance(expected, list) and isinstance(told, list):
        pairs = [_as_far_as(e, t) for e, t in zip(expected, told, strict=False)]
        return pairs + told[len(expected) :]
    return told


def _dump(value: Any) -> str:  # noqa: ANN401
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_plain(value), out)
    return out.getvalue()


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

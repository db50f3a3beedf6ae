"""Where the files of a configuration come from: a directory, or the copies that were taken of one.

A copy is the text of a file as it stands there, with its variables still unsubstituted: whoever reads it puts in those
of its own environment, and no secret of an environment gets into a copy.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from worker.settings.reading import Raw, raw, sized

FILES: Final = ("feeds.yaml", "service.yaml", "alerts.yaml", "topics.yaml")
#: Begins the copy of a file that is no UTF-8, as some lists of feeds are (RFC 2397). No XML begins like this.
_BYTES: Final = "data:;base64,"


class Source(Protocol):
    """Gives the files of one configuration."""

    @property
    def place(self) -> str:
        """Where they are, as messages say it."""
        ...

    def file(self, name: str) -> str:
        """Return what messages call the file ``name`` of ``FILES``, whether it exists or not."""
        ...

    def yaml(self, name: str) -> Raw | None:
        """Return the file ``name`` of ``FILES``; ``None`` when there is none."""
        ...

    def opml(self, at: str, name: str) -> Raw | None:
        """Return the list of feeds that ``feeds.yaml`` calls ``name`` at the key ``at``; ``None`` if there is none."""
        ...


class Folder:
    """The files of a directory. ``taken`` keeps a copy of each that could be read, under the name for ``Copies``.

    ``topics_file`` stands in for ``topics.yaml``; it is then a mistake when it does not exist.
    """

    def __init__(self, directory: Path, *, topics_file: Path | None = None) -> None:
        self._directory = directory
        self._topics_file = topics_file
        self.taken: dict[str, str] = {}

    @property
    def place(self) -> str:
        """The directory."""
        return str(self._directory)

    def file(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._path(name))

    def yaml(self, name: str) -> Raw | None:
        """Return the file ``name``; ``None`` when there is none."""
        path = self._path(name)
        return self._kept(name, raw(path)) if path.exists() or path == self._topics_file else None

    def opml(self, at: str, name: str) -> Raw | None:
        """Return a list of feeds, which is looked for from the directory on; ``None`` when there is none."""
        path = self._directory / name
        return self._kept(at, raw(path)) if path.is_file() else None

    def _path(self, name: str) -> Path:
        return self._topics_file if self._topics_file and name == "topics.yaml" else self._directory / name

    def _kept(self, name: str, found: Raw) -> Raw:
        if not found.problem:
            self.taken[name] = copy_of(found.content)
        return found


class Copies:
    """The copies that a ``Folder`` has taken.

    A list of feeds goes by the place at which ``feeds.yaml`` names it, such as ``opml[0]``, since its path may hold a
    variable that is another one here.
    """

    place = "this copy of the configuration"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def file(self, name: str) -> str:
        """Return the name itself."""
        return name

    def yaml(self, name: str) -> Raw | None:
        """Return the copy of the file ``name``; ``None`` when there is none."""
        return self._found(name)

    def opml(self, at: str, name: str) -> Raw | None:  # noqa: ARG002 - the protocol's signature
        """Return the copy of the list of feeds at the key ``at``; ``None`` when there is none."""
        return self._found(at)

    def _found(self, name: str) -> Raw | None:
        if name not in self._files:
            return None
        try:
            return sized(Raw(file=name, content=content_of(self._files[name])))
        except ValueError:
            return Raw(file=name, problem="is no copy that this version has made; reload the configuration")


def copy_of(content: bytes) -> str:
    """Return the bytes of a file as a text from which ``content_of`` makes them again.

    It is the file's own text when that is UTF-8 without null characters, which databases do not take; else base64.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or text.startswith(_BYTES):
        return _BYTES + base64.b64encode(content).decode("ascii")
    return text


def content_of(copy: str) -> bytes:
    """Return the bytes that ``copy_of`` was given.

    Raises:
        ValueError: ``copy`` does not come from there.
    """
    if not copy.startswith(_BYTES):
        return copy.encode("utf-8")
    try:
        return base64.b64decode(copy.removeprefix(_BYTES), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error

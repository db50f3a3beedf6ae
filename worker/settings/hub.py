"""Models of a hub as settings name them: ``hub:OWNER/NAME@REVISION``. Nothing here fetches anything."""

from __future__ import annotations

import re

PREFIX = "hub:"
#: The revision is a commit, in Git's form (gitrevisions(7): the full SHA-1 object name, 40 hexadecimal digits).
_FORM = "hub:OWNER/NAME@REVISION"
_COMMIT = re.compile(r"[0-9A-Fa-f]{40}")
_HEX = re.compile(r"[0-9A-Fa-f]{4,}")
#: One part of a repository's name: letters, digits, and . _ - between them, but neither .. nor -- (validate_repo_id
#: in the huggingface_hub library).
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-]|$)){0,95}")


def parse(text: str) -> tuple[str, str]:
    """Return ``OWNER/NAME`` and the revision, in lower case, of ``hub:OWNER/NAME@REVISION``.

    Raises:
        ValueError: it is written otherwise, or the revision is not a whole commit. The text does not repeat the value,
            which may have come from the environment.
    """
    name, at, revision = text.removeprefix(PREFIX).partition("@")
    parts = name.split("/")
    if not text.startswith(PREFIX) or len(parts) != len(("OWNER", "NAME")) or not all(map(_PART.fullmatch, parts)):
        raise ValueError(f"expected {_FORM}, where OWNER/NAME is the name of a model repository")
    if not at or not revision:
        raise ValueError(f"expected {_FORM}; the revision is missing: {_wanted()}")
    if _COMMIT.fullmatch(revision):
        return name, revision.lower()
    if _HEX.fullmatch(revision):
        raise ValueError(f"the revision has {len(revision)} digits; {_wanted()}")
    raise ValueError(
        f"the revision is the name of a branch or a tag, whose files can change from one day to the next; {_wanted()}"
    )


def _wanted() -> str:
    return "write the commit, all 40 hexadecimal digits, as the history of the repository's files shows it"

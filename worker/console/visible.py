"""Text from strangers as it may stand on a page: what cannot be seen, or turns what follows, is shown by its name."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

_PICTURES: Final = 0x2400
_DELETE: Final = 0x7F
_KEPT: Final = "\t\n\r"


def _names() -> dict[int, str]:
    """Return what stands for each character that is not shown as it is."""
    # Unicode has a picture for every control character of ASCII.
    named = {code: chr(_PICTURES + code) for code in range(0x20) if chr(code) not in _KEPT}
    named[_DELETE] = "\u2421"
    # The other controls; marks that turn the direction of what follows (Unicode Standard Annex 9); separators that end
    # a line; and halves of pairs, which no encoding can hold.
    others = [range(0x80, 0xA0), range(0x2028, 0x202F), range(0x2066, 0x206A), range(0xD800, 0xE000), (0xFEFF,)]
    return named | {code: f"[U+{code:04X}]" for codes in others for code in codes}


_NAMES: Final = _names()


def visible(text: str) -> str:
    """Return ``text`` with a sign or a name, such as ``[U+202E]``, for each character that would act and not show."""
    return text.translate(_NAMES)


def finalize(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    """Return what a template shows in the place of ``value``: every plain text on a page goes through here."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

"""The language of a text that nobody has named."""

from __future__ import annotations

from functools import cache
from typing import Any

#: Characters; a shorter text is too often taken for a neighbouring language.
_FEWEST = 60
#: Characters that are looked at: more makes the answer dearer and no better.
_MOST = 2000
#: Probability from which an answer is believed.
_SURE = 0.9


def language_of_text(text: str) -> str | None:
    """Return the ISO 639-1 code of the language that ``text`` is written in, or ``None`` when that is not certain."""
    sample = " ".join(text[: _MOST * 2].split())[:_MOST]
    if len(sample) < _FEWEST:
        return None
    code, probability = _identifier().classify(sample)
    return str(code) if probability >= _SURE else None


def warm_up() -> None:
    """Load what is needed, so that the first text does not pay for it."""
    _identifier()


@cache
def _identifier() -> Any:  # noqa: ANN401 - py3langid has no types
    # Half a second, and only texts whose language is unknown need it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - see above

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

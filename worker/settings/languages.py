"""Language codes."""

from __future__ import annotations

import re

from worker.settings.words import shown

#: ISO 639-1, with the withdrawn code ``sh`` that feeds still use (https://www.loc.gov/standards/iso639-2/).
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee
el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is
it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms
mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si
sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh
yi yo za zh zu
"""
CODES = frozenset(_CODES.split())
#: Codes of countries, and names, that people write for a language.
_MEANT = {
    "us": "en", "gb": "en", "au": "en", "nz": "en", "jp": "ja", "cn": "zh", "ua": "uk", "kp": "ko", "cz": "cs",
    "gr": "el", "dk": "da", "at": "de", "mx": "es", "ir": "fa", "il": "he", "in": "hi", "rs": "sr", "vn": "vi",
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "russian": "ru", "ukrainian": "uk", "arabic": "ar", "persian": "fa", "farsi": "fa", "hebrew": "he",
    "turkish": "tr", "chinese": "zh", "japanese": "ja", "korean": "ko", "hindi": "hi", "dutch": "nl",
    "norwegian": "no", "swedish": "sv", "danish": "da", "finnish": "fi", "polish": "pl", "greek": "el",
}  # fmt: skip
_TAG = re.compile(r"(?P<language>[a-z]{2,8})(?:[-_][a-z0-9]{1,8})*")
_TWO = 2


def code(value: str) -> str:
    """Return the lower-case ISO 639 code of ``value``; a region after it is left out (``en-GB`` is ``en``).

    Two-letter codes are checked against ISO 639-1; a language that has only a three-letter code keeps it.

    Raises:
        ValueError: ``value`` is no code; the text says which one was probably meant.
    """
    text = value.strip().lower()
    found = _TAG.fullmatch(text)
    language = found["language"] if found else ""
    if language in CODES or len(language) == _TWO + 1:
        return language
    right = _MEANT.get(language)
    hint = f"write {right}" if right else "write one such as en, ar or no"
    raise ValueError(f"{shown(value)} is no language code of ISO 639-1; {hint}")

"""Who and where: the names in a text, known again in another romanisation or as the people of a country."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from worker.text import fold, sentences, squeeze

#: Characters of a text that are looked at for names.
_MOST_CHARACTERS = 8000
_CAPITALISED = re.compile(r"[^\W\d_a-z][\w’']*(?:-[^\W\d_a-z][\w’']*)*")
_BEFORE_A_START = "\"“‘'«(•"
# Capitalised for grammar or custom, so no sign of who or where.
_COMMON = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December President Minister Prime Foreign Ministry Government Mr Mrs Ms Dr The A An "
    "In On At By For Of To And But This That It He She They We I His Her Their Its Our Speaking According When After "
    "Before If As With From Not No Yes Two Three Four Five Six Seven Eight Nine Ten Reuters AFP AP Xinhua IRNA TASS RIA "
    "Reporting Editing Breaking Urgent Update Here What Who Why How Where There Officials Police Court North South "
    "East West Northern Southern Eastern Western State City National International Bank Company Group Agency News"
)
_NO_NAMES = frozenset(map(fold, _COMMON.split()))
#: The same place or people in two words; the right one stands for both.
_SAME = """
afghan afghanistan|albanian albania|algerian algeria|angolan angola|argentine argentina|argentinian argentina
armenian armenia|australian australia|austrian austria|azerbaijani azerbaijan|azeri azerbaijan|bahraini bahrain
bangladeshi bangladesh|belarusian belarus|belgian belgium|bolivian bolivia|bosnian bosnia|brazilian brazil
british britain|uk britain|bulgarian bulgaria|cambodian cambodia|cameroonian cameroon|canadian canada|chadian chad
chilean chile|chinese china|colombian colombia|congolese congo|croatian croatia|cuban cuba|cypriot cyprus|czechia czech
danish denmark|dane denmark|dutch netherlands|holland netherlands|ecuadorian ecuador|egyptian egypt|emirati emirates|uae emirates
eritrean eritrea|estonian estonia|ethiopian ethiopia|finnish finland|finn finland|french france|gabonese gabon|georgian georgia
german germany|ghanaian ghana|greek greece|guatemalan guatemala|haitian haiti|honduran honduras|hungarian hungary
icelandic iceland|indian india|indonesian indonesia|iranian iran|iraqi iraq|irish ireland|israeli israel|italian italy
ivorian ivory|jamaican jamaica|japanese japan|jordanian jordan|kazakh kazakhstan|kenyan kenya|kosovar kosovo
kuwaiti kuwait|kyrgyz kyrgyzstan|laotian laos|latvian latvia|lebanese lebanon|liberian liberia|libyan libya
lithuanian lithuania|macedonian macedonia|malagasy madagascar|malawian malawi|malaysian malaysia|malian mali|maltese malta
mexican mexico|moldovan moldova|mongolian mongolia|montenegrin montenegro|moroccan morocco|mozambican mozambique
burmese myanmar|burma myanmar|namibian namibia|nepali nepal|nepalese nepal|nicaraguan nicaragua|nigerien niger
nigerian nigeria|norwegian norway|omani oman|pakistani pakistan|palestinian palestine|panamanian panama
paraguayan paraguay|peruvian peru|filipino philippines|philippine philippines|polish poland|pole poland|portuguese portugal
qatari qatar|romanian romania|russian russia|rwandan rwanda|saudi saudi|scottish scotland|senegalese senegal
serbian serbia|serb serbia|singaporean singapore|slovak slovakia|slovenian slovenia|slovene slovenia|somali somalia
spanish spain|spaniard spain|sudanese sudan|swedish sweden|swede sweden|swiss switzerland|syrian syria
taiwanese taiwan|tajik tajikistan|tanzanian tanzania|thai thailand|tunisian tunisia|turkish turkey|turkiye turkey
turkmen turkmenistan|ugandan uganda|ukrainian ukraine|uruguayan uruguay|uzbek uzbekistan|venezuelan venezuela
vietnamese vietnam|welsh wales|yemeni yemen|zambian zambia|zimbabwean zimbabwe|us america|american america|usa america
eu europe|european europe|kiev kyiv|lvov lviv|odessa odesa|kharkov kharkiv|peking beijing|bombay mumbai|calcutta kolkata
madras chennai|rangoon yangon|saigon hochiminh|teheran tehran|hizbullah hezbollah|hizballah hezbollah|huthi houthi
mohammed muhammad|mohamed muhammad|mohammad muhammad|qaida qaeda|isil isis|daesh isis|eswatini swaziland
"""
_PAIRS = (pair.split() for line in _SAME.split("\n") for pair in line.split("|") if pair)
_STANDS_FOR = {fold(one): fold(other) for one, other in _PAIRS}

# How the same sounds are spelled by different systems of romanisation. "g" and "q" are one, because news writes the
# Arabic qaf, the Persian qaf and the Kazakh q either way.
_SOUNDS = (
    ("tch", "c"), ("dzh", "j"), ("dj", "j"), ("sch", "s"), ("sh", "s"), ("ch", "c"), ("tz", "c"), ("ts", "c"),
    ("gh", "k"), ("kh", "k"), ("ck", "k"), ("ph", "f"), ("th", "t"), ("dh", "d"), ("zh", "j"), ("x", "ks"),
    ("qu", "k"), ("q", "k"), ("g", "k"), ("c", "c"), ("w", "v"), ("z", "s"), ("nb", "mb"), ("np", "mp"),
)  # fmt: skip
_VOWELS = re.compile(r"[aeiouy]+")
_DOUBLED = re.compile(r"(.)\1+")
#: A name begins with a vowel, or with the "ye" that some write for a Cyrillic "e".
_OPEN = re.compile(r"[aeiou]|ye")
#: A name must have so many letters, and so many consonants besides, for its sound to stand for it.
_FEWEST_LETTERS, _FEWEST_CONSONANTS = 5, 2
#: A part of a name with a hyphen that has no more letters may be written without the hyphen.
_SHORT_PART = 4


@lru_cache(maxsize=50_000)
def sound(word: str) -> str | None:
    """Return what a squeezed name sounds like: the same for "baqaei" and "baghaei", "youssef" and "yusuf".

    It is the consonants and the number of syllables, so that "niger" and "nigeria", "slovenia" and "slovakia" differ.
    ``None`` for a word too short to tell. Only for rare words: of common ones many sound alike.
    """
    letters = word.replace("-", "").replace("'", "").replace("’", "")
    if len(letters) < _FEWEST_LETTERS or not letters.isascii() or not letters.isalpha():
        return None
    for written, said in _SOUNDS:
        letters = letters.replace(written, said)
    # An h is heard where a syllable begins with it: "Teheran" is "Tehran", "Mohammed" is not "Moammar".
    letters = re.sub(r"h(?![aeiouy])", "", letters)
    # A y between or before vowels is the consonant of "Yusuf" and yet the vowel of "Kyiv": it is left out as both.
    syllables = len(_VOWELS.findall(letters))
    consonants = _DOUBLED.sub(r"\1", _VOWELS.sub("", letters))
    opening = "a" if _OPEN.match(word) else ""
    return f"~{opening}{consonants}{syllables}" if len(consonants) >= _FEWEST_CONSONANTS else None


def names(
    title: str,
    text: str,
    language: str | None,
    *,
    rarity: Callable[[str], float],
    spans: Sequence[tuple[int, int]] | None = None,
) -> dict[str, list[int]]:
    """Return the names in title and text, as terms, each with its places in the text (-1 for the title).

    A word that begins a sentence, and any of a title in Title Case, counts if it is a name elsewhere in the article,
    or well known as one, or known to nobody. ``spans`` are the sentences of the text, for those who have them already.
    """
    found: defaultdict[str, list[int]] = defaultdict(list)
    doubtful: defaultdict[str, list[int]] = defaultdict(list)
    unknown = rarity("")
    text = text[:_MOST_CHARACTERS]
    for at, word, sure in _capitalised(title, text, sentences(text) if spans is None else spans):
        for term in _terms(word, language):
            certain = sure or rarity(f"^{term}") < unknown or rarity(term) >= unknown
            (found if certain else doubtful)[term].append(at)
    for term in doubtful.keys() & found.keys():
        found[term] += doubtful[term]
    return dict(found)


@lru_cache(maxsize=50_000)
def _terms(word: str, language: str | None) -> tuple[str, ...]:
    parts = word.split("-")
    if len(parts) > 1 and min(map(len, parts)) <= _SHORT_PART:
        # "Sary-Oba" is also written "Saryoba".
        parts.append(parts[0] + "".join(parts[1:]).lower())
    folded = [fold(part, language) for part in parts]
    return tuple(_STANDS_FOR.get(part, part) for part in folded if len(part) > 1 and part not in _NO_NAMES)


def _capitalised(title: str, text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str, bool]]:
    """Yield each word with a capital, with its place and whether its capital is sure to be that of a name."""
    title_case = is_title_case(title)
    for part, begun, in_title in ((title, sentences(title), True), (text, spans, False)):
        starts = {start for start, _ in begun}
        for found in _CAPITALISED.finditer(part):
            start, word = found.start(), found.group()
            if word[0].isupper():
                begins = start in starts or part[start - 1 : start] in _BEFORE_A_START
                yield (-1 if in_title else start), word, not (begins or (in_title and title_case))


def is_title_case(title: str) -> bool:
    """Return whether most words of ``title`` have a capital, so that it says nothing about them."""
    words = [word for word in title.split() if word[:1].isalpha()]
    return sum(word[0].isupper() for word in words) > len(words) * 0.6


def sounds(found: Iterable[str], *, rarity: Callable[[str], float]) -> dict[str, str]:
    """Return how those of the names sound that nobody knows: of the others many sound alike, as Iran and Iraq do."""
    unknown = rarity("")
    heard = {term: sound(squeeze(term)) for term in found if rarity(term) >= unknown}
    return {term: key for term, key in heard.items() if key}

"""What an article says has happened: tolls, acts, and whether it says that they followed on something.

Only title and first sentences tell what is new to an article; its whole text tells what it knows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from worker.stories.numbers import Number, numbers
from worker.stories.small import small
from worker.text import first_sentences, fold

_FIRST_SENTENCES = 2
#: Characters around a number in which it is told what it counts.
_AROUND = 48
_TOLLS = {
    "dead": r"dead|deaths?|die[ds]?|dying|kill(?:ed|s|ing)?|bodies|fatalit(?:y|ies)|(?:lost|claimed|took) \w+ lives|victims",
    "hurt": r"injur(?:ed|es|ing|ies)|wound(?:ed|s|ing)|hurt|hospitali[sz]ed|casualties",
    "missing": r"missing|unaccounted|trapped",
    "ill": r"ill\b|sick(?:ened)?|infected|infections|cases",
    "held": r"arrest(?:ed|s)|detain(?:ed|s)|in custody|hostages?|abducted|kidnapped",
}
# These, and those of acts and of what came before, are for texts in ``small`` letters.
_TOLL = {name: re.compile(rf"\b(?:{words})") for name, words in _TOLLS.items()}
_PARTED = re.compile(r"[.;:!?\n]|,\s(?!and\b)|\bwhile\b|\bbut\b")
_YEARS = frozenset(range(1900, 2100))
_NO_PEOPLE = frozenset(
    map(
        fold,
        [
            "minutes",
            "hours",
            "days",
            "weeks",
            "months",
            "years",
            "percent",
            "euros",
            "dollars",
            "pounds",
            "metres",
            "meters",
            "kilometres",
            "miles",
        ],
    )
)
#: What somebody does in an event, after which it is no more what it was.
_ACTS = {
    "arrest": r"arrest\w*|detain\w*|in custody|into custody|taken in|held (?:at|over|in|on)|charged|indict\w*|nabbed",
    "resignation": r"resign\w*|quits?|step(?:s|ped|ping)? (?:down|aside|back)|sack(?:s|ed)|dismissed as|relieved of|fired"
    r"|ousts?|ousted|removed from office",
    "death": r"dies|died (?:of|in|on|from|overnight)|death toll|claimed a life|pronounced dead|dead|bod(?:y|ies) (?:found|recovered)"
    r"|bodies",
    "denial": r"den(?:y|ies|ied|ial)|reject(?:s|ed|ion)?|refut\w+|dismiss(?:es|ed)|rules? out|ruled out|refus(?:es|ed|al)"
    r"|contradict\w*|turns? down",
    "confirmation": r"confirm\w*|admit\w*|acknowledg\w*|conced\w+|disclos\w+|owns up|reveal\w*",
    "lawsuit": r"sue[sd]?|suing|lawsuits?|appeal(?:s|ed)|plead(?:s|ed)|injunction|court orders?|judge orders?",
    "inquiry": r"open(?:s|ed)? (?:a |an )?(?:\w+ )?(?:probe|inquiry|investigation)|probes?|launch\w* (?:a|an) (?:probe|inquiry|investigation)",
    "suspension": r"suspend\w*|suspension|halt(?:s|ed|ing)?|pause[sd]?|freez\w+|froze|stopp?(?:s|ed)",
    "end": r"call(?:s|ed)? off|end(?:s|ed)\b|lift(?:s|ed)|over turns?|abandon(?:s|ed)|revok\w+|withdr[ae]w\w*|cancel\w*|scrap(?:s|ped)"
    r"|collapse[sd]|gives? way|gave way|gives? up|overturn\w*|repeal\w*|drops|dropped",
    "restoration": r"restor\w+|reopen\w*|resum\w+|back (?:up|online|on air|in service|to work|on air|in business)|working again|reconnect\w*",
    "release": r"freed?|frees|releas\w+|rescu(?:e|es|ed)|escap(?:e|es|ed)|(?:pulled|lifted|brought)(?: \w+)?(?: \w+)? alive|comes? home|reunited",
    "expulsion": r"expel\w*|bar(?:s|red)|ban(?:s|ned)|shuts?|closes?|closed|orders? \w+ (?:\w+ )?out|outlaw\w*|blacklist\w*|sanction(?:s|ed)",
    "order": r"order(?:s|ed)|decree[sd]?|strip(?:s|ped)|seiz(?:e|es|ed)|nationali[sz]\w+|declar(?:e|es|ed)|impos(?:e|es|ed)",
    "agreement": r"agree(?:s|d|ment)?|deal|sign(?:s|ed)|accord|truce|ceasefire|framework|settle(?:s|d|ment)|initial(?:s|led)",
    "answer": r"retaliat\w+|in (?:answer|response|reply|retaliation)|answers?|respond(?:s|ed)|counter(?:s|ed)|hits back|strikes back",
    "approval": r"approv\w+|adopt(?:s|ed)|pass(?:es|ed)|ratif\w+|vote[sd]? (?:for|against|to|in)|endors\w+|clear(?:s|ed)|backs|backed",
    "apology": r"apolog\w+|sorry|bow(?:s|ed)|regret(?:s|ted)",
    "joining": r"join(?:s|ed)|also (?:halt|ban|stop|suspend|recall|join|strike|withdraw|pull|impose|close|expel)\w*|follow(?:s|ed) suit",
    "spreading": r"spread(?:s|ing)?|reach(?:es|ed)|cross(?:es|ed)|jump(?:s|ed)|pass(?:es|ed)",
    "return": r"return(?:s|ed)|back (?:home|at|in)|arriv(?:e|es|ed)|rolled into|enter(?:s|ed)",
    "find": r"found|find(?:s)?|recover(?:s|ed)|discover(?:s|ed)|locat(?:e|es|ed)|blame[ds]|traced",
    "claim of responsibility": r"claim(?:s|ed) responsibility|took responsibility",
    "threat": r"threaten\w*|warn(?:s|ed)|vow(?:s|ed)|pledg\w+|ultimatum",
    "estimate": r"puts? (?:the )?(?:\w+ )*(?:loss|cost|damage|bill|toll)\w*|would cost|will cost|estimate[sd]?",
    "winning": r"w[io]ns?\b|defeat(?:s|ed)|elected|acquitt\w+|convict\w+|sentenc\w+|guilty",
    "delay": r"postpon\w+|delay(?:s|ed)|put off|adjourn\w*",
}  # fmt: skip
_WORD = re.compile(r"\w+")


def _split(pattern: str, mark: str) -> list[str]:
    """Return the parts of a pattern between marks that stand in no brackets."""
    parts, depth = [""], 0
    for character in pattern:
        depth += (character == "(") - (character == ")")
        if character == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _beginnings(form: str) -> list[str]:
    """Return a form as forms of which each begins with a letter."""
    if not form.startswith("(?:"):
        return [form]
    inside, _, rest = form.removeprefix("(?:").partition(")")
    return [each + rest for each in inside.split("|")]


def _words_only(forms: str) -> re.Pattern[str]:
    """Return a pattern that finds ``forms`` where no letter stands before or behind them.

    That none stands before is seen after the first letter, so that the letters are what is sought: a search for a set
    of characters is several times as fast.
    """
    all_ = (each for form in _split(forms, "|") for each in _beginnings(form))
    return re.compile("(?:" + "|".join(rf"{one[0]}(?<!\w{one[0]}){one[1:]}" for one in all_) + r")\b")


_ACT = {name: _words_only(forms) for name, forms in _ACTS.items()}
#: Words of which is remembered what they may begin; beyond it the memory starts anew.
_REMEMBERED = 100_000
# Words that say that something came before: "a day after", "two hours after", "in answer to", "the day before".
_AFTER = re.compile(
    r"""\b(?:
    (?:(?:a|an|one|two|three|four|five|\d+|several|many|few|some|the|just|only)\s+)?
    (?:(?:day|hour|week|night|minute)s?|hours|days)\s+(?:and\s+a\s+half\s+)?(?:after|later|earlier|before|into|since)\b
    |in\s+(?:answer|response|reply|retaliation)\s+(?:to|for)\b|after\s+all\b|the\s+(?:previous|following)\s+day\b
    |earlier\s+(?:this\s+week|in\s+the\s+week|in\s+the\s+day|on)\b|this\s+week's\b|has\s+(?:now|since)\b|now\b
    |(?:climb|ris|r[io]se|jump|grow|increas|reach|pass|up)\w*\s+(?:to|past|from)\b
    |(?:five|four|six|seven|eight|nine|ten|\d+|two|three)\s+more\b
    |further\b|no\s+longer\b|still\b|first\s+(?:\w+\s+)?(?:since|retaliation|victims?|response)\b)""",
    re.VERBOSE,
)
_SPEECH = re.compile(
    r"^\s*[\"“‘'«]|[\"“‘'«][^\"”’'»]{8,}[\"”’'»]|\?|^(?:how|why|what|who|inside|explained|analysis|in pictures)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What an article says has happened."""

    #: The greatest number of dead, hurt, missing ... in title and first sentences, and anywhere.
    tolls: Mapping[str, float]
    all_tolls: Mapping[str, float]
    #: Acts in title and first sentences with the words that say so, which of them the title has, and acts anywhere.
    acts: Mapping[str, str]
    titled: frozenset[str]
    all_acts: frozenset[str]
    #: The words by which the first sentences say that something came before; empty when they do not.
    after: str
    #: The title is a quotation or a question, and no plain statement.
    speech: bool

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "tolls": dict(self.tolls),
            "all_tolls": dict(self.all_tolls),
            "acts": dict(self.acts),
            "titled": sorted(self.titled),
            "all_acts": sorted(self.all_acts),
            "after": self.after,
            "speech": self.speech,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``to_json`` gave."""
        sets = {key: frozenset(values[key]) for key in ("titled", "all_acts")}
        return cls(**dict(values) | sets)

    @classmethod
    def nothing(cls) -> Self:
        """Return what an article without words says."""
        none: frozenset[str] = frozenset()
        return cls(tolls={}, all_tolls={}, acts={}, titled=none, all_acts=none, after="", speech=False)


def statements(
    title: str,
    text: str,
    language: str | None,
    *,
    spans: Sequence[tuple[int, int]] | None = None,
    numbered: Sequence[Number] | None = None,
    lowered: str | None = None,
) -> Statements:
    """Return what title and text say has happened; acts and tolls are known in English.

    ``spans`` are the first sentences of the text, ``numbered`` the numbers of ``beginning_with(title, text)``, and
    ``lowered`` that in ``small`` letters, for those who have them already.
    """
    first = first_sentences(text, _FIRST_SENTENCES) if spans is None else spans[:_FIRST_SENTENCES]
    whole = beginning_with(title, text)
    lowered = small(whole) if lowered is None else lowered
    begun = len(whole) - len(text) + (first[-1][1] if first else 0)
    acts, kinds = _possible(lowered)
    found = _acts(lowered, acts)
    early = {name: place for name, place in found.items() if place[0] < begun}
    after = _AFTER.search(lowered[:begun])
    return Statements(
        tolls=_tolls(whole[:begun], lowered[:begun], None, kinds, language) if kinds else {},
        all_tolls=_tolls(whole, lowered, numbered, kinds, language) if kinds else {},
        acts={name: whole[slice(*place)].lower() for name, place in early.items()},
        titled=frozenset(name for name, place in early.items() if place[0] < len(title)),
        all_acts=frozenset(found),
        after=" ".join(whole[slice(*after.span())].lower().split()) if after else "",
        speech=bool(_SPEECH.search(title)),
    )


def beginning_with(title: str, text: str) -> str:
    """Return the text with its title before it, as a sentence of its own."""
    return f"{title}.\n{text}"


def _acts(lowered: str, possible: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return where each act is first said. No act goes beyond the sentence that it begins in."""
    return {name: found.span() for name in possible if (found := _ACT[name].search(lowered))}


def _tolls(
    text: str, lowered: str, numbered: Iterable[Number] | None, kinds: Sequence[str], language: str | None
) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in numbers(text, language, lowered=lowered) if numbered is None else numbered:
        if number.value in _YEARS or number.unit in _NO_PEOPLE:
            continue
        for name in _counted(text, lowered, number, kinds):
            found[name] = max(found.get(name, 0.0), number.value)
    return found


def _counted(text: str, lowered: str, number: Number, kinds: Sequence[str]) -> list[str]:
    """Return the kinds of toll that are spoken of right beside a number, in the same part of its sentence."""
    start, end = number.start, number.end
    # Where the parts end is seen from the text as it is written: "But" begins a sentence, and parts none.
    before = lowered[start - len(_PARTED.split(text[max(0, start - _AROUND) : start])[-1]) : start]
    after = lowered[end : end + len(_PARTED.split(text[end : end + _AROUND], maxsplit=1)[0])]
    ahead = [(found.start(), name) for name in kinds if (found := _TOLL[name].search(after))]
    if ahead:
        return [min(ahead)[1]]
    behind = [(found.end(), name) for name in kinds for found in _TOLL[name].finditer(before)]
    return [max(behind)[1]] if behind else []


# Which acts and tolls a text may hold at all is seen from its words: most hold few, and a search for each of the forms
# in the whole text takes ten times as long as to look its words up.


class _Form(NamedTuple):
    """One of the forms of an act or a toll: what it says, and a pattern for each word that must stand there for it."""

    name: str
    words: tuple[str, ...]


def _forms(table: Mapping[str, str], word: str = "{}") -> list[_Form]:
    """Return the forms of a table, without the words that may be left out, and those of which there are several.

    ``word`` is what each word's pattern is put into.
    """
    return [
        _Form(name, tuple(word.format(found) for found in _split(form, " ") if " " not in found))
        for name, alternatives in table.items()
        for form in _split(_LEFT_OUT.sub("", alternatives), "|")
    ]


_LEFT_OUT = re.compile(r"\(\?:[^()]* [^()]*\)[?*]")


class _Clues(dict[str, frozenset[str]]):
    """A dictionary from a word in small letters to the patterns that it fits, found out when it is first asked for.

    Without those that every word fits (``_FIT_ALL``).
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        super().__init__()
        self._patterns = {pattern: re.compile(pattern) for pattern in patterns if pattern not in _FIT_ALL}
        # Five words in six fit none: to see that by one pattern takes a sixth of the time.
        self._any = re.compile("|".join(f"(?:{pattern})" for pattern in self._patterns))

    def __missing__(self, word: str) -> frozenset[str]:
        if len(self) >= _REMEMBERED:
            self.clear()
        clues = _NONE
        if self._any.fullmatch(word):
            clues = frozenset(name for name, pattern in self._patterns.items() if pattern.fullmatch(word))
        self[word] = clues
        return clues


def _possible(lowered: str) -> tuple[list[str], list[str]]:
    """Return which acts and which kinds of toll a text in small letters may hold, in the order of their tables."""
    clues = _FIT_ALL.union(*filter(None, map(_CLUES.__getitem__, set(_words(lowered)))))
    return _ACTS_BY_WORD.held(clues), _TOLLS_BY_WORD.held(clues)


def _words(text: str) -> list[str]:
    """Return what ``_WORD`` finds, four times as fast where at most the marks of printed English are no ASCII."""
    bare = text
    if not text.isascii():
        for mark in _PRINTED:
            bare = bare.replace(mark, " ")
    if not bare.isascii():
        return _WORD.findall(text)
    return bare.encode("ascii").translate(_PARTING).decode("ascii").split()


#: Blanks for all characters of ASCII that are no part of a word.
_PARTING = bytes(code if _WORD.match(chr(code)) else 0x20 for code in range(128)) + bytes(128)
_PRINTED = "’‘“”–—…\u00a0"


class _Forms:
    """The forms of a table, found by the words that must stand there for them: a text holds few of hundreds."""

    def __init__(self, forms: Iterable[_Form]) -> None:
        self._all = list(forms)
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        #: Those for which no word must stand there that is known.
        self._any = [number for number, form in enumerate(self._all) if not form.words]
        for number, form in enumerate(self._all):
            if form.words:
                self._by_word[form.words[0]].append(number)

    def held(self, clues: frozenset[str]) -> list[str]:
        """Return the names of those that may be held where these words are, in the order of the table."""
        possible = [number for clue in clues for number in self._by_word.get(clue, ())]
        found = [number for number in possible if clues.issuperset(self._all[number].words)]
        return list(dict.fromkeys([self._all[number].name for number in sorted(found + self._any)]))


_NONE: frozenset[str] = frozenset()
#: Patterns that every word fits: no clues, for those who look for one.
_FIT_ALL = frozenset({r"\w+", r"\w*?(?:\w+)\w*"})
# What is right beside a number may be cut out of the midst of a word: so of a toll any part of a word is a clue.
_ACT_FORMS = _forms(_ACTS)
_TOLL_FORMS = _forms({name: words.replace(r"\b", "") for name, words in _TOLLS.items()}, word=r"\w*?(?:{})\w*")
_ACTS_BY_WORD, _TOLLS_BY_WORD = _Forms(_ACT_FORMS), _Forms(_TOLL_FORMS)
_CLUES = _Clues({word for form in (*_ACT_FORMS, *_TOLL_FORMS) for word in form.words})

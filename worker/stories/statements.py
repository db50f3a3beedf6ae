"""What an article says has happened: tolls, acts, and whether it says that they followed on something.

Only title and first sentences tell what is new to an article; its whole text tells what it knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from worker.stories.numbers import Number, numbers
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
_TOLL = {name: re.compile(rf"\b(?:{words})", re.IGNORECASE) for name, words in _TOLLS.items()}
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
_ACT = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _ACTS.items()}
# Words that say that something came before: "a day after", "two hours after", "in answer to", "the day before".
_AFTER = re.compile(
    r"""\b(?:(?:a|an|one|two|three|four|five|\d+|several|many|few|some|the|just|only)\s+)?
    (?:(?:day|hour|week|night|minute)s?|hours|days)\s+(?:and\s+a\s+half\s+)?(?:after|later|earlier|before|into|since)\b
    |\bin\s+(?:answer|response|reply|retaliation)\s+(?:to|for)\b|\bafter\s+all\b|\bthe\s+(?:previous|following)\s+day\b
    |\bearlier\s+(?:this\s+week|in\s+the\s+week|in\s+the\s+day|on)\b|\bthis\s+week's\b|\bhas\s+(?:now|since)\b|\bnow\b
    |\b(?:climb|ris|r[io]se|jump|grow|increas|reach|pass|up)\w*\s+(?:to|past|from)\b|\b(?:five|four|six|seven|eight|nine|ten|\d+|two|three)\s+more\b
    |\bfurther\b|\bno\s+longer\b|\bstill\b|\bfirst\s+(?:\w+\s+)?(?:since|retaliation|victims?|response)\b""",
    re.IGNORECASE | re.VERBOSE,
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


def statements(title: str, text: str, language: str | None) -> Statements:
    """Return what title and text say has happened; acts and tolls are known in English."""
    spans = first_sentences(text, _FIRST_SENTENCES)
    first = text[: spans[-1][1]] if spans else ""
    beginning, whole = f"{title}.\n{first}", f"{title}.\n{text}"
    after = _AFTER.search(beginning)
    return Statements(
        tolls=_tolls(beginning, language),
        all_tolls=_tolls(whole, language),
        acts=_acts(beginning),
        titled=frozenset(_acts(title)),
        all_acts=frozenset(_acts(whole)),
        after=" ".join(after.group().lower().split()) if after else "",
        speech=bool(_SPEECH.search(title)),
    )


def _acts(text: str) -> dict[str, str]:
    return {name: found.group().lower() for name, form in _ACT.items() if (found := form.search(text))}


def _tolls(text: str, language: str | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in numbers(text, language):
        if number.value in _YEARS or number.unit in _NO_PEOPLE:
            continue
        for name in _counted(text, number):
            found[name] = max(found.get(name, 0.0), number.value)
    return found


def _counted(text: str, number: Number) -> list[str]:
    """Return the kinds of toll that are spoken of right beside a number, in the same part of its sentence."""
    before = _PARTED.split(text[max(0, number.start - _AROUND) : number.start])[-1]
    after = _PARTED.split(text[number.end : number.end + _AROUND])[0]
    ahead = [(found.start(), name) for name, form in _TOLL.items() if (found := form.search(after))]
    if ahead:
        return [min(ahead)[1]]
    behind = [(found.end(), name) for name, form in _TOLL.items() for found in form.finditer(before)]
    return [max(behind)[1]] if behind else []

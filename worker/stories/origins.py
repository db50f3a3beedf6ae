"""Who first said it, as far as the text tells.

Two outlets that print what one agency said are one origin, and so is the agency's own page. A person, a ministry or a
company is a source of the outlet that asked it, and no origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.model import Article
from worker.text import first_sentences, sentences

#: Sentences at the beginning in which an attribution speaks for the whole report, and characters looked at for them.
_SENTENCES, _CHARACTERS = 7, 5000
#: Characters at the end in which an agency may sign.
_SIGNATURE = 60
#: One name for each agency and broadcaster, and what else it is called.
_KNOWN = """
AFP=Agence France-Presse|Agence France Presse|AFP News
AP=Associated Press|AP News
Reuters=Thomson Reuters
Xinhua=Xinhua News Agency|New China News Agency
IRNA=Islamic Republic News Agency
ISNA=Iranian Students' News Agency|Iranian Students News Agency|Iranian Student News Agency
Tasnim=Tasnim News Agency|Tasnim News
Fars=Fars News|Fars News Agency|FNA
Mehr=Mehr News|Mehr News Agency|MNA
TASS=ITAR-TASS|Russian News Agency TASS
RIA Novosti=RIA
Interfax=Interfax-Ukraine
Kyodo=Kyodo News|Kyodo News Agency
Jiji=Jiji Press
Yonhap=Yonhap News|Yonhap News Agency|Yonhap News TV
KCNA=Korean Central News Agency
ANSA=Agenzia Nazionale Stampa Associata
DPA=Deutsche Presse-Agentur|German Press Agency
EFE=Agencia EFE
Anadolu=Anadolu Agency|Anadolu Ajansi|Anadolu Ajansı
PTI=Press Trust of India
ANI=Asian News International
IANS=Indo-Asian News Service
APP=Associated Press of Pakistan
UNB=United News of Bangladesh
BSS=Bangladesh Sangbad Sangstha
MENA=Middle East News Agency
SPA=Saudi Press Agency
WAM=Emirates News Agency|Emirates News Agency WAM
QNA=Qatar News Agency
KUNA=Kuwait News Agency
ONA=Oman News Agency
BNA=Bahrain News Agency
SANA=Syrian Arab News Agency
NNA=National News Agency
INA=Iraqi News Agency
Petra=Jordan News Agency|Petra News Agency
Saba=Saba News Agency
SUNA=Sudan News Agency
WAFA=Palestinian News Agency|Palestine News and Information Agency
APS=Algeria Press Service
MAP=Maghreb Arab Press|Maghreb Arabe Presse
TAP=Tunis Afrique Presse
LANA=Libyan News Agency
NAN=News Agency of Nigeria
GNA=Ghana News Agency
KNA=Kenya News Agency
ENA=Ethiopian News Agency
ANGOP=Angola Press Agency
Lusa=Lusa News Agency
ANP=Algemeen Nederlands Persbureau
Belga=Belga News Agency
ATS=Keystone-ATS|Keystone ATS|SDA|Keystone-SDA
APA=Austria Press Agency|Austria Presse Agentur
CTK=ČTK|Czech News Agency
TASR=News Agency of the Slovak Republic
PAP=Polish Press Agency
MTI=Hungarian News Agency
BTA=Bulgarian News Agency|Bulgarian Telegraph Agency
Agerpres=Romanian National News Agency
Tanjug=Tanjug News Agency
HINA=Croatian News Agency
STA=Slovenian Press Agency
AMNA=Athens-Macedonian News Agency|ANA-MPA|Athens News Agency
TT=TT News Agency|Tidningarnas Telegrambyrå
NTB=Norsk Telegrambyrå|Norwegian News Agency
Ritzau=Ritzau Bureau
STT=Finnish News Agency
BNS=Baltic News Service
ELTA=Lithuanian News Agency
LETA=Latvian News Agency
BelTA=Belarusian Telegraph Agency
Ukrinform=Ukrinform News Agency
UNIAN=UNIAN News Agency
Armenpress=Armenian News Agency
Azertac=Azerbaijan State News Agency|AZERTAC
Kazinform=Kazinform News Agency
KazTAG=Kazakh Telegraph Agency
CNA=Central News Agency
Antara=Antara News|Antara News Agency
Bernama=Malaysian National News Agency
VNA=Vietnam News Agency
TNA=Thai News Agency
PNA=Philippine News Agency
AAP=Australian Associated Press
PA=PA Media|Press Association
CP=Canadian Press|The Canadian Press
UPI=United Press International
Notimex=Agencia Mexicana de Noticias
Andina=Agencia Andina
Telam=Télam
Agencia Brasil=Agência Brasil
IPS=Inter Press Service
Bloomberg=Bloomberg News
Dow Jones=Dow Jones Newswires
Axios
Politico
CNN=Cable News Network
CNBC
NBC=NBC News
CBS=CBS News
ABC=ABC News
Fox News=Fox
MSNBC
NPR=National Public Radio
PBS
BBC=BBC News|British Broadcasting Corporation
ITV=ITV News
Sky News=Sky
Al Jazeera=Aljazeera
Al Arabiya
Al Mayadeen
DW=Deutsche Welle
ARD
ZDF
RFI=Radio France Internationale
RFE/RL=Radio Free Europe|Radio Free Europe/Radio Liberty
RTE=RTÉ
VRT
NOS
NHK
TVN
CCTV
CGTN
KBS
RTL
Nikkei=Nikkei Asia
NYT=New York Times|The New York Times
WSJ=Wall Street Journal|The Wall Street Journal
FT=Financial Times|The Financial Times
Washington Post=The Washington Post
Guardian=The Guardian
Times=The Times
Press TV
Kompas
Folha=Folha de S.Paulo|Folha de S. Paulo
Novaya Gazeta
Kommersant
Haaretz
Asharq al-Awsat=Asharq Al-Awsat
Le Monde
Der Spiegel=Spiegel
Bild
El País=El Pais
La Repubblica
Corriere della Sera
"""
#: What makes an unknown name that of somebody who reports news.
_MEDIA = re.compile(
    r"\b(?:News|Newswires?|Press|Agency|Wire|Times|Post|Journal|Herald|Gazette|Tribune|Telegraph|Courier|Chronicle|Daily"
    r"|Weekly|Observer|Record|Dispatch|Radio|TV|Television|Online|Today|Monitor|Mirror|Star|Standard|Examiner|Bulletin"
    r"|Citizen|Ledger|Broadcasting|Guardian|Independent|Inquirer|Sentinel|Beacon|Gazeta|Zeitung|Presse|Prensa|Libre)\b"
)
_KIND = (
    r"(?:(?:state|official|semi-official|local|national|business|financial|student|public|private|independent|regional"
    r"|student|state-run|Houthi-run|government|news|[A-Z][a-z]+)\s+){0,3}"
    r"(?:news\s?wire|agency|newspaper|paper|daily|weekly|broadcaster|magazine|radio station|television station|channel"
    r"|network|news (?:site|website|portal|outlet|channel|service)|website|tabloid|press agency|wire service|media outlet)"
)
_WORD = r"[^\W\d_a-zß-öø-ÿ][\w.&’'/-]*"
_NAME = rf"(?P<name>{_WORD}(?:\s+(?:(?:of|the|de|do|da|della|la|le|al|and|for)\s+)*{_WORD}){{0,4}})"
_AFTER_KIND = (
    r"(?P<kind>\s+(?:state\s+|official\s+)?(?:news\s+)?(?:agency|newspaper|website|television|radio|service))?"
)
_ABBREVIATED = r"(?:\s+\([A-Z]{2,8}\))?"
_SAYS = r"(?:reported|reports|reporting|wrote|writes|said in a report|revealed)"
_THE = r"(?:the\s+|an?\s+)?(?:(?:semi-official|state-run|state-owned|official|state|[a-z]+-run|local|private)\s+)?"
_OWNER = r"(?:(?!BBC|CNN)[A-Z]\w+(?:’s|'s)\s+)?"
_LEADING = rf"(?:(?P<called>{_KIND})\s+)?"
_SAID = ("report", "wrote", "writes", "said", "revealed")
# In all of these a name is followed by what ends it, and preceded by what news puts before a source. Beside each stands
# what a sentence must hold of which it finds anything: that is seen many times sooner.
_FORMS = tuple(
    (re.compile(form), needed)
    for form, needed in (
        # "..., Xinhua reported", "..., the Spanish news agency EFE said"
        (
            rf",\s+{_THE}{_OWNER}{_LEADING}{_NAME}{_ABBREVIATED}{_AFTER_KIND}(?:(?:’s|'s)\s+\w+\s+service)?\s+(?P<verb>{_SAYS}|said)\b",
            _SAID,
        ),
        (
            (
                rf"\b(?:[Cc]iting|[Qq]uoting|[Aa]s (?:first )?reported by|[Qq]uoted by|[Cc]arried by|[Rr]eleased by|[Pp]ublished by"
                rf"|[Ii]nterview with|(?:seen|obtained|viewed|reviewed) by|[Aa] report (?:by|from|in)|[Rr]eports (?:by|from|in))\s+(?:reports\s+(?:by|from|in)\s+)?"
                rf"{_THE}{_OWNER}{_LEADING}{_NAME}{_ABBREVIATED}{_AFTER_KIND}"
            ),
            ("iting", "uoting", "ed by", "seen by", "nterview with", "eport ", "eports "),
        ),
        (
            rf"\b[Aa]ccording to\s+(?:a report (?:by|from|in)\s+)?{_THE}{_OWNER}{_LEADING}{_NAME}{_ABBREVIATED}{_AFTER_KIND}",
            ("ccording to",),
        ),
        (rf"\btold\s+{_THE}{_OWNER}{_LEADING}{_NAME}{_ABBREVIATED}{_AFTER_KIND}", ("told",)),
        (
            rf"\b(?:a|an)\s+{_NAME}\s+(?:reporter|correspondent|journalist|photographer|report|tally|count|team)\b",
            ("report", "correspondent", "journalist", "photographer", "tally", "count", "team"),
        ),
        # "The state agency KCNA said", at the beginning of a sentence
        (
            rf"(?:^|[.!?]\s+|\n)(?:The\s+)?{_OWNER}{_LEADING}{_NAME}{_ABBREVIATED}{_AFTER_KIND}\s+(?P<verb>{_SAYS}|said|puts)\b",
            (*_SAID, "puts"),
        ),
    )
)
#: Such as "BRUSSELS, May 12 (Reuters) -", "STOCKHOLM (TT) Carmaker", "TOKYO (Kyodo):", "May 12 (Reuters) -"
_DATELINE = re.compile(rf"^.{{0,60}}?\((?P<name>{_WORD}(?:[ -]{_WORD}){{0,3}})\)\s*[-–—:.]?\s")
_SIGNED = re.compile(
    rf"(?:\((?:with\s+|via\s+|[Ss]ource:?\s+)?(?P<in>{_WORD}(?:\s+{_WORD}){{0,3}})\)"
    rf"|(?:[-–—]|\n|[.!?][\"”’]?\s)\s*(?:with\s+|[Ss]ource:?\s+)?(?P<after>{_WORD}(?:\s+{_WORD}){{0,3}}))\.?\s*$"
)
# An agency's own people are where the whole report comes from, wherever it mentions them.
_PRESENT = re.compile(
    rf"\ban?\s+(?P<name>{_WORD})\s+(?:reporter|correspondent|journalist|photographer|team|tally|count)\b"
)
_POSTPOSED = re.compile(r"\s*(?:[.,;:–—-]|$|on\b|from\b|citing\b|quoting\b|late\b|earlier\b|in\b|[A-Z][a-z]+day\b)")
_NO_MEDIA = re.compile(
    r"\b(?:Ministry|Department|Office|Police|Court|Minister|President|Ministers|Commission|Council|Army|Navy|Union"
    r"|Authority|Institute|University|Bank|Inc|Corp|Ltd|Group|Company|He|She|They|It|We|I|Officials|Analysts)\b"
)


def _keys(name: str) -> str:
    """Return what is compared of a name: case, points and a leading article do not matter."""
    return re.sub(r"[^\w]+", " ", name.casefold().removeprefix("the ")).strip()


def _known() -> Iterator[tuple[str, str]]:
    for line in _KNOWN.split("\n"):
        name, _, others = line.partition("=")
        for other in (name, *others.split("|")):
            if other:
                yield _keys(other), name


_CANONICAL = dict(_known())


def canonical(name: str) -> str:
    """Return the one name for a news organisation: "AP" for "The Associated Press", any unknown name as it is.

    So that two articles that cite one agency have one origin, "Reuters news agency" and "Reuters" are the same.
    """
    bare = re.sub(r"\s+(?:news\s+)?(?:agency|newspaper|website|service)$", "", name.strip(" .,'’"), flags=re.IGNORECASE)
    known = _CANONICAL.get(_keys(name)) or _CANONICAL.get(_keys(bare))
    if known is None:
        domain = re.sub(r"\.(?:com|org|net|ir|ru|cn|co\.uk)$", "", bare, flags=re.IGNORECASE)
        known = _CANONICAL.get(_keys(domain))
    return known or bare


def origin(article: Article) -> str:
    """Return the agency or outlet that ``article`` names as its source, else its own outlet.

    A dateline and a signature come first, then the first sentence with an attribution. Of an unknown name it must be
    plain that it is a newspaper's or the like: "according to Baghaei" makes nobody an origin.
    """
    text = article.text[:_CHARACTERS].strip()
    for found in (_dateline(text), _signature(article.text), _attributed(text), _present(text)):
        if found is not None:
            return found
    return canonical(article.outlet)


def _dateline(text: str) -> str | None:
    first = text.split("\n", 1)[0]
    found = _DATELINE.match(first)
    return _trusted(found["name"]) if found else None


def _signature(text: str) -> str | None:
    found = _SIGNED.search(text[-_SIGNATURE:])
    return _trusted(found["in"] or found["after"]) if found else None


def _present(text: str) -> str | None:
    return next((known for found in _PRESENT.finditer(text) if (known := _CANONICAL.get(_keys(found["name"])))), None)


def _trusted(name: str) -> str | None:
    known = _CANONICAL.get(_keys(name))
    return known or (name if _MEDIA.search(name) else None)


def _attributed(text: str) -> str | None:
    for start, end in first_sentences(text, _SENTENCES):
        sentence = text[start:end]
        forms = [form for form, needed in _FORMS if any(map(sentence.__contains__, needed))]
        found = [(at, name) for form in forms for at, name in _in(form, sentence)]
        if found:
            return min(found)[1]
    return None


def _in(form: re.Pattern[str], sentence: str) -> Iterator[tuple[int, str]]:
    for found in form.finditer(sentence):
        groups = found.groupdict()
        name = found["name"].strip(" .,'’")
        said = groups.get("verb") or ""
        kind = bool(groups.get("called") or groups.get("kind"))
        postposed = found.group().startswith(",") and said in {"reported", "reports"}
        if known := _longest(name):
            yield found.start("name"), known
        elif _NO_MEDIA.search(name):
            continue
        elif kind or _MEDIA.search(name) or (postposed and _POSTPOSED.match(sentence, found.end())):
            yield found.start("name"), canonical(name)


def _longest(name: str) -> str | None:
    """Return the known news organisation with whose name ``name`` begins or ends: "BBC's", "the Houthi-run Saba"."""
    words = re.sub(r"(?:’s|'s)\b", "", name).split()
    for size in range(len(words), 0, -1):
        for part in (words[:size], words[-size:]):
            if known := _CANONICAL.get(_keys(" ".join(part))):
                return known
    return None


__all__ = ["canonical", "origin", "sentences"]

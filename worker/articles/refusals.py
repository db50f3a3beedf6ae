"""What pages say when they refuse to show their article.

Every phrase was written down from a page of its kind. Each must be rare in news: "access is denied to inspectors"
is a report, "access denied" on its own is an error page.
"""

from __future__ import annotations

import re

CONSENT_WALL = "consent-wall"
JAVASCRIPT_ONLY = "javascript-only"
CHECKING_BROWSER = "checking-browser"
PAYWALL_TEASER = "paywall-teaser"
ERROR_PAGE = "error-page"


def _phrases(*patterns: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(patterns) + ")", re.IGNORECASE)


_STATUS = r"(?:40[0-9]|410|429|451|50[0-4])"

#: The first that fits names the text: a challenge page also asks for JavaScript, and a wall also names an error.
REFUSALS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        CHECKING_BROWSER,
        _phrases(
            "checking your browser",
            "checking if the site connection is secure",
            r"verif(?:y|ying) (?:that )?you(?:'re|’re| are) (?:a |not a )?(?:human|robot|bot)",
            "are you a (?:robot|human)",
            r"just a moment(?:\.\.\.|…|$)",
            "ddos protection by",
            "ray id",
            "unusual (?:traffic|activity) from your",
            "press (?:&|and) hold",
            "(?:complete|solve) (?:the|this|a) captcha",
            "enable (?:javascript and )?cookies (?:and (?:javascript|reload) )?to continue",
            "performing security verification",
            "review the security of your connection",
            "attention required!",
        ),
    ),
    (
        JAVASCRIPT_ONLY,
        _phrases(
            r"(?:enable|turn on|activate|switch on|requires?|needs?) (?:\w+ )?javascript",
            "without javascript",
            r"javascript (?:is|seems to be|appears to be|has been) (?:currently )?(?:disabled|required|turned off)",
            r"javascript (?:is|isn't) (?:not )?(?:enabled|available|supported)",
            "javascript (?:aktivieren|muss)",
            "activer javascript",
            r"(?:habilit|activ|abilit)\w* javascript",
        ),
    ),
    (
        ERROR_PAGE,
        _phrases(
            "page (?:can(?:no|')t|could ?n(?:o|')t) be found",
            "(?:page|article|file|url|resource|content) (?:was |is )?not found",
            rf"{_STATUS}[\s:.|-]+(?:error|not found|forbidden|gone|too many|internal|bad gateway|service)",
            rf"error (?:code )?{_STATUS}\b",
            "too many requests",
            "internal server error",
            "bad gateway",
            "service unavailable",
            "service (?:is )?temporarily unavailable",
            "gateway time-?out",
            "access denied",
            "(?:don't|do not) have permission to access",
            "you(?:'ve| have) been blocked",
            r"page (?:that )?you(?:'re| are| were| have)? (?:\w+ )?(?:looking for|requested)",
            "(?:page|article|content) (?:is )?no longer (?:available|exists)",
            "something went wrong",
            "oops!",
            "not available in your (?:region|country)",
            "(?:site|page|website) is (?:currently )?(?:down for|under|undergoing) maintenance",
            "seite (?:wurde )?nicht gefunden",
            "page (?:est )?introuvable",
            "página no encontrada",
        ),
    ),
    (
        CONSENT_WALL,
        _phrases(
            "uses? cookies",
            "cookies? (?:policy|settings|preferences|notice|banner)",
            r"our (?:\d+ )?partners",
            "(?:accept|reject|allow) (?:all|cookies)",
            "(?:manage|privacy|cookie|your) (?:preferences|choices|settings|options)",
            "legitimate interest",
            "personali[sz]ed (?:ads|advertising|content)",
            "your (?:privacy|consent)",
            "(?:give|withdraw|withhold) (?:your )?consent",
            r"process\w* (?:your )?personal data",
            "store and/or access",
            "privacy policy",
            "wir und unsere",
            "cookies? (?:zu|akzeptieren|verwenden|ablehnen)",
            "verwenden (?:wir )?cookies",
            "ihre (?:einwilligung|privatsphäre)",
            "datenschutz",
            r"(?:utilis|utiliz|uso di|gebruik)\w* (?:\w+ )?cookies?",
            "nos partenaires",
            "votre (?:consentement|vie privée)",
            "tout accepter",
            "nuestros socios",
            "su (?:consentimiento|privacidad)",
            "aceptar todo",
        ),
    ),
)

#: Demands that stand below the first lines of an article which only subscribers may read.
PAYWALL = _phrases(
    "subscribe (?:now |today |here )?to (?:continue|read|keep|unlock|access|get (?:full|unlimited))",
    "subscribe (?:now |today |here )?for (?:full|unlimited) access",
    "subscription (?:is )?required",
    "(?:to|and) (?:continue|keep) reading",
    r"already (?:a|have an?) (?:\w+ )?(?:subscri\w+|member\?|account)",
    "(?:only for|only available to|exclusively for|exclusive to|reserved for) (?:paying |our )?(?:subscribers|members)",
    "(?:is|are) for (?:paying |our )?subscribers",
    "subscribers?[ -](?:only|exclusive)",
    "(?:log|sign) in to (?:continue|read|access|view)",
    "(?:create|register for) (?:a|an|your) (?:free )?account to (?:continue|read|access|keep)",
    "register (?:for free )?to (?:continue|read|keep)",
    "(?:articles?|stories) (?:left|remaining) this month",
    "free articles? (?:this|per) month",
    "unlock (?:this|the full) (?:article|story)",
    "this (?:article|content|story) is (?:reserved|exclusive|only available|available only)",
    "jetzt weiterlesen",
    "réservé aux abonnés",
    "abonnez-vous",
    "suscr[íi]bete para",
    "exclusivo para suscriptores",
)

"""Who first said it, as far as the text tells."""

from __future__ import annotations

import re

from worker.model import Article
from worker.text import sentences

#: Sentences at the beginning in which an attribution speaks for the whole report.
_LEAD_SENTENCES = 6
_NAME = r"(?P<name>[A-Z][\w.&’'-]*(?:\s+(?:of|the|News|[A-Z][\w.&’'-]*)){0,4})"
# The agency must be the source of the report itself, so only forms that news uses for that are looked at.
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf",\s+{_NAME}\s+(?:reported|reports|said in a report)\b",
        rf"\b(?:[Cc]iting(?: reports (?:from|by))?|[Aa]s (?:first )?reported by|quoted by|carried by) (?:the )?{_NAME}",
        rf"\b[Aa]ccording to\s+(?:the\s+)?{_NAME}(?=[.,])",
    )
)
_AGENCIES = re.compile(
    r"\b(?:Agency|News|Press|Xinhua|IRNA|ISNA|Tasnim|Fars|Mehr|Reuters|AFP|AP|TASS|RIA|Interfax|Kyodo|Yonhap|ANSA|DPA|EFE"
    r"|Anadolu|Bloomberg|CNN|BBC|NBC|CBS|ABC|Fox|Axios|Politico|Times|Post|Journal|Guardian|Herald|Jazeera)\b"
)


def origin(article: Article) -> str:
    """Return the agency or outlet that the beginning of ``article`` names as its source, else its own outlet.

    Only names that are those of news organisations count: "according to Baghaei" makes nobody an origin.
    """
    lead = " ".join(article.text[start:end] for start, end in sentences(article.text[:4000])[:_LEAD_SENTENCES])
    for form in _FORMS:
        for found in form.finditer(lead):
            name = found["name"]
            if _AGENCIES.search(name):
                return name
    return article.outlet

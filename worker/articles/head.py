"""What a page says about its article outside of the text: title, language and date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from worker.text import terms

#: Characters; a longer heading is a text in the wrong element.
_LONGEST_TITLE = 300
#: No page has more headlines; each is compared with the titles, and a hostile page may send a million.
_MOST_HEADINGS = 20
#: Words; what follows the last separator of <title> and has more of them is a part of the headline.
_LONGEST_SITE = 5
_SEPARATOR = re.compile(r"\s+[|\u2013\u2014\u00b7\u2022\u00bb:-]{1,2}\s+")
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2})(?:[-_]|\s*$)")
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{8,40})"')
# In order of trust: Open Graph (https://ogp.me/#type_article), schema.org, then names in wide use.
_DATE_NAMES = (
    "article:published_time",
    "datepublished",
    "og:article:published_time",
    "parsely-pub-date",
    "dc.date.issued",
    "dcterms.created",
    "pubdate",
    "publishdate",
    "date",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the page says about its article; every field may be empty."""

    title: str = ""
    #: All that the page calls its title, so that a text which begins with one of them can be told.
    titles: tuple[str, ...] = ()
    #: ISO 639-1 code.
    language: str | None = None
    #: In UTC; a date without a zone is read as UTC.
    published_at: datetime | None = None


# The trees are lxml's, which has no types of its own.
def read_head(tree: Any) -> Head:  # noqa: ANN401
    """Return what the lxml tree of a page says about its article."""
    meta = _meta(tree)
    document = _words(tree.findtext(".//title") or "")
    headings = [
        heading for element in islice(tree.iter("h1"), _MOST_HEADINGS) if (heading := _words(element.text_content()))
    ]
    shared = _words(meta.get("og:title", "") or meta.get("twitter:title", ""))
    title = choose_title(headings=headings, shared=shared, document=document, site=_words(meta.get("og:site_name", "")))
    titles = [title, shared, *(heading for heading in headings if related(heading, title)), document]
    return Head(
        title=title,
        titles=tuple(dict.fromkeys(filter(None, titles))),
        language=language_of(tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or ""),
        published_at=_published(tree, meta),
    )


def choose_title(*, headings: list[str], shared: str, document: str, site: str = "") -> str:
    """Return the headline of a page, without the name of its site.

    ``headings`` are the h1 of the page, ``shared`` its og:title, ``document`` its <title>. A heading that the title
    of the document contains is the headline as the publisher set it; the rest of that title is the site's name.
    """
    headings = [heading for heading in headings if len(heading) <= _LONGEST_TITLE and heading != site]
    agreed = [heading for heading in headings if related(heading, shared) or related(heading, document)]
    if agreed:
        # The logo is a heading too on some sites; the headline is longer, or stands first in the title.
        return max(agreed, key=lambda heading: (len(terms(heading)), document.startswith(heading)))
    if shared:
        return without_site(shared, site)
    if document:
        return without_site(document, site)
    return headings[0] if headings else ""


def related(heading: str, title: str) -> bool:
    """Return whether ``heading`` is ``title`` or the title without the name of the site."""
    mine, other = terms(heading), terms(title)
    if not mine or len(mine) > len(other):
        return False
    return other[: len(mine)] == mine or other[-len(mine) :] == mine


def without_site(title: str, site: str = "") -> str:
    """Return ``title`` without a short last part behind a separator: "Talks end | The Courier" is "Talks end".

    Without the ``site``'s name the part goes only if at least three words remain and they outnumber it.
    """
    marks = list(_SEPARATOR.finditer(title))
    if not marks:
        return title[:_LONGEST_TITLE]
    last = marks[-1]
    kept, dropped = title[: last.start()], title[last.end() :]
    count = len(terms(dropped))
    named = bool(site) and terms(dropped) == terms(site)
    # Two words before two words may be "Iran - United States", and what follows a colon is mostly the headline.
    likely = ":" not in last.group() and count <= _LONGEST_SITE and len(terms(kept)) > max(2, count)
    if named or likely:
        return kept[:_LONGEST_TITLE]
    return title[:_LONGEST_TITLE]


def language_of(tag: str) -> str | None:
    """Return the ISO 639-1 code of a language tag (RFC 5646): "en" of "en-GB"; ``None`` for any other string."""
    found = _LANGUAGE.match(tag)
    return found.group(1).lower() if found else None


def read_date(text: str) -> datetime | None:
    """Return the instant that an ISO 8601 string names, in UTC; ``None`` if it is none or lies before 1990."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year >= 1990 else None  # noqa: PLR2004 - older is a default of some software (1970, 0001)


def _meta(tree: Any) -> dict[str, str]:  # noqa: ANN401
    meta: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        if name and (content := element.get("content")):
            meta.setdefault(name.strip().lower(), content)
    return meta


def _published(tree: Any, meta: dict[str, str]) -> datetime | None:  # noqa: ANN401
    for name in _DATE_NAMES:
        if name in meta and (found := read_date(meta[name])) is not None:
            return found
    for script in tree.iter("script"):
        if script.get("type") == "application/ld+json" and (dated := _JSON_DATE.search(script.text or "")):
            return read_date(dated.group(1))
    for element in tree.iter("time"):
        if (found := read_date(element.get("datetime") or "")) is not None:
            return found
    return None


def _words(text: str) -> str:
    # Longer than a headline, so that what is too long for one is still seen to be; shorter than what costs time.
    return " ".join(text[: _LONGEST_TITLE * 4].split())

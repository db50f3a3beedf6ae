"""A recorded article as the page on which its outlet would show it.

The replay reads pages as the live service does, so what it reads must look like pages: the article stands among
navigation, notices, advertisements, links and comments, each outlet with its own plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Protocol

from worker.replay.furniture import Furniture, furnish
from worker.text import terms

# Characters that HTML 5 (section 13.2.3.5) and XML 1.0 (section 2.2) forbid, and halves of surrogate pairs.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Shown(Protocol):
    """What a page shows of an article."""

    @property
    def title(self) -> str:
        """The headline."""
        ...

    @property
    def text(self) -> str:
        """The text, one paragraph a line; it may begin with the headline."""
        ...

    @property
    def outlet(self) -> str:
        """The name of the site."""
        ...

    @property
    def published_at(self) -> datetime:
        """When it was published."""
        ...

    @property
    def dated(self) -> bool:
        """Whether the page gives that time."""
        ...

    @property
    def language(self) -> str | None:
        """ISO 639-1 code of the text."""
        ...


def page(article: Shown) -> bytes:
    """Return the page of ``article`` in UTF-8: the same bytes whenever the article and its outlet are the same."""
    plan = furnish(article.outlet)
    body = (_plain_plan, _blog_plan, _portal_plan)[plan.style](article, plan)
    language = f' lang="{_text(article.language)}"' if article.language else ""
    return f"<!DOCTYPE html>\n<html{language}>\n{_head(article, plan)}\n<body>\n{body}\n</body>\n</html>\n".encode()


def not_found(outlet: str) -> bytes:
    """Return the page that a site shows for an address without a page."""
    return (
        f"<!DOCTYPE html>\n<html><head><title>Page not found | {_text(outlet)}</title></head>"
        f"<body><h1>Page not found</h1><p>The page you requested could not be found.</p></body></html>\n"
    ).encode()


def paragraphs(article: Shown) -> list[str]:
    """Return the paragraphs of the article's text, without a first line that only repeats the headline.

    A text that is nothing but its headline is kept.
    """
    lines = [" ".join(line.split()) for line in clean(article.text).splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > 1 and terms(lines[0]) == terms(article.title):
        return lines[1:]
    return lines


def clean(text: str) -> str:
    """Return ``text`` without the characters that no document may hold."""
    return _FORBIDDEN.sub("", text)


def _head(article: Shown, plan: Furniture) -> str:
    mark = (" | ", " - ", " \N{EN DASH} ")[plan.style]
    title, outlet = _text(article.title), _text(article.outlet)
    dated = (
        f'\n<meta property="article:published_time" content="{article.published_at.isoformat()}">'
        if article.dated
        else ""
    )
    return (
        f'<head>\n<meta charset="utf-8">\n<title>{title}{mark}{outlet}</title>\n'
        f'<meta property="og:title" content="{title}">\n<meta property="og:site_name" content="{outlet}">\n'
        f'<meta property="og:type" content="article">{dated}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<style>body{font-family:serif;max-width:60em;margin:auto}.advert{background:#eee}</style>\n"
        "<script>window.pageLayer = {section: 'news', visits: 0};</script>\n</head>"
    )


def _plain_plan(article: Shown, plan: Furniture) -> str:
    return f"""<a class="skip-link" href="#content">Skip to the article</a>
{_cookies(plan)}
<header class="site-header"><p class="site-name">{_text(article.outlet)}</p>{_navigation(plan)}</header>
<ol class="breadcrumb"><li><a href="/">{_text(plan.sections[0])}</a></li><li>{_text(plan.sections[1])}</li></ol>
<main id="content"><article class="article">
<h1>{_text(article.title)}</h1>
<div class="byline">{_text(plan.byline)}{_time(article)}</div>
{_share()}
<div class="article-body" itemprop="articleBody">
{_story(article, plan)}
</div>
</article>
{_related_below(plan)}
{_newsletter(plan)}
{_comments(plan)}
</main>
{_footer(article, plan)}"""


def _blog_plan(article: Shown, plan: Furniture) -> str:
    return f"""{_cookies(plan)}
<div id="page" class="site">
<header class="masthead" role="banner"><a href="/" rel="home">{_text(article.outlet)}</a>{_navigation(plan)}</header>
<div class="content-area"><article class="post hentry">
<header class="entry-header"><h1 class="entry-title">{_text(article.title)}</h1>
<p class="entry-meta byline">{_text(plan.byline)}{_time(article)}</p></header>
<div class="entry-content" itemprop="articleBody">
{_story(article, plan)}
</div>
<footer class="entry-footer">{_share()}</footer>
</article>
{_comments(plan)}
</div>
<aside class="sidebar">{_related_below(plan)}{_newsletter(plan)}</aside>
{_footer(article, plan)}
</div>"""


def _portal_plan(article: Shown, plan: Furniture) -> str:
    return f"""<div class="top-bar"><span class="advert">{_text(plan.adverts[1])}</span></div>
<nav class="primary" aria-label="Sections">{_links(plan.sections)}</nav>
<section class="story">
<div class="story-head"><h1>{_text(article.title)}</h1>
<p class="story-meta author">{_text(plan.byline)}{_time(article)}</p>{_share()}</div>
<div class="story-body article-text" itemprop="articleBody">
{_story(article, plan)}
</div>
</section>
<section class="related-stories"><h2>More to read</h2>{_links(plan.related_below)}</section>
{_newsletter(plan)}
{_comments(plan)}
{_footer(article, plan)}
{_cookies(plan)}"""


def _story(article: Shown, plan: Furniture) -> str:
    parts = [f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs(article)]
    advert = f'<aside class="advert" aria-label="Advertisement"><p>{_text(plan.adverts[0])}</p></aside>'
    related = f'<aside class="related-inline"><h2>Also on this site</h2>{_links(plan.related_inside)}</aside>'
    # After the second paragraph and in the middle, as far as there are that many.
    return "\n".join([*parts[:2], advert, *parts[2 : 2 + len(parts) // 2], related, *parts[2 + len(parts) // 2 :]])


def _cookies(plan: Furniture) -> str:
    return (
        f'<div id="cookie-notice" class="cookie-banner" role="dialog"><p>{_text(plan.cookies)}</p>'
        "<button>Accept</button> <button>Refuse</button></div>"
    )


def _navigation(plan: Furniture) -> str:
    return f'<nav class="menu">{_links(plan.sections)}</nav>'


def _links(names: Sequence[str]) -> str:
    items = "".join(f'<li><a href="/{_slug(name)}">{_text(name)}</a></li>' for name in names)
    return f"<ul>{items}</ul>"


def _time(article: Shown) -> str:
    if not article.dated:
        return ""
    shown = f"{article.published_at:%d %B %Y, %H:%M} UTC"
    return f' <time datetime="{article.published_at.isoformat()}">{shown}</time>'


def _share() -> str:
    return '<div class="share-buttons"><button>Share</button> <button>Send</button> <button>Print</button></div>'


def _related_below(plan: Furniture) -> str:
    return f'<aside class="related"><h2>More to read</h2>{_links(plan.related_below)}</aside>'


def _newsletter(plan: Furniture) -> str:
    return (
        f'<form class="newsletter-signup" action="/letter" method="post"><p>{_text(plan.newsletter)}</p>'
        '<input type="email" name="address"><button>Sign up</button></form>'
    )


def _comments(plan: Furniture) -> str:
    said = "".join(f'<div class="comment"><p>{_text(comment)}</p></div>' for comment in plan.comments)
    return f'<section id="comments" class="comments"><h2>Readers say</h2>{said}</section>'


def _footer(article: Shown, plan: Furniture) -> str:
    return (
        f'<footer class="site-footer"><div class="column"><p>{_text(plan.footer)}</p></div>'
        f'<div class="column">{_links(("Contact", "Imprint", "Privacy"))}</div>'
        f"<p>{_text(article.outlet)}</p></footer>"
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _text(text: str | None) -> str:
    return escape(" ".join(clean(text or "").split()))

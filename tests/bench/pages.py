"""Pages to measure with: articles within the furniture of a news site, 90 to 300 kB as sites send them.

The numbers of elements are those of 60 pages of real sites: some 800 elements, of these 150 links, 150 divisions, 30
paragraphs, 100 items of lists and 33 scripts; half of the bytes are scripts and styles. ``--pages DIR`` measures with
real pages instead.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tests.bench.prose import events, name, paragraphs

_SECTIONS = ("World", "Politics", "Business", "Science", "Health", "Culture", "Sport", "Travel", "Opinion", "Video")
_FEWEST_BYTES, _MOST_BYTES = 90_000, 300_000
_WORDS = (350, 950)
_ICON = (
    '<svg class="i i-{n}" viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z{n}"/></svg>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page, and what the feed says of it."""

    title: str
    html: bytes
    summary: str


def made_pages(count: int, *, seed: int = 1) -> list[Page]:
    """Return ``count`` pages, the same for the same seed, each of another article of the labelled events in turn."""
    told = events()
    return [_page(told[nth * 7 % len(told)], random.Random(f"{seed}/{nth}"), nth) for nth in range(count)]  # noqa: S311


def read_pages(folder: Path) -> list[Page]:
    """Return the .html and .html.gz files of a folder as pages, in the order of their names.

    Raises:
        SystemExit: there is none.
    """
    files = sorted([*folder.glob("*.html"), *folder.glob("*.html.gz")])
    if not files:
        raise SystemExit(f"{folder}: no .html or .html.gz file")
    found = [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files]
    return [Page(title=f"Page {nth}", html=html, summary="") for nth, html in enumerate(found)]


def _page(event: dict[str, str], chance: random.Random, nth: int) -> Page:
    title = event["title"]
    lead = event["text"].split("\n\n")
    text = [*lead, *paragraphs(chance, words=chance.randint(*_WORDS))]
    parts = [_head(title, chance, nth), _top(chance), _article(title, text, chance), _beside(chance), _foot(chance)]
    size = chance.randint(_FEWEST_BYTES, _MOST_BYTES)
    html = "".join(parts)
    html = html.replace("<!--scripts-->", _scripts(chance, max(0, size - len(html))))
    return Page(title=title, html=html.encode(), summary=lead[0])


def _head(title: str, chance: random.Random, nth: int) -> str:
    published = f"2026-02-{1 + nth % 9:02}T0{nth % 10}:30:00Z"
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": title,
        "datePublished": published,
        "author": [{"@type": "Person", "name": f"{name(chance)} {name(chance)}"}],
        "publisher": {"@type": "Organization", "name": "Wire", "logo": {"@type": "ImageObject", "url": "/l.png"}},
    }
    metas = "".join(
        f'<meta property="{key}" content="{escape(value)}">'
        for key, value in {
            "og:title": title,
            "og:type": "article",
            "og:site_name": "Wire",
            "og:image": f"https://img.example/{nth}.jpg",
            "article:published_time": published,
            "twitter:card": "summary_large_image",
            "fb:app_id": "1234567890",
        }.items()
    )
    preloads = "".join(f'<link rel="preload" as="script" href="/static/chunk-{n}.js">' for n in range(14))
    rules = "".join(f".c{n}{{display:flex;margin:{n % 9}px;color:#{n:06x}}}" for n in range(chance.randint(60, 1500)))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | Wire</title>{metas}'
        f'{preloads}<style>{rules}</style><script type="application/ld+json">{json.dumps(data)}</script></head>'
        '<body class="page article-page">'
    )


def _top(chance: random.Random) -> str:
    menus = "".join(
        f'<li class="nav-item"><a href="/{section.lower()}">{section}</a><ul class="sub">'
        + "".join(f'<li><a href="/{section.lower()}/{n}">{name(chance)} {section.lower()}</a></li>' for n in range(7))
        + "</ul></li>"
        for section in _SECTIONS
    )
    return (
        '<div id="consent" class="modal"><div class="inner"><p>We and our partners store and read information on a '
        "device, such as cookies.</p><button>Accept all</button><button>Settings</button></div></div><header>"
        f'<div class="bar"><a href="/" class="logo">{_ICON.format(n=0)}Wire</a><form action="/search">'
        f'<input name="q"><button>'
        f'Search</button></form></div><nav aria-label="Main"><ul>{menus}</ul></nav></header>'
        f'<div class="ad ad-top"></div>'
    )


def _article(title: str, text: list[str], chance: random.Random) -> str:
    share = "".join(
        f'<li><a href="#share-{n}" class="share">{_ICON.format(n=n)}<span>Share on {place}</span></a></li>'
        for n, place in enumerate(("Facebook", "X", "WhatsApp", "LinkedIn", "e-mail"), 1)
    )
    body = []
    for n, paragraph in enumerate(text):
        body.append(f'<p class="c{n}" data-n="{n}">{_linked(paragraph, chance)}</p>')
        if n % 4 == 3:
            body.append(f'<div class="ad" id="ad-{n}"><span class="label">Advertisement</span><div></div></div>')
        if n == 2:
            body.append(_related(chance, 3))
        if n % 6 == 5:
            body.append(f"<h2>What {name(chance)} means</h2>{_figure(chance)}")
    author = f"{name(chance)} {name(chance)}"
    return (
        f'<main><div class="wrap"><div class="crumbs"><a href="/">Home</a> › <a href="/world">World</a>'
        f"</div><article>"
        f'<h1>{escape(title)}</h1><div class="meta"><div class="by">By <a href="/author">{author}</a></div><time '
        f'datetime="2026-02-01T08:30:00Z">1 February 2026</time></div><ul class="share-bar">{share}</ul>'
        f"{_figure(chance)}"
        f'<div class="story-body">{"".join(body)}</div></article>'
    )


def _figure(chance: random.Random) -> str:
    return (
        f'<figure><picture><source srcset="/i/{name(chance)}-640.webp 640w, /i/1280.webp 1280w">'
        f'<img src="/i/640.jpg" '
        f'alt="{name(chance)}"></picture>'
        f"<figcaption>A street in {name(chance)}. Photograph: {name(chance)}</figcaption></figure>"
    )


def _linked(paragraph: str, chance: random.Random) -> str:
    """Return a paragraph as sites mark it up: three of five have a link, two of five a word in bold."""
    words = escape(paragraph, quote=False).split(" ")
    for share, before, after in ((0.6, '<a href="/topic/1" class="link">', "</a>"), (0.4, "<strong>", "</strong>")):
        if chance.random() < share:
            at = chance.randrange(len(words))
            words[at] = f"{before}{words[at]}{after}"
    return " ".join(words)


def _related(chance: random.Random, count: int) -> str:
    cards = "".join(
        f'<li class="card"><a href="/a/{chance.randrange(10**6)}"><div class="thumb">'
        f'<img loading="lazy" src="/t/{n}.jpg" alt=""></div><div class="text">'
        f'<span class="kicker">{chance.choice(_SECTIONS)}</span><h3>{name(chance)} and '
        f"{name(chance)} agree on {name(chance)}</h3></div></a></li>"
        for n in range(count)
    )
    return f'<aside class="related"><h2>Read more</h2><ul>{cards}</ul></aside>'


def _beside(chance: random.Random) -> str:
    divisions = "".join(
        f'<div class="w w{n}"><div class="w-in"><div class="slot" data-slot="{n}"></div><span>{name(chance)}</span>'
        "</div></div>"
        for n in range(30)
    )
    newsletter = (
        '<div class="newsletter"><h2>The morning letter</h2><p>All that matters before breakfast.</p><form><input '
        'type="email"><button>Subscribe</button></form></div>'
    )
    return f"{_related(chance, 12)}{newsletter}{_ranked(chance)}<div class='rail'>{divisions}</div></div></main>"


def _ranked(chance: random.Random) -> str:
    """Return what others have read most, and what they say about it."""
    ranks = "".join(
        f'<li><div class="rank"><span class="n">{n}</span><a href="/r/{n}">{name(chance)} {name(chance)} '
        f"in {name(chance)}</a></div></li>"
        for n in range(1, 11)
    )
    said = "".join(
        f'<div class="comment"><div class="who"><img src="/u/{n}.png" alt=""><span>{name(chance)}</span></div>'
        f"<p>I never understood why {name(chance)} is so slow.</p><div class='act'><button>Reply</button>"
        f"<span>{n}</span></div></div>"
        for n in range(6)
    )
    return (
        f'<section class="most-read"><h2>Most read</h2><ol>{ranks}</ol></section>'
        f'<section id="comments">{said}</section>'
    )


def _foot(chance: random.Random) -> str:
    columns = "".join(
        "<div class='col'><h4>" + section + "</h4><ul>"
        + "".join(f'<li><a href="/f/{n}">{name(chance)}</a></li>' for n in range(4))
        + "</ul></div>"
        for section in _SECTIONS[:6]
    )  # fmt: skip
    return (
        f"<footer><div class='cols'>{columns}</div><p>© 2026 Wire. All rights reserved.</p></footer>"
        f"<!--scripts--></body></html>"
    )


def _scripts(chance: random.Random, size: int) -> str:
    """Return 30 scripts that take some ``size`` bytes."""
    each = size // 30
    return "".join(f"<script>{_script(chance, each)}</script>" for _ in range(30))


def _script(chance: random.Random, size: int) -> str:
    parts, length = [], 0
    while length < size:
        found = {
            name(chance): chance.randrange(10**6),
            "url": f"/api/{name(chance)}?a=1&b=2",
            "on": chance.random() < 0.5,
        }
        part = f"window.__{name(chance)}={json.dumps(found)};"
        parts.append(part)
        length += len(part)
    return "".join(parts)

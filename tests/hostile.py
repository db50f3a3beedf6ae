"""Feeds and pages of nobody's making, as strangers might send them: real-looking, then spoiled.

``feeds`` and ``pages`` always yield the same documents for the same seed.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from xml.sax.saxutils import escape

_Mutation = Callable[[Random, bytes], bytes]

#: Words of several languages and scripts, from which headlines and paragraphs are put together.
_VOCABULARY = {
    "en": "the minister said on Monday that talks about the river bridge would resume after a vote in the council",
    "de": "die Ministerin erklärte am Montag, die Gespräche über die Brücke würden nach der Wahl fortgesetzt",
    "fr": "la ministre a déclaré lundi que les négociations sur le pont reprendraient après l’élection",
    "es": "la ministra dijo el lunes que el diálogo sobre el puente seguiría después de la votación",
    "ru": "министр заявила в понедельник что переговоры о мосте продолжатся после голосования в совете",
    "ar": "قالت الوزيرة يوم الاثنين إن المحادثات حول الجسر ستستأنف بعد التصويت في المجلس",
    "zh": "部长 周一 表示 关于 大桥 的 谈判 将 在 投票 之后 恢复",
    "ja": "大臣 は 月曜日 橋 に関する 協議 を 投票 後 に 再開 する と 述べた",
}
_START = datetime(2026, 2, 11, 12, 0, tzinfo=UTC)
_SPACES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
)
#: Bytes up to which most documents are kept, and the few that are large.
_USUAL, _LARGE = 50_000, 1_000_000


def feeds(seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` feed documents, each spoiled in one to four ways."""
    yield from _spoiled(seed, count, (_rss, _rss_091, _atom, _rdf, _json_feed, _sitemap))


def pages(seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` pages of news, each spoiled in one to four ways."""
    yield from _spoiled(seed, count, (_page,))


def _spoiled(seed: int, count: int, makers: tuple[Callable[[Random], str], ...]) -> Iterator[bytes]:
    chance = Random(seed)  # noqa: S311 - the same documents every time are the point
    for _ in range(count):
        document = chance.choice(makers)(chance).encode("utf-8", "surrogatepass")
        limit = _LARGE if chance.random() < 0.03 else _USUAL
        for mutation in chance.choices(_MUTATIONS, k=chance.randint(1, 4)):
            document = mutation(chance, document)
        yield document[:limit]


# --- what a publisher would send ---


def _sentence(chance: Random, language: str, words: int) -> str:
    return " ".join(chance.choices(_VOCABULARY[language].split(), k=words)).capitalize()


def _language(chance: Random) -> str:
    return chance.choice(list(_VOCABULARY))


def _paragraphs(chance: Random, language: str) -> str:
    return "".join(f"<p>{_sentence(chance, language, chance.randint(8, 40))}.</p>" for _ in range(chance.randint(1, 5)))


def _news(chance: Random) -> Iterator[tuple[str, str, str, datetime]]:
    """Yield title, address, text and time of some articles."""
    language = _language(chance)
    for number in range(chance.randint(1, 30)):
        address = f"https://news.example/{language}/{chance.randint(1, 10**6)}?utm_source=rss&id={number}"
        when = _START - timedelta(minutes=chance.randint(0, 5000))
        yield _sentence(chance, language, chance.randint(3, 14)), address, _paragraphs(chance, language), when


def _rss_item(chance: Random, title: str, address: str, text: str, when: datetime) -> str:
    body = f"<![CDATA[{text}]]>" if chance.random() < 0.5 else escape(text)
    full = f"<content:encoded>{body}</content:encoded>" if chance.random() < 0.4 else ""
    guid = f'<guid isPermaLink="false">{chance.randint(1, 10**9)}#0</guid>' if chance.random() < 0.7 else ""
    return (
        f"<item><title>{escape(title)}</title><link>{escape(address)}</link>{guid}<dc:creator>A. Writer</dc:creator>"
        f"<pubDate>{format_datetime(when)}</pubDate><description>{body}</description>{full}"
        f'<media:content url="https://news.example/p.jpg" medium="image"/><category>World</category></item>\n'
    )


def _rss(chance: Random) -> str:
    items = "".join(_rss_item(chance, *news) for news in _news(chance))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" {_SPACES}><channel><title>The Example</title>'
        f"<link>https://news.example/</link><ttl>{chance.randint(0, 90)}</ttl>"
        f"<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>{chance.choice('0124')}</sy:updateFrequency>"
        f'<atom:link rel="hub" href="https://hub.example/"/><skipHours><hour>3</hour></skipHours>\n{items}</channel></rss>'
    )


def _rss_091(chance: Random) -> str:
    items = "".join(
        f"<item><title>{escape(t)}</title><link>{escape(a)}</link><description>{escape(x)}</description></item>\n"
        for t, a, x, _ in _news(chance)
    )
    return (
        '<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
        '"http://my.netscape.com/publish/formats/rss-0.91.dtd">\n<rss version="0.91"><channel><title>Old</title>'
        f"<image><title>Logo</title><url>https://news.example/l.gif</url></image>{items}</channel></rss>"
    )


def _atom(chance: Random) -> str:
    kind = chance.choice(["html", "xhtml", "text"])
    made = []
    for number, (title, address, text, when) in enumerate(_news(chance)):
        body = f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>' if kind == "xhtml" else escape(text)
        made.append(
            f'<entry><title type="html">{escape(title)}</title><id>tag:news.example,2026:{number}</id>'
            f'<link href="{escape(address)}"/><updated>{when.isoformat()}</updated><author><name>B. Writer</name>'
            f'<email>b@news.example</email></author><content type="{kind}">{body}</content></entry>\n'
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">'
        f"<title>The Example</title><updated>{_START.isoformat()}</updated>{''.join(made)}</feed>"
    )


def _rdf(chance: Random) -> str:
    items = "".join(
        f'<item rdf:about="{escape(a)}"><title>{escape(t)}</title><link>{escape(a)}</link>'
        f"<description>{escape(x)}</description><dc:date>{w.isoformat()}</dc:date></item>\n"
        for t, a, x, w in _news(chance)
    )
    return (
        '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns="http://purl.org/rss/1.0/" {_SPACES}><channel rdf:about="https://news.example/"><title>RDF</title>'
        f"<link>https://news.example/</link><dc:date>{_START.isoformat()}</dc:date></channel>{items}</rdf:RDF>"
    )


def _json_feed(chance: Random) -> str:
    items = [
        {"id": address, "url": address, "title": title, "content_html": text, "date_published": when.isoformat()}
        for title, address, text, when in _news(chance)
    ]
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "The Example", "items": items}
    return json.dumps(document, ensure_ascii=chance.random() < 0.5)


def _sitemap(chance: Random) -> str:
    found = "".join(
        f"<url><loc>{escape(a)}</loc><news:news><news:publication><news:name>The Example</news:name>"
        "<news:language>en</news:language></news:publication>"
        f"<news:publication_date>{w.isoformat()}</news:publication_date><news:title>{escape(t)}</news:title>"
        "</news:news></url>\n"
        for t, a, _, w in _news(chance)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{found}</urlset>'
    )


def _page(chance: Random) -> str:
    language = _language(chance)
    title = _sentence(chance, language, 8)
    text = "".join(_paragraphs(chance, language) for _ in range(chance.randint(1, 8)))
    links = "".join(f'<li><a href="/s/{n}">{_sentence(chance, language, 4)}</a></li>' for n in range(30))
    about = json.dumps({"@context": "https://schema.org", "@type": "NewsArticle", "headline": title})
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title} | The Example</title>'
        f'<meta property="og:title" content="{title}"><script type="application/ld+json">{about}</script>'
        '<link rel="alternate" type="application/rss+xml" href="/feed.xml"><style>p{color:#333}</style></head>'
        f"<body><header><nav><ul>{links}</ul></nav></header><main><article><h1>{title}</h1>\n"
        f'<time datetime="{_START.isoformat()}">Today</time>{text}<aside>{_sentence(chance, language, 12)}</aside>'
        f"</article></main><footer>Cookies, terms and privacy &copy; 2026</footer></body></html>"
    )


# --- what happens to it on the way ---


def _place(chance: Random, document: bytes) -> int:
    """Return a place in a document, mostly between two tags."""
    place = chance.randrange(len(document) + 1)
    found = document.find(b">", place)
    return found + 1 if found >= 0 and chance.random() < 0.8 else place


def _insert(chance: Random, document: bytes, what: bytes) -> bytes:
    place = _place(chance, document)
    return document[:place] + what + document[place:]


def _times(chance: Random) -> int:
    return chance.choice([100, 1000, 5000, 20_000])


def _truncated(chance: Random, document: bytes) -> bytes:
    return document[: chance.randrange(len(document) + 1)]


def _flipped(chance: Random, document: bytes) -> bytes:
    spoiled = bytearray(document)
    for _ in range(min(len(spoiled), chance.randint(1, 40))):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    return bytes(spoiled)


def _repeated_tag(chance: Random, document: bytes) -> bytes:
    begin = document.find(b"<", chance.randrange(len(document) + 1))
    end = document.find(b">", begin)
    if begin < 0 or end < 0 or end - begin > 500:
        return document
    return document[:end] + document[begin : end + 1] * chance.choice([2, 10, 300]) + document[end:]


def _nested(chance: Random, document: bytes) -> bytes:
    tag, depth = chance.choice([b"div", b"b", b"item", b"table", b"title", b"a:b", b"entry"]), _times(chance)
    closed = b"".join([b"</", tag, b">"]) * (depth if chance.random() < 0.6 else 0)
    return _insert(chance, document, b"<" + tag + (b"><" + tag) * (depth - 1) + b">x" + closed)


def _long_attribute(chance: Random, document: bytes) -> bytes:
    quote = chance.choice([b'"', b"'", b""])
    value = chance.choice([b"a", b"https://x.example/", b"a='", b"&"]) * (100_000 // chance.randint(1, 18))
    return _insert(chance, document, b'<link href="x" title=' + quote + value + quote + b"/>")


def _references(chance: Random, document: bytes) -> bytes:
    some = [
        b"&",
        b"&nbsp;",
        b"&rsquo;",
        b"&bogus;",
        b"&#0;",
        b"&#xD800;",
        b"&#x110000;",
        b"&#99999999999999;",
        b"&lt",
        b"&#x;",
    ]
    return _insert(chance, document, b"".join(chance.choices(some, k=chance.choice([1, 20, 2000]))))


def _laughs(chance: Random, document: bytes) -> bytes:
    del chance
    steps = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    bomb = b'<!DOCTYPE rss [<!ENTITY l0 "ha">' + steps + b"]>"
    return bomb + document.replace(b"<title>", b"<title>&l9;", 3)


def _quadratic(chance: Random, document: bytes) -> bytes:
    bomb = b'<!DOCTYPE rss [<!ENTITY q "' + b"q" * 20_000 + b'">]>'
    return bomb + document.replace(b"<title>", b"<title>" + b"&q;" * _times(chance), 1)


def _thief(chance: Random, document: bytes) -> bytes:
    address = chance.choice([b"file:///etc/hostname", b"http://127.0.0.1:9/x", b"/etc/hostname"])
    stolen = b'<!DOCTYPE rss [<!ENTITY t SYSTEM "' + address + b'">]>'
    return stolen + document.replace(b"<title>", b"<title>&t;", 1)


def _unclosed(chance: Random, document: bytes) -> bytes:
    mark = chance.choice(
        [b"<![CDATA[", b"<!--", b"<?", b"<!", b"<!DOCTYPE [", b'<a href="', b"</", b"<", b"]]>", b"-->"]
    )
    return _insert(chance, document, mark * chance.choice([1, 1, 100, 10_000]))


def _nuls(chance: Random, document: bytes) -> bytes:
    return _insert(
        chance, document, bytes(chance.choices([0, 1, 8, 11, 27, 127, 0x9F], k=chance.choice([1, 50, 3000])))
    )


def _other_encoding(chance: Random, document: bytes) -> bytes:
    encoding = chance.choice(
        ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp1251", "gb18030", "shift_jis", "utf-7"]
    )
    return document.decode("utf-8", "replace").encode(encoding, "replace")


def _mixed_encodings(chance: Random, document: bytes) -> bytes:
    place = _place(chance, document)
    rest = document[place:].decode("utf-8", "replace")
    return document[:place] + rest.encode(chance.choice(["cp1252", "utf-16-le", "cp1251"]), "replace")


def _false_declaration(chance: Random, document: bytes) -> bytes:
    label = chance.choice(
        [b"utf-16", b"ascii", b"idna", b"unicode_escape", b"x-none", b"base64", b"shift_jis", b"utf-7"]
    )
    return document.replace(b"UTF-8", label, 1).replace(b"utf-8", label, 1)


def _huge_author(chance: Random, document: bytes) -> bytes:
    tag = chance.choice(
        [b"author", b"dc:creator", b"managingEditor", b"webMaster", b"itunes:author", b"name", b"email"]
    )
    name = chance.choice([b"a", b"a.b-", b"a@", b"((", b"x y "]) * (chance.choice([2000, 8000, 64_000]) // 2)
    return _insert(chance, document, b"<" + tag + b">" + name + b"</" + tag + b">")


def _wrong_dates(chance: Random, document: bytes) -> bytes:
    some = [
        b"9999",
        b"0000",
        b"99",
        b"-2026",
        b"2026-02-30T25:61:61+99:99",
        b"tomorrow",
        b"1" * 5000,
        "二〇二六".encode(),
    ]
    return document.replace(b"2026", chance.choice(some), chance.choice([1, 5, 100]))


def _many_items(chance: Random, document: bytes) -> bytes:
    item = chance.choice(
        [
            b"<item><title>t%d</title></item>",
            b"<entry><id>t%d</id><title/></entry>",
            b"<item><guid>x</guid><link>https://news.example/%d</link></item>",
        ]
    )
    return _insert(chance, document, b"".join(item % number for number in range(5000)))


def _long_table(chance: Random, document: bytes) -> bytes:
    rows = b"<tr><td>1</td><td>two</td></tr>" * _times(chance)
    return _insert(chance, document, b"<table>" + rows + chance.choice([b"</table>", b""]))


def _surrogates(chance: Random, document: bytes) -> bytes:
    some = [
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xc0\xaf",
        b"\xff\xfe",
        b"\xef\xbf\xbe",
        b"\xe2\x80\xae",
    ]
    return _insert(chance, document, b"".join(chance.choices(some, k=chance.choice([1, 30, 2000]))))


def _blob(chance: Random, document: bytes) -> bytes:
    blob = base64.b64encode(chance.randbytes(chance.choice([1000, 30_000, 300_000])))
    return _insert(chance, document, chance.choice([blob, b'<img src="data:image/png;base64,' + blob + b'">']))


def _swapped_declaration(chance: Random, document: bytes) -> bytes:
    first, _, rest = document.partition(b">")
    place = _place(chance, rest)
    return rest[:place] + first + b">" + rest[place:]


def _junk_before(chance: Random, document: bytes) -> bytes:
    some = [
        b"\n\n  ",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf",
        b"<br />\n<b>Warning</b>: include() in /x.php<br />\n",
        b"x" * 3000,
    ]
    return chance.choice(some) + document


def _gzipped(chance: Random, document: bytes) -> bytes:
    packed = gzip.compress(document, mtime=0)
    return packed if chance.random() < 0.5 else document[:100] + packed


def _namespaces(chance: Random, document: bytes) -> bytes:
    return _insert(
        chance, document, b"".join(b'<n%d:a xmlns:n%d="u%d"/>' % (n, n, n) for n in range(_times(chance) // 10))
    )


def _json_nests(chance: Random, document: bytes) -> bytes:
    return document.replace(b"[", b"[" * _times(chance), 1)


_MUTATIONS: tuple[_Mutation, ...] = (
    _truncated, _flipped, _repeated_tag, _nested, _long_attribute, _references, _laughs, _quadratic, _thief, _unclosed,
    _nuls, _other_encoding, _mixed_encodings, _false_declaration, _huge_author, _wrong_dates, _many_items, _long_table,
    _surrogates, _blob, _swapped_declaration, _junk_before, _gzipped, _namespaces, _json_nests,
)  # fmt: skip

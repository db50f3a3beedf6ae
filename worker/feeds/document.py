"""A feed document, from bytes to entries."""

from __future__ import annotations

import calendar
import hashlib
import html
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.errors import Unusable
from worker.model import Entry, Feed
from worker.url import absolute, canonical

#: Entries of one document that are looked at; more is no news feed (research: mediacloud uses the same figure).
MAX_ENTRIES = 2000
#: Characters of any one field. An author of 64 kB costs feedparser minutes (kurtmckee/feedparser#562), and no
#: honest key, title or address is as long.
_MAX_FIELD = 2048
_MAX_TEXT = 1_000_000
_BLOCK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|h[1-6]|blockquote|tr|table|figure|section|article)\b[^<>]{0,2000}>", re.IGNORECASE
)
_UNSHOWN = re.compile(r"<(script|style)\b", re.IGNORECASE)
_TAG = re.compile(r"<[!/?a-zA-Z][^<>]{0,20000}>")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")
_HTML_START = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
# Elements that change on every request although nothing was published: dates of the channel, not of its items.
_VOLATILE = re.compile(
    rb"<(lastBuildDate|pubDate|updated|dc:date|ttl)\b[^<>]{0,200}>[^<>]{0,200}</\1>|<generator\b.{0,400}?</generator>",
    re.IGNORECASE | re.DOTALL,
)
_CHARACTER = re.compile(rb"&#(?:x([0-9a-f]{1,1000})|([0-9]{1,1000}));?", re.IGNORECASE)
_LAST_CHARACTER, _HALVES = 0x10FFFF, range(0xD800, 0xE000)
_FIRST_ITEM = re.compile(rb"<(?:item|entry)[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed feed document: its entries, oldest first as far as they are dated."""

    entries: tuple[Entry, ...]
    #: The feed's own title, if it has one.
    title: str = ""
    #: What was wrong with the document although it could be read; empty when nothing was.
    warning: str = ""


def parse(body: bytes, *, feed: Feed, headers: Mapping[str, str]) -> Document:
    """Return the entries of a feed document.

    A malformed document is read as far as it goes (``warning`` says what is wrong). Entries that repeat a key are
    one entry. ``headers`` are those of the answer, with names in lower case.

    Raises:
        Unusable: the body is no feed; the message says what it looks like.
    """
    content_type = headers.get("content-type", "")
    try:
        try:
            parsed = _parsed(body, url=feed.url, content_type=content_type)
        except (ValueError, OverflowError):
            # feedparser gives up on a reference to a character that there is not, such as &#xD800;.
            parsed = _parsed(_CHARACTER.sub(_known, body), url=feed.url, content_type=content_type)
    except Exception as error:  # a feed is anybody's input, and one must not stop the others
        raise Unusable(f"{feed.url}: the feed could not be parsed ({type(error).__name__}: {error})") from error
    if not parsed.get("version") and not parsed.entries:
        raise Unusable(f"{feed.url}: not a feed ({_looks_like(body)})")
    entries = {entry.key: entry for entry in _entries(parsed.entries[:MAX_ENTRIES], feed, parsed.feed)}
    return Document(
        entries=tuple(sorted(entries.values(), key=_age)),
        title=plain(_field(parsed.feed, "title"))[:_MAX_FIELD],
        warning=str(parsed.get("bozo_exception", "")) if parsed.get("bozo") else "",
    )


def _parsed(body: bytes, *, url: str, content_type: str) -> Any:  # noqa: ANN401 - feedparser's dictionary
    # Imported here, so that whoever only needs the values of this room does not pay for it.
    import feedparser  # noqa: PLC0415

    # A str or a path would be opened as a file or an address by feedparser; a stream never is. The sanitiser and
    # the resolver of relative addresses cost more than half of the time and we need neither: every text becomes
    # plain text here and is escaped where it is shown.
    return feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-type": content_type, "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _known(reference: re.Match[bytes]) -> bytes:
    """Return a reference to a character, to U+FFFD when there is no such character."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return reference[0] if number <= _LAST_CHARACTER and number not in _HALVES else b"&#xFFFD;"


def _looks_like(body: bytes) -> str:
    if not body.strip():
        return "the body is empty"
    if _HTML_START.match(body):
        return "it looks like an HTML page: open it in a browser and look for the feed's own address"
    return f"it begins with {body[:40]!r}"


def _age(entry: Entry) -> tuple[bool, datetime]:
    # Undated entries come last, in the order of the document (sorted() keeps it).
    return (entry.published_at is None, entry.published_at or datetime.max.replace(tzinfo=UTC))


def _entries(items: list[Any], feed: Feed, channel: Any) -> Iterator[Entry]:  # noqa: ANN401 - feedparser's dictionaries
    language = feed.language or (_field(channel, "language").split("-")[0].lower() or None)
    # Newest first is the custom, so that of entries with one key the newest wins by coming last here.
    for item in reversed(items):
        url = absolute(feed.url, _link(item))
        title = plain(_field(item, "title"))[:_MAX_FIELD]
        text = _text(item)
        if not (url or title or text):
            continue
        published_at = _published(item)
        yield Entry(
            feed_id=feed.id,
            key=_key(item, url=url, title=title, published_at=published_at),
            url=url or feed.url,
            title=title,
            text=text,
            outlet=plain(_field(item.get("source", {}), "title"))[:_MAX_FIELD] or feed.outlet,
            published_at=published_at,
            language=language,
        )


def _field(item: Any, name: str) -> str:  # noqa: ANN401
    value = item.get(name, "") if hasattr(item, "get") else ""
    return value[: _MAX_TEXT * 2] if isinstance(value, str) else ""


def _link(item: Any) -> str:  # noqa: ANN401
    # FeedBurner keeps the publisher's own address apart.
    return (_field(item, "feedburner_origlink") or _field(item, "link"))[:_MAX_FIELD]


def _key(item: Any, *, url: str, title: str, published_at: datetime | None) -> str:  # noqa: ANN401
    """Return the identity of an entry in its feed: guid, else address, else title and date (research R27)."""
    guid = _field(item, "id").strip()[:_MAX_FIELD]
    if guid:
        return canonical(guid)
    if url:
        return canonical(url)
    return "title:" + hashlib.sha256(f"{title}\n{published_at}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _published(item: Any) -> datetime | None:  # noqa: ANN401
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        value = item.get(name)
        if value:
            try:
                return datetime.fromtimestamp(calendar.timegm(value), UTC)
            except (ValueError, OverflowError, OSError):
                continue
    return None


def _text(item: Any) -> str:  # noqa: ANN401
    """Return the longest text that the entry itself carries."""
    texts = [_field(content, "value") for content in item.get("content", ())] + [_field(item, "summary")]
    return max((plain(text) for text in texts), key=len, default="")


def plain(markup: str) -> str:
    """Return ``markup`` without tags and entities, paragraphs parted by a line break. Time is linear.

    This makes text for reading and matching. It is no defence: escape the result wherever it is shown.
    """
    text = markup
    if "<" in text:
        text = _TAG.sub("", _BLOCK.sub("\n", _without_unshown(text)))
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("\x00", "")
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()[:_MAX_TEXT]


def _without_unshown(markup: str) -> str:
    """Return ``markup`` without scripts and styles; one that never ends takes the rest with it."""
    kept, start = [], 0
    lower = markup.lower()
    while found := _UNSHOWN.search(markup, start):
        kept.append(markup[start : found.start()])
        end = lower.find("</" + found[1].lower(), found.end())
        start = len(markup) if end < 0 else end
    return "".join((*kept, markup[start:]))


def body_hash(body: bytes) -> str:
    """Return a hash of a feed document that stays the same when only dates of the channel have changed."""
    first = _FIRST_ITEM.search(body)
    cut = first.start() if first else len(body)
    return hashlib.sha256(_VOLATILE.sub(b"", body[:cut]) + body[cut:]).hexdigest()

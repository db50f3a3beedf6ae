"""Bytes to text, whatever they claim to be."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

# The longer marks come first: the UTF-32 mark begins with the UTF-16 one.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Labels that publishers write and browsers read as another encoding, by Python's name of the first.
#: Source: WHATWG Encoding Standard, section 4.2, names and labels.
_READ_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
    "big5": "big5hkscs",
}  # fmt: skip
# Python's codecs include "idna", "unicode_escape" and others that no page uses, some of them with quadratic cost.
_ENCODINGS_OF_PAGES = re.compile(
    r"utf-(8|16|16-le|16-be|32|32-le|32-be)|cp(866|874|932|949|125[0-8])|iso8859-([2-8]|1[0-6])|koi8-[ru]"
    r"|mac-(roman|cyrillic)|gb18030|big5hkscs|euc_j(p|is_2004)|iso2022_jp"
)
_MAGIC = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP file or an office document"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a WebP image, a sound or a film"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"OggS", "a sound"),
    (b"ID3", "a sound"),
)
# What a control character is: C0 without tab, line feed, form feed, carriage return and escape (ISO 2022).
_CONTROL = bytes((*range(9), 11, *range(14, 27), *range(28, 32), 127))
#: Bytes that are looked at to guess an encoding or to tell text from other things.
_SAMPLE = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A text and how it was read."""

    text: str
    #: Python's name of the encoding.
    encoding: str
    #: Nothing but statistics spoke for this encoding, or some bytes could not be read in it.
    guessed: bool = False


def decode(body: bytes, *declared: str | None) -> Decoded:
    """Return ``body`` as text; never fails.

    A byte order mark decides. Then bytes that are valid UTF-8 and not plain ASCII are UTF-8, because nothing
    else looks like it by chance while servers often declare ISO-8859-1 for everything. Then the ``declared``
    labels are tried in their order, and ``charset-normalizer`` guesses last. Bytes that the encoding does not
    know become U+FFFD.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], encoding)
    if (wide := _utf16_without_mark(body)) is not None:
        return _decoded(body, wide)
    if not body.isascii() and _valid(body, "utf-8"):
        return _decoded(body, "utf-8")
    known = [name for label in declared if label and (name := page_encoding(label))]
    for encoding in known:
        if _valid(body, encoding):
            return _decoded(body, encoding)
    if body.isascii():
        return _decoded(body, "utf-8")
    return _almost(body, [*known, "utf-8"]) or _guess(body)


def page_encoding(label: str) -> str | None:
    """Return Python's name of the encoding that browsers read for ``label``; ``None`` if they know none."""
    try:
        name = codecs.lookup(label.strip().strip("\"'")[:40]).name
    except (LookupError, ValueError):
        return None
    name = _READ_AS.get(name, name)
    return name if _ENCODINGS_OF_PAGES.fullmatch(name) else None


def binary_kind(body: bytes) -> str | None:
    """Return what ``body`` is ("a PDF file", "binary data") when it is no text, else ``None``."""
    sample = body[:_SAMPLE]
    for magic, kind in _MAGIC:
        # Some marks are letters, and a text may begin with them; the file itself never stays writing for long.
        if body.startswith(magic) and (magic == b"%PDF-" or not _valid(sample, "utf-8") or b"\0" in sample):
            return kind
    if any(sample.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS) or _utf16_without_mark(sample):
        return None
    # One stray NUL in a page is a mistake of its publisher; one character in fifty is not writing.
    if (len(sample) - len(sample.translate(None, _CONTROL))) * 50 > len(sample):
        return "binary data"
    return None


def _utf16_without_mark(body: bytes) -> str | None:
    # Latin text in UTF-16 has a NUL in every other place; other scripts carry a mark or a label in practice.
    sample = body[:1000]
    half = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if half >= 8 and odd > half * 0.6 and even < half * 0.1:  # noqa: PLR2004 - a run too short to tell
        return "utf-16-le"
    if half >= 8 and even > half * 0.6 and odd < half * 0.1:  # noqa: PLR2004 - the same
        return "utf-16-be"
    return None


def _valid(body: bytes, encoding: str) -> bool:
    try:
        # Not final: a body that was cut may end inside a character.
        codecs.getincrementaldecoder(encoding)("strict").decode(body, final=False)
    except UnicodeError:
        return False
    return True


def _almost(body: bytes, encodings: list[str]) -> Decoded | None:
    # A page of UTF-8 with one broken byte (a teaser cut in the middle of a letter) is still UTF-8.
    foreign = sum(byte > 0x7F for byte in body[:_SAMPLE])  # noqa: PLR2004 - the end of ASCII
    for encoding in encodings:
        broken = body[:_SAMPLE].decode(encoding, "replace").count("\ufffd")
        if broken * 10 <= foreign:
            return _decoded(body, encoding, guessed=True)
    return None


def _guess(body: bytes) -> Decoded:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 30 ms, and rarely needed

    best = from_bytes(body[:_SAMPLE]).best()
    return _decoded(body, best.encoding if best is not None else "cp1252", guessed=True)


def _decoded(body: bytes, encoding: str, *, guessed: bool = False) -> Decoded:
    return Decoded(text=body.decode(encoding, "replace"), encoding=encoding, guessed=guessed)

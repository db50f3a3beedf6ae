"""The bytes of a feed document as text, whatever their sender says they are."""

from __future__ import annotations

import codecs
import re

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # The mark of UTF-32 begins with that of UTF-16, so it is looked for first.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml\b[^<>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{2,40})", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
#: Bytes in which the declaration is looked for; a warning of PHP may stand before it.
_DECLARED_WITHIN = 4096
_SAMPLE = 50_000
#: Labels that stand for a larger encoding in practice (WHATWG Encoding Standard, section 4.2).
_READ_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
# Python's codecs include "idna", "unicode_escape" and others that no feed uses, some of them with quadratic cost.
_KNOWN = re.compile(
    r"cp(866|874|932|949|125[0-8])|iso8859-([2-8]|1[0-6])|koi8-[ru]|mac-(roman|cyrillic)|gb18030|big5hkscs"
    r"|euc_jp|iso2022_jp"
)
#: What ``surrogateescape`` makes of a byte that is no UTF-8, to what Windows shows for that byte.
_AS_WINDOWS = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
_NO_UTF_8 = re.compile("[\udc80-\udcff]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


def decode(body: bytes, *, content_type: str = "") -> tuple[str, str]:
    """Return the text of a document, and what was wrong with its encoding (empty when nothing was). Never fails.

    A byte order mark decides; UTF-16 without one is known by its NULs. What can be read as UTF-8 is UTF-8, whatever
    was declared, because no other text looks like it by chance. Then the document's own declaration is believed
    before the header, which is often the default of a server. Single bytes that are not UTF-8 in a document that
    otherwise is are read as Windows-1252, which is what they are in most feeds.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace"), ""
    if wide := _wide(body):
        return body.decode(wide, "replace"), f"no byte order mark: read as {wide}"
    labels = _labels(body, content_type)
    if b"\x1b" in body and "iso2022_jp" in labels:
        return body.decode("iso2022_jp", "replace"), ""
    try:
        return body.decode("utf-8"), ""
    except UnicodeDecodeError:
        return _not_utf_8(body, labels)


def _labels(body: bytes, content_type: str) -> list[str]:
    """Return the encodings that were declared, by Python's names: the document's own first."""
    declared = _DECLARED.search(body[:_DECLARED_WITHIN])
    charset = _CHARSET.search(content_type[:1000])
    labels = (declared[1].decode("ascii", "replace") if declared else "", charset[1] if charset else "")
    return [name for label in labels if label and (name := _name(label))]


def _name(label: str) -> str:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    name = _READ_AS.get(name, name)
    return name if _KNOWN.fullmatch(name) else ""


def _wide(body: bytes) -> str:
    # In markup every other byte is NUL, whatever the script of the texts is.
    start = body[:1000].lstrip(b" \t\r\n\x00")
    sample = body[: 2 * (min(len(body), 1000) // 2)]
    half = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if half < 8 or start[:1] not in {b"<", b"{"}:  # noqa: PLR2004 - too short to tell
        return ""
    if odd * 4 > half and even * 10 < half:
        return "utf-16-le"
    return "utf-16-be" if even * 4 > half and odd * 10 < half else ""


def _not_utf_8(body: bytes, labels: list[str]) -> tuple[str, str]:
    escaped = body.decode("utf-8", "surrogateescape")
    broken = len(_NO_UTF_8.findall(escaped, 0, _SAMPLE))
    read = len(_FOREIGN.findall(escaped, 0, _SAMPLE)) - broken
    if read <= broken:
        for label in labels:
            try:
                return body.decode(label), ""
            except UnicodeDecodeError:
                continue
        if guess := _guess(body[:_SAMPLE]):
            return body.decode(guess, "replace"), f"not in the encoding that it declares: read as {guess}"
    return escaped.translate(_AS_WINDOWS), "bytes that are not UTF-8: read as Windows-1252"


def _guess(sample: bytes) -> str:
    """Return the encoding that statistics speak for; empty for text that is mostly ASCII, where they say little."""
    if sum(byte > 0x7F for byte in sample) * 5 < len(sample):  # noqa: PLR2004 - the end of ASCII
        return ""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 30 ms, and rarely needed

    best = from_bytes(sample).best()
    return best.encoding if best is not None else ""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.articles import binary_kind, decode
from worker.articles.decoding import page_encoding

_GREEK = "Η κυβέρνηση δηλώνει ότι το πρόγραμμα δεν είναι διαπραγματεύσιμο. " * 3
_FRENCH = "Le ministre a déclaré que la réunion était annulée, à Genève, où il était. " * 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_a_text_is_read_in_every_unicode_form_with_or_without_its_mark(encoding: str) -> None:
    """Marks and the pattern of zero bytes tell the forms of Unicode apart."""
    assert decode(_FRENCH.encode(encoding)).text == _FRENCH


@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1252", "us-ascii", "no-such-charset", None])
def test_valid_utf8_is_utf8_whatever_the_server_declares(declared: str | None) -> None:
    """Servers declare ISO-8859-1 for everything; valid UTF-8 is never anything else by chance."""
    assert decode(_GREEK.encode(), declared).text == _GREEK


def test_latin1_is_read_as_browsers_read_it() -> None:
    """The label iso-8859-1 means windows-1252, whose quotation marks are in daily use."""
    body = "“Déjà vu”, il a dit.".encode("cp1252")
    assert decode(body, "ISO-8859-1").text == "“Déjà vu”, il a dit."


def test_the_first_declared_encoding_that_fits_is_used() -> None:
    """A header that cannot be right gives way to what the page itself says."""
    body = _GREEK.encode("iso8859-7")
    decoded = decode(body, "utf-8", "iso-8859-7")
    assert (decoded.text, decoded.guessed) == (_GREEK, False)


def test_an_undeclared_encoding_is_guessed_and_said_to_be() -> None:
    """Where nothing is declared, statistics decide, and the result carries the doubt."""
    decoded = decode(_GREEK.encode("iso8859-7"))
    assert decoded.guessed
    assert "πρόγραμμα" in decoded.text


def test_one_broken_byte_does_not_change_the_encoding() -> None:
    """UTF-8 with a single damaged letter stays UTF-8, and only that letter is lost."""
    body = _GREEK.encode().replace("δ".encode(), b"\xce", 1)
    decoded = decode(body, "utf-8")
    assert decoded.encoding == "utf-8"
    assert decoded.text.count("\ufffd") == 1


@pytest.mark.parametrize("label", ["idna", "unicode_escape", "hex", "rot13", "utf-7", "", "x" * 10_000, "a\0b"])
def test_codecs_that_are_no_encodings_of_pages_are_not_used(label: str) -> None:
    """Python has codecs that a hostile label could turn against us; pages use none of them."""
    assert page_encoding(label) is None


@given(st.binary(max_size=400), st.text(max_size=20))
def test_decoding_never_fails(body: bytes, label: str) -> None:
    """Any bytes under any label become some text."""
    assert isinstance(decode(body, label).text, str)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_utf8_comes_back_as_it_was(text: str) -> None:
    """Decoding undoes encoding, apart from a byte order mark at the start."""
    assert decode(text.encode()).text == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"%PDF-1.7 text follows", "a PDF file"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "compressed with gzip"),
        (b"PK\x03\x04" + bytes(100), "a ZIP file or an office document"),
        (bytes(range(32)) * 10, "binary data"),
    ],
    ids=["pdf", "gzip", "zip", "noise"],
)
def test_binary_files_are_called_by_their_name(body: bytes, kind: str) -> None:
    """What is no text in any encoding is refused with a word that a person understands."""
    assert binary_kind(body) == kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"RIFF is a word, and GIF8 is none, yet this is a text.",
        b"ID3 tags name songs.",
        b"A text with one stray \0 zero in a long line of writing that goes on and on.",
        _FRENCH.encode("utf-16-le"),
        _GREEK.encode("utf-16"),
        "新聞".encode("iso2022_jp"),
    ],
    ids=["empty", "riff", "id3", "nul", "utf-16-without-mark", "utf-16", "iso-2022-jp"],
)
def test_texts_are_not_taken_for_binary_files(body: bytes) -> None:
    """Letters that happen to begin a file format, or a stray zero, do not make a text binary."""
    assert binary_kind(body) is None


def test_the_pure_parts_load_no_extractor_and_no_client() -> None:
    """Importing the room costs nothing that only pages need."""
    heavy = "('trafilatura', 'lxml', 'httpx', 'celery')"
    code = f"import sys, worker.articles; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

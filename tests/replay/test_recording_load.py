from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.replay.recording import INTERVAL, UNDATED_START, Recording, load
from worker.replay.slugs import slug
from worker.replay.sources import TITLE_MAX, headline
from worker.url import canonical

SEEDS = Path(__file__).parents[2] / "seeds"
_RSS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Le Café</title>
<item><title>One</title><pubDate>Wed, 11 Feb 2026 10:00:00 +0100</pubDate></item>
<item><title>Two</title><dc:date>2026-02-12T08:00:00Z</dc:date></item>
<item><title>Three</title><pubDate>soon</pubDate></item></channel></rss>"""


def lines(path: Path, *objects: Mapping[str, object]) -> Path:
    """Return a new file with one object a line."""
    path.write_text("".join(json.dumps(one) + "\n" for one in objects), encoding="utf-8")
    return path


def texts(directory: Path, **files: str | bytes) -> Path:
    """Return ``directory`` with ``files``; two underscores in a name stand for its dot."""
    for name, content in files.items():
        body = content if isinstance(content, bytes) else content.encode()
        (directory / name.replace("__", ".")).write_bytes(body)
    return directory


def ids(recording: Recording) -> list[str]:
    """Return the ids of the articles in order."""
    return [article.id for article in recording.articles]


def test_the_seeds_are_five_articles_of_two_months() -> None:
    """The manifest gives the order, the outlets and the headlines; the texts are the files, byte for byte."""
    recording = load(SEEDS)
    assert ids(recording) == ["000", "001", "002", "004", "003"]
    assert [a.published_at.date().isoformat() for a in recording.articles] == ["2025-12-22"] * 3 + [
        "2026-02-11",
        "2026-02-12",
    ]
    assert len(recording.feeds) == 5
    assert recording.notes == recording.skipped == ()
    for article in recording.articles:
        (file,) = SEEDS.glob(f"{article.id}_*.txt")
        assert article.text == file.read_text(encoding="utf-8")


def test_invented_outlets_of_the_seeds_stand_under_a_reserved_name() -> None:
    """Nothing is attributed to a publisher that did not write it (RFC 2606 reserves .example)."""
    for article in load(SEEDS).articles:
        invented = {"outlet", "url"} <= set(article.assumed)
        assert invented == (".example/" in article.url)
        assert invented or article.outlet == "Kurdistan24"


def test_two_loads_are_equal_and_serve_the_same_bytes() -> None:
    """A recording holds no clock and no random number."""
    one, other = load(SEEDS), load(SEEDS)
    assert one == other
    for url in [*(a.url for a in one.articles), *(f.url for f in one.feeds)]:
        assert one.web().get(url, now=one.end, headers={}) == other.web().get(url, now=other.end, headers={})


def test_a_directory_of_plain_texts_needs_no_manifest(tmp_path: Path) -> None:
    """Files come in the order of their names, a minute apart, under one outlet, with a date in no feed."""
    recording = load(texts(tmp_path, b__txt="Second headline\nA text follows it.", a__txt="A first sentence. Another."))
    assert [(a.id, a.title, a.outlet, a.dated) for a in recording.articles] == [
        ("a", "A first sentence.", "Recorded", False),
        ("b", "Second headline", "Recorded", False),
    ]
    assert [a.published_at - UNDATED_START for a in recording.articles] == [timedelta(0), timedelta(minutes=1)]
    assert recording.start == UNDATED_START - INTERVAL
    assert "2 of 2 articles have no date" in str(recording.notes[0])


def test_files_that_are_no_text_are_skipped_and_shown(tmp_path: Path) -> None:
    """What cannot be used is left out by name, and the rest is used."""
    recording = load(
        texts(
            tmp_path,
            a__txt="A text.",
            b__txt="",
            c__txt=b"%PDF-1.7",
            d__txt=bytes(range(256)),
            e__csv="1,2",
            f__xml="<a/>",
        )
    )
    assert ids(recording) == ["a"]
    assert [str(problem).rpartition(f"{tmp_path.name}/")[2] for problem in recording.skipped] == [
        "b.txt: is empty",
        "c.txt: is a PDF file, not text",
        "d.txt: is binary data, not text",
        "e.csv: is not a .txt, .html, .jsonl or feed file",
        "f.xml: is not a feed: it has no rss, feed or rdf:RDF element",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_text_is_read_in_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    """Marks and patterns decide, without a note."""
    text = "Le ministre a refusé.\nIl l’a dit à Genève."
    recording = load(texts(tmp_path, a__txt=text.encode(encoding)))
    assert recording.articles[0].text == text
    assert not any("guess" in str(note) for note in recording.notes)


def test_a_guessed_encoding_is_noted(tmp_path: Path) -> None:
    """Statistics may be wrong, so the reader of the results hears of it."""
    text = "Η κυβέρνηση δηλώνει ότι το πρόγραμμα δεν είναι διαπραγματεύσιμο. " * 4
    recording = load(texts(tmp_path, a__txt=text.encode("iso8859-7")))
    assert "πρόγραμμα" in recording.articles[0].text
    assert any("which is a guess" in str(note) for note in recording.notes)


def test_one_text_or_page_may_be_the_whole_recording(tmp_path: Path) -> None:
    """PATH may be a single file, with any ending or none."""
    texts(
        tmp_path,
        a__txt="A text.",
        b__html="<html lang=fr><title>Titre du jour</title><p>Le texte.",
        plain="A text too.",
    )
    assert ids(load(tmp_path / "a.txt")) == ["a"]
    page = load(tmp_path / "b.html").articles[0]
    assert (page.title, page.language) == ("Titre du jour", "fr")
    assert ids(load(tmp_path / "plain")) == ["plain"]


def test_a_text_and_a_page_of_one_name_are_two_articles(tmp_path: Path) -> None:
    """Neither hides the other."""
    assert ids(load(texts(tmp_path, a__html="<p>A page.</p>", a__txt="A text."))) == ["a", "a.txt"]


def test_a_line_of_json_is_an_article(tmp_path: Path) -> None:
    """Only a title or a text is needed; all else is filled in the same way every time."""
    dated = {"url": "https://www.a.test/1", "outlet": "A", "published_at": "2026-02-11T10:00:00+01:00"}
    path = lines(
        tmp_path / "day.jsonl",
        {"id": "x", "title": "T", "text": "One.", **dated},
        {"text": "A sentence stands in. Another follows.", "url": "http://b.test/2", "published_at": None, "topic": ""},
        {"id": 7, "title": "Only a title"},
    )
    recording = load(path)
    assert [(a.id, a.title, a.outlet, a.url) for a in recording.articles] == [
        ("x", "T", "A", "https://www.a.test/1"),
        ("day-2", "A sentence stands in.", "b.test", "http://b.test/2"),
        ("7", "Only a title", "Recorded", "https://recorded.example/7"),
    ]
    first = datetime(2026, 2, 11, 9, tzinfo=UTC)
    assert [a.published_at for a in recording.articles] == [
        first,
        first + timedelta(minutes=1),
        first + timedelta(minutes=2),
    ]
    assert [a.dated for a in recording.articles] == [True, False, False]
    assert {f.outlet: f.url for f in recording.feeds} == {
        "A": "https://www.a.test/feed.xml",
        "b.test": "http://b.test/feed.xml",
        "Recorded": "https://recorded.example/feed.xml",
    }


def test_a_time_without_zone_is_utc_and_noted_once_for_a_file(tmp_path: Path) -> None:
    """A thousand lines with the same habit are one note."""
    path = lines(
        tmp_path / "a.jsonl", *({"id": str(n), "title": "T", "published_at": "2026-02-11 10:00"} for n in range(9))
    )
    recording = load(path)
    assert recording.articles[0].published_at == datetime(2026, 2, 11, 10, tzinfo=UTC)
    assert [str(note).partition(": ")[2] for note in recording.notes] == ["9 times name no zone and are read as UTC"]


def test_two_articles_at_one_address_stay_two(tmp_path: Path) -> None:
    """Neither may hide the other, so the second is read at an address of its own, and that is said."""
    path = lines(
        tmp_path / "a.jsonl",
        *({"id": n, "title": n, "text": f"Text {n}.", "url": "https://a.test/?p=1"} for n in "xyz"),
    )
    recording = load(path)
    web = recording.web()
    bodies = [web.get(a.url, now=recording.end, headers={}).body for a in recording.articles]
    assert all(f"Text {n}.".encode() in body for n, body in zip("xyz", bodies, strict=True))
    assert len({canonical(a.url) for a in recording.articles}) == 3
    assert sum("has the URL" in str(note) for note in recording.notes) == 2


def test_outlets_that_are_written_alike_have_feeds_of_their_own(tmp_path: Path) -> None:
    """Names in other scripts, and names that differ in punctuation, do not fall together."""
    names = ["The Post", "The Post!", "朝日新聞", "読売新聞"]
    recording = load(
        lines(
            tmp_path / "a.jsonl",
            *({"title": "T", "outlet": name, "url": f"https://all.test/{n}"} for n, name in enumerate(names)),
        )
    )
    assert [feed.outlet for feed in recording.feeds] == names
    assert len({feed.id for feed in recording.feeds}) == len({canonical(feed.url) for feed in recording.feeds}) == 4


def test_a_slug_keeps_apart_what_latin_letters_cannot_tell() -> None:
    """Names that share their Latin part do not share their host."""
    slugs = [slug(name) for name in ("BBC", "BBC فارسی", "BBC 中文", "Ż" * 90, "!", "")]
    assert slugs[0] == "bbc"
    assert len(set(slugs)) == 6
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one) and len(one) < 64 for one in slugs)


def test_a_feed_document_is_replayed_as_it_is(tmp_path: Path) -> None:
    """Its own bytes in its own encoding, read whole at the first poll, at the time of its newest entry."""
    body = _RSS.encode("latin-1")
    (tmp_path / "cafe.rss").write_bytes(body)
    recording = load(tmp_path / "cafe.rss")
    (feed,) = recording.feeds
    assert (feed.outlet, feed.full_text) == ("Le Café", True)
    assert recording.start == datetime(2026, 2, 12, 8, tzinfo=UTC)
    assert recording.web().get(feed.url, now=recording.start, headers={}).body == body


def test_a_feed_without_dates_or_ending_is_known_by_its_root(tmp_path: Path) -> None:
    """A file need not be called a feed to be one."""
    (tmp_path / "saved").write_text('\n<?xml version="1.0"?><!-- x --><feed xmlns="http://www.w3.org/2005/Atom"/>')
    recording = load(tmp_path / "saved")
    assert (recording.feeds[0].outlet, recording.start) == ("saved", UNDATED_START)


def test_a_directory_may_mix_texts_pages_lines_and_feeds(tmp_path: Path) -> None:
    """Every kind that PATH may be may also lie beside the others."""
    lines(tmp_path / "c.jsonl", {"id": "j", "title": "J"})
    recording = load(
        texts(tmp_path, a__txt="A text.", b__html="<p>A page of four words.", d__rss=_RSS.encode("latin-1"))
    )
    assert ids(recording) == ["a", "b", "j"]
    assert [feed.outlet for feed in recording.feeds] == ["Recorded", "Le Café"]


def test_a_manifest_may_be_named_itself_and_hold_texts(tmp_path: Path) -> None:
    """A manifest is a recording wherever it is called, in YAML or JSON, and says which files it leaves out."""
    texts(tmp_path, a__txt="From a file.", spare__txt="Not listed.")
    articles = [{"file": "a.txt"}, {"id": "t", "text": "Talks end\nInline.", "published_at": "2026-02-11"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"articles": articles}))
    for path in (tmp_path, tmp_path / "manifest.json"):
        if path.suffix == ".json":
            path = path.rename(tmp_path / "other.yaml")  # noqa: PLW2901 - the same file under another name
        recording = load(path)
        assert [(a.id, a.title) for a in recording.articles] == [("t", "Talks end"), ("a", "From a file.")]
        assert any("spare.txt" in str(note) for note in recording.notes)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Talks end in Oman\nBoth sides met.", "Talks end in Oman"),
        ("Talks end in Oman", "Talks end in Oman"),
        ("Talks ended. Both sides met.\nMore.", "Talks ended."),
        ("“We will not,” he said.\nMore.", "“We will not,” he said."),
        ("\n\n  Talks   end \n\nMore.", "Talks end"),
        ("", ""),
        ("word " * 60, "word " * 29 + "word"),
        ("x" * 400, "x" * TITLE_MAX),
    ],
    ids=["headline", "alone", "sentence", "quote", "blank-lines", "empty", "long", "one-word"],
)
def test_the_headline_of_a_plain_text_is_its_first_line_or_sentence(text: str, title: str) -> None:
    """A short first line that ends no sentence is a headline; else the first sentence stands in."""
    assert headline(text) == title

"""Pages as the open web serves them: refusing, broken, foreign and hostile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.articles import Extract, NoText, extract, page_head
from worker.articles.extraction import TEXT_MAX
from worker.errors import Unusable
from worker.model import Reason

_STORY = [f"Sentence number {n} of the story says what the delegates of town {n} decided." for n in range(12)]
_PARAGRAPHS = "".join(f"<p>{sentence}</p>" for sentence in _STORY)


def read(page: str | bytes, *, charset: str | None = None, language: str | None = None) -> Extract | NoText:
    """Return what is read from ``page``."""
    body = page if isinstance(page, bytes) else page.encode()
    return extract(body, url="https://news.example/a", charset=charset, language=language)


def text_of(page: str | bytes, *, charset: str | None = None) -> str:
    """Return the text of an article that ``page`` is expected to hold."""
    found = read(page, charset=charset)
    assert isinstance(found, Extract), found
    return found.text


_CHALLENGE = "<title>Just a moment...</title><body><h1>news.example</h1><p>Checking your browser.</p>"
_NOSCRIPT = "<body><noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"
_CONSENT = """<title>We value your privacy</title><body>
<p>We and our 120 partners process personal data. Manage your choices or accept all.</p>"""
_TEASER = "<body><article><p>Talks failed in the night.</p><p>Subscribe to continue reading.</p></article>"
_NOT_FOUND = "<title>404 Not Found</title><body><h1>404 Not Found</h1><p>The page you requested does not exist.</p>"
_INDEX = "<body><ul>" + "".join(f"<li><a href=/{n}>Report on town {n} and its bridges</a></li>" for n in range(40))


@pytest.mark.parametrize(
    ("detail", "page"),
    [
        ("checking-browser", _CHALLENGE),
        ("javascript-only", "<body><div id=root></div><script>boot()</script>"),
        ("javascript-only", _NOSCRIPT),
        ("consent-wall", _CONSENT),
        ("paywall-teaser", _TEASER),
        ("error-page", _NOT_FOUND),
        ("link-list", _INDEX),
        ("empty", "<html><head></head><body></body></html>"),
        ("not-html", '{"articles": []}'),
        ("empty", ""),
        ("empty", " \n\t "),
    ],
)
def test_a_page_without_an_article_says_what_it_is(detail: str, page: str) -> None:
    """Each kind of refusal has its word, and the reason is always no-text."""
    found = read(page)
    assert isinstance(found, NoText)
    assert (found.reason, found.detail) == (Reason.NO_TEXT, detail)


def test_a_teaser_is_kept_beside_its_reason() -> None:
    """What a wall lets through may still be the best text there is."""
    found = read(_TEASER)
    assert isinstance(found, NoText)
    assert "Talks failed in the night." in found.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251", "koi8-r"])
@pytest.mark.parametrize("declared_by", ["header", "page", "nobody"])
def test_a_page_is_read_in_its_own_encoding(encoding: str, declared_by: str) -> None:
    """Header, page and statistics are asked in that order."""
    text = "Министр заявил, что программа не подлежит обсуждению ни при каких условиях. Переговоры продолжатся завтра."
    label = f'<meta charset="{encoding}">' if declared_by == "page" else ""
    page = f"<html><head>{label}<title>Т</title></head><body><article><p>{text}</p></article></body></html>"
    assert text_of(page.encode(encoding), charset=encoding if declared_by == "header" else None) == text


def test_zero_bytes_in_a_page_do_not_end_it() -> None:
    """A stray NUL ends the text for a parser in C, so it is taken out before."""
    assert text_of(f"<body>{_PARAGRAPHS}</body>".replace("</p>", "\0</p>")) == "\n".join(_STORY)


@pytest.mark.parametrize("tag", ["div", "span", "blockquote", "section"])
def test_an_article_below_thousands_of_levels_is_found(tag: str) -> None:
    """The parser gives up at 255 levels; the article below them is read nevertheless."""
    page = f"<body>{f'<{tag}>' * 3000}{_PARAGRAPHS}{f'</{tag}>' * 3000}</body>"
    assert text_of(page) == "\n".join(_STORY)


def test_an_article_behind_megabytes_of_script_is_found() -> None:
    """Inline data must not push the article beyond the limit."""
    page = f"<head><script>{'var a = 1; ' * 300_000}</script></head><body>{_PARAGRAPHS}</body>"
    found = read(page)
    assert isinstance(found, Extract)
    assert (found.text, found.cut) == ("\n".join(_STORY), False)


_SENTENCE = "The committee went on to read out the names of all the villages. "


def test_five_megabytes_of_text_are_read_to_the_end() -> None:
    """What the last sentence says is in the article."""
    found = read(f"<body><p>{_SENTENCE * 80_000}Then they went home.</p></body>")
    assert isinstance(found, Extract)
    assert (found.text[-20:], found.cut) == ("Then they went home.", False)


def test_a_longer_text_is_cut_at_a_sentence_and_said_to_be() -> None:
    """The text is bounded, ends with a whole sentence, and carries the mark."""
    found = read(f"<body><p>{_SENTENCE * (TEXT_MAX // len(_SENTENCE) + 100)}</p></body>")
    assert isinstance(found, Extract)
    assert found.cut
    assert TEXT_MAX - 1000 < len(found.text) <= TEXT_MAX
    assert found.text.endswith("villages.")


def test_parts_that_advertisements_split_are_one_article() -> None:
    """Large publishers repeat the container of the text around every advertisement."""
    chunk = '<div class="article__body grid">{}</div><div class="ad">Buy a boat</div>'
    parts = "".join(chunk.format("".join(f"<p>{s}</p>" for s in _STORY[i : i + 4])) for i in (0, 4, 8))
    assert text_of(f"<body><main><article><h1>T</h1>{parts}</article></main></body>") == "\n".join(_STORY)


@pytest.mark.parametrize("wrapper", ["<form>{}</form>", "<div hidden>{}</div>", "<div aria-hidden='true'>{}</div>"])
def test_a_page_inside_of_a_form_or_a_hidden_frame_is_read(wrapper: str) -> None:
    """Some software wraps the whole page; what holds the headline is not furniture."""
    assert text_of("<body>" + wrapper.format(f"<h1>The headline</h1>{_PARAGRAPHS}") + "</body>") == "\n".join(_STORY)


def test_the_mark_of_the_publisher_decides_what_the_body_is() -> None:
    """What schema.org's articleBody holds is the article, however much stands beside it."""
    beside = "".join(f"<p>{s.replace('delegates', 'readers')}</p>" for s in _STORY * 3)
    page = f"<body><div>{beside}</div><div itemprop=articleBody><p>{_STORY[0]}</p><p>{_STORY[1]}</p></div></body>"
    assert text_of(page) == f"{_STORY[0]}\n{_STORY[1]}"


@pytest.mark.parametrize("title", ["Delegates meet, at last", "DELEGATES MEET AT LAST"], ids=["page", "feed"])
def test_a_headline_inside_of_the_body_is_no_paragraph(title: str) -> None:
    """Some pages set the headline in the body, and some feeds have a headline that the page lacks."""
    page = f"<body><div itemprop=articleBody><h2>Delegates meet, at last</h2>{_PARAGRAPHS}</div></body>"
    found = extract(page.encode(), url="https://news.example/a", charset=None, title=title)
    assert isinstance(found, Extract)
    assert found.text == "\n".join(_STORY)
    own = read(f"<head><title>Delegates meet, at last | The Mill</title></head>{page}")
    assert isinstance(own, Extract)
    assert (own.title, own.text) == ("Delegates meet, at last", found.text)


def test_a_marked_body_without_words_is_not_filled_from_the_furniture() -> None:
    """A page whose article a script would bring has no text, though it has other words."""
    links = "".join(f"<p>Another report of ours, number {n}.</p>" for n in range(5))
    found = read(f"<body><h1>T</h1><div itemprop=articleBody></div>{links}<script>fill()</script></body>")
    assert isinstance(found, NoText)
    assert found.detail == "javascript-only"


def test_the_language_of_the_page_goes_before_that_of_the_feed() -> None:
    """A page knows its language better than the feed that leads to it; the feed's is better than none."""
    for opening, wanted in (('<html lang="fr-FR">', "fr"), ("<html>", "de")):
        found = read(f"{opening}<body>{_PARAGRAPHS}</body></html>", language="de")
        assert isinstance(found, Extract)
        assert found.language == wanted


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="article:published_time" content="2026-02-11T10:00:00+01:00">',
        '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2026-02-11T09:00:00Z"}</script>',
        '<meta name="date" content="2026-02-11 09:00">',
    ],
    ids=["open-graph", "json-ld", "meta"],
)
def test_the_date_of_a_page_is_found_where_publishers_put_it(head: str) -> None:
    """Three habits, one instant, always in UTC."""
    date = page_head(f"<html><head>{head}</head><body>{_PARAGRAPHS}</body></html>".encode()).published_at
    assert date is not None
    assert date.isoformat() == "2026-02-11T09:00:00+00:00"


def test_plain_text_is_its_own_article() -> None:
    """A page without any tag is a text, and its lines are its paragraphs."""
    assert text_of("\n\n".join(_STORY)) == "\n".join(_STORY)


def test_a_failure_of_the_extractor_names_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """One page must not stop the others: the error says which it was, and keeps its cause."""

    def broken(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("worker.articles.extraction.parse", broken)
    with pytest.raises(Unusable, match=r"https://news\.example/a: .*RecursionError: too deep"):
        read("<p>x</p>")


# fmt: off
_PIECES = (
    "<p>", "</p>", "<div>", "</div>", "<table><tr><td>", "<a href=", "<!--", "-->", "<script>", "</script>", "&#0;",
    "&#x110000;", "<h1>", "words", "\0", "\ud800", "é", "<svg>", "]]>", "<?xml?>", "<br>", "\"'", "<html lang=",
    "<meta charset=utf-16>", "<body>", "<li>", "<form>", "<title>", "<b itemprop=articleBody>", "<",
)
# fmt: on


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=40).map(" ".join))
def test_no_page_raises_anything(page: str) -> None:
    """Whatever the tags, the answer is an article or a reason."""
    assert isinstance(read(page.encode("utf-8", "surrogatepass")), Extract | NoText)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.sampled_from([None, "utf-8", "utf-16", "koi8-r", "nonsense"]))
def test_no_bytes_raise_anything(body: bytes, charset: str | None) -> None:
    """Whatever the bytes and the header, the answer is an article or a reason."""
    assert isinstance(read(body, charset=charset), Extract | NoText)

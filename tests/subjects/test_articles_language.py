"""The language of texts, and links that hide where they lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.articles.aggregators import is_aggregator
from worker.articles.language import language_of_text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The minister said on Monday that the bridge over the river would be closed until the end of the year."),
        (
            "de",
            "Die Ministerin sagte am Montag, dass die Brücke über den Fluss bis zum Jahresende gesperrt bleibe.",
        ),
        ("fr", "La ministre a déclaré lundi que le pont sur le fleuve resterait fermé jusqu'à la fin de l'année."),
        ("es", "La ministra dijo el lunes que el puente sobre el río permanecería cerrado hasta el final del año."),
        ("fa", "وزیر روز دوشنبه گفت که پل روی رودخانه تا پایان سال بسته خواهد ماند و کار از بهار آغاز می‌شود."),
        ("ru", "Министр заявила в понедельник, что мост через реку останется закрытым до конца этого года."),
    ],
)
def test_a_text_of_some_length_names_its_language(code: str, text: str) -> None:
    """Topics with ``languages`` look at it where neither feed nor page says."""
    assert language_of_text(text) == code


@pytest.mark.parametrize("text", ["", "Bridge closed", "1,234 – 5,678 (9.1 %)" * 3])
def test_a_text_that_could_be_of_many_languages_names_none(text: str) -> None:
    """Better unknown than wrong: an unknown language excludes no topic."""
    assert language_of_text(text) is None


@given(st.text(max_size=300))
def test_every_text_has_an_answer(text: str) -> None:
    """A two-letter code or none, whatever the text."""
    found = language_of_text(text)
    assert found is None or (len(found) == 2 and found.isalpha())


@pytest.mark.parametrize(
    ("url", "hides"),
    [
        ("https://news.google.com/rss/articles/CBMiabc?oc=5", True),
        ("https://news.google.com/articles/CBMiabc", True),
        ("https://news.google.co.uk/read/CBMiabc", True),
        ("https://news.google.com/topics/abc", False),
        ("https://wire.example/?u=https://news.google.com/rss/articles/CBMiabc", False),
    ],
)
def test_a_link_of_google_news_hides_its_article(url: str, hides: bool) -> None:
    """Such an entry is told from the feed's own text, and the link is marked and not decoded."""
    assert is_aggregator(url) is hides

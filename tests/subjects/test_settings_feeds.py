from __future__ import annotations

from datetime import timedelta

import pytest

from worker.model import Feed
from worker.settings.document import parse
from worker.settings.feeds_file import read_feeds


def _feeds(text: str) -> list[Feed]:
    part = read_feeds(parse("feeds.yaml", text, {"TOKEN": "hunter2", "ON": "true"}))
    assert part.problems == ()
    return [feed.value for feed in part.value]


def _problems(text: str) -> list[tuple[int, int, str]]:
    part = read_feeds(parse("feeds.yaml", text, {}))
    return [(p.line, p.column, p.message) for p in sorted(part.problems)]


def test_a_feed_says_only_what_differs_from_the_defaults() -> None:
    """Defaults stand in for the keys that a feed leaves out, and headers of both are joined."""
    plain, own = _feeds(
        """
        defaults: {interval: 7m, language: de, headers: {X-One: a, X-Two: b}}
        feeds:
          - {id: plain, url: "https://news.example.org/feed"}
          - {id: own, url: "https://news.example.org/two", interval: 90, language: NO, outlet: Own, full_text: true,
             conditional: false, enabled: "${ON}", headers: {x-two: c, Authorization: "Bearer ${TOKEN}"}}
        """
    )
    assert plain == Feed(
        id="plain",
        url="https://news.example.org/feed",
        outlet="news.example.org",
        interval=timedelta(minutes=7),
        language="de",
        headers={"X-One": "a", "X-Two": "b"},
    )
    assert own == Feed(
        id="own",
        url="https://news.example.org/two",
        outlet="Own",
        interval=timedelta(seconds=90),
        language="no",
        full_text=True,
        conditional=False,
        headers={"X-One": "a", "x-two": "c", "Authorization": "Bearer hunter2"},
    )


def test_a_feed_without_an_id_is_known_by_its_url() -> None:
    """Every key has a default, the id too, as long as it is the same tomorrow."""
    (feed,) = _feeds("feeds: [{url: 'https://www.example.org/feed/?b=1&a=2'}]")
    assert feed.id == "example.org/feed?a=2&b=1"


def test_a_feed_may_turn_off_what_the_defaults_turn_on() -> None:
    """What a feed says itself holds, even where it is what would hold without any defaults."""
    (feed,) = _feeds("defaults: {enabled: false, full_text: true}\nfeeds: [{url: 'https://x.example/', enabled: true}]")
    assert (feed.enabled, feed.full_text) == (True, True)


@pytest.mark.parametrize(
    ("defaults", "own", "allowed"),
    [
        ("", "", None),
        ("true", "", True),
        ("", "false", False),
        ("[10.0.0.0/8]", "", ("10.0.0.0/8",)),
        ("[10.0.0.0/8]", "[192.0.2.1, 'fd00::/8']", ("192.0.2.1/32", "fd00::/8")),
        ("true", "false", False),
    ],
)
def test_a_feed_may_have_private_addresses_of_its_own(defaults: str, own: str, allowed: object) -> None:
    """Without a word, it is as the network says."""
    (feed,) = _feeds(
        f"defaults: {{allow_private: {defaults}}}\nfeeds: [{{url: 'https://x.example/', allow_private: {own}}}]"
    )
    assert feed.allow_private == allowed


@pytest.mark.parametrize("text", ["", "feeds:", "feeds: []", "{}", "defaults:\nfeeds:\nopml:\n"])
def test_no_feeds_is_no_mistake(text: str) -> None:
    """A key without a value is a key with its default."""
    assert _feeds(text) == []


@pytest.mark.parametrize(
    ("feed", "column", "message"),
    [
        ("url: ftp://x.example/", 9, "url: expected a URL that begins with https:// or http://"),
        ("url: x.example/feed", 9, "url: expected a URL with a host"),
        ("url: https:///feed", 9, "url: expected a URL with a host"),
        ("url: https://x.example:99999/", 9, "url: the host or the port"),
        ("url: https://x.example/a b", 9, "url: a URL holds no spaces"),
        ("id: x", 4, "url: missing"),
        ("urll: https://x.example/", 4, 'urll: unknown key; did you mean "url"?'),
        ("colour: red", 4, "colour: unknown key; known here: "),
        ("id: 007", 8, "id: expected text, found a number; put it in quotes"),
        ("id: true", 8, "id: expected text, found true or false without quotes; put it in quotes"),
        ("id: a*", 8, "id: an id holds none of"),
        ("id: ''", 8, "id: an id is one line"),
        ("id: ' a'", 8, "id: an id is one line"),
        ("interval: 10 minutes", 14, 'interval: "10 minutes" is no duration; write 10m'),
        ("interval: 0", 14, "interval: expected a duration longer than 0"),
        ("interval: -5", 14, "interval: a number is no duration; a duration cannot be negative"),
        ("interval: [5m]", 14, "interval: a list is no duration"),
        ("language: english", 14, 'language: "english" is no language code of ISO 639-1; write en'),
        ("language: jp", 14, "write ja"),
        ("language: false", 14, "language: expected text, found true or false without quotes; put it in quotes"),
        ("enabled: yes", 13, 'enabled: expected true or false, found "yes"; write true, without quotes'),
        ("enabled: 1", 13, "enabled: expected true or false, found a number"),
        ("headers: [a]", 13, "headers: expected a mapping (key: value), found a list"),
        ("headers: {X: 1}", 17, "X: expected text, found a number; put it in quotes"),
        ("headers: {a b: x}", 14, "a b: a header's name"),
        ('headers: {X: "a\\r\\nHost: b"}', 17, "X: a header's value is one line"),
        ("allow_private: 10.0.0.0/8", 19, "allow_private: expected true, false or a list of networks"),
        ("allow_private: [10.0.0.1/8]", 19, "allow_private: "),
        ("outlet: ''", 12, "outlet: expected text, found an empty one"),
    ],
)
def test_a_mistake_in_a_feed_is_found_at_its_place(feed: str, column: int, message: str) -> None:
    """Each message names the key, what was expected and what was found."""
    found = _problems(f"feeds:\n  - {feed}\n")
    assert any((line, at) == (2, column + 1) and message in text for line, at, text in found), found


@pytest.mark.parametrize("code", ["no", "NO", "'no'", "No", "nb", "no-NO"])
def test_norwegian_is_a_language_and_not_a_no(code: str) -> None:
    """The two letters that older YAML takes for false name a language here."""
    (feed,) = _feeds(f"feeds: [{{url: 'https://x.example/', language: {code}}}]")
    assert feed.language == ("nb" if code == "nb" else "no")


def test_norwegian_is_a_language_even_under_a_directive_for_older_yaml() -> None:
    """%YAML 1.1 does not bring the old booleans back."""
    (feed,) = _feeds("%YAML 1.1\n---\nfeeds: [{url: 'https://x.example/', language: NO}]\n")
    assert feed.language == "no"


def test_two_feeds_with_one_id_name_each_other() -> None:
    """The second one is the mistake, and the line of the first is said."""
    ((line, column, message),) = _problems(
        "feeds:\n  - {id: a, url: https://x.example/}\n  - {url: https://y.example/, id: a}\n"
    )
    assert (line, column) == (3, 35)
    assert message == 'id: another feed has the id "a", on line 2; ids must differ'


def test_two_feeds_with_one_url_are_odd_but_no_mistake() -> None:
    """The page would be polled twice."""
    document = parse("f", "feeds:\n  - {id: a, url: https://x.example/}\n  - {id: b, url: http://www.x.example}\n", {})
    part = read_feeds(document)
    assert part.problems == ()
    assert [(w.line, w.column) for w in part.warnings] == [(3, 18)]


def test_one_wrong_feed_does_not_hide_another() -> None:
    """All mistakes are said at once, those of the defaults too."""
    found = _problems("defaults: {interval: soon}\nfeeds:\n  - {id: a}\n  - just text\n  -\n  - {url: x, id: 5}\n")
    assert [(line, column) for line, column, _ in found] == [(1, 22), (3, 5), (4, 5), (5, 4), (6, 11), (6, 18)]


@pytest.mark.parametrize("text", ["[]", "- {url: https://x.example/}", "text", "5"])
def test_a_file_of_feeds_is_a_mapping(text: str) -> None:
    """A list without its key is refused with what was found."""
    ((line, column, message),) = _problems(text)
    assert (line, column) == (1, 1)
    assert message.startswith("expected a mapping (key: value), found ")

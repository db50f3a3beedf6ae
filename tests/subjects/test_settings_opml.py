from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from worker.errors import ConfigError
from worker.model import Feed
from worker.settings import load
from worker.settings.document import parse
from worker.settings.opml import Opml, Outline, parse_opml, read_opml, render_opml
from worker.settings.opml_key import add_opml


def _read(body: str) -> Opml:
    return parse_opml("f.opml", f"<opml version='2.0'>\n<body>\n{body}\n</body>\n</opml>".encode())


def _outlines(body: str) -> tuple[Outline, ...]:
    opml = _read(body)
    assert (opml.problems, opml.warnings) == ((), ())
    return opml.outlines


def test_feeds_are_found_in_whatever_folders_they_stand() -> None:
    """An outline with an xmlUrl is a feed, any other a folder; title goes before text."""
    found = _outlines(
        """<outline text="News"><outline text="A" title="The A" xmlUrl="https://a.example/" language="en-GB"/>
        <outline title="Deep"><outline text="B"><outline text=" b
          B " type="rss" xmlUrl=" https://b.example/feed?x=1&amp;y=2 "/></outline></outline></outline>
        <outline XMLURL="http://c.example/" htmlUrl="http://other.example/"/>"""
    )
    assert found == (
        Outline(url="https://a.example/", outlet="The A", language="en", line=3),
        Outline(url="https://b.example/feed?x=1&y=2", outlet="b B", line=found[1].line),
        Outline(url="http://c.example/", line=6),
    )
    assert found[2].id == "c.example/"


def test_what_is_commented_out_is_not_enabled() -> None:
    """OPML 2.0 says so of an outline with isComment and of all below it."""
    found = _outlines(
        """<outline isComment="true" text="x"><outline><outline xmlUrl="https://a.example/"/></outline></outline>
        <outline xmlUrl="https://b.example/" isComment="true"/>
        <outline xmlUrl="https://c.example/" isComment="false"/>"""
    )
    assert [outline.enabled for outline in found] == [False, False, True]


def test_a_wrong_url_is_an_error_at_its_line() -> None:
    """The URL itself may hold a secret and is not shown; the other feeds are read."""
    opml = _read(
        '<outline xmlUrl="ftp://x.example/secret"/>\n<outline xmlUrl=""/>\n<outline xmlUrl="https://a.example/"/>'
    )
    assert [(p.line, p.message.partition(":")[0]) for p in opml.problems] == [(3, "xmlUrl"), (4, "xmlUrl")]
    assert "secret" not in "".join(map(str, opml.problems))
    assert [outline.url for outline in opml.outlines] == ["https://a.example/"]


def test_a_feed_that_is_listed_twice_is_taken_once() -> None:
    """Folders of readers overlap; www. and the scheme make no other feed."""
    opml = _read('<outline xmlUrl="https://a.example/x"/>\n<outline xmlUrl="http://www.a.example/x/"/>')
    assert len(opml.outlines) == 1
    assert [str(w) for w in opml.warnings] == [
        "f.opml:4: xmlUrl: this feed is listed on line 3 already; it is polled once"
    ]


def test_a_language_that_is_none_is_left_out_and_said() -> None:
    """The feed is read all the same."""
    opml = _read(
        '<outline xmlUrl="https://a.example/" language="klingon?"/>\n<outline xmlUrl="https://b.example/" language=""/>'
    )
    assert [outline.language for outline in opml.outlines] == [None, None]
    assert [w.line for w in opml.warnings] == [3]


_LAUGHS = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"", 1, "is no XML that can be read"),
        (b"feeds:\n  - url", 1, "is no XML that can be read"),
        (b"<opml>\n<body>\n<outline xmlUrl='https://a.example/?a=1&b=2'/>", 3, "write &amp; for &"),
        (b"<opml><body>", 1, "is no XML that can be read"),
        (b"<opml>" + b"<outline>" * 400 + b"</outline>" * 400 + b"</opml>", 1, "is no XML that can be read"),
        (b"<html><body/></html>", 1, "begins with <html>, not <opml>"),
        (b"<rss version='2.0'/>", 1, "begins with <rss>"),
        (f"{_LAUGHS}<opml><outline xmlUrl='https://a.example/&b;'/></opml>".encode(), 1, "declares entities"),
        (b"<!DOCTYPE o [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><opml>&x;</opml>", 1, "declares entities"),
    ],
)
def test_what_is_no_opml_is_refused_with_its_place(raw: bytes, line: int, message: str) -> None:
    """Each message names the file, the line, and what to do."""
    (problem,) = parse_opml("f.opml", raw).problems
    assert (problem.file, problem.line) == ("f.opml", line)
    assert message in problem.message


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Nothing is raised, a directory and an impossible name included."""
    assert [p.message for p in read_opml(tmp_path / "no.opml").problems] == [
        "cannot be read: No such file or directory"
    ]
    assert [p.message for p in read_opml(tmp_path).problems] == ["cannot be read: Is a directory"]
    assert read_opml(Path("a\0b")).problems


def test_a_file_without_feeds_is_odd() -> None:
    """It may be the export of something else."""
    assert "lists no feeds" in _read("<outline text='note'/>").warnings[0].message


def test_encodings_are_those_of_xml() -> None:
    """Readers export in what they like."""
    text = '<?xml version="1.0" encoding="{}"?><opml><outline text="Zürich" xmlUrl="https://z.example/"/></opml>'
    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        (outline,) = parse_opml("f", text.format(encoding).encode(encoding)).outlines
        assert outline.outlet == "Zürich"


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
_URLS = st.from_regex(r"https?://[a-z]{1,8}\.example(?::[1-9][0-9]{1,3})?/[a-z0-9&=%'\"<>?/._~-]{0,20}", fullmatch=True)


@given(st.lists(st.tuples(_URLS, _NAMES, st.sampled_from([None, "en", "no"]), st.booleans()), max_size=5))
def test_what_is_exported_is_read_back(feeds: list[tuple[str, str, str | None, bool]]) -> None:
    """Names, URLs, languages and whether feeds are enabled come through, whatever characters they hold."""
    given = [
        Feed(id=str(n), url=url, outlet=outlet, language=language, enabled=enabled)
        for n, (url, outlet, language, enabled) in enumerate(feeds)
    ]
    raw = render_opml(given, title='<&"\x00')
    assert etree.fromstring(raw).get("version") == "2.0"
    found = {outline.url: outline for outline in parse_opml("f", raw).outlines}
    for feed in given:
        if feed.url in found and [f.url for f in given].count(feed.url) == 1:
            outline = found[feed.url]
            assert (outline.language, outline.enabled) == (feed.language, feed.enabled)
            kept = "".join(c for c in feed.outlet if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
            assert outline.outlet == " ".join(kept.split())
    assert len(found) == len({outline.id for outline in found.values()})
    assert bool(found) is bool(given)


def _config(directory: Path, feeds: str, **files: str) -> Path:
    (directory / "feeds.yaml").write_text(feeds, "utf-8")
    for name, body in files.items():
        (directory / f"{name}.opml").write_text(f"<opml>\n<body>\n{body}\n</body></opml>", "utf-8")
    return directory


def test_feeds_of_opml_files_join_the_others_with_the_defaults(tmp_path: Path) -> None:
    """What feeds.yaml says of a feed holds; the files lie beside it."""
    _config(
        tmp_path,
        "defaults: {interval: 7m, language: de, headers: {X-A: b}, allow_private: [10.0.0.0/8]}\n"
        "feeds: [{id: mine, url: 'https://www.a.example/feed/', outlet: Mine, interval: 3m}]\n"
        "opml: [one.opml, two.opml]\n",
        one='<outline text="A" xmlUrl="http://a.example/feed"/>'
        '<outline text="B" xmlUrl="https://b.example/" language="fr"/>',
        two='<outline xmlUrl="https://b.example"/><outline xmlUrl="https://c.example/x" isComment="true"/>',
    )
    settings = load(tmp_path, {})
    mine, b, c = settings.feeds
    assert (mine.id, mine.outlet, mine.interval) == ("mine", "Mine", timedelta(minutes=3))
    assert b == Feed(
        id="b.example/",
        url="https://b.example/",
        outlet="B",
        interval=timedelta(minutes=7),
        language="fr",
        headers={"X-A": "b"},
        allow_private=("10.0.0.0/8",),
    )
    assert (c.id, c.outlet, c.language, c.enabled) == ("c.example/x", "c.example", "de", False)
    assert {Path(file).name for file in settings.files} == {"feeds.yaml", "one.opml", "two.opml"}
    assert settings.warnings == ()


def test_mistakes_of_opml_files_stand_at_their_lines(tmp_path: Path) -> None:
    """The entry that names a missing file, the line of a wrong URL, and an id that is taken."""
    _config(
        tmp_path,
        "feeds:\n  - {id: x.example/feed, url: https://y.example/}\nopml:\n  - missing.opml\n  - a.opml\n",
        a='<outline xmlUrl="nothing"/>\n<outline xmlUrl="https://x.example/feed"/>',
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {})
    assert [str(p).removeprefix(f"{tmp_path}/").partition(":  ")[0] for p in caught.value.problems] == [
        "a.opml:3: xmlUrl: expected a URL with a host, such as https://example.org/feed.xml",
        "a.opml:4: xmlUrl: another feed has for its id what would be the id of this one; give it another id",
        f"feeds.yaml:4:5: opml[0]: there is no such file in {tmp_path}",
    ]


def test_a_hurried_feed_of_an_opml_file_is_said_once(tmp_path: Path) -> None:
    """Its interval is that of the defaults."""
    body = "".join(f'<outline xmlUrl="https://{n}.example/"/>' for n in range(50))
    _config(tmp_path, "defaults: {interval: 10s}\nopml: a.opml\n", a=body)
    settings = load(tmp_path, {})
    assert len(settings.feeds) == 50
    assert len(settings.warnings) == 1


_COMMENTED = """\
# Our feeds
defaults:
  interval: 10m         # ten
feeds:
  - {id: a, url: "https://a.example/feed?x=${TOKEN}"}   # a
  # - {id: b}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "opml: [n.opml]\n"),
        ("# nothing yet", "# nothing yet\n\nopml: [n.opml]\n"),
        (_COMMENTED, f"{_COMMENTED}\nopml: [n.opml]\n"),
        (_COMMENTED.replace("\n", "\r\n"), f"{_COMMENTED}\nopml: [n.opml]\n".replace("\n", "\r\n")),
        (_COMMENTED + "opml: [a.opml]  # ours\n", _COMMENTED + "opml: [a.opml, n.opml]  # ours\n"),
        ("opml:\n  - a.opml # one\n  # two\nfeeds: []\n", "opml:\n  - a.opml # one\n  - n.opml\n  # two\nfeeds: []\n"),
        ("opml:\r\n- a.opml\r\nfeeds: []\r\n", "opml:\r\n- a.opml\r\n- n.opml\r\nfeeds: []\r\n"),
        ("opml: a.opml\n", "opml:\n  - a.opml\n  - n.opml\n"),
        ("opml:\nfeeds: []\n", "opml:\n  - n.opml\nfeeds: []\n"),
        ("opml: []\n", "opml: [n.opml]\n"),
        (
            "opml:   [ 'a b.opml'   ]   # odd\nfeeds:   [  ]\n",
            "opml:   [ 'a b.opml', n.opml   ]   # odd\nfeeds:   [  ]\n",
        ),
        ('{"feeds": []}', '{"feeds": [], opml: [n.opml]}\n'),
    ],
)
def test_the_name_of_a_file_is_added_and_nothing_else_is_touched(tmp_path: Path, before: str, after: str) -> None:
    """Comments, variables, order and line ends stay."""
    path = tmp_path / "feeds.yaml"
    path.write_bytes(before.encode())
    changed = add_opml(path, "n.opml")
    assert changed is not None
    assert changed == after
    path.write_bytes(changed.encode())
    assert add_opml(path, "n.opml") is None


@pytest.mark.parametrize(
    "before", ["- a\n", "text", "opml: {a: b}\n", "a: 1\na: 2\n", "a: [", "opml: '${X}'\n", "feeds: []\n...\n# end\n"]
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone(tmp_path: Path, before: str) -> None:
    """What cannot be read, or is no mapping, is for a person to mend."""
    path = tmp_path / "feeds.yaml"
    path.write_text(before, "utf-8")
    with pytest.raises(ConfigError, match=r"feeds\.yaml"):
        add_opml(path, "n.opml")


@pytest.mark.parametrize("name", ["a b.opml", "it's.opml", "Zürich, alle.opml", "${HOME}.opml", "[x].opml", "#1.opml"])
def test_any_name_can_be_added(tmp_path: Path, name: str) -> None:
    """Quotes and dollar signs are written so that the name is read back."""
    for before in ("", "opml: [a.opml]\n", "opml:\n  - a.opml\n"):
        path = tmp_path / "feeds.yaml"
        path.write_text(before, "utf-8")
        changed = add_opml(path, name)
        assert changed is not None
        said = parse("f", changed, {}).at(("opml",))
        assert isinstance(said, list)
        assert said[-1] == name

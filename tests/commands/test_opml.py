from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.commands.shells import ends_well, under
from tests.processes import ROOT, Ended, wirewatch
from worker.settings import load
from worker.settings.opml import parse_opml

_FEEDS = """\
# Ours
feeds:
  - {id: mine, url: "https://www.a.example/feed", outlet: "A & <B>"}   # the first
  - {id: off, url: "https://off.example/", language: fr, enabled: false}
"""
_OPML = """\
<opml version="2.0">
<body><outline text="Folder">
<outline text="Known" xmlUrl="http://a.example/feed/"/>
<outline text="New" xmlUrl="https://new.example/?a=1&amp;b=2" language="de"/>
<outline text="Newer" xmlUrl="https://newer.example/"/>
</outline></body>
</opml>
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration of two feeds."""
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "feeds.yaml").write_text(_FEEDS, "utf-8")
    (directory / "feeds.yaml").chmod(0o640)
    return directory


def _run(config: Path, *args: str | Path, code: int = 0) -> Ended:
    return ends_well(wirewatch("opml", *args, "--config", config, cwd=config.parent / "cwd"), code)


def _opml(config: Path, text: str = _OPML, name: str = "My list.xml") -> Path:
    path = config.parent / name
    path.write_text(text, "utf-8")
    return path


def _files(config: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in config.iterdir()}


def test_all_configured_feeds_are_exported(config: Path) -> None:
    """To stdout as a whole and well-formed file, the disabled one as a comment."""
    done = _run(config, "export")
    found = parse_opml("out", done.out.encode())
    assert (found.problems, found.warnings) == ((), ())
    assert [(o.outlet, o.url, o.language, o.enabled) for o in found.outlines] == [
        ("A & <B>", "https://www.a.example/feed", None, True),
        ("off.example", "https://off.example/", "fr", False),
    ]


def test_an_export_writes_over_nothing_unless_told_to(config: Path) -> None:
    """A file that exists is somebody's."""
    out = config.parent / "out.opml"
    assert _run(config, "export", out).err == f"{out}: 2 feeds\n"
    written = out.read_bytes()
    assert written == _run(config, "export").out.encode()
    out.write_text("mine", "utf-8")
    assert "--force" in _run(config, "export", out, code=2).err
    assert out.read_text("utf-8") == "mine"
    _run(config, "export", out, "--force")
    assert out.read_bytes() == written


def test_an_import_adds_the_file_and_touches_nothing_else(config: Path) -> None:
    """The file is copied beside feeds.yaml and named there; all that stood there stands there still."""
    done = _run(config, "import", _opml(config))
    assert done.out.splitlines()[:3] == [
        "new    New  https://new.example/?a=1&b=2",
        "new    Newer  https://newer.example/",
        f"{config.parent / 'My list.xml'}: 2 feeds new, 1 configured already",
    ]
    assert _files(config) == {
        "feeds.yaml": f"{_FEEDS}\nopml: [My-list.opml]\n".encode(),
        "My-list.opml": _OPML.encode(),
    }
    assert (config / "feeds.yaml").stat().st_mode & 0o777 == 0o640
    feeds = {feed.id: feed for feed in load(config, {}).feeds}
    assert list(feeds) == ["mine", "off", "new.example/?a=1&b=2", "newer.example/"]
    assert feeds["new.example/?a=1&b=2"].language == "de"
    assert feeds["mine"].outlet == "A & <B>"


def test_what_is_imported_twice_is_known_the_second_time(config: Path) -> None:
    """Nothing is copied and nothing changed then."""
    _run(config, "import", _opml(config))
    before = _files(config)
    assert "0 feeds new, 3 configured already" in _run(config, "import", _opml(config)).out
    assert _files(config) == before


def test_other_files_of_the_same_name_are_kept(config: Path) -> None:
    """The second one gets a number."""
    _run(config, "import", _opml(config))
    other = _OPML.replace("newer.example", "newest.example")
    _run(config, "import", _opml(config, other))
    assert _files(config)["My-list-2.opml"] == other.encode()
    assert _files(config)["feeds.yaml"].decode().endswith("\nopml: [My-list.opml, My-list-2.opml]\n")
    assert len(load(config, {}).feeds) == 5


def test_a_file_that_lies_there_already_is_named_and_not_copied(config: Path) -> None:
    """Somebody has put it beside feeds.yaml."""
    (config / "lists of mine.opml").write_text(_OPML, "utf-8")
    _run(config, "import", config / "lists of mine.opml")
    assert set(_files(config)) == {"feeds.yaml", "lists of mine.opml"}
    assert len(load(config, {}).feeds) == 4


def test_a_configuration_without_feeds_gets_its_first(tmp_path: Path) -> None:
    """There is no feeds.yaml yet."""
    config = tmp_path / "own"
    config.mkdir()
    _run(config, "import", _opml(config))
    assert (config / "feeds.yaml").read_text("utf-8") == "opml: [My-list.opml]\n"
    assert len(load(config, {}).feeds) == 3


def test_a_dry_run_changes_nothing(config: Path) -> None:
    """It says what is new all the same, to programs too."""
    before = _files(config)
    assert _run(config, "import", _opml(config), "--dry-run").out.endswith("Nothing was changed.\n")
    found = json.loads(_run(config, "import", _opml(config), "--dry-run", "--json").out)
    assert [feed["id"] for feed in found["new"]] == ["new.example/?a=1&b=2", "newer.example/"]
    assert [(feed["url"], feed["line"]) for feed in found["known"]] == [("http://a.example/feed/", 3)]
    assert found["copied_to"] is None
    assert _files(config) == before
    assert json.loads(_run(config, "import", _opml(config), "--json").out)["copied_to"] == str(config / "My-list.opml")


def test_a_round_trip_gives_the_same_feeds(config: Path) -> None:
    """Export into another configuration: the same URLs, names, languages and switches; into the same: nothing new."""
    out = config.parent / "all.opml"
    _run(config, "export", out)
    assert "0 feeds new, 2 configured already" in _run(config, "import", out).out
    other = config.parent / "other"
    other.mkdir()
    _run(other, "import", out)
    mine, theirs = ([(f.url, f.outlet, f.language, f.enabled) for f in load(c, {}).feeds] for c in (config, other))
    assert mine == theirs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html/>", ":1: is XML and no OPML"),
        ("nothing", ":1:1: is no XML"),
        (_OPML.replace("https://new.", "ftp://new."), ":4: xmlUrl: expected a URL that begins with https://"),
    ],
)
def test_a_wrong_file_changes_nothing(config: Path, text: str, message: str) -> None:
    """Every mistake has its line, and the code is that of a usage error."""
    before = _files(config)
    assert f"My list.xml{message}" in _run(config, "import", _opml(config, text), code=2).err
    assert _files(config) == before


def test_what_cannot_be_taken_in_is_undone(config: Path) -> None:
    """A feed whose id is taken: the copy goes, and feeds.yaml is as it was."""
    clash = _OPML.replace("newer.example/", "newer.example/x")
    (config / "feeds.yaml").write_text(_FEEDS.replace("id: off", 'id: "newer.example/x"'), "utf-8")
    before = _files(config)
    assert "another feed has for its id" in _run(config, "import", _opml(config, clash), code=2).err
    assert _files(config) == before


def test_a_file_of_feeds_that_cannot_be_changed_safely_is_left_to_its_owner(config: Path) -> None:
    """What to write is said."""
    (config / "feeds.yaml").write_text(f"{_FEEDS}...\n# the end\n", "utf-8")
    before = _files(config)
    assert 'write this into it:  opml: ["My-list.opml"]' in _run(config, "import", _opml(config), code=2).err
    assert _files(config) == before


def test_a_link_to_a_file_of_feeds_stays_one(config: Path) -> None:
    """Configuration is often linked from elsewhere."""
    kept = config.parent / "kept.yaml"
    (config / "feeds.yaml").rename(kept)
    (config / "feeds.yaml").symlink_to(kept)
    _run(config, "import", _opml(config))
    assert (config / "feeds.yaml").is_symlink()
    assert kept.read_text("utf-8").endswith("opml: [My-list.opml]\n")


def test_a_missing_file_or_directory_is_named(config: Path) -> None:
    """Nothing is made that nobody asked for."""
    assert "no.opml: cannot be read: No such file" in _run(config, "import", "no.opml", code=2).err
    assert "there is no such directory" in _run(config.parent / "no", "import", _opml(config), code=2).err


def test_many_feeds_are_not_all_shown(config: Path) -> None:
    """A list of 100 is a line for some, and a sum."""
    body = "".join(f'<outline xmlUrl="https://{n}.example/"/>\n' for n in range(100))
    lines = _run(config, "import", _opml(config, f"<opml>{body}</opml>")).out.splitlines()
    assert sum(line.startswith("new ") for line in lines) == 20
    assert "... and 80 feeds more; --json shows all" in lines


def test_the_shipped_feeds_can_be_exported_into_a_closed_pipe(tmp_path: Path) -> None:
    """As any output of ours can."""
    done = under("reader-gone", "opml", "export", "--config", ROOT / "config", cwd=tmp_path / "x")
    assert done.code == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", [(), ("export",), ("import",)])
def test_help_says_what_happens(config: Path, command: tuple[str, ...]) -> None:
    """Without reading any file."""
    out = _run(config, *command, "--help").out if command else wirewatch("opml", "--help", cwd=config.parent / "c").out
    assert "OPML" in out
    assert os.sep + "work" not in out

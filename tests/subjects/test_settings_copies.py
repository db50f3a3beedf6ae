from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError, Problem
from worker.settings import Settings, load, load_files, reading, take
from worker.settings.sources import FILES, content_of, copy_of

_ROOT = Path(__file__).parents[2]
_DESIGN = _ROOT / "tests" / "data" / "config" / "design"
_ENV = {"SLACK_BOT_TOKEN": "xoxb-hunter2", "WEBHOOK_SECRET": "hunter2"}
_OPML = '<opml version="2.0"><body>\n<outline xmlUrl="https://{0}.example/rss" title="{1}"/></body></opml>'


def _placeless(settings: Settings) -> Settings:
    """Return settings without what names the files that they come from."""
    warnings = tuple(sorted(replace(warning, file="") for warning in settings.warnings))
    return replace(settings, warnings=warnings, files=())


def _both(directory: Path, env: Mapping[str, str]) -> tuple[Settings, Settings]:
    """Return the settings of a directory, and those of a copy of it, which must need the directory no more."""
    loaded, taken = load(directory, env), take(directory, env)
    assert taken.settings == loaded
    files = dict(taken.files)
    for path in directory.iterdir():
        path.unlink()
    return loaded, load_files(files, env)


def _copied(source: Path, target: Path) -> Path:
    for path in source.glob("*.*"):
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("source", [_DESIGN, _ROOT / "config"], ids=["design", "shipped"])
def test_a_copy_says_what_the_files_said(tmp_path: Path, source: Path) -> None:
    """On another machine, without the directory, to the last field."""
    loaded, again = _both(_copied(source, tmp_path), _ENV)
    assert loaded.feeds
    assert loaded.topics
    assert _placeless(again) == _placeless(loaded)
    assert set(again.files) == set(FILES) | ({"opml[0]"} if source is _DESIGN else set())


def test_a_copy_holds_variables_and_never_their_values(tmp_path: Path) -> None:
    """Whoever reads it puts in those of its own environment."""
    taken = take(_copied(_DESIGN, tmp_path), _ENV)
    assert not [text for text in taken.files.values() if "hunter2" in text]
    assert "${WEBHOOK_SECRET}" in taken.files["alerts.yaml"]
    assert "${WEBHOOK_SECRET}" not in repr(taken)
    elsewhere = load_files(taken.files, {"SLACK_BOT_TOKEN": "t", "WEBHOOK_SECRET": "other"})
    assert elsewhere.channels["siem"].options["secret"] == "other"
    with pytest.raises(ConfigError, match=r"alerts\.yaml:3:\d+: the environment variable WEBHOOK_SECRET is not set"):
        load_files(taken.files, {"SLACK_BOT_TOKEN": "t"})


def test_lists_of_feeds_come_along_wherever_they_are(tmp_path: Path) -> None:
    """Beside feeds.yaml, in a directory, by an absolute path, twice, or by a variable that is another one elsewhere."""
    config, far = tmp_path / "config", tmp_path / "far"
    for folder in (config / "lists", far):
        folder.mkdir(parents=True)
    (config / "a.opml").write_text(_OPML.format("a", "Ä"), encoding="utf-8")
    (config / "lists" / "b.opml").write_text(_OPML.format("b", "B"), encoding="utf-8")
    (far / "c.opml").write_text(_OPML.format("c", "C"), encoding="utf-8")
    names = f"[a.opml, lists/b.opml, a.opml, '{far / 'c.opml'}', '${{FAR}}/c.opml']"
    (config / "feeds.yaml").write_text(f"opml: {names}\n", encoding="utf-8")
    env = {"FAR": str(far)}
    loaded, taken = load(config, env), take(config, env)
    assert sorted(taken.files) == ["feeds.yaml", *(f"opml[{n}]" for n in range(5))]
    assert str(far) not in taken.files["opml[4]"]
    config.rename(tmp_path / "gone")
    far.rename(tmp_path / "gone too")
    again = load_files(taken.files, {"FAR": "/elsewhere"})
    assert [feed.outlet for feed in again.feeds] == ["Ä", "B", "C"]
    assert _placeless(again) == _placeless(loaded)


def test_one_list_of_feeds_needs_no_brackets(tmp_path: Path) -> None:
    """As in the file itself."""
    (tmp_path / "a.opml").write_text(_OPML.format("a", "A"), encoding="utf-8")
    (tmp_path / "feeds.yaml").write_text("opml: a.opml\n", encoding="utf-8")
    loaded, again = _both(tmp_path, {})
    assert _placeless(again) == _placeless(loaded)
    assert len(again.feeds) == 1


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8-sig", ""), ("latin-1", "ISO-8859-1"), ("utf-16", "UTF-16"), ("cp1252", "windows-1252"),
     ("utf-8", "ISO-8859-1")],
)  # fmt: skip
def test_a_list_of_feeds_in_another_encoding_comes_along(tmp_path: Path, encoding: str, declared: str) -> None:
    """XML says itself in which encoding it is, and need not be UTF-8."""
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    (tmp_path / "a.opml").write_bytes((declaration + _OPML.format("a", "Élan — ö")).encode(encoding, "replace"))
    (tmp_path / "feeds.yaml").write_text("opml: a.opml\n", encoding="utf-8")
    loaded, again = _both(tmp_path, {})
    assert len(again.feeds) == 1
    assert _placeless(again) == _placeless(loaded)


@given(st.binary() | st.text().map(str.encode) | st.just(b"data:;base64,AAAA"))
def test_a_copy_is_the_file_to_the_byte(content: bytes) -> None:
    """Whatever it holds; and databases take it, for it has no null characters."""
    copy = copy_of(content)
    assert content_of(copy) == content
    assert "\0" not in copy
    assert copy.encode("utf-8").decode("utf-8") == copy


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_copy_of_a_text_can_be_read_by_people(text: str) -> None:
    """It is the text."""
    assert copy_of(text.encode()) == text or text.startswith("data:;base64,")


def test_a_byte_order_mark_and_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    """Windows writes both, and places in messages count by them."""
    (tmp_path / "topics.yaml").write_bytes(b"\xef\xbb\xbf# \xc3\xa4\r\n- {id: x, any: rocket}\r\n")
    taken = take(tmp_path, {})
    assert taken.files == {"topics.yaml": "\ufeff# ä\r\n- {id: x, any: rocket}\r\n"}
    assert load_files(taken.files, {}).topics == taken.settings.topics


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("alerts.yaml", b"channels: \xff", "byte 0xFF is not UTF-8"),
        ("feeds.yaml", "feeds: []".encode("utf-16"), "is in UTF-16"),
        ("topics.yaml", b"- {id: \0}", "U+0000 is not allowed"),
        ("service.yaml", b"workers: 0", "must be at least 1"),
        ("feeds.yaml", b"opml: [no.opml]", "there is no such file in"),
        ("topics.yaml", b"#" * (reading.LARGEST + 1), "is larger than 20 MiB"),
    ],
)
def test_what_cannot_be_loaded_is_not_taken(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """With the same words."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as taken:
        take(tmp_path, {})
    with pytest.raises(ConfigError) as loaded:
        load(tmp_path, {})
    assert taken.value.problems == loaded.value.problems
    assert message in str(taken.value)


def test_a_list_of_feeds_that_is_too_large_is_not_taken(tmp_path: Path) -> None:
    """Nothing reads on without an end."""
    (tmp_path / "feeds.yaml").write_text("opml: a.opml\n", encoding="utf-8")
    (tmp_path / "a.opml").write_bytes(b" " * (reading.LARGEST + 1))
    with pytest.raises(ConfigError, match=r"a\.opml: is larger than 20 MiB"):
        take(tmp_path, {})


def test_a_directory_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    """As for loading; one that was not asked for has nothing in it."""
    missing = tmp_path / "nowhere"
    with pytest.raises(ConfigError, match="there is no such directory"):
        take(missing, {}, required=True)
    taken = take(missing, {})
    assert taken.files == {}
    assert _placeless(load_files({}, {})) == replace(_placeless(taken.settings), warnings=())


def test_a_copy_that_lacks_a_file_says_so() -> None:
    """It was made by hand, or by another version."""
    with pytest.raises(ConfigError, match=r"feeds\.yaml:1:8: opml\[0\]: there is no such file in this copy"):
        load_files({"feeds.yaml": "opml: [a.opml]"}, {})
    with pytest.raises(ConfigError, match=r"opml\[0\]: is no copy that this version has made"):
        load_files({"feeds.yaml": "opml: [a.opml]", "opml[0]": "data:;base64,?"}, {})
    (warning,) = load_files({"feed.yaml": ""}, {}).warnings
    assert warning == Problem(file="feed.yaml", message=warning.message)
    assert 'did you mean "feeds.yaml"?' in warning.message


def test_a_copy_is_of_the_bytes_that_were_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is read once, so that an editor who saves meanwhile gets nothing unchecked into a copy."""
    _copied(_DESIGN, tmp_path)
    opened: list[str] = []
    plainly = Path.open

    def counted(path: Path, *args: str, **options: str) -> object:
        opened.append(path.name)
        return plainly(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counted)
    take(tmp_path, _ENV)
    assert sorted(opened) == sorted([*FILES, "subscriptions.opml"])

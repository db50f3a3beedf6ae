from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.model import Near, Topic
from worker.settings.document import parse
from worker.settings.part import Part
from worker.settings.topics_file import Topics, read_topics


def _read(text: str) -> Part[Topics]:
    return read_topics(parse("topics.yaml", text, {"PHRASE": "hunter2", "LIMIT": "0.7"}))


def _topics(text: str) -> list[Topic]:
    part = _read(text)
    assert part.problems == ()
    return [topic.value for topic in part.value.topics]


def test_every_key_of_a_topic_is_read() -> None:
    """What the file says reaches the value of the same name."""
    topic, _ = _topics(
        """
        topics:
          - id: all
            topic: a phrase
            anchors: [[missile, rocket], launch]
            any: talks
            all: [programme, "off the table"]
            none: [film*]
            near: {groups: [[missile], [talks]], within: 5, negated: true}
            query: 'missile AND NOT film'
            meaning: A government refuses to talk.
            unlike: [A government talks.]
            require: both
            threshold: ${LIMIT}
            languages: [en-GB, NO]
            outlets: BBC
            channels: [screen]
            urgent: true
            refines: wider
            examples: {match: yes it is, ignore: [no, "off"]}
          - {id: wider, any: talks}
        """
    )
    assert topic == Topic(
        id="all",
        topic="a phrase",
        anchors=(("missile", "rocket"), ("launch",)),
        any=("talks",),
        all=("programme", "off the table"),
        none=("film*",),
        near=(Near(groups=(("missile",), ("talks",)), within=5, negated=True),),
        query="missile AND NOT film",
        meaning=("A government refuses to talk.",),
        unlike=("A government talks.",),
        require="both",
        threshold=0.7,
        languages=("en", "no"),
        outlets=("BBC",),
        channels=("screen",),
        urgent=True,
        refines=("wider",),
        examples_match=("yes it is",),
        examples_ignore=("no", "off"),
    )


def test_a_phrase_alone_is_a_topic_with_an_id_of_its_own() -> None:
    """A person may type nothing but a phrase."""
    (topic,) = _topics("topics: [{topic: Missile program: non-negotiable!}]".replace(": non", " non"))
    assert (topic.id, topic.topic) == ("missile-program-non-negotiable", "Missile program non-negotiable!")


def test_near_is_one_mapping_or_a_list_of_them() -> None:
    """One is written without a list."""
    one = "{groups: [[a1], [b1]]}"
    first, second = _topics(f"topics: [{{id: x, near: {one}}}, {{id: y, near: [{one}, {one}]}}]")
    assert first.near == (Near(groups=(("a1",), ("b1",)), within=12),)
    assert len(second.near) == 2


@pytest.mark.parametrize(
    "text", ["- {id: x, any: [rocket]}", '[{"id": "x", "any": ["rocket"]}]', "topics: [{id: x, any: rocket}]"]
)
def test_a_bare_list_of_topics_is_a_file_of_topics(text: str) -> None:
    """The key above the list may be left out, and JSON is YAML."""
    assert _topics(text) == [Topic(id="x", any=("rocket",))]


@pytest.mark.parametrize("text", ["", "topics:", "topics: []", "[]", "{}"])
def test_no_topics_is_no_mistake(text: str) -> None:
    """Nothing to watch for is an empty list."""
    assert _topics(text) == []


_WORDS = st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=12)
_LISTS = st.lists(_WORDS, min_size=1, max_size=3).map(tuple)


@settings(deadline=None)  # other processes may share the machine
@given(
    st.builds(
        Topic,
        id=_WORDS,
        any=_LISTS,
        all=_LISTS,
        anchors=st.lists(_LISTS, max_size=2).map(tuple),
        near=st.builds(
            lambda groups, words: (Near(groups=tuple(groups), within=words),),
            st.lists(_LISTS, min_size=2, max_size=3),
            st.integers(1, 50),
        ),
        threshold=st.floats(0, 1),
        urgent=st.booleans(),
    )
)
def test_a_topic_written_as_json_comes_back_as_it_was(topic: Topic) -> None:
    """Reading loses nothing and adds nothing."""
    written = asdict(topic)
    written["examples"] = {"match": written.pop("examples_match"), "ignore": written.pop("examples_ignore")}
    part = _read(json.dumps([written]))
    assert [found.value for found in part.value.topics] == [topic]


@pytest.mark.parametrize(
    ("topic", "column", "message"),
    [
        ("evry: 5", 5, "evry: unknown key"),
        ("anchor: [[x]]", 5, 'anchor: unknown key; did you mean "anchors"?'),
        ("anchors: [missile, rocket]", 14, "anchors: expected a list of lists"),
        ("anchors: missile", 14, "anchors: expected a list of lists"),
        ("anchors: [[missile], 5]", 26, "anchors[1][0]: expected text, found a number; put it in quotes"),
        ("anchors: {a: b}", 14, "anchors: expected a list, found a mapping"),
        ("any: [737]", 11, "any[0]: expected text, found a number; put it in quotes"),
        ("any: 737", 10, "any[0]: expected text, found a number; put it in quotes"),
        ("any: [true]", 11, "any[0]: expected text, found true or false without quotes; put it in quotes"),
        ("any: {a: b}", 10, "any: expected a list, found a mapping"),
        ("any: [[a]]", 11, "any[0]: expected text, found a list"),
        ("any: [x,, y]", 5, ""),
        ("near: [a, b]", 12, "near[0]: expected a mapping (key: value), found text"),
        ("near: {within: 3}", 11, "groups: missing"),
        ("near: {groups: [a, b]}", 20, "groups: expected a list of lists"),
        ("near: {groups: [[a1], [b1]], within: 0}", 42, "within: must be at least 1"),
        ("near: {groups: [[a1], [b1]], within: ten}", 42, "within: expected a whole number, found text"),
        ("near: {groups: [[a1], [b1]], negated: no}", 43, 'found "no"; write false, without quotes'),
        ("near: {groups: [[a1], [b1]], negate: true}", 34, 'negate: unknown key; did you mean "negated"?'),
        ("query: [a]", 12, "query: expected text, found a list"),
        ("require: any", 14, 'require: expected either or both, found "any"'),
        ("threshold: 1.5", 16, "threshold: must be at most 1"),
        ("threshold: -0.1", 16, "threshold: must be at least 0"),
        ("threshold: high", 16, "threshold: expected a number, found text"),
        ("threshold: .inf", 16, "threshold: "),
        ("languages: [english]", 17, "languages[0]: "),
        ("languages: {en: 1}", 16, "languages: expected a list, found a mapping"),
        ("outlets: ['']", 15, "outlets[0]: expected text, found an empty one"),
        ("urgent: 'true'", 13, 'found "true"; write true, without quotes'),
        ("examples: [a]", 15, "examples: expected a mapping (key: value), found a list"),
        ("examples: {match: [5]}", 24, "match[0]: expected text, found a number; put it in quotes"),
        ("examples: {matches: x}", 16, 'matches: unknown key; did you mean "match"?'),
        ("meaning: ['']", 15, "meaning[0]: expected text, found an empty one"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_topic_is_found_at_its_place(topic: str, column: int, message: str) -> None:
    """Each message names the key, what was expected and what was found."""
    problems = _read(f"- id: x\n  all: rocket\n- id: y\n  all: rocket\n  {topic}\n").problems
    assert any(p.line == 5 and message in p.message and (not message or p.column == column - 2) for p in problems), (
        problems
    )


@pytest.mark.parametrize(
    "topic",
    [
        "id: x",
        "{id: x, anchors: [[rocket]]}",
        "{id: x, none: [film]}",
        "{id: x, unlike: [It flies.]}",
        "{id: x, any: []}",
    ],
)
def test_a_topic_with_nothing_to_find_is_a_mistake(topic: str) -> None:
    """Clauses that only restrict, and lists without words, find nothing."""
    (problem,) = _read(f"- {topic}\n").problems
    assert "topic x: nothing to find; give it topic, any, all, near, query or meaning" in problem.message


def test_a_topic_needs_a_name() -> None:
    """Without a phrase there is nothing to make an id of."""
    (problem,) = _read("topics:\n  - any: rocket\n").problems
    assert (problem.line, problem.column) == (2, 5)
    assert problem.message == "id: missing; a topic needs an id, or a phrase in topic"


def test_two_topics_with_one_id_name_each_other() -> None:
    """An id that a phrase gives counts too."""
    (problem,) = _read("- {id: red-line, any: x1}\n- {topic: Red line}\n").problems
    assert (problem.line, problem.column) == (2, 3)
    assert '"red-line", on line 1' in problem.message


def test_a_topic_at_the_top_of_the_file_is_told_where_it_belongs() -> None:
    """One remedy instead of a row of unknown keys."""
    (problem,) = _read("id: x\nany: [rocket]\n").problems
    assert 'put it under "topics:"' in problem.message


@pytest.mark.parametrize("text", ["topics: {x: {any: y}}", "topic: x\nfoo: y", "text", "5", "topics: text"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    """No file is silently empty."""
    assert _read(text).problems


@pytest.mark.parametrize(("written", "kept"), [("", "ignore"), ("on_opposite: alert", "alert")])
def test_what_becomes_of_the_opposite_can_be_chosen(written: str, kept: str) -> None:
    """It is ignored unless a topic asks for it."""
    (topic,) = _read(f"- id: x\n  meaning: [It flies high.]\n  {written}").value.topics
    assert topic.value.on_opposite == kept
    assert "ignore or alert" in _read("- {id: x, any: [y], on_opposite: tell}").problems[0].message


def test_a_topic_refines_others_by_their_ids() -> None:
    """Also one that comes later in the file, and one whose id is its phrase."""
    narrow, middle, _ = _topics(
        "- {id: narrow, any: x1, refines: [middle, red-line]}\n"
        "- {id: middle, any: x1, refines: red-line}\n"
        "- topic: Red line"
    )
    assert (narrow.refines, middle.refines) == (("middle", "red-line"), ("red-line",))


@pytest.mark.parametrize(
    ("text", "places", "message"),
    [
        ("- {id: x, any: y1, refines: [y]}", [(1, 30)], 'refines[0]: no topic is called "y"; there are x'),
        (
            "- {id: x, any: y1, refines: wide}\n- {id: wider, any: y1}",
            [(1, 29)],
            'refines[0]: no topic is called "wide"; did you mean "wider"?',
        ),
        ("- {id: x, any: y1, refines: x}", [(1, 29)], "refines[0]: leads back to this topic"),
        (
            "- {id: x, any: y1, refines: y}\n- {id: y, any: y1, refines: [z]}\n- {id: z, any: y1, refines: x}",
            [(1, 29), (2, 30), (3, 29)],
            "leads back to this topic",
        ),
        ("- {id: x, any: y1, refines: 5}", [(1, 29)], "refines[0]: expected text, found a number; put it in quotes"),
    ],
    ids=["unknown", "misspelt", "itself", "circle", "no-text"],
)
def test_a_topic_refines_only_what_there_is_and_never_itself(
    text: str, places: list[tuple[int, int]], message: str
) -> None:
    """Each place in a circle is named: only a person knows which one is wrong."""
    problems = _read(text).problems
    assert [(p.line, p.column) for p in problems] == places
    assert all(message in p.message for p in problems)


def test_a_topic_that_is_wrong_otherwise_can_be_refined() -> None:
    """One mistake is one message."""
    (problem,) = _read("- {id: x, any: y1, refines: y}\n- {id: y, any: 5}").problems
    assert "put it in quotes" in problem.message

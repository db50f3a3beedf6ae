"""Trying topics: drafts with their mistakes, trials on articles, and topics as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, article, topic
from tests.processes import ROOT
from worker.build import trying, wording
from worker.build.meaning import Opened
from worker.build.trying import Draft, Trial, draft, trial
from worker.build.wording import own_text, topic_text
from worker.errors import Unusable
from worker.model import Article, Evidence, Near, Reason, Topic
from worker.settings import Service, load_files, take
from worker.settings.reading import decode
from worker.settings.topics_file import read_topics
from worker.settings.values import Judge, Meaning
from worker.topics.meaning.engine import Engine
from worker.web.response import Response

RULE = "- {id: missiles, any: [missile]}\n"
BOTH = "- {id: a, any: [missile]}\n- {id: b, refines: [a, c], near: {groups: [[missile], [talks]], within: 3}}\n"


def drafted(text: str, **more: object) -> Draft:
    """Return a draft, with no variables."""
    return draft(text, env={}, **more)  # type: ignore[arg-type]


def tried(text: str, *articles: Article, **more: object) -> Trial:
    """Return what topics that match by rules say of articles."""
    found = drafted(text)
    assert not found.problems
    return trial(found.topics, articles, opened=Opened(), **more)  # type: ignore[arg-type]


# Drafts


def test_a_draft_has_its_topics_and_the_lints_of_the_check() -> None:
    """A bare phrase is read, with the remark that wirewatch check makes of it, where it stands."""
    found = drafted("topics:\n  - topic: missile program non-negotiable\n")
    assert [one.id for one in found.topics] == ["missile-program-non-negotiable"]
    assert found.problems == ()
    (remark,) = found.remarks
    assert (remark.file, remark.line, remark.column) == ("topics.yaml", 2, 5)
    assert "a phrase alone is less sure" in remark.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("- id: x\n  any: [missile\n", 3, 1, "closing ]"),
        ("- id: x\n  treshold: 0.4\n", 2, 3, "threshold"),
        ("- id: x\n  query: 'missile AND'\n", 2, 0, "query"),
        ("- id: x\n  query: '(missile'\n", 2, 0, "query"),
        ("- id: x\r\n  any: 'a'\r\n  threshold: 7\r\n", 3, 14, "at most 1"),
        ("id: x\ntopic: y\n", 1, 1, "begin it with"),
        ("", 1, 1, "there is no topic"),
        ("# nothing\n", 1, 1, "there is no topic"),
        ("- id: x\n  topic: ${SECRET}\n", 2, 10, "SECRET is not set"),
        ("- id: x\n  topic: y\n- id: x\n  topic: z\n", 3, 0, "x"),
        ("\x00", 0, 0, "not allowed in YAML"),
        ("[" * 30_000, 0, 0, "nested too deeply"),
    ],
)
def test_a_mistake_is_named_at_its_line(text: str, line: int, column: int, words: str) -> None:
    """As file:line:column against the text that was written (0: wherever), with what to do."""
    found = drafted(text)
    assert found.problems
    said = next(problem for problem in found.problems if words in problem.message)
    assert said.file == "topics.yaml"
    assert line in {0, said.line}
    assert column in {0, said.column}


def test_a_topic_may_refine_one_that_is_in_force() -> None:
    """What is known elsewhere is no mistake here; what nobody knows is one."""
    (problem,) = drafted(BOTH).problems
    assert (problem.line, problem.column) == (2, 24)
    assert 'no topic is called "c"' in problem.message
    assert drafted(BOTH, known={"c"}).problems == ()
    assert drafted(BOTH, known={"d"}).problems


def test_a_channel_that_nobody_defines_is_a_remark() -> None:
    """It does not keep the topic from being tried; where channels are not known, nothing is said."""
    text = "- {id: a, any: [missile], channels: [ops]}\n"
    assert not drafted(text).remarks
    assert "no channel is called" in str(drafted(text, channels={"screen"}).remarks[0])
    assert not drafted(text, channels={"ops"}).remarks


def test_a_text_that_is_too_long_is_refused() -> None:
    """In bytes, with the bound; the same for the number of topics and for pasted articles."""
    assert "200000" in str(drafted("#" * (trying.YAML_MAX + 1)).problems[0])
    many = "".join(f"- {{id: t{n}, any: [missile]}}\n" for n in range(trying.TOPICS_MAX + 1))
    assert "20 at a time" in str(drafted(many).problems[0])
    with pytest.raises(Unusable, match="200000"):
        trying.pasted("", "ä" * 100_001, now=NOON)
    with pytest.raises(Unusable, match="no text"):
        trying.pasted(" ", "\n", now=NOON)


@given(st.text(alphabet=st.sampled_from("-:[]{}#&*!|>'\"%@` \n\t,$abc0") | st.characters(), max_size=60))
def test_whatever_is_written_is_a_topic_or_a_mistake(text: str) -> None:
    """No text raises, and there is never neither."""
    found = drafted(text)
    assert found.topics or found.problems


# Trials


def test_matches_come_with_score_clause_and_evidence() -> None:
    """In the order of the articles, the evidence with the words around it."""
    found = tried(RULE, article(1), article(2, text="Ferries."), article(3, title="Rocket", text="A missile."))
    assert (found.looked, dict(found.matched)) == (3, {"missiles": 2})
    assert [hit.article.id for hit in found.hits] == ["a-1", "a-3"]
    first = found.hits[0]
    assert (first.match.score, first.match.by, first.match.clause) == (0.9, "rule", 'any: "missile"')
    (passage,) = first.passages
    assert passage.text == "Something was said about missiles on Monday."
    assert [passage.text[a:b] for a, b in passage.spans] == ["missiles"]
    assert first.article.text == ""


@given(
    st.text(alphabet="ab \n", max_size=3000), st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 9)), max_size=6)
)
def test_evidence_is_shown_once_among_its_words(text: str, places: list[tuple[int, int]]) -> None:
    """Each piece that is marked is what the article says, none is shown in two passages, and all passages are short."""
    found = [
        Evidence(field="text", start=start, end=start + size, text=text[start : start + size])
        for start, size in places
        if start + size <= len(text) and "\n" not in text[start : start + size]
    ]
    shown = trying.passages(article(1, text=text), found)
    pieces = [passage.text[a:b] for passage in shown for a, b in passage.spans]
    assert len(pieces) <= len(found)
    assert Counter(pieces) <= Counter(e.text for e in found)
    assert bool(shown) is bool(found)
    assert all(passage.spans and len(passage.text) < 1200 for passage in shown)


def test_near_misses_come_best_first_with_what_was_missing() -> None:
    """The share of clauses that held is their score; what has nothing of the topic is none."""
    text = "- {id: both, all: [missile, ferry, harbour]}\n"
    found = tried(
        text,
        article(1, text="A missile."),
        article(2, text="A missile and a ferry."),
        article(3, text="Nothing."),
        article(4, text="The harbour has a ferry with a missile."),
    )
    assert [hit.article.id for hit in found.hits] == ["a-4"]
    assert [hit.article.id for hit in found.near] == ["a-2", "a-1"]
    assert found.near[0].match.reason is Reason.NO_MATCH
    assert "harbour" in found.near[0].match.clause
    assert found.near[0].match.score > found.near[1].match.score > 0
    assert dict(found.reasons) == {Reason.NO_MATCH: 3}


def test_only_the_ten_nearest_misses_are_kept_and_of_equals_the_first() -> None:
    """Of a thousand misses those that matter are shown, the newest before older ones of the same score."""
    far = [article(n, text="A missile.") for n in range(100)]
    near = [article(n, text="A missile and a ferry.") for n in range(100, 108)]
    found = tried("- {id: both, all: [missile, ferry, harbour]}\n", *far, *near)
    assert [hit.article.id for hit in found.near] == [*(f"a-{n}" for n in range(100, 108)), "a-0", "a-1"]


def test_a_single_article_is_answered_even_when_nothing_of_it_fits() -> None:
    """Whoever pastes one wants to know why not."""
    (answer,) = tried(RULE, article(1, text="Ferries.")).near
    assert (answer.match.score, answer.match.reason) == (0.0, Reason.NO_MATCH)


def test_many_matches_are_counted_and_the_first_hundred_shown() -> None:
    """The number is right, although the page has a bound."""
    found = tried(RULE, *(article(n) for n in range(150)))
    assert (found.matched["missiles"], len(found.hits)) == (150, trying.HITS)


def test_a_trial_ends_when_it_is_told_to() -> None:
    """An endless source is read no further, what was found so far is there, and why it ended."""

    def endless() -> Iterator[Article]:
        while True:
            yield article(1)

    found = trial(drafted(RULE).topics, endless(), opened=Opened(), stop=lambda looked: "enough" if looked == 3 else "")
    assert (found.looked, found.stopped, found.matched["missiles"]) == (3, "enough", 3)


def test_examples_are_run_and_their_failures_named() -> None:
    """Those that must match and those that must not; languages and outlets do not count."""
    examples = "{match: [A ferry.], ignore: [A missile.]}"
    found = tried(f"- {{id: a, any: [missile], languages: [fr], outlets: [BBC], examples: {examples}}}")
    assert [(one.text, one.wanted, one.passed) for one in found.examples] == [
        ("A ferry.", True, False),
        ("A missile.", False, False),
    ]


def test_what_is_lost_without_models_is_said(tmp_path: Path) -> None:
    """With meaning switched off a phrase matches nothing, and the trial says why."""
    service = Service(meaning=Meaning(model="off"))
    found = drafted("- topic: missile program non-negotiable\n")
    opened = trying.Bench(tmp_path).meaning(service, found.topics)
    ended = trial(found.topics, [article(1)], opened=opened)
    assert "meaning disabled: meaning.model is off" in ended.notes[0]
    assert dict(ended.reasons) == {Reason.MEANING_DISABLED: 1}


def test_the_models_are_opened_once_and_find_the_claim(tmp_path: Path) -> None:
    """A bare phrase finds an article that does not use its words, and leaves out the opposite."""
    bench = trying.Bench(tmp_path)
    found = drafted("- topic: missile program non-negotiable\n")
    opened = bench.meaning(Service(), found.topics)
    assert bench.meaning(Service(), [replace(found.topics[0], topic="ferries to the island")]) is opened
    says = article(1, title="", text="Tehran says its missiles will not be discussed.")
    opposite = article(2, title="", text="Iran says it is ready to negotiate about its missiles.")
    ended = trial(found.topics, [says, opposite], opened=opened)
    assert [hit.article.id for hit in ended.hits] == ["a-1"]
    assert [hit.article.id for hit in ended.near] == ["a-2"]


def test_the_judge_is_not_asked(tmp_path: Path) -> None:
    """Its answers cost money, and a trial asks about thousands of articles."""
    judge = Judge(url="https://judge.example/v1", model="m", key="k")
    service = Service(meaning=Meaning(judge=judge))
    opened = trying.Bench(tmp_path).meaning(service, drafted("- topic: missile program\n").topics)
    assert isinstance(opened.meaning, Engine)
    assert opened.meaning._judge is None


# Pages


class OnePage:
    """A web of one page."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.robots: list[bool] = []
        self._answer = Response(status=status, url="https://wire.example/9", headers={}, body=body)

    def get(self, url: str, *, robots: bool = False, **_: object) -> Response:
        """Return it, and remember whether robots.txt was to be obeyed."""
        assert url == "https://wire.example/1"
        self.robots.append(robots)
        return self._answer


def read(web: OnePage) -> Article:
    """Read the page."""
    from worker.articles.extraction import extract

    return trying.read_page("https://wire.example/1", web=web, extract=extract, now=NOON)


def test_a_page_is_read_as_the_service_reads_it() -> None:
    """With robots.txt obeyed and its text extracted."""
    words = "<p>" + "The minister said on Monday that the missile programme is not open to talks. " * 12 + "</p>"
    web = OnePage(f"<html><head><title>Not open</title></head><body><article>{words}</article></body></html>".encode())
    found = read(web)
    assert web.robots == [True]
    assert "not open to talks" in found.text
    assert found.url == "https://wire.example/9"


@pytest.mark.parametrize(
    ("web", "words"), [(OnePage(b"", 404), "answered 404"), (OnePage(b"%PDF-1.7 ..."), "paste its text")]
)
def test_a_page_without_an_article_says_so(web: OnePage, words: str) -> None:
    """What the server answered or the page is, and what to do."""
    with pytest.raises(Unusable, match=words):
        read(web)


# Topics as text


def read_back(text: str) -> list[Topic]:
    """Return the topics of a text."""
    return [placed.value for placed in read_topics(decode("topics.yaml", text.encode(), {})).value.topics]


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
LISTS = st.lists(WORDS, max_size=3).map(tuple)
TOPICS = st.builds(
    Topic,
    id=st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True),
    topic=WORDS,
    anchors=st.lists(st.lists(WORDS, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple),
    any=LISTS,
    all=LISTS,
    none=LISTS,
    near=st.lists(
        st.builds(
            Near,
            groups=st.lists(st.lists(WORDS, min_size=1, max_size=2).map(tuple), min_size=1, max_size=2).map(tuple),
            within=st.integers(1, 50),
            negated=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    query=st.just("") | WORDS,
    meaning=LISTS,
    unlike=LISTS,
    require=st.sampled_from(["either", "both"]),
    threshold=st.floats(0, 1, allow_nan=False),
    on_opposite=st.sampled_from(["ignore", "alert"]),
    languages=st.sampled_from([(), ("en",), ("no", "de")]),
    outlets=LISTS,
    channels=LISTS,
    refines=LISTS,
    urgent=st.booleans(),
    examples_match=LISTS,
    examples_ignore=LISTS,
)


@given(TOPICS)
def test_a_topic_that_is_written_reads_the_same(one: Topic) -> None:
    """Whatever its words hold: quotes, colons, dollars, line ends, words that YAML takes for something else."""
    (first,) = read_back(topic_text(one))
    # Settings trim some lists; what they have read once is read the same for ever.
    assert read_back(topic_text(first)) == [first]
    assert (first.id, first.topic, first.near, first.anchors, first.query) == (
        one.id,
        one.topic,
        one.near,
        one.anchors,
        one.query,
    )


@pytest.mark.parametrize(
    "word", ["no", "null", "~", "1.5", "a: b", "- x", "${HOME}", "$$", "'", '"', "\\", "a #b", "\u2028"]
)
def test_words_that_yaml_would_take_for_more_stay_words(word: str) -> None:
    """Each is written so that it comes back as it was."""
    one = topic(id="x", topic=word, any=(word,))
    assert read_back(topic_text(one)) == [one]


def test_a_topic_in_force_is_shown_in_its_authors_words() -> None:
    """The shipped one with its comments, and nothing of what stands around it."""
    taken = take(ROOT / "config", {})
    (one,) = taken.settings.topics
    text = own_text(taken.files, one)
    assert text.startswith("- id: missile-stance\n")
    assert "# how a person would say it" in text
    assert read_back(text) == [one]


FILES = """\
topics:
# one
- id: a
  any: &words [ferry,
    boat]  # why

# two
- id: b
  any: *words
- {id: c, topic: z}
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "- id: a\n  any: &words [ferry,\n    boat]  # why\n"),
        ("b", "- id: b\n  any: [ferry, boat]\n"),
        ("c", "- {id: c, topic: z}\n"),
    ],
)
def test_lines_are_taken_when_they_mean_the_same_alone(name: str, expected: str) -> None:
    """An item with its comments; one that needs an anchor of another is written anew."""
    files = {"topics.yaml": FILES}
    topics = {one.id: one for one in load_files(files, {}).topics}
    assert own_text(files, topics[name]) == expected


def test_values_of_the_environment_do_not_get_onto_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The author's variable is shown in the place of its value, and other variables are not to be had."""
    monkeypatch.setenv("WATCHED", "hidden words")
    monkeypatch.setenv("SECRET", "token")
    files = {"topics.yaml": "topics:\n- id: a\n  topic: ${WATCHED}\n"}
    (one,) = load_files(files, {"WATCHED": "hidden words"}).topics
    assert own_text(files, one) == "- id: a\n  topic: ${WATCHED}\n"
    assert wording.variables(files) == {"WATCHED": "hidden words"}

"""Meaning with the models that ship: what they are, that they answer the same every time, and what they must know."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import article
from worker.build.meaning import notes, open_meaning
from worker.model import Article, Match, Opinion, Question, Reason, Topic
from worker.replay import recording
from worker.settings import Meaning as Configured
from worker.settings import Service, load_topics
from worker.topics import compile_topics
from worker.topics.meaning.engine import Engine
from worker.topics.meaning.models import FILES, ModelError, Models, Net, load_models, read_tokenizer
from worker.topics.meaning.tokens import Tokens
from worker.topics.meant import Meaning
from worker.training.cases import Case, labelled

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "worker" / "topics" / "meaning" / "models"
QUALITY = ROOT / "tests" / "quality"
(WATCH,) = load_topics(ROOT / "config" / "topics.yaml", {})
MEANT = Topic(id="meant", topic=WATCH.topic, meaning=WATCH.meaning, unlike=WATCH.unlike)
ALONE = Topic(id="alone", topic=WATCH.topic)

STATED = article(
    1, title="", text="Tehran will not put its missiles on the negotiating table, the spokesman said on Monday."
)
OPPOSED = article(2, title="", text="Iran said on Monday that it is ready to negotiate about its missile programme.")
ELSEWHERE = article(
    3, title="Frost expected", text="Gardeners should cover their beds tonight, the weather service said."
)


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    """The files that ship."""
    return {path.name: path.read_bytes() for path in SHIPPED.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def models(files: Mapping[str, bytes]) -> Models:
    """The models that ship, loaded."""
    return load_models(files)


@pytest.fixture(scope="module")
def meaning(models: Models) -> Engine:
    """What decides by meaning in the default install."""
    return Engine.default(models)


def answers(topics: Sequence[Topic], articles: Sequence[Article], meaning: Meaning) -> list[list[Match]]:
    """Return what each topic says of each article."""
    matcher = compile_topics(topics, meaning=meaning)
    return [matcher.judge(one) for one in articles]


def test_what_is_spared_changes_no_answer(meaning: Engine) -> None:
    """Unlike sentences are asked where they may decide; whoever asks for reasons has them asked everywhere."""
    rows = [case for case in labelled(QUALITY)["articles"] if case.topic.unlike]
    spared = 0
    for case in [*rows[::5], Case(topic=MEANT, article=STATED, wanted=True, kind="stated")]:
        topic = replace(case.topic, threshold=0.8)
        matcher = compile_topics([topic], meaning=meaning)
        told, (reasoned,) = matcher.match(case.article), matcher.judge(case.article)
        assert told == ([reasoned] if reasoned.matched else [])
        quiet, loud = (meaning.read(case.article, [topic], explain=explain) for explain in (False, True))
        spared += any("unlike" in sense.detail and sense != quiet.get(name) for name, sense in loud.items())
    assert spared > 0


@pytest.mark.parametrize("name", FILES)
def test_a_changed_model_file_is_refused_by_name(files: Mapping[str, bytes], name: str) -> None:
    """One bit decides; the message says which file it is and what to do."""
    content = bytearray(files[name])
    content[len(content) // 2] ^= 1
    with pytest.raises(ModelError, match=rf"{name}: its sha256 is .*install wirewatch again"):
        load_models({**files, name: bytes(content)})


def test_constants_made_for_other_models_are_refused(files: Mapping[str, bytes]) -> None:
    """Thresholds carry the hashes of the models they were fitted with, beside the manifest's."""
    manifest = json.loads(files["manifest.json"])
    decision = json.loads(files["decision.json"])
    decision["models"]["verifier.onnx"] = "0" * 64
    content = json.dumps(decision).encode()
    manifest["files"]["decision.json"] = hashlib.sha256(content).hexdigest()
    changed = {**files, "decision.json": content, "manifest.json": json.dumps(manifest).encode()}
    with pytest.raises(ModelError, match=r"decision\.json: made for another verifier\.onnx"):
        load_models(changed)


@pytest.mark.parametrize(
    "change", [{"signals": ["claim"]}, {"whole": {}}, {"sieve": {}}], ids=["other signals", "no whole", "no sieve"]
)
def test_constants_of_another_version_disable_meaning(
    files: Mapping[str, bytes], tmp_path: Path, change: dict[str, object]
) -> None:
    """A directory of models made by an older or newer wirewatch is a reason, and not a crash."""
    decision = json.dumps(json.loads(files["decision.json"]) | change).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["decision.json"] = hashlib.sha256(decision).hexdigest()
    for name, content in {**files, "decision.json": decision, "manifest.json": json.dumps(manifest).encode()}.items():
        (tmp_path / name).write_bytes(content)
    opened = open_meaning(Service(meaning=Configured(model=str(tmp_path))), [MEANT], state=tmp_path)
    assert opened.meaning is None
    assert opened.why.startswith("decision.json: ")


@pytest.mark.parametrize("missing", [*FILES, "manifest.json"])
def test_a_missing_model_file_is_named(files: Mapping[str, bytes], missing: str) -> None:
    """Nothing is downloaded in its place."""
    with pytest.raises(ModelError, match=missing.replace(".", r"\.")):
        load_models({name: content for name, content in files.items() if name != missing})


TOKENIZER = read_tokenizer((SHIPPED / "tokenizer.json").read_bytes(), "tokenizer.json")
#: Characters that tokenizers treat in ways of their own: accents and marks that join, spaces of all kinds, controls,
#: letters that change their length when they are written small, scripts without spaces.
_ODD = "aZ é\u0301ßΣσςİıﬁ①²'’\"-–.,!?\u00a0\u2003\u200b\u200d\u3000\t\r\n\x00\x1c\x1d\x85中한あ🙂🏽"


@given(st.text(alphabet=st.sampled_from(_ODD), max_size=40) | st.text(max_size=60))
def test_words_that_are_remembered_have_the_tokens_of_the_whole_text(text: str) -> None:
    """Taken apart word by word or at once, whatever the characters: the same tokens."""
    whole = tuple(TOKENIZER.encode(text, add_special_tokens=False).ids)
    tokens = Tokens(TOKENIZER)
    assert tokens.of(text) == whole
    assert tokens.of(text) == whole


def test_the_verifier_is_not_loaded_before_it_is_asked(files: Mapping[str, bytes]) -> None:
    """An article about something else costs no more than the encoder; the answer is the same when it comes later."""
    opened = load_models(files)
    engine = Engine.default(opened)
    answers([MEANT], [ELSEWHERE], engine)
    before = opened.verifier.is_open
    ((late,),) = answers([MEANT], [STATED], engine)
    assert late.matched
    assert (before, opened.verifier.is_open) == (False, True)
    opened.open()
    assert answers([MEANT], [STATED], engine) == [[late]]


def test_a_model_that_cannot_be_run_is_named() -> None:
    """When it is asked for the first time, and when everything is to be opened."""
    with pytest.raises(ModelError, match=r"encoder\.onnx: not a model that onnxruntime can run"):
        Net(b"no model", "encoder.onnx").run([1, 2, 3], 0)


def test_a_model_of_somebody_elses_making_is_tried_before_it_is_needed(
    files: Mapping[str, bytes], tmp_path: Path
) -> None:
    """A folder whose manifest pins a verifier that nothing can run disables meaning, and says why."""
    manifest, decision = json.loads(files["manifest.json"]), json.loads(files["decision.json"])
    broken = b"no model"
    decision["models"]["verifier.onnx"] = hashlib.sha256(broken).hexdigest()
    content = json.dumps(decision).encode()
    manifest["files"] |= {
        "verifier.onnx": hashlib.sha256(broken).hexdigest(),
        "decision.json": hashlib.sha256(content).hexdigest(),
    }
    changed = {"verifier.onnx": broken, "decision.json": content, "manifest.json": json.dumps(manifest).encode()}
    for name, data in {**files, **changed}.items():
        (tmp_path / name).write_bytes(data)
    opened = open_meaning(Service(meaning=Configured(model=str(tmp_path))), [MEANT], state=tmp_path)
    assert opened.meaning is None
    assert opened.why == "verifier.onnx: not a model that onnxruntime can run (InvalidProtobuf)"


@pytest.mark.parametrize("topic", [MEANT, ALONE, WATCH], ids=["meaning alone", "phrase alone", "full topic"])
def test_all_seeds_match_by_meaning(meaning: Engine, topic: Topic) -> None:
    """Five articles, two of which never use the word, and the evidence is a span of each."""
    seeds = [
        article(nth, title=one.title, text=one.text) for nth, one in enumerate(recording.load(ROOT / "seeds").articles)
    ]
    for of, (answer,) in zip(seeds, answers([topic], seeds, meaning), strict=True):
        assert answer.matched, (of.title, answer.clause)
        for span in answer.evidence:
            assert {"title": of.title, "text": of.text}[span.field][span.start : span.end] == span.text


@pytest.mark.parametrize("topic", [MEANT, ALONE, WATCH], ids=["meaning alone", "phrase alone", "full topic"])
def test_hard_negatives_seldom_match(meaning: Engine, topic: Topic) -> None:
    """Articles about Iran, missiles and negotiations that say something else.

    "No deal without missiles on the table" is a demand with two negations; what the models take for a refusal is
    counted here, so that it becomes less and not more.
    """
    rows = [json.loads(line) for line in (QUALITY / "hard-negatives.jsonl").read_text("utf-8").splitlines()]
    hard = [article(nth, title=row["title"], text=row["text"]) for nth, row in enumerate(rows)]
    assert len(hard) >= 20
    wrong = [(of.title, a.clause) for of, (a,) in zip(hard, answers([topic], hard, meaning), strict=True) if a.matched]
    assert len(wrong) <= 4, wrong


def test_an_article_that_says_the_opposite_is_told_apart(meaning: Engine) -> None:
    """Stated, opposed, and about something else: three answers with three reasons."""
    found = [a for (a,) in answers([MEANT], [STATED, OPPOSED, ELSEWHERE], meaning)]
    assert [a.reason for a in found] == [Reason.MATCHED, Reason.OPPOSES, Reason.NO_MATCH]
    assert found[0].by == "meaning"
    assert "opposes" in found[1].clause
    assert "no passage is about its subject" in found[2].clause


def test_a_stance_flip_is_told_when_it_is_asked_for(meaning: Engine) -> None:
    """With ``on_opposite: alert`` the opposite is a match that says so."""
    ((answer,),) = answers([replace(MEANT, on_opposite="alert")], [OPPOSED], meaning)
    assert (answer.matched, answer.stance) == (True, "opposes")


def test_scores_do_not_depend_on_what_is_asked_beside(meaning: Engine, models: Models) -> None:
    """Alone, among other topics and articles, in any order, and in a fresh engine: the same score to the last digit."""
    topics = [MEANT, ALONE, *load_topics(QUALITY / "topics.yaml", {})]
    alone = [answers([one], [of], meaning)[0][0] for of in (STATED, OPPOSED) for one in (MEANT, ALONE)]
    crowd = answers(list(reversed(topics)), [ELSEWHERE, OPPOSED, STATED], Engine.default(models))
    found = {(a.article_id, a.topic_id): a for row in crowd for a in row}
    for one in alone:
        assert found[one.article_id, one.topic_id] == one


def test_match_is_judge_without_the_noes(meaning: Engine) -> None:
    """The short way that leaves out what nobody asked for comes to the same answers."""
    topics = [MEANT, ALONE, WATCH, replace(MEANT, id="both", any=("missile",), require="both")]
    matcher = compile_topics(topics, meaning=meaning)
    for of in (STATED, OPPOSED, ELSEWHERE):
        assert matcher.match(of) == [answer for answer in matcher.judge(of) if answer.matched]


def test_scores_are_the_same_in_another_process(meaning: Engine) -> None:
    """Whatever the hash seed: a replay tells what the run told."""
    code = (
        "import sys; from pathlib import Path; from tests.edges import test_meaning_models as t;"
        "from worker.topics.meaning.engine import Engine; from worker.topics.meaning.models import load_models;"
        "m = Engine.default(load_models({p.name: p.read_bytes() for p in t.SHIPPED.iterdir() if p.is_file()}));"
        "print([a.score for row in t.answers([t.MEANT, t.ALONE], [t.STATED, t.OPPOSED], m) for a in row])"
    )
    here = [a.score for row in answers([MEANT, ALONE], [STATED, OPPOSED], meaning) for a in row]
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120
        )
        assert done.stdout.strip() == str(here)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"languages": ("fr",)}, Reason.OTHER_LANGUAGE),
        ({"anchors": (("submarine",),)}, Reason.ANCHOR_MISSING),
        ({"none": ("Tehran",)}, Reason.EXCLUDED),
        ({"outlets": ("Somebody else",)}, Reason.OTHER_OUTLET),
        ({"anchors": (("missile",),)}, Reason.MATCHED),
    ],
)
def test_what_bars_an_article_bars_it_by_meaning_too(
    meaning: Engine, fields: dict[str, object], reason: Reason
) -> None:
    """Anchors, none, languages and outlets hold for the whole topic."""
    of = replace(STATED, language="en")
    topic = replace(MEANT, **fields)  # type: ignore[arg-type]
    ((answer,),) = answers([topic], [of], meaning)
    assert answer.reason is reason
    assert [a.topic_id for a in compile_topics([topic], meaning=meaning).match(of)] == (
        ["meant"] if answer.matched else []
    )


def test_an_article_in_a_language_that_the_models_do_not_read_is_not_read(meaning: Engine) -> None:
    """The reason is said; a rule would still decide."""
    ((answer,),) = answers([MEANT], [replace(STATED, language="fr")], meaning)
    assert answer.reason is Reason.MEANING_DISABLED
    assert "language fr: the models read English" in answer.clause
    ((answer,),) = answers([replace(MEANT, any=("missile",))], [replace(STATED, language="fr")], meaning)
    assert (answer.matched, answer.by) == (True, "rule")


class Asked:
    """A judge that keeps what it was asked and answers as it was told."""

    def __init__(self, opinion: Opinion | None) -> None:
        self.opinion = opinion
        self.questions: list[Question] = []

    def ask(self, question: Question) -> Opinion | None:
        """Return what it was told to answer."""
        self.questions.append(question)
        return self.opinion


def _in_doubt(meaning: Engine) -> Article:
    texts = [json.loads(line) for line in (QUALITY / "hard-negatives.jsonl").read_text("utf-8").splitlines()]
    near = [article(nth, title=row["title"], text=row["text"]) for nth, row in enumerate(texts)]
    scored = zip(near, answers([MEANT], near, meaning), strict=True)
    return min(scored, key=lambda pair: abs(pair[1][0].score - 0.4))[0]


def test_a_judge_decides_what_is_open_and_nothing_else(meaning: Engine, models: Models) -> None:
    """An article in doubt is put to the judge with its best passages; one about something else is not."""
    judge = Asked(Opinion(stance="states", passage=0))
    judged = Engine(models, head=meaning._head, judge=judge)
    ((answer,),) = answers([MEANT], [_in_doubt(meaning)], judged)
    assert answer.matched
    assert answer.clause.endswith("the judge says states")
    (question,) = judge.questions
    assert question.claims == MEANT.meaning
    assert 1 <= len(question.passages) <= 3
    answers([MEANT], [ELSEWHERE], judged)
    assert len(judge.questions) == 1


def test_the_verifier_answers_when_the_judge_does_not(meaning: Engine, models: Models) -> None:
    """No answer, no budget, no network: what the models say stands."""
    of = _in_doubt(meaning)
    judged = Engine(models, head=meaning._head, judge=Asked(None))
    assert answers([MEANT], [of], judged) == answers([MEANT], [of], meaning)


def test_without_a_verifier_the_encoder_decides_alone(models: Models) -> None:
    """Less sure, and it still knows what an article is about."""
    found = [a for (a,) in answers([MEANT], [STATED, ELSEWHERE], Engine(models, head=None))]
    assert found[0].score > found[1].score


def test_models_are_only_opened_for_topics_that_ask_for_meaning(tmp_path: Path) -> None:
    """Rules alone cost no model; a broken one is then of no consequence."""
    service = Service(meaning=Configured(model=str(tmp_path)))
    assert open_meaning(service, [Topic(id="r", any=("word",))], state=tmp_path).meaning is None
    opened = open_meaning(service, [MEANT, replace(MEANT, id="rule", any=("word",))], state=tmp_path)
    assert opened.meaning is None
    assert [line.partition(": ")[2] for line in notes([MEANT, replace(MEANT, id="rule", any=("word",))], opened)] == [
        "manifest.json: missing or not readable; install wirewatch again; topic meant cannot match",
        "manifest.json: missing or not readable; install wirewatch again; topic rule matches by its rule alone",
    ]


def test_languages_that_are_not_read_are_said(meaning: Engine, tmp_path: Path) -> None:
    """A topic may watch a language in which only its rule can match."""
    del meaning
    topic = replace(MEANT, languages=("en", "fr"))
    opened = open_meaning(Service(), [topic], state=tmp_path)
    assert opened.meaning is not None
    assert notes([topic], opened) == [
        "meaning disabled for fr: the models read English; topic meant: it cannot match there"
    ]


def test_the_sieve_lets_pass_what_the_full_method_finds(meaning: Engine) -> None:
    """Asking the encoder about every passage finds little more among labelled articles, whole topics and phrases."""
    topics = {one.id: one for one in load_topics(QUALITY / "topics.yaml", {})}
    rows = [json.loads(line) for line in (QUALITY / "articles.jsonl").read_text("utf-8").splitlines()]
    full = meaning.thorough()
    found = kept = 0
    for nth, row in enumerate(rows):
        if row["label"]:
            topic = topics[row["topic"]]
            asked = [topic, Topic(id="phrase", topic=topic.topic)]
            of = article(nth, title=row["title"], text=row["text"])
            (whole,), (ours,) = answers(asked, [of], full), answers(asked, [of], meaning)
            found += sum(answer.matched for answer in whole)
            kept += sum(one.matched and answer.matched for one, answer in zip(ours, whole, strict=True))
    assert found > 60
    assert kept >= 0.98 * found


@pytest.mark.parametrize(("phrase", "floor"), [(False, 0.75), (True, 0.65)])
def test_quality_does_not_fall_unnoticed(meaning: Engine, phrase: bool, floor: float) -> None:
    """The labelled set in tests/quality, well below what `make quality` prints of it."""
    topics = {one.id: one for one in load_topics(QUALITY / "topics.yaml", {})}
    rows = [json.loads(line) for line in (QUALITY / "articles.jsonl").read_text("utf-8").splitlines()]
    both = found = wanted = 0
    for nth, row in enumerate(rows):
        topic = topics[row["topic"]]
        asked = Topic(id=topic.id, topic=topic.topic) if phrase else topic
        ((answer,),) = answers([asked], [article(nth, title=row["title"], text=row["text"])], meaning)
        found += answer.matched
        wanted += row["label"]
        both += answer.matched and row["label"] == 1
    assert 2 * both / (found + wanted) >= floor

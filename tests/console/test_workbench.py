"""The topic workbench over HTTP: what is tried, what is said of it, and what bounds it has."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.builders import NOON, article, at, topic
from tests.console import desks
from tests.edges.servers import plain, serve
from worker.build.trying import Trial
from worker.console import trials
from worker.console.trials import Job, Trials
from worker.errors import Unusable
from worker.ledger import entries, newest, snapshots
from worker.ledger.engine import Ledger
from worker.settings import Service, Settings
from worker.settings.values import Meaning
from worker.web.network import Network

RULE = "- {id: missiles, any: [missile]}\n"
HTMX = {"HX-Request": "true"}
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def browser(ledger: Ledger, tmp_path: Path) -> Iterator[TestClient]:
    """Give a console with three articles in its archive, and models switched off."""
    archived(ledger, 3)
    settings = Settings(service=replace(Service(), meaning=Meaning(model="off")))
    with desks.client(desks.desk(ledger, settings=settings, state=tmp_path)) as opened:
        yield opened


def archived(ledger: Ledger, count: int) -> None:
    """Have articles read, one a minute; the first one is about ferries."""
    with ledger.write() as t:
        for number in range(count):
            changes = {"text": "Ferries sail."} if number == 0 else {}
            entries.add_article(t, article(number, title=f"Title {number} {HOSTILE}", **changes), now=at(number))


def tried(browser: TestClient, yaml: str, source: str = "archive", **fields: str) -> str:
    """Return the page after a trial without scripts."""
    answer = browser.post("/workbench", data={"yaml": yaml, "source": source, **fields})
    assert answer.status_code == 200, answer.text
    return answer.text


def titles(page: str) -> list[str]:
    """Return the articles that a page links to, in their order."""
    return [part.partition('"')[0] for part in page.split('href="/articles/')[1:]]


# Where it begins


def test_the_bench_opens_with_a_topic_that_is_in_force(ledger: Ledger, browser: TestClient) -> None:
    """Its YAML stands in the textarea, escaped, and the others are offered."""
    with ledger.write() as t:
        snapshots.keep(t, topics=[topic(), topic(id="b", topic="</textarea><b>")], files=None, now=NOON)
    page = browser.get("/workbench?topic=b").text
    assert "- id: b\n" in page
    assert "&lt;/textarea&gt;&lt;b&gt;" in page
    assert '<option value="missiles">' in page
    assert "<b>" not in page.partition("<textarea")[2].partition("</textarea>")[0]


def test_a_topic_that_is_not_in_force_is_a_404(browser: TestClient) -> None:
    """With those that there are."""
    answer = browser.get("/workbench?topic=nobody")
    assert answer.status_code == 404
    assert "no topic in force is called nobody" in answer.text


@pytest.mark.parametrize("phrase", ["missile program non-negotiable", "${HOME}", 'say: "no" # never', "<b>"])
def test_a_topic_begins_with_a_phrase(browser: TestClient, phrase: str) -> None:
    """Whatever the phrase, the topic that is made of it can be tried as it stands."""
    page = browser.get("/workbench", params={"phrase": phrase}).text
    text = page.partition("<textarea")[2].partition(">\n")[2].partition("</textarea>")[0]
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, char)
    assert "mistake" not in tried(browser, text, "text", title="x")


def test_a_look_at_the_bench_tries_nothing(browser: TestClient) -> None:
    """Trials are asked for by POST alone."""
    page = browser.get("/workbench", params={"yaml": RULE, "source": "archive"}).text
    assert "What matches" not in page


# What is tried


def test_the_archive_is_tried_newest_first(browser: TestClient) -> None:
    """What matches with its evidence marked, and how many articles were looked at; no markup of strangers."""
    page = tried(browser, RULE)
    assert "2 matches in 3 articles" in page
    assert titles(page) == ["a-2", "a-1"]
    assert page.count("<mark>missiles</mark>") == 2
    assert HOSTILE not in page
    assert "&lt;img" in page


def test_near_misses_have_their_reason_and_what_was_missing(browser: TestClient) -> None:
    """An article with one of two words is the nearest."""
    page = tried(browser, "- {id: x, all: [missile, ferry]}\n")
    assert "0 matches in 3 articles" in page
    near = page.partition("Near misses")[2]
    assert "no-match" in near
    assert "missile" in near
    assert titles(near) == ["a-2", "a-1", "a-0"]


def test_the_archive_is_looked_at_as_far_back_as_was_asked(ledger: Ledger, browser: TestClient) -> None:
    """Days count back from the last article: in a replay all may be long ago."""
    with ledger.write() as t:
        entries.add_article(t, article(99), now=at(60 * 24 * 10))
    assert "in 1 article<" in tried(browser, RULE, days="7").replace("\n", "")
    assert "in 4 articles" in tried(browser, RULE, days="11")


@pytest.mark.parametrize("days", ["0", "-1", "366", "x", "1.5", "٣"])
def test_days_that_make_no_sense_are_named_beside_the_field(browser: TestClient, days: str) -> None:
    """With what may be written there."""
    answer = browser.post("/workbench", data={"yaml": RULE, "source": "archive", "days": days})
    assert answer.status_code == 422
    assert "from 1 to 365" in answer.text.partition('id="d-days" class="error">')[2].partition("</p>")[0]


def test_a_pasted_text_is_tried_without_outlets(browser: TestClient) -> None:
    """It matches or it does not, with why; what was pasted stays in the form."""
    text = "- {id: x, any: [missile], outlets: [BBC]}\n"
    page = tried(browser, text, "text", title="Headline", text="They fired a missile.")
    assert "It matches" in page
    assert "They fired a missile.</textarea>" in page
    page = tried(browser, text, "text", text="Ferries.")
    assert "It does not match" in page
    assert "any: one of missile" in page


def test_a_text_that_is_missing_is_asked_for(browser: TestClient) -> None:
    """Beside its field, and nothing is tried."""
    answer = browser.post("/workbench", data={"yaml": RULE, "source": "text"})
    assert answer.status_code == 422
    assert "there is no text" in answer.text.partition('id="d-text" class="error">')[2]


def test_the_examples_of_a_topic_are_tried(browser: TestClient) -> None:
    """Those that fail are named, with what they should have been."""
    text = "- {id: x, any: [missile], examples: {match: [A ferry.], ignore: [A boat.]}}\n"
    page = tried(browser, text, "examples")
    assert "1 of 2 fail" in page
    assert "should match, no-match" in page


@pytest.mark.parametrize("address", ["", "ftp://x.example", "javascript:alert(1)", "x.example"])
def test_only_addresses_of_the_web_are_asked_for(browser: TestClient, address: str) -> None:
    """Another one is named beside its field."""
    answer = browser.post("/workbench", data={"yaml": RULE, "source": "address", "address": address})
    assert answer.status_code == 422
    assert "http" in answer.text.partition('id="d-address" class="error">')[2].partition("</p>")[0]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://[::1]/", "http://169.254.169.254/latest"])
def test_a_private_address_is_not_asked_for(browser: TestClient, address: str) -> None:
    """The rules of the service hold here as well: whoever has the console has not the network behind it."""
    page = tried(browser, RULE, "address", address=address)
    assert 'role="alert"' in page
    assert "allow_p" in page


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_address_is_asked_for_and_its_article_tried(ledger: Ledger, tmp_path: Path) -> None:
    """By the service's own client, robots.txt first; what robots.txt forbids is not read."""
    words = "<p>" + "The minister said on Monday that the missile programme is not open to talks. " * 12 + "</p>"
    body = f"<html><head><title>Not open</title></head><body><article>{words}</article></body></html>"
    with serve() as site:
        site.answers["/robots.txt"] = plain(b"User-agent: *\nDisallow: /closed\n")
        site.answers["/open"] = site.answers["/closed"] = plain(body.encode(), Content_Type="text/html; charset=utf-8")
        network = Network(allow_private=True, allow_ports=(site.port,))
        settings = Settings(service=replace(Service(), network=network))
        with desks.client(desks.desk(ledger, settings=settings, state=tmp_path)) as browser:
            page = tried(browser, RULE, "address", address=site.url("/open"))
            assert "It matches" in page
            assert f'href="{site.url("/open")}" rel="noopener noreferrer">Not open</a>' in page
            assert "<mark>missile</mark>" in page
            refused = tried(browser, RULE, "address", address=site.url("/closed"))
            assert "robots" in refused.partition('role="alert">')[2].partition("</p>")[0]
            missing = tried(browser, RULE, "address", address=site.url("/nothing"))
            assert "answered 404" in missing
    assert [asked.path for asked in site.asked].count("/closed") == 0


def test_what_is_lost_without_models_is_said(browser: TestClient) -> None:
    """A phrase cannot match then, and the page says so."""
    page = tried(browser, "- topic: missile program non-negotiable\n")
    assert "meaning disabled: meaning.model is off in service.yaml" in page


# Mistakes


def test_a_mistake_is_shown_at_its_line(browser: TestClient) -> None:
    """As file:line:column with the line itself, and what to do; nothing is tried."""
    answer = browser.post("/workbench", data={"yaml": "- id: x\n  treshold: <b>\n", "source": "archive"})
    assert answer.status_code == 422
    assert "topics.yaml:2:3" in answer.text
    assert "did you mean &#34;threshold&#34;?" in answer.text
    assert "  treshold: &lt;b&gt;\n  ^" in answer.text
    assert "Nothing was tried" in answer.text
    assert "What matches" not in answer.text


def test_remarks_of_the_lint_are_shown_beside_the_trial(browser: TestClient) -> None:
    """They keep nothing from being tried."""
    page = tried(browser, "- {id: x, any: [missile, missiles]}\n")
    assert "finds the same as" in page
    assert "What matches" in page


def test_a_form_that_is_too_large_is_refused(browser: TestClient) -> None:
    """A topic beyond its bound by name, and a body beyond all bounds before it is read."""
    answer = browser.post("/workbench", data={"yaml": "#" * 200_001, "source": "archive"})
    assert "the workbench takes 200000" in answer.text
    assert browser.post("/workbench", data={"yaml": "#" * 1_300_000}).status_code == 413


# With scripts


def test_a_trial_in_the_background_says_how_far_it_is_and_then_what_it_found(browser: TestClient) -> None:
    """The answer is a fragment that asks again until the trial has ended."""
    answer = browser.post("/workbench", data={"yaml": RULE, "source": "archive"}, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    fragment = answer.text
    until = time.monotonic() + 30
    while "hx-get" in fragment and time.monotonic() < until:
        path = fragment.partition('hx-get="')[2].partition('"')[0]
        fragment = browser.get(path, headers=HTMX).text
    assert "2 matches in 3 articles" in fragment


def test_a_trial_can_be_looked_at_without_scripts(browser: TestClient) -> None:
    """One that took longer than a browser waits for is a page by its address."""
    tried(browser, RULE)
    running: Trials = browser.app.state.trials  # type: ignore[attr-defined]
    (job,) = running._jobs.values()
    page = browser.get(f"/workbench/trials/{job.id}").text
    assert "<html" in page
    assert "2 matches in 3 articles" in page


def test_mistakes_come_as_a_fragment_that_is_shown(browser: TestClient) -> None:
    """Htmx shows good answers alone, so that this is one."""
    answer = browser.post("/workbench", data={"yaml": "- [", "source": "archive"}, headers=HTMX)
    assert answer.status_code == 200
    assert "topics.yaml:1:" in answer.text
    assert "<html" not in answer.text


def test_a_trial_that_is_kept_no_longer_says_so(browser: TestClient) -> None:
    """To a page that asks for it, and as a 404 to everybody else."""
    assert "kept no longer" in browser.get("/workbench/trials/nonsense", headers=HTMX).text
    assert browser.get("/workbench/trials/nonsense").status_code == 404
    assert browser.post("/workbench/trials/nonsense/stop").status_code == 404


# Bounds


@contextmanager
def held(found: Trials, **more: bool) -> Iterator[Job]:
    """Give a trial that goes on until it is told to stop."""
    told = threading.Event()

    def work(job: Job) -> Trial:
        looked = 0
        while not (why := job.stop(looked)):
            looked += 1
            told.set()
            threading.Event().wait(0.001)
        return Trial(looked=looked, matched={}, reasons={}, stopped=why)

    job = found.begin(work, source="archive", total=10**9, watched=more.get("watched", False))
    assert job is not None
    assert told.wait(30)
    try:
        yield job
    finally:
        job.cancelled = True
        assert job.ended.wait(30)


def test_one_trial_runs_at_a_time(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one waits for some seconds and is then told so, with and without scripts; later it may run."""
    monkeypatch.setattr(trials, "_PATIENCE", 0.01)
    tried(browser, RULE)
    running: Trials = browser.app.state.trials  # type: ignore[attr-defined]
    with held(running):
        answer = browser.post("/workbench", data={"yaml": RULE, "source": "archive"})
        assert answer.status_code == 503
        assert "one runs at a time" in answer.text
        fragment = browser.post("/workbench", data={"yaml": RULE, "source": "archive"}, headers=HTMX)
        assert "one runs at a time" in fragment.text
    assert "2 matches" in tried(browser, RULE)


def test_a_trial_is_stopped_by_its_button(browser: TestClient) -> None:
    """What it has found so far is shown, and that it ended early."""
    tried(browser, RULE)
    running: Trials = browser.app.state.trials  # type: ignore[attr-defined]
    with held(running, watched=True) as job:
        assert "hx-get" in browser.get(f"/workbench/trials/{job.id}", headers=HTMX).text
        fragment = browser.post(f"/workbench/trials/{job.id}/stop", headers=HTMX).text
        assert "Ended early, since it was stopped" in fragment


def test_a_trial_ends_when_nobody_asks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever left does not keep the processor busy."""
    monkeypatch.setattr(trials, "LEFT", 0.05)
    with held(Trials(), watched=True) as job:
        assert job.ended.wait(30)
        assert job.trial is not None
        assert job.trial.stopped == "nobody waits for it any more"


def test_a_trial_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many articles there are."""
    monkeypatch.setattr(trials, "TIME", 0.05)
    with held(Trials()) as job:
        assert job.ended.wait(30)
        assert job.trial is not None
        assert "were over" in job.trial.stopped


def test_a_trial_that_fails_says_so_and_frees_the_bench() -> None:
    """By its own words where it has some; otherwise the log has the rest, and the next one runs."""
    running = Trials()

    def unable(_: Job) -> Trial:
        raise Unusable("the page is gone")

    def broken(_: Job) -> Trial:
        raise ZeroDivisionError

    for work, words in ((unable, "the page is gone"), (broken, "the log of the console")):
        job = running.begin(work, source="address", total=1, watched=False)
        assert job is not None
        assert job.ended.wait(30)
        assert words in job.error


def test_few_trials_are_kept() -> None:
    """The last ones, for the pages that still ask for them."""
    running = Trials()
    jobs = []
    for _ in range(12):
        job = running.begin(lambda _: Trial(matched={}, reasons={}), source="examples", total=0, watched=False)
        assert job is not None
        assert job.ended.wait(30)
        jobs.append(job)
    assert [running.get(job.id) is not None for job in jobs] == [False] * 4 + [True] * 8


# The archive


def test_portions_of_the_archive_lose_and_repeat_nothing(either_ledger: Ledger) -> None:
    """Also where many articles were read at the same moment."""
    with either_ledger.write() as t:
        for number in range(23):
            entries.add_article(t, article(number, page=f"p{number}"), now=at(number // 5))
    found: list[str] = []
    after = None
    for _ in range(20):
        with either_ledger.read() as t:
            portion = newest.articles(t, since=at(1), after=after, size=4)
        found += [one.id for one in portion.articles]
        after = portion.after
        if after is None:
            break
    assert sorted(found) == sorted(f"a-{number}" for number in range(5, 23))
    assert [int(name[2:]) // 5 for name in found] == sorted((int(name[2:]) // 5 for name in found), reverse=True)
    with either_ledger.read() as t:
        assert newest.count(t, since=at(1), most=2000) == 18
        assert newest.count(t, since=at(1), most=7) == 7
        assert newest.last(t) == at(4)

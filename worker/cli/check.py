"""``check`` and ``test``: is the configuration right, and do topics do what their examples say?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.options import DEFAULT_STATE, common, config_dir, emit, meaning_for, say, state_dir

if TYPE_CHECKING:
    from worker.errors import Problem
    from worker.topics.examples import Example


@click.command()
@click.option(
    "--topics", type=click.Path(path_type=Path, dir_okay=False), help="Check this file in place of topics.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of text.")
@common
def check(*, topics: Path | None, as_json: bool) -> int:
    """Check all configuration files and name everything that is wrong in them, at once.

    Errors are printed as file:line:column with what was expected. Exit code 2 when there are any, 0 when there are only
    warnings.
    """
    from worker.build.meaning import open_meaning, remarks
    from worker.settings.checking import check as check_files
    from worker.settings.checking import render, with_remarks

    directory, named = config_dir()
    report = check_files(directory, os.environ, topics_file=topics, required=named)
    opened = open_meaning(report.service, report.topics, state=state_dir() or DEFAULT_STATE)
    report = with_remarks(report, remarks(report.topics, opened))
    if as_json:
        emit(
            {
                "errors": [_as_json(p) for p in report.problems],
                "warnings": [_as_json(p) for p in report.warnings],
                "counts": dict(report.counts),
            }
        )
    else:
        say(render(report))
    return 2 if report.problems else 0


def _as_json(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message}


@click.command()
@click.option(
    "--topics", type=click.Path(path_type=Path, dir_okay=False), help="Test this file in place of topics.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each example.")
@common
def test(*, topics: Path | None, as_json: bool) -> int:
    """Run the examples that topics carry, and lint the topics.

    An example under `match` must match and one under `ignore` must not; language and outlet are not asked. Exit code 1
    when one does otherwise.
    """
    from worker.settings import load, load_topics
    from worker.topics import lint_topic
    from worker.topics.examples import run_examples

    directory, named = config_dir()
    tested = load_topics(topics, os.environ) if topics else load(directory, os.environ, required=named).topics
    for topic in tested:
        for lint in lint_topic(topic):
            say(f"lint: {topic.id}: {lint}", err=True)
    meaning = meaning_for(tested)
    results = [result for topic in tested for result in run_examples(topic, meaning)]
    for result in results:
        _show(result, as_json=as_json)
    failed = sum(not result.passed for result in results)
    if not as_json:
        without = sum(not (topic.examples_match or topic.examples_ignore) for topic in tested)
        say(f"{len(tested)} topics, {len(results)} examples, {failed} failed; {without} topics without examples")
    return 1 if failed else 0


def _show(result: Example, *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "topic": result.topic_id,
                "text": result.text,
                "wanted": "match" if result.wanted else "ignore",
                "matched": result.answer.matched,
                "passed": result.passed,
                "score": result.answer.score,
                "clause": result.answer.clause,
            }
        )
    else:
        mark = "ok  " if result.passed else "FAIL"
        wanted = "must match" if result.wanted else "must not match"
        say(f"{mark} {result.topic_id} {wanted}: {result.text}")
        if not result.passed:
            said = "matched by" if result.answer.matched else "did not match:"
            say(f"       {said} {result.answer.clause or result.answer.reason}")

"""``why``: the path of one article through the stages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.ledgers import ledgers, none_here
from worker.cli.options import common, config_dir, emit, say

if TYPE_CHECKING:
    from worker.model import Match, Topic
    from worker.stages.explain import Path as ArticlePath


@click.command()
@click.argument("ref", metavar="URL_OR_ALERT_ID")
@click.option("--topic", help="Only this topic.")
@click.option("--topics", type=click.Path(path_type=Path, dir_okay=False), help="Ask the topics of this file instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each entry.")
@common
def why(*, ref: str, topic: str | None, topics: Path | None, as_json: bool) -> int:
    """Tell why an article did or did not alert: feed, entry, page, topics, story, alerts.

    For a topic that did not match, the missing clause is named. The topics are those that were in force, or those of
    --topics. The id of a digest, or of a story, stands for all its articles. Exit code 1 when the ledger knows nothing
    of URL_OR_ALERT_ID.
    """
    from worker.cli import options
    from worker.ledger import snapshots
    from worker.stages.explain import explain
    from worker.topics import compile_topics

    asked_any = False
    for opened in ledgers():
        asked_any = True
        with opened.ledger.read() as t:
            in_force = snapshots.topics_in_force(t)
        asked = _asked(topic, topics, in_force)
        matcher = compile_topics(asked, meaning=options.meaning_for(asked))
        paths = explain(opened.ledger, matcher, ref)
        for path in paths:
            emit(_as_json(path)) if as_json else _print(path)
        if paths:
            return 0
    if not asked_any:
        raise none_here()
    say(f"{ref}: never seen; `wirewatch status` lists the feeds that are polled", err=True)
    return 1


def _asked(topic: str | None, topics: Path | None, in_force: tuple[Topic, ...] | None) -> tuple[Topic, ...]:
    from worker.settings import load, load_topics

    directory, named = config_dir()
    if topics is not None:
        asked = load_topics(topics, os.environ)
    else:
        asked = in_force if in_force is not None else load(directory, os.environ, required=named).topics
    chosen = tuple(t for t in asked if topic in {None, t.id})
    if not chosen and topic is not None:
        raise click.UsageError(f"no topic {topic}; there are: {', '.join(t.id for t in asked) or 'none'}")
    return chosen


def _as_json(path: ArticlePath) -> dict[str, Any]:
    from worker.channels.base import timestamp

    article = path.article
    return {
        "url": path.entry["url"],
        "feed": path.entry["feed_id"],
        "first_seen_at": timestamp(path.entry["first_seen_at"]),
        "reason": path.entry["reason"],
        "detail": path.entry["last_error"] or path.entry["detail"],
        "article": article and {"id": article.id, "title": article.title, "outlet": article.outlet},
        "topics": [_answer(answer) for answer in path.answers],
        "story": path.story
        and {
            "id": path.story.id,
            "articles": len(path.story.members),
            "linked": path.story.linked,
            "role": path.member.role.value if path.member else None,
            "why": path.member.why if path.member else "",
        },
        "decisions": [
            {
                "topic": d["topic_id"],
                "channel": d["channel_id"],
                "reason": d["reason"],
                "detail": d["detail"],
                "at": timestamp(d["at"]),
                "alert": d["key"],
                "role": d["role"],
                "work": d["work"],
                "digest": d["digest"],
                "sent_at": timestamp(d["sent_at"]) if d["sent_at"] else None,
            }
            for d in path.decisions
        ],
    }


def _answer(answer: Match) -> dict[str, Any]:
    return {
        "topic": answer.topic_id,
        "matched": answer.matched,
        "reason": answer.reason.value,
        "score": round(answer.score, 4),
        "clause": answer.clause,
        "evidence": [{"field": e.field, "start": e.start, "end": e.end, "text": e.text} for e in answer.evidence],
    }


def _print(path: ArticlePath) -> None:
    entry, article = path.entry, path.article
    say(f"{entry['url']}")
    feed = f" ({path.feed.outcome or path.feed.state})" if path.feed else ""
    say(f"  feed     {entry['feed_id']}{feed}, first seen {entry['first_seen_at']:%Y-%m-%d %H:%M:%S} UTC")
    detail = entry["last_error"] or entry["detail"]
    say(f"  read     {entry['reason']}{f': {detail}' if detail else ''}")
    if article is not None:
        say(f"  article  {article.title!r}, {article.outlet}, {len(article.text)} characters, from {article.source}")
    for answer in path.answers:
        verdict = f"matched, score {answer.score:.2f} by {answer.by}" if answer.matched else answer.reason
        say(f"  topic    {answer.topic_id}: {verdict}{f': {answer.clause}' if answer.clause else ''}")
        for evidence in answer.evidence:
            say(f"           {evidence.field} {evidence.start}-{evidence.end}: »{' '.join(evidence.text.split())}«")
    if path.story is not None and path.member is not None:
        role = f"{path.member.role} ({path.member.why})" if path.member.why else path.member.role
        linked = f", follows {path.story.linked}" if path.story.linked else ""
        say(f"  story    {path.story.id}: {role}, {len(path.story.members)} articles{linked}")
    for decision in path.decisions:
        say(f"  alert    {_decision(decision)}")


def _decision(decision: Any) -> str:  # noqa: ANN401 - a row of the ledger
    told = f"{decision['topic_id']} to {decision['channel_id'] or 'no channel'}: {decision['reason']}"
    told += f" ({decision['detail']})" if decision["detail"] else ""
    if decision["key"] is None:
        return told
    digest = f" in digest {decision['digest']}" if decision["digest"] else ""
    return f"{told}, {decision['role']} {decision['key']}{digest}, {_state(decision)}"


def _state(decision: Any) -> str:  # noqa: ANN401 - the same
    if decision["sent_at"]:
        return f"sent {decision['sent_at']:%Y-%m-%d %H:%M:%S} UTC"
    if decision["work"] in {"open", "gathered"}:
        return f"{decision['work']}, due {decision['due_at']:%Y-%m-%d %H:%M:%S} UTC"
    return f"{decision['work']}: {decision['last_error']}" if decision["last_error"] else str(decision["work"])

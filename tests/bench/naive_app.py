"""The pipeline that people write first, to compare ourselves with: a Celery app with a chain of tasks for each article.

feedparser fetches and parses, requests gets each page on a connection of its own, trafilatura extracts as it comes, a
loop asks every topic for its words, and what was seen is a set in Redis. There are no stories, no retries and no
evidence, and what is in hand when a process dies is lost.
"""

from __future__ import annotations

import json
import os
from typing import Any

import feedparser
import requests
import trafilatura
from celery import Celery, chain
from redis import Redis

app = Celery("naive", broker=os.environ["NAIVE_BROKER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
_redis = Redis.from_url(os.environ["NAIVE_REDIS"])
#: Topics: lists of groups of words, of each of which one must be there.
_topics: list[list[list[str]]] = json.loads(os.environ["NAIVE_TOPICS"])


@app.task
def poll(url: str) -> None:
    """Start a chain for every entry of a feed that was not seen before; a first poll only takes note."""
    known = _redis.exists(f"seen:{url}")
    for entry in feedparser.parse(url).entries:
        if _redis.sadd(f"seen:{url}", entry.link) and known:
            chain(fetch.s(entry.link), extract.s(), match.s(), alert.s()).apply_async()
    _redis.incr("polls")


@app.task
def fetch(url: str) -> dict[str, Any]:
    """Return the page."""
    return {"url": url, "html": requests.get(url, timeout=10).text}


@app.task
def extract(page: dict[str, Any]) -> dict[str, Any]:
    """Return its text."""
    return {"url": page["url"], "text": trafilatura.extract(page["html"]) or ""}


@app.task
def match(article: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the topics whose words are there."""
    text = article["text"].lower()
    met = [n for n, topic in enumerate(_topics) if all(any(word in text for word in group) for group in topic)]
    return {"url": article["url"], "topics": met}


@app.task
def alert(found: dict[str, Any]) -> None:
    """Tell of the topics."""
    if found["topics"]:
        _redis.rpush("alerts", json.dumps(found))
    _redis.incr("articles")

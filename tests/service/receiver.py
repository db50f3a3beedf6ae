"""A receiver of webhooks in a process of its own: it writes every request down before it answers, or misbehaves.

A request is written down once it was read whole; from then on it has arrived, whatever becomes of the answer. Its
channel's worker may ask for it at ``/alerts/KEY``: 200 when it was accepted, 404 when it was not.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.service import web
from tests.service.beside import Beside, attend, given, say

HOST = "127.0.0.1"
_INBOX, _ALERTS = "/inbox", "/alerts/"
#: How a request ended, as it is written down. Those of ``ACCEPTED`` have arrived.
OK, ERROR, BUSY, DROPPED, LATE, HUNG, TORN = "ok", "error", "busy", "dropped", "late", "hung", "torn"
ACCEPTED = frozenset((OK, DROPPED, LATE, HUNG))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a receiver misbehaves: shares of requests, 0 to 1, together 1 at most; all others are answered with 204.

    Which requests it meets follows from the seed, the path of the article and how often its alert has come, whatever
    the order is, and whatever port the article has come from.
    """

    seed: int = 1
    #: Answered with 500, not accepted.
    errors: float = 0.0
    #: Answered with 429 and ``Retry-After``, not accepted.
    busy: float = 0.0
    #: Accepted; the connection is closed without an answer.
    dropped: float = 0.0
    #: Accepted, and answered after ``late_s``.
    late: float = 0.0
    late_s: float = 20.0
    retry_after_s: int = 1

    def outcome(self, path: str, nth: int) -> str:
        """Return what becomes of the ``nth`` request (from 1) about an article."""
        chance = random.Random(f"{self.seed} {path} {nth}").random()  # noqa: S311 - chooses faults, guards nothing
        for name, share in ((ERROR, self.errors), (BUSY, self.busy), (DROPPED, self.dropped), (LATE, self.late)):
            if chance < share:
                return name
            chance -= share
        return OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A request as it was written down; empty where it did not say."""

    #: Seconds since 1970.
    at: float
    #: The alert's key: ``webhook-id``.
    alert: str
    #: The article that it is about.
    url: str
    #: ``X-Wirewatch-Attempt``.
    attempt: str
    #: ``Idempotency-Key``.
    idempotency: str
    #: SHA-256 of the body.
    body: str
    outcome: str
    #: ``X-Wirewatch-Repeat``: it says that it may be a repeat.
    repeat: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it has arrived."""
        return self.outcome in ACCEPTED


class Receiver:
    """The test's side of a receiver. What it writes down stands in ``path``."""

    def __init__(self, path: Path, *, plan: Plan | None = None, read_back: bool = True) -> None:
        self.path = path
        values = {"path": str(path), "plan": asdict(plan or Plan()), "read_back": read_back}
        self._beside = Beside("tests.service.receiver", **values)
        self.port: int = self._beside.ready["port"]

    @property
    def url(self) -> str:
        """Where alerts are sent to."""
        return f"http://{HOST}:{self.port}{_INBOX}"

    @property
    def read_back(self) -> str:
        """Where it can be asked for an alert."""
        return f"http://{HOST}:{self.port}{_ALERTS}{{alert}}"

    def requests(self) -> list[Post]:
        """Return every request, oldest first."""
        return _written(self.path)

    def received(self) -> list[tuple[str, str]]:
        """Return the alert and the article of every request that was accepted, oldest first."""
        return [(post.alert, post.url) for post in self.requests() if post.accepted]

    def posts(self) -> Counter[str]:
        """Return how often each alert was accepted."""
        return Counter(alert for alert, _ in self.received())

    def behave(self, plan: Plan) -> None:
        """Misbehave in another way from now on."""
        self._beside.ask("behave", plan=asdict(plan))

    def hang(self) -> None:
        """Accept, and answer nothing until ``release``."""
        self._beside.ask("hang")

    def release(self) -> None:
        """Answer all that hangs, and go on as before."""
        self._beside.ask("release")

    def answer_questions(self, *, on: bool) -> None:
        """Answer questions for an alert, or say 503 to them."""
        self._beside.ask("questions", on=on)

    def asked(self) -> int:
        """Return how often it was asked for an alert."""
        count: int = self._beside.ask("asked")
        return count

    def close(self) -> None:
        """End the receiver; what it has written down stays."""
        self._beside.close()


@contextmanager
def receiver(path: Path, *, plan: Plan | None = None, read_back: bool = True) -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    running = Receiver(path, plan=plan, read_back=read_back)
    try:
        yield running
    finally:
        running.close()


def _written(path: Path) -> list[Post]:
    try:
        # Behind the last line break stands what is being written just now.
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [Post(**json.loads(line)) for line in lines]


class _Receiving:
    """The receiver itself."""

    def __init__(self, path: Path, plan: Plan, *, read_back: bool) -> None:
        self._plan, self._read_back = plan, read_back
        before = _written(path)
        self._seen = Counter(post.alert for post in before)
        self._accepted = {post.alert for post in before if post.accepted}
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._open = asyncio.Event()
        self._open.set()
        self._asked = 0

    async def answer(self, request: web.Request) -> web.Answer | None:
        """Take a request, or say whether an alert was accepted."""
        if request.method == "GET" and request.path.startswith(_ALERTS):
            return self._asked_for(request.path.removeprefix(_ALERTS))
        if (request.method, request.path) != ("POST", _INBOX):
            return web.Answer(404)
        outcome = self._take(request)
        if outcome == HUNG:
            await self._open.wait()
        if outcome == LATE:
            await asyncio.sleep(self._plan.late_s)
        if outcome == BUSY:
            return web.Answer(429, headers={"Retry-After": str(self._plan.retry_after_s)})
        return {ERROR: web.Answer(500), DROPPED: None}.get(outcome, web.Answer(204))

    def torn(self) -> None:
        """Write down a request that was not sent whole, and so has not arrived."""
        self._write(Post(at=_now(), alert="", url="", attempt="", idempotency="", body="", outcome=TORN))

    def behave(self, plan: Mapping[str, Any]) -> None:
        """Take another plan."""
        self._plan = Plan(**plan)

    def hang(self) -> None:
        """Let what comes wait."""
        self._open.clear()

    def release(self) -> None:
        """Let nothing wait any more."""
        self._open.set()

    def questions(self, *, on: bool) -> None:
        """Answer questions, or do not."""
        self._read_back = on

    def asked(self) -> int:
        """Return how many questions there were."""
        return self._asked

    def _take(self, request: web.Request) -> str:
        key, url = request.headers.get("webhook-id", ""), _article(request.body)
        self._seen[key] += 1
        outcome = self._plan.outcome(urlsplit(url).path, self._seen[key]) if self._open.is_set() else HUNG
        self._write(
            Post(
                at=_now(),
                alert=key,
                url=url,
                attempt=request.headers.get("x-wirewatch-attempt", ""),
                idempotency=request.headers.get("idempotency-key", ""),
                body=hashlib.sha256(request.body).hexdigest(),
                outcome=outcome,
                repeat=request.headers.get("x-wirewatch-repeat", ""),
            )
        )
        if outcome in ACCEPTED:
            self._accepted.add(key)
        return outcome

    def _asked_for(self, key: str) -> web.Answer:
        self._asked += 1
        if not self._read_back:
            return web.Answer(503)
        return web.Answer(200 if key in self._accepted else 404)

    def _write(self, post: Post) -> None:
        # One write to a file survives every death but that of the machine.
        line = json.dumps(asdict(post)).encode() + b"\n"
        assert os.write(self._file, line) == len(line)


def _article(body: bytes) -> str:
    """Return the address of the article that a body is about: of the alert in it, or in its envelope's data."""
    try:
        said = json.loads(body)
        return str(said.get("data", said).get("url", ""))
    except (AttributeError, ValueError):
        return ""


def _now() -> float:
    return time.time()  # noqa: TID251 - a program of its own, whose clock is the machine's


async def _main(values: dict[str, Any]) -> None:
    receiving = _Receiving(Path(values["path"]), Plan(**values["plan"]), read_back=values["read_back"])
    port = await web.serve([HOST], receiving.answer, torn=receiving.torn)
    say({"port": port})
    await attend(
        {
            "behave": receiving.behave,
            "hang": receiving.hang,
            "release": receiving.release,
            "questions": receiving.questions,
            "asked": receiving.asked,
        }
    )


if __name__ == "__main__":
    asyncio.run(_main(given()))

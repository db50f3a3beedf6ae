"""The judge: an OpenAI-compatible endpoint that is asked about the last passages of an article.

It is asked only when the models leave an article open, and its silence costs nothing but its opinion: the verifier's
answer stands. Neither the key nor a word of an article or of an answer stands in any message here.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

import httpx

from worker.errors import ConfigError, Problem, Retryable, Unusable
from worker.model import Opinion, Question
from worker.web import body, judge_prompt
from worker.web.connections import checked_client, in_time
from worker.web.judge_answers import Answers, Counters, RecordedJudge
from worker.web.network import Network

__all__ = ["Budget", "Counters", "LiveJudge", "RecordedJudge"]

_log = logging.getLogger("wirewatch")
_HOUR: Final = 3600.0
_PATH: Final = "/chat/completions"
#: Answers in memory; at some 300 bytes each they take 15 MB.
_MOST: Final = 50_000
#: Seconds: the wait before a second try when the endpoint names none, and the longest one that is waited for.
_WAIT, _WAIT_MAX = 1.0, 5.0
#: Seconds.
_CONNECT: Final = 5.0
#: What a header can carry without quoting: RFC 9110 section 5.5, VCHAR.
_KEY = re.compile(r"[\x21-\x7e]*")
_PORTS: Final = {"http": 80, "https": 443}


class Budget:
    """So many in any hour that ``clock`` (seconds, never going back) counts. Threads may share it."""

    def __init__(self, per_hour: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._lock = Lock()
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Return whether there is one left, and take it."""
        with self._lock:
            now = self._clock()
            while self._taken and now - self._taken[0] >= _HOUR:
                self._taken.popleft()
            if len(self._taken) >= self._per_hour:
                return False
            self._taken.append(now)
            return True


class LiveJudge:
    """Asks the endpoint at ``url``, within ``budget_per_hour`` requests. One for a process; threads may share it.

    ``url`` is a base such as ``https://host/v1`` or the whole address of the chat completions. Its host and port may be
    anywhere, on this machine too, since the operator named them; for whatever else the rules of ``network`` hold, and
    redirects are not followed. A budget of 0 sends nothing: recorded answers only. ``timeout``, in seconds, bounds one
    request. ``record`` keeps the answers from one start to the next, and for ``RecordedJudge``. ``clock`` and ``pause``
    are there for tests.

    Raises:
        ConfigError: the address or the key cannot be used, or the record cannot be read.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key: str,
        budget_per_hour: int,
        network: Network,
        record: Path | None = None,
        timeout: float = 20.0,
        user_agent: str = "wirewatch",
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = _endpoint(url)
        self._host = self._url.host
        self._model = model
        self._timeout = timeout
        self._limit = network.max_body
        self._pause = pause
        self._budget_per_hour = budget_per_hour
        self._budget = Budget(budget_per_hour, clock=clock)
        self._said = Budget(1, clock=clock)
        self._answers = Answers(record, most=_MOST)
        self._lock = Lock()
        self._counters = Counters()
        port = self._url.port or _PORTS[self._url.scheme]
        self._client = checked_client(
            network,
            headers={
                "user-agent": user_agent,
                "accept-encoding": "gzip",
                "accept": "application/json",
                "content-type": "application/json",
                **_authorization(key),
            },
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
            own=frozenset({(self._url.raw_host.decode("ascii"), port)}),
        )

    @property
    def counters(self) -> Counters:
        """What became of the questions so far."""
        return replace(self._counters, bad_lines=self._answers.bad_lines, unrecorded=self._answers.unrecorded)

    def ask(self, question: Question) -> Opinion | None:
        """Return the answer, or ``None`` when there is none to be had now; it never raises.

        A question without a claim or a passage has no answer, and nobody is asked.
        """
        sent = judge_prompt.prepared(question)
        if not sent.claims or not sent.passages:
            return None
        key = judge_prompt.content_key(sent, model=self._model)
        if known := self._answers.get(key, passages=len(sent.passages)):
            self._count(cached=1)
            return known
        if not self._budget.take():
            self._refuse()
            return None
        try:
            found = self._asked(sent)
        except _NoAnswer as error:
            self._count(failed=1)
            _log.warning("meaning.judge: %s: %s; the verifier's answer stands", self._host, error)
            return None
        self._answers.keep(key, found)
        return found

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _asked(self, sent: Question) -> Opinion:
        content = judge_prompt.request(sent, model=self._model)
        found = judge_prompt.answer(self._reply(content), passages=len(sent.passages))
        if found is None:
            raise _NoAnswer("the answer is not exactly the JSON object that was asked for")
        return found

    def _reply(self, content: bytes) -> bytes:
        """Return the body of the answer, at the second try if the first is worth one and the budget has one left."""
        try:
            return self._post(content)
        except _NoAnswer as error:
            if error.wait is None or not self._budget.take():
                raise
            self._pause(error.wait)
        return self._post(content)

    def _post(self, content: bytes) -> bytes:
        self._count(asked=1)
        late = f"no answer within {self._timeout:g} s"
        until = time.monotonic() + self._timeout
        try:
            with self._client.stream("POST", self._url, content=content) as response:
                self._client.cookies.clear()
                _expect_ok(response)
                return body.read(
                    in_time(response.iter_raw(), until=until, late=late),
                    encoding=response.headers.get("content-encoding", ""),
                    limit=self._limit,
                    url=self._host,
                )
        except _NoAnswer:
            raise
        except (httpx.TimeoutException, Retryable) as error:
            raise _NoAnswer(late, wait=_WAIT) from error
        except Unusable as error:
            raise _NoAnswer("the answer is larger than network.max_body, or not packed as it says") from error
        except Exception as error:
            # Whatever it is, it costs an opinion and not the article. Its text may quote headers: we say its kind only.
            raise _NoAnswer(f"no connection ({type(error).__name__})") from error

    def _refuse(self) -> None:
        self._count(refused_budget=1)
        if self._said.take():
            said = "meaning.judge: the budget of %d requests an hour is spent; the verifier's answers stand"
            _log.warning(said, self._budget_per_hour)

    def _count(self, *, asked: int = 0, cached: int = 0, refused_budget: int = 0, failed: int = 0) -> None:
        with self._lock:
            counted = self._counters
            self._counters = replace(
                counted,
                asked=counted.asked + asked,
                cached=counted.cached + cached,
                refused_budget=counted.refused_budget + refused_budget,
                failed=counted.failed + failed,
            )


class _NoAnswer(Exception):  # noqa: N818 - named for what it says
    """There is no answer; after ``wait`` seconds another try is worth while, or never if that is ``None``."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def _expect_ok(response: httpx.Response) -> None:
    """Do nothing for status 200.

    Raises:
        _NoAnswer: any other status. 429 and 5xx are worth a second try, unless Retry-After says that it is a long way
            off (RFC 9110 section 10.2.3; a date is taken for a long way off).
    """
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if response.is_redirect:
        raise _NoAnswer(f"status {status}: redirects are not followed; write the final address in meaning.judge.url")
    if status != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
        raise _NoAnswer(f"status {status}")
    raise _NoAnswer(f"status {status}", wait=_wait(response.headers.get("retry-after", "")))


def _wait(retry_after: str) -> float | None:
    value = retry_after.strip()
    if not value:
        return _WAIT
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) > _WAIT_MAX:
        return None
    return float(value)


def _endpoint(url: str) -> httpx.URL:
    """Return the address of the chat completions."""
    try:
        base = httpx.URL(url)
    except httpx.InvalidURL:
        base = httpx.URL("")
    if base.scheme not in _PORTS or not base.host or base.userinfo:
        # The address is not repeated: it may hold a password.
        raise _misconfigured("meaning.judge.url: expected http(s)://host/path, with the key in meaning.judge.key")
    path = base.path.rstrip("/")
    return base.copy_with(path=path if path.endswith(_PATH) else path + _PATH, fragment=None)


def _authorization(key: str) -> dict[str, str]:
    """Return the header that carries the key, if there is one."""
    key = key.strip()
    if not _KEY.fullmatch(key):
        raise _misconfigured("meaning.judge.key: holds spaces or characters that no header can carry; copy it anew")
    return {"authorization": f"Bearer {key}"} if key else {}


def _misconfigured(message: str) -> ConfigError:
    return ConfigError(Problem(file="service.yaml", message=message))

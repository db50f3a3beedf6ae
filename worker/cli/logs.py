"""The log: one line for each row that is worked on, for people or as JSON, without secrets.

The house logs with the standard library. What a line knows besides its words (stage, verdict, ids) travels in
``extra``, stands in the text for people, and is a key of its own in JSON: the same ids through all stages, so that one
article can be followed from its feed to its alerts.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

#: What a terminal obeys instead of showing: material from outside could move its cursor or change its title.
_CONTROL: Final = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), " ")
#: The names of variables whose values are secrets, and how long a value must be to be looked for in lines.
_SECRET_NAME: Final = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|WEBHOOK|HEARTBEAT|(^|_)KEY($|_)", re.IGNORECASE)
_SHORTEST: Final = 6
_GONE: Final = "***"
#: Secrets that are known by their form, wherever they come from. What is kept is the first group.
_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s'\"<>]+",
        # https://docs.slack.dev/authentication/tokens
        r"(\bxox[a-z]-|\bxapp-)[\w-]{6,}",
        # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        r"(\bwhsec_)[A-Za-z0-9+/=_-]{6,}",
        r"(?i)(\bbearer\s+)[\w.~+/=-]{6,}",
        r"(?i)([a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)",
        r"(?i)([?&](?:token|key|api_?key|secret|password|signature|sig|access_token)=)[^\s&'\"<>]+",
        r"(\bhc-ping\.com/)[^\s'\"<>]+",
    )
)

Event = MutableMapping[str, Any]


def configure(level: int, *, as_json: bool, env: Mapping[str, str] = os.environ) -> None:
    """Have everything that is logged written to stderr, one line each."""
    redactor = Redactor(env)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json(redactor) if as_json else _Lines(redactor))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Their lines are not for users, and some hold whole addresses with the secrets in them.
    for name in ("alembic", "httpx", "httpcore", "trafilatura", "htmldate", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.ERROR)


class _Lines(logging.Formatter):
    """Lines for people, so without what a terminal would obey."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.clean(super().format(record)).translate(_CONTROL)


def _json(redactor: Redactor) -> logging.Formatter:
    import structlog  # dear, and most commands log for people

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _named,
            redactor,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _named(_: object, __: str, event: Event) -> Event:
    """Put a line's keys in one order, with the process that wrote it; a line about a row is named for its stage."""
    event["event"] = event.get("stage", event["event"])
    first = {name: event.pop(name) for name in ("at", "level", "event")}
    return {**first, "pid": os.getpid(), **event}


class Redactor:
    """Takes secrets out of a line: what has the form of one, and what a variable of the environment says is one."""

    def __init__(self, env: Mapping[str, str]) -> None:
        found = {value for name, value in env.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
        # The longest first: one may be a part of another.
        self._values = sorted(found, key=len, reverse=True)

    def __call__(self, _: object, __: str, event: Event) -> Event:
        """Return the line without secrets; structlog's processor."""
        return {name: self.clean(value) if isinstance(value, str) else value for name, value in event.items()}

    def clean(self, text: str) -> str:
        """Return ``text`` without secrets."""
        for value in self._values:
            text = text.replace(value, _GONE)
        for form in _FORMS:
            text = form.sub(rf"\1{_GONE}", text)
        return text

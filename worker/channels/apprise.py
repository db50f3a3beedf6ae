"""Apprise as a channel: mail, chat services and the long tail, each named by one of Apprise's URLs.

Every message goes out as a title and a text. Apprise says yes or no and no more, so the promise is a weaker one than
elsewhere: *at least once*. A yes is a delivery. A no is ``Retryable``, though a service may have taken a message and
failed to say so; with several URLs the ones that had it get it again when one of them failed, so name one URL a channel
where that matters. What is not over in time goes on in its own thread and may still arrive: that is ``Doubtful``.

The services connect by themselves: neither ``allow_private`` nor ``network`` of service.yaml hold here, and proxies of
the environment do. URLs hold passwords and tokens, and Apprise's own log tells of some: it is not let through.

Source: https://github.com/caronc/apprise (2.2 read and tried); https://appriseit.com/services/ for the URLs.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from worker.channels.base import NOBODY_KNOWS, Doubtful, Found
from worker.channels.wording import plain
from worker.errors import ConfigError, Problem, Retryable
from worker.model import Outgoing

if TYPE_CHECKING:
    import apprise

#: Seconds for one URL. Apprise's own limits are 4 to 15 seconds for a connection and as many for each byte.
DEADLINE: Final = 30.0
#: Loggers of the libraries below Apprise that write down whole addresses.
_TALKATIVE: Final = ("urllib3", "requests", "requests_oauthlib")
_STATUS: Final = re.compile(r"\berror=([0-9]{3})\b")
#: Where a text from outside could call people together: "@everyone" (Discord), "<!channel>" and "<@U1>" (Slack).
_CALLS: Final = re.compile(r"https?://\S+|@(?=\w)|<(?=[@!#&])", re.IGNORECASE)
_NOTHING_WIDE: Final = "\u200b"
#: The statuses that services have answered in the call under way, where somebody listens.
_overheard: ContextVar[list[int] | None] = ContextVar("overheard", default=None)


class AppriseChannel:
    """Sends to each of ``urls`` what is to be told. Threads may share it. ``deadline`` is there for tests.

    Raises:
        ConfigError: Apprise is not installed, or knows no service for a URL.
    """

    #: Most services take about one message a second.
    gap = timedelta(seconds=1)

    def __init__(self, channel_id: str, urls: str | Iterable[str], *, deadline: float = DEADLINE) -> None:
        self.id = channel_id
        self._urls = (urls,) if isinstance(urls, str) else tuple(urls)
        self._deadline = deadline
        self._apprise = self._library()
        _keep_quiet()
        # Its services run in the thread that calls, or in one that the call waits for.
        self._asset = self._apprise.AppriseAsset(app_id="wirewatch", app_desc="wirewatch", async_mode=False)
        for number, url in enumerate(self._urls, start=1):
            self._service(number, url)

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Send the message to every URL; ``None``, for Apprise tells no id.

        Raises:
            Retryable: a service did not take it.
            Doubtful: a service was not done in time.
        """
        title, body = (_harmless(text) for text in plain(message))
        for number, url in enumerate(self._urls, start=1):
            self._notify(number, url, title, body)
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return ``NOBODY_KNOWS``: what was sent through Apprise cannot be asked for."""
        return NOBODY_KNOWS

    def _notify(self, number: int, url: str, title: str, body: str) -> None:
        heard: list[int] = []
        listening = _overheard.set(heard)
        try:
            # Made anew each time: a service waits between its messages, and here channels do that for all workers.
            service = self._service(number, url)
            result = service.notify(
                body, title=title, body_format=self._apprise.NotifyFormat.TEXT, **self._limit(service)
            )
        except Exception as error:  # noqa: BLE001 - of any of some 170 services; what it says may hold a secret
            raise Retryable(self._says(number, f"failed ({type(error).__name__})")) from None
        finally:
            _overheard.reset(listening)
        if getattr(getattr(result, "status", None), "name", "") == "TIMEOUT":
            raise Doubtful(self._says(number, f"was not done in {self._deadline:g} s; the message may have arrived"))
        if not result:
            raise Retryable(self._says(number, f"did not take the message{_answered(heard)}"))

    def _service(self, number: int, url: str) -> apprise.Apprise:
        services: apprise.Apprise = self._apprise.Apprise(asset=self._asset)
        if not services.add(url):
            message = self._says(number, "is not one that Apprise knows; https://appriseit.com/services/ lists them")
            raise ConfigError(Problem(file="alerts.yaml", message=message))
        for service in services:
            _steady(service, url, self._apprise)
        return services

    def _limit(self, service: apprise.Apprise) -> dict[str, Any]:
        """Return how long a call may take, in versions (2.2 and later) that can be told."""
        can = "timeout" in inspect.signature(service.notify).parameters
        return {"timeout": self._deadline} if can else {}

    def _library(self) -> Any:  # noqa: ANN401 - a module
        try:
            import apprise  # noqa: PLC0415 - dear, and an extra
        except ImportError:
            message = f"channel {self.id}: type apprise needs Apprise; install wirewatch[apprise]"
            raise ConfigError(Problem(file="alerts.yaml", message=message)) from None
        return apprise

    def _says(self, number: int, text: str) -> str:
        which = "its url" if len(self._urls) == 1 else f"url {number} of {len(self._urls)}"
        return f"channel {self.id}: {which} {text}"


def _steady(service: Any, url: str, library: Any) -> None:  # noqa: ANN401 - a service is of any class
    """Set what a URL does not: no redirects, of which false successes come, and long texts in parts, not refused."""
    given = url.lower()
    if "redirect=" not in given and hasattr(service, "redirects"):
        service.redirects = False
    if "overflow=" not in given:
        service.overflow_mode = library.OverflowMode.SPLIT


def _harmless(text: str) -> str:
    """Return ``text`` so that no service takes a part of it for a call to people; it looks as before."""
    return _CALLS.sub(_uncalled, text)


def _uncalled(found: re.Match[str]) -> str:
    said = found[0]
    if len(said) > 1:
        return said.replace("@", "%40").replace("<", "%3C")
    return said + _NOTHING_WIDE


def _answered(statuses: list[int]) -> str:
    if not statuses:
        return ""
    try:
        return f" (answered {statuses[-1]} {HTTPStatus(statuses[-1]).phrase})"
    except ValueError:
        return f" (answered {statuses[-1]})"


class _Overhearing(logging.Filter):
    """Lets nothing through, and remembers the statuses that services have answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        heard = _overheard.get()
        if heard is not None:
            heard.extend(int(status) for status in _STATUS.findall(record.getMessage()))
        return False


_overhearing: Final = _Overhearing()


def _keep_quiet() -> None:
    """Have Apprise and what it stands on write nothing into the log."""
    logging.getLogger("apprise").addFilter(_overhearing)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)

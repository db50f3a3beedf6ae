"""A Slack incoming webhook as a channel: one message a story, for it can neither thread, nor edit, nor be asked.

Success is the status 200 and the body ``ok``, and no id comes with it. Each accepted request is a message, so an alert
whose answer was lost is in doubt until a person or the policy decides. What follows a story comes in digests.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import httpx

from worker.channels.base import NOBODY_KNOWS, Disabled, Found
from worker.channels.http import DEADLINE, Line, address
from worker.channels.slack_errors import Meaning, Verdict, of_hook
from worker.channels.slack_text import plain, summary
from worker.errors import Unusable
from worker.model import Outgoing

#: Bytes of an answer.
_LIMIT: Final = 65_536


class SlackHookChannel:
    """Posts alerts to ``webhook_url``. Threads may share it: it keeps nothing from one alert to the next.

    ``transport`` makes the connections and bounds each request by ``deadline``, in seconds.

    Raises:
        ConfigError: ``webhook_url`` can be no address.
    """

    #: "1 per second", also for webhooks: https://docs.slack.dev/apis/web-api/rate-limits.
    gap: ClassVar[timedelta] = timedelta(seconds=1)

    def __init__(
        self,
        channel_id: str,
        webhook_url: str,
        *,
        transport: httpx.BaseTransport,
        user_agent: str = "wirewatch",
        deadline: float = DEADLINE,
    ) -> None:
        self.id = channel_id
        self._url = address("webhook_url", webhook_url, says=self._says)
        self._line = Line(transport, says=self._says, user_agent=user_agent, deadline=deadline)

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Post the alert; ``None``, for Slack gives it no id.

        Raises:
            Retryable: it has surely not arrived and may be sent again later.
            Busy: the same, and Slack wants the channel to be left alone.
            Unusable: Slack refuses it, as text as well.
            Disabled: nothing can be posted until somebody mends the channel.
            Doubtful: nobody knows whether it has arrived.
        """
        from worker.channels.slack_blocks import sendable  # noqa: PLC0415 - dear: most processes send nothing to Slack

        verdict = self._post(message, sendable(message), now=now)
        if verdict.meaning is Meaning.MARKUP:
            # No alert is to be lost over its markup.
            verdict = self._post(message, (), now=now)
        if verdict.meaning is not Meaning.TAKEN:
            raise verdict.error(self._says("Slack answered"))
        return None

    def find(self, message: Outgoing, *, since: datetime) -> Found:  # noqa: ARG002 - the protocol's signature
        """Return ``NOBODY_KNOWS``: a webhook cannot be asked."""
        return NOBODY_KNOWS

    def _post(self, message: Outgoing, blocks: Sequence[Mapping[str, Any]], *, now: datetime) -> Verdict:
        """Return what Slack answers.

        Raises:
            Retryable: nothing was written.
            Disabled: nothing ever can be, for the address is not allowed.
            Doubtful: something may have been written, and no answer came.
        """
        payload: dict[str, Any] = {
            "text": summary(message) if blocks else plain(message),
            "unfurl_links": False,
            "unfurl_media": False,
            "parse": "none",
            "link_names": False,
        }
        if blocks:
            payload |= {"blocks": blocks, "mrkdwn": False}
        try:
            answer = self._line.ask(
                "POST",
                self._url,
                headers={"content-type": "application/json; charset=utf-8"},
                content=json.dumps(payload).encode("ascii"),
                limit=_LIMIT,
            )
        except Unusable as error:
            raise Disabled(str(error)) from error
        return of_hook(answer, now=now)

    def _says(self, text: str) -> str:
        return f"channel {self.id}: {text}"

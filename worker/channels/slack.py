"""A Slack app as a channel: one message a story, kept up to date, with what follows in its thread.

A first alert is a message of the channel. What follows is a reply in its thread, and a development or a correction is
shown in the channel as well; before the reply, the first message is edited to say how far the story has gone. The edit
comes first because it can be made twice; the alert has arrived when the reply has. An edit that Slack refuses for good
(too old, deleted, not allowed) is let go. A first message is edited by what Slack gives back of it, so whatever else is
in it stays.

Every message carries the key of its alert in its metadata and in the id of its first block, and so it can be found
again (``conversations.history``, ``conversations.replies``): where an answer was lost, Slack is asked.
``client_msg_id`` is not relied upon: what Slack does with it is written nowhere.

The app needs the scope ``chat:write``, and ``channels:history`` (``groups:history`` for private channels) for edits and
to be asked; without it an alert in doubt stays in doubt. What an answer means: ``worker.channels.slack_errors``.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage, chat.update, conversations.history and
conversations.replies; https://docs.slack.dev/messaging/message-metadata.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import httpx

from worker.channels.base import NOBODY_KNOWS, Disabled, Doubtful, Found
from worker.channels.http import DEADLINE, Line, address
from worker.channels.slack_errors import Meaning, Verdict, of_api
from worker.channels.slack_text import plain, summary
from worker.errors import Retryable, Unusable, WirewatchError
from worker.model import Message, Outgoing, Role

API: Final = "https://slack.com/api"
EVENT: Final = "wirewatch_alert"
#: Slack's clock may be behind ours by this much.
_SKEW: Final = timedelta(seconds=60)
#: Messages asked for at once ("we recommend no more than 200 results at a time"), and how often for one alert.
_PAGE: Final = 200
_PAGES: Final = 5
#: Bytes of an answer.
_LIMIT: Final = 16 * 1024 * 1024
_PLACE = re.compile(r"([A-Z][A-Z0-9]+):([0-9]+\.[0-9]+)")
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,}")
_UNFIT = re.compile(r"[^!-~]")
_BROADCAST: Final = frozenset({Role.DEVELOPMENT, Role.CORRECTION})
#: Answers after which an edit may be made a little later.
_SOON: Final = frozenset({Meaning.LATER, Meaning.DOUBT})

_log = logging.getLogger("wirewatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a message is: the remote id of an alert."""

    channel: str
    ts: str


class SlackChannel:
    """Posts alerts to a Slack channel as an app. Threads may share it: it keeps nothing from one alert to the next.

    ``token`` is the app's bot token, and ``channel`` the id of a channel (by a name, alerts can be posted and not be
    found again). ``transport`` makes the connections and bounds each request by ``deadline``, in seconds. ``api`` is
    another address of the Web API: https://slack-gov.com/api, or a workspace of ``worker.replay.slack``.

    Raises:
        ConfigError: ``api`` can be no address.
    """

    #: "1 message per second per channel": https://docs.slack.dev/apis/web-api/rate-limits.
    gap: ClassVar[timedelta] = timedelta(seconds=1)

    def __init__(
        self,
        channel_id: str,
        token: str,
        channel: str,
        *,
        transport: httpx.BaseTransport,
        api: str = API,
        user_agent: str = "wirewatch",
        deadline: float = DEADLINE,
    ) -> None:
        self.id = channel_id
        self._channel = channel
        self._api = address("api_url", api.rstrip("/") + "/", says=self._says)
        # Only what a header can hold: of anything else Slack says that it is no token.
        self._authorization = f"Bearer {_UNFIT.sub('?', token.strip()) or '?'}"
        self._line = Line(transport, says=self._says, user_agent=user_agent, deadline=deadline)

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Post the alert and return ``CHANNEL:TS``, by which Slack knows it.

        Raises:
            Retryable: it has surely not arrived and may be sent again later.
            Busy: the same, and Slack wants the channel to be left alone.
            Unusable: Slack refuses it, as text as well.
            Disabled: nothing can be posted until somebody mends the channel.
            Doubtful: nobody knows whether it has arrived.
        """
        if message.alert.attempt > 1 and (found := self.find(message, since=message.at)).arrived:
            return found.remote_id
        parent = self._parent(message)
        if parent and isinstance(message, Message):
            self._edit(parent, message, now=now)
        return self._post(message, parent, now=now)

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Return whether the Slack channel, or the thread that the alert belongs to, has it."""
        looked = self._look(message, since)
        return looked if isinstance(looked, Found) else NOBODY_KNOWS

    # To post.

    def _post(self, message: Outgoing, parent: _Place | None, *, now: datetime) -> str | None:
        """Post the alert: without what Slack will not have, if that is its blocks or its thread."""
        as_text = False
        while True:
            try:
                verdict = self._call("chat.postMessage", self._payload(message, parent, as_text=as_text), now=now)
            except Doubtful as doubt:
                return self._settle(message, doubt)
            match verdict.meaning:
                case Meaning.TAKEN:
                    return _remote_id(verdict.data)
                case Meaning.DOUBT:
                    return self._settle(message, verdict.error(self._says("Slack answered")))
                case Meaning.MARKUP if not as_text:
                    as_text = True
                case Meaning.THREAD if parent:
                    parent = None
                case _:
                    raise verdict.error(self._says("Slack answered"))
            self._note("sent-plainer", verdict.word, message)

    def _payload(self, message: Outgoing, parent: _Place | None, *, as_text: bool) -> dict[str, Any]:
        from worker.channels.slack_blocks import sendable  # noqa: PLC0415 - dear: most processes send nothing to Slack

        if isinstance(message, Message) and parent is None:
            message = replace(message, thread=None)
        blocks = [] if as_text else sendable(message)
        payload: dict[str, Any] = {
            "channel": parent.channel if parent else self._channel,
            "text": summary(message) if blocks else plain(message),
            "unfurl_links": False,
            "unfurl_media": False,
            "parse": "none",
            "link_names": False,
            "metadata": {"event_type": EVENT, "event_payload": {"alert_key": message.alert.key}},
        }
        if blocks:
            payload |= {"blocks": blocks, "mrkdwn": False}
        if parent:
            payload |= {"thread_ts": parent.ts, "reply_broadcast": message.alert.role in _BROADCAST}
        return payload

    def _settle(self, message: Outgoing, doubt: WirewatchError) -> str | None:
        """Return the remote id of an alert that Slack says it has after all.

        Raises:
            Retryable: it says that it has not.
            Doubtful: it does not say.
        """
        looked = self._look(message, message.at)
        if isinstance(looked, WirewatchError):
            raise Doubtful(f"{doubt}; {str(looked).removeprefix(self._says(''))}") from None
        if looked.arrived is None:
            raise Doubtful(str(doubt))
        if not looked.arrived:
            raise Retryable(f"{doubt}, but Slack says that it has not")
        return looked.remote_id

    # To edit the first message.

    def _parent(self, message: Outgoing) -> _Place | None:
        """Return where the first message of the story is, if what follows belongs there."""
        match = _PLACE.fullmatch((message.thread or "") if isinstance(message, Message) else "")
        if match is None:
            return None
        place = _Place(channel=match[1], ts=match[2])
        known = _CHANNEL_ID.fullmatch(self._channel) and _CHANNEL_ID.fullmatch(place.channel)
        # The story was begun in another channel, which may be one that this one was meant to replace.
        return None if known and place.channel != self._channel else place

    def _edit(self, parent: _Place, message: Message, *, now: datetime) -> None:
        """Let the first message say how far the story has gone.

        Raises:
            Retryable: not now. The reply has not been sent, so both may be done later; from the second attempt on, the
                edit is let go instead, for the sake of the reply.
            Busy: Slack wants the channel to be left alone.
        """
        try:
            verdict = self._edited(parent, message, now=now)
        except (Retryable, Doubtful) as error:
            if message.alert.attempt <= 1:
                raise Retryable(f"{error} (while its first message was being edited)") from error
            self._note("edit-dropped", str(error), message)
            return
        if verdict is None or verdict.meaning is Meaning.TAKEN:
            return
        refused = verdict.error(self._says("Slack answered, to an edit,"))
        if verdict.meaning is Meaning.BUSY:
            raise refused
        if verdict.meaning in _SOON and message.alert.attempt <= 1:
            raise Retryable(str(refused), after=verdict.after)
        self._note("edit-dropped", verdict.word, message)

    def _edited(self, parent: _Place, message: Message, *, now: datetime) -> Verdict | None:
        """Return what Slack said to the edit; ``None`` when there is nothing to be changed."""
        from worker.channels.slack_blocks import restanding  # noqa: PLC0415 - dear

        only = {"channel": parent.channel, "latest": parent.ts, "oldest": parent.ts, "inclusive": "true", "limit": "1"}
        read = self._call("conversations.history", only, now=now, reads=True)
        if read.meaning is not Meaning.TAKEN:
            return read
        found = next((item for item in _messages(read.data) if item.get("ts") == parent.ts), None)
        if found is None:
            return Verdict(meaning=Meaning.UNUSABLE, word="message_not_found")
        blocks = restanding(found.get("blocks") or [], message)
        if blocks is None:
            return None
        # What is left out stays as it is, the metadata among it; without "parse", names would become mentions.
        edit = {"channel": parent.channel, "ts": parent.ts, "text": str(found.get("text", "")), "blocks": blocks}
        return self._call("chat.update", {**edit, "parse": "none", "link_names": False}, now=now)

    # To find.

    def _look(self, message: Outgoing, since: datetime) -> Found | WirewatchError:
        """Return whether Slack has an alert, or why it does not say."""
        oldest = f"{(since - _SKEW).timestamp():.6f}"
        parent = self._parent(message)
        # What could not be said in its thread was said outside of it.
        places = [("conversations.history", {"channel": self._channel})]
        if parent:
            places.insert(0, ("conversations.replies", {"channel": parent.channel, "ts": parent.ts}))
        try:
            for method, where in places:
                for item in self._list(method, {**where, "oldest": oldest}, since):
                    if _is_about(item, message.alert.key):
                        channel = parent.channel if parent and method.endswith("replies") else self._channel
                        return Found(arrived=True, remote_id=f"{channel}:{item.get('ts')}")
        except WirewatchError as error:
            return error
        return Found(arrived=False)

    def _list(self, method: str, query: Mapping[str, str], now: datetime) -> Iterator[Mapping[str, Any]]:
        """Yield what Slack lists.

        Raises:
            WirewatchError: it lists nothing, or more than is asked for.
        """
        cursor = ""
        for _ in range(_PAGES):
            asked = {**query, "include_all_metadata": "true", "limit": str(_PAGE)}
            verdict = self._call(method, {**asked, **({"cursor": cursor} if cursor else {})}, now=now, reads=True)
            if verdict.word == "thread_not_found":
                return
            if verdict.meaning is not Meaning.TAKEN or "messages" not in verdict.data:
                raise verdict.error(self._says("asked whether it has it, Slack answered"))
            yield from _messages(verdict.data)
            cursor = str((verdict.data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return
        raise Retryable(self._says(f"asked whether it has it, Slack listed more than {_PAGE * _PAGES} messages"))

    # To ask.

    def _call(self, method: str, arguments: Mapping[str, Any], *, now: datetime, reads: bool = False) -> Verdict:
        """Return what Slack answers to a method.

        Raises:
            Retryable: nothing was written.
            Disabled: nothing ever can be, for the address is not allowed.
            Doubtful: something may have been written, and no answer came.
        """
        url = self._api.join(method)
        headers = {"authorization": self._authorization}
        content = None
        if reads:
            url = url.copy_merge_params(dict(arguments))
        else:
            headers["content-type"] = "application/json; charset=utf-8"
            content = json.dumps(arguments).encode("ascii")
        try:
            answer = self._line.ask("GET" if reads else "POST", url, headers=headers, content=content, limit=_LIMIT)
        except Unusable as error:
            raise Disabled(str(error)) from error
        return of_api(answer, now=now)

    def _note(self, verdict: str, word: str, message: Outgoing) -> None:
        """Write into the log what the reader of the channel does not get."""
        _log.warning("slack verdict=%s channel=%s alert=%s detail=%r", verdict, self.id, message.alert.key, word)

    def _says(self, text: str) -> str:
        return f"channel {self.id}: {text}"


def _remote_id(data: Mapping[str, Any]) -> str | None:
    found = f"{data.get('channel')}:{data.get('ts')}"
    return found if _PLACE.fullmatch(found) else None


def _messages(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = data.get("messages")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _is_about(item: Mapping[str, Any], alert_key: str) -> bool:
    from worker.channels.slack_blocks import block_id  # noqa: PLC0415 - dear

    metadata = item.get("metadata") or {}
    if metadata.get("event_type") == EVENT and (metadata.get("event_payload") or {}).get("alert_key") == alert_key:
        return True
    first: object = next(iter(item.get("blocks") or ()), None)
    return isinstance(first, dict) and first.get("block_id") == block_id(alert_key)

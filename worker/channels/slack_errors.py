"""What an answer of Slack says about the alert.

The Web API says no with ``{"ok": false, "error": WORD}`` and the status 200; an incoming webhook with a status and a
word as its body. One table reads both:

==================  ==================================================================================================
``Meaning``         for the alert
==================  ==================================================================================================
``TAKEN``           it has arrived
``BUSY``            ``Busy``: the channel is left alone for as long as Retry-After says, or a minute
``LATER``           ``Retryable``: it was surely not taken
``DISABLED``        ``Disabled``: nothing will be taken until somebody mends the token, the channel or its settings
``MARKUP``          once more as text without blocks, and ``Unusable`` if that is refused as well
``THREAD``          once more outside of its thread, which is gone or closed
``UNUSABLE``        ``Unusable``
``DOUBT``           nobody knows: Slack is asked, or ``Doubtful``
==================  ==================================================================================================

``internal_error`` and ``fatal_error`` are doubts, for "it's possible some aspect of the operation succeeded", and so is
a server error that says nothing more; 503 and ``service_unavailable`` are not, for whoever says them has not begun. A
word that is not in the table means ``LATER``: Slack has said no, and its pages warn of words that they do not list.

Sources: the errors of https://docs.slack.dev/reference/methods/chat.postMessage and chat.update; of webhooks,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

from worker.channels.base import Busy, Disabled, Doubtful
from worker.channels.http import Answer, retry_after
from worker.errors import Retryable, Unusable, WirewatchError

#: How long a channel is left alone that is asked for too much and does not say for how long.
PAUSE: Final = timedelta(minutes=1)


class Meaning(Enum):
    """What an answer says about the alert; see the table above."""

    TAKEN = auto()
    BUSY = auto()
    LATER = auto()
    DISABLED = auto()
    MARKUP = auto()
    THREAD = auto()
    UNUSABLE = auto()
    DOUBT = auto()


_WORDS: Final[Mapping[Meaning, str]] = {
    Meaning.BUSY: "ratelimited rate_limited message_limit_exceeded",
    Meaning.LATER: """
        service_unavailable request_timeout team_added_to_org org_login_required external_channel_migrating
        update_failed
    """,
    Meaning.DISABLED: """
        not_authed invalid_auth account_inactive token_revoked token_expired no_permission missing_scope
        not_allowed_token_type two_factor_setup_required access_denied accesslimited ekm_access_denied
        enterprise_is_restricted team_access_not_granted method_deprecated deprecated_endpoint unknown_method
        as_user_not_supported metadata_must_be_sent_from_app channel_not_found duplicate_channel_not_found
        not_in_channel is_archived is_inactive channel_is_archived channel_is_frozen restricted_action
        restricted_action_read_only_channel restricted_action_thread_only_channel messages_tab_disabled
        cannot_dm_bot user_not_found team_not_found no_service no_service_id no_active_hooks no_team team_disabled
        invalid_token action_prohibited posting_to_general_channel_denied
    """,
    Meaning.MARKUP: """
        invalid_blocks invalid_blocks_format invalid_block_id block_mismatch msg_too_long msg_blocks_too_long
        invalid_arguments invalid_payload no_text missing_text_or_fallback_or_attachments too_many_attachments
    """,
    Meaning.THREAD: """
        thread_not_found cannot_reply_to_message message_not_found invalid_thread_ts cant_broadcast_message
        restricted_action_thread_locked restricted_action_non_threadable_channel
    """,
    Meaning.UNUSABLE: """
        invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type missing_post_type
        invalid_json json_not_object metadata_too_large invalid_metadata_format invalid_metadata_schema
        cant_update_message edit_window_closed no_dual_broadcast_content_update
    """,
    Meaning.DOUBT: "internal_error fatal_error rollup_error",
}
_MEANINGS: Final = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}

#: What somebody can do, where the word alone does not say it.
_REMEDIES: Final = {
    **dict.fromkeys(("not_authed", "invalid_auth", "token_revoked", "token_expired"), "set a token that is in force"),
    "account_inactive": "the app was removed from the workspace; install it and set its new token",
    "not_allowed_token_type": "set the bot token of the app, which begins with xoxb-",
    "channel_not_found": "set the id of a channel that the app may see, such as C0123ABCD, and invite the app",
    "not_in_channel": "invite the app to the channel: /invite @its-name",
    **dict.fromkeys(("is_archived", "channel_is_archived"), "unarchive the channel or set another one"),
    **dict.fromkeys(
        ("no_service", "no_service_id", "no_active_hooks", "invalid_token"), "make a new webhook and set its address"
    ),
    "action_prohibited": "an admin of the workspace has to allow the webhook",
    "missing_scope": "add the scope to the app and install it again",
}
_WORD = re.compile(r"[a-z][a-z0-9_]{1,60}")
_SCOPES = re.compile(r"[a-z:._,]{1,120}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Slack has answered, understood."""

    meaning: Meaning
    #: Slack's own word, or the status.
    word: str
    #: How long it asks to be left alone.
    after: timedelta | None = None
    #: The answer itself, where it was one.
    data: Mapping[str, Any] = field(default_factory=dict)

    def error(self, about: str) -> WirewatchError:
        """Return it as an error whose text begins with ``about``."""
        remedy = _REMEDIES.get(self.word, "")
        if self.word == "missing_scope" and _SCOPES.fullmatch(str(self.data.get("needed", ""))):
            remedy = f"add the scope {self.data['needed']} to the app and install it again"
        said = f"{about} {self.word}{f'; {remedy}' if remedy else ''}"
        match self.meaning:
            case Meaning.BUSY:
                return Busy(said, after=self.after or PAUSE)
            case Meaning.LATER:
                return Retryable(said, after=self.after)
            case Meaning.DISABLED:
                return Disabled(said)
            case Meaning.DOUBT | Meaning.TAKEN:
                return Doubtful(f"{said}; the alert may have arrived")
            case Meaning.MARKUP | Meaning.THREAD | Meaning.UNUSABLE:
                return Unusable(said)


def of_api(answer: Answer, *, now: datetime) -> Verdict:
    """Return what an answer of the Web API says."""
    data = _object(answer.body)
    word = str(data.get("error", ""))
    after = retry_after(answer.headers.get("retry-after", ""), now=now)
    if answer.status == HTTPStatus.OK and data.get("ok") is True:
        return Verdict(meaning=Meaning.TAKEN, word="ok", data=data)
    if data.get("ok") is False and _WORD.fullmatch(word) and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict(meaning=_MEANINGS.get(word, Meaning.LATER), word=word, after=after, data=data)
    return _of_status(answer.status, after)


def of_hook(answer: Answer, *, now: datetime) -> Verdict:
    """Return what an answer of an incoming webhook says: it has taken what it answers with 200 and ``ok``."""
    word = (answer.body or b"").decode("utf-8", "replace").strip()
    after = retry_after(answer.headers.get("retry-after", ""), now=now)
    if answer.status == HTTPStatus.OK and word == "ok":
        return Verdict(meaning=Meaning.TAKEN, word=word)
    if answer.status != HTTPStatus.OK and word in _MEANINGS:
        return Verdict(meaning=_MEANINGS[word], word=word, after=after)
    return _of_status(answer.status, after, bad_request=Meaning.MARKUP)


def _of_status(status: int, after: timedelta | None, *, bad_request: Meaning = Meaning.DISABLED) -> Verdict:
    """Return what a status says whose body says nothing: all but a few come from something that is not Slack."""
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            meaning = Meaning.BUSY
        case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_EARLY:
            meaning = Meaning.LATER
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            meaning = Meaning.MARKUP
        case HTTPStatus.BAD_REQUEST:
            meaning = bad_request
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            meaning = Meaning.DISABLED
        case _:
            meaning = Meaning.DOUBT
    return Verdict(meaning=meaning, word=f"{status}{_phrase(status)}", after=after)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _object(body: bytes | None) -> Mapping[str, Any]:
    try:
        data = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}

"""A Slack workspace on this machine, for replays, tests and for trying a configuration out: nothing leaves loopback.

It has one app with a bot token, channels and an incoming webhook, and says no where Slack's pages say that Slack does
(``slack_rules``). ``api`` is what ``api_url`` of a channel is set to, ``hook`` its ``webhook_url``. It can be told to
misbehave, request by request, in the ways in which a network does.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Self
from urllib.parse import parse_qsl, urlsplit

from worker.replay.slack_rules import TEXT, UPDATE_TEXT, refusal

ADDRESS: Final = "127.0.0.1"
TOKEN: Final = "xoxb-1-workspace-of-this-machine"  # noqa: S105 - it opens nothing
CHANNEL: Final = "C0123ABCD"
SECRET: Final = "T0LOOPBACK/B0LOOPBACK/workspace-of-this-machine"  # noqa: S105 - the same
SCOPES: Final = frozenset({"chat:write", "channels:history"})
_NEEDS: Final = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
}
_BOT: Final = "B0WIREWATCH"
#: Most that a list gives at once, whatever was asked for, and what it gives unasked.
_MOST, _USUAL = 999, 100

Json = dict[str, Any]


@dataclass(slots=True)
class Room:
    """A channel of the workspace: its messages, oldest first, replies among them."""

    messages: list[Json] = field(default_factory=list)
    archived: bool = False
    #: The app was not invited.
    closed: bool = False
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A way to misbehave, once."""

    #: The method, or ``hook``, that it is for; empty for whichever comes next.
    method: str = ""
    #: The message is taken before anything goes wrong.
    taken: bool = False
    #: The answer: a status with a body. Without a status nothing is answered and the connection is closed.
    status: int = 0
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds before the answer.
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the workspace saw it."""

    method: str
    arguments: Json
    headers: Mapping[str, str]


class Workspace:
    """A workspace that serves from ``with`` on, until the block ends.

    ``now`` is its clock, which dates messages; it can be read as ``clock``. With ``limited`` it takes a message a
    second and channel, and answers 429 to more.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        channels: Iterable[str] = (CHANNEL,),
        scopes: Iterable[str] = SCOPES,
        limited: bool = False,
        now: Callable[[], datetime] | None = None,
        port: int = 0,
    ) -> None:
        self.token = token
        self.rooms = {channel: Room() for channel in channels}
        #: The channel of the incoming webhook.
        self.hook_channel = next(iter(self.rooms))
        self.scopes = set(scopes)
        self.limited = limited
        #: What goes wrong next, in this order.
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.clock = now or _wall_clock
        self._count = 0
        self._lock = threading.RLock()
        self._server = _Server((ADDRESS, port), _handler(self))
        self.port: int = self._server.server_port
        self.api = f"http://{ADDRESS}:{self.port}/api"
        self.hook = f"http://{ADDRESS}:{self.port}/services/{SECRET}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def parents(self, channel: str = "") -> list[Json]:
        """Return the messages of a channel that stand in no thread, oldest first."""
        return [m for m in self.rooms[channel or self.hook_channel].messages if "thread_ts" not in m]

    def thread(self, ts: str, channel: str = "") -> list[Json]:
        """Return the replies to a message, oldest first."""
        return [m for m in self.rooms[channel or self.hook_channel].messages if m.get("thread_ts") == ts]

    def fault(self, method: str) -> Fault | None:
        """Return, once, how a request is to go wrong; ``None`` when it is not."""
        with self._lock:
            for fault in self.faults:
                if fault.method in {"", method}:
                    self.faults.remove(fault)
                    return fault
        return None

    def call(self, method: str, arguments: Json, headers: Mapping[str, str]) -> tuple[int, Json, dict[str, str]]:
        """Return the status, the answer and its headers for a call of the Web API."""
        with self._lock:
            self.calls.append(Call(method, arguments, headers))
            refused = self._refused(method, headers)
            if refused:
                return 200, {"ok": False, **refused}, {}
            answer = _METHODS[method](self, arguments)
        if answer.get("error") == "ratelimited":
            return 429, answer, {"Retry-After": "1"}
        return 200, answer, {}

    def post_to_hook(self, path: str, arguments: object, headers: Mapping[str, str]) -> tuple[int, str, dict[str, str]]:
        """Return the status, the body and the headers of the answer to a post to the incoming webhook."""
        with self._lock:
            payload = arguments if isinstance(arguments, dict) else {}
            self.calls.append(Call("hook", payload, headers))
            if path != f"/services/{SECRET}":
                return 404, "no_service", {}
            if not isinstance(arguments, dict):
                return 400, "invalid_payload", {}
            answer = self._post({**arguments, "channel": self.hook_channel, "thread_ts": None, "metadata": None})
        word = str(answer.get("error", ""))
        statuses = {"": 200, "ratelimited": 429, "is_archived": 410, "channel_not_found": 404, "not_in_channel": 403}
        bodies = {"": "ok", "is_archived": "channel_is_archived", "not_in_channel": "action_prohibited"}
        return statuses.get(word, 400), bodies.get(word, word), {"Retry-After": "1"} if word == "ratelimited" else {}

    def _refused(self, method: str, headers: Mapping[str, str]) -> Json:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if method not in _METHODS:
            return {"error": "unknown_method"}
        if kind != "Bearer" or not given:
            return {"error": "not_authed"}
        if given != self.token:
            return {"error": "invalid_auth"}
        if _NEEDS[method] not in self.scopes:
            return {"error": "missing_scope", "needed": _NEEDS[method], "provided": ",".join(sorted(self.scopes))}
        return {}

    def _post(self, arguments: Json) -> Json:
        channel = str(arguments.get("channel", ""))
        room = self.rooms.get(channel)
        if room is None:
            return _no("channel_not_found")
        parent = arguments.get("thread_ts")
        word = _closed(room) or refusal(arguments)
        if not word and parent and not any(m["ts"] == parent and "thread_ts" not in m for m in room.messages):
            word = "thread_not_found"
        if word:
            return _no(word)
        now = self.clock()
        if self.limited and room.posted_at and now - room.posted_at < timedelta(seconds=1):
            return _no("ratelimited")
        room.posted_at = now
        message = self._message(arguments, now)
        room.messages.append(message)
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": _given(message)}

    def _message(self, arguments: Json, now: datetime) -> Json:
        self._count += 1
        message: Json = {
            "type": "message",
            "ts": f"{int(now.timestamp())}.{self._count:06d}",
            "bot_id": _BOT,
            "text": str(arguments.get("text", ""))[:TEXT],
        }
        for name in ("blocks", "metadata", "thread_ts", "reply_broadcast"):
            if arguments.get(name):
                message[name] = arguments[name]
        return message

    def _update(self, arguments: Json) -> Json:
        room = self.rooms.get(str(arguments.get("channel", "")))
        if room is None:
            return _no("channel_not_found")
        message = next((m for m in room.messages if m["ts"] == arguments.get("ts")), None)
        if message is None or room.archived:
            return _no("message_not_found" if message is None else "is_inactive")
        if message.get("bot_id") != _BOT:
            return _no("cant_update_message")
        word = refusal({**message, **arguments})
        if not word and len(str(arguments.get("text", ""))) > UPDATE_TEXT:
            word = "msg_too_long"
        if word:
            return _no(word)
        if "text" in arguments and "blocks" not in arguments:
            message.pop("blocks", None)
        # What is not given stays as it was, the metadata among it.
        message |= {name: arguments[name] for name in ("text", "blocks", "metadata") if name in arguments}
        return {"ok": True, "channel": arguments["channel"], "ts": message["ts"], "text": message["text"]}

    def _history(self, arguments: Json) -> Json:
        room = self.rooms.get(str(arguments.get("channel", "")))
        if room is None or room.closed:
            return _no("channel_not_found" if room is None else "not_in_channel")
        listed = [m for m in room.messages if "thread_ts" not in m or m.get("reply_broadcast")]
        return _listed(list(reversed(listed)), arguments)

    def _replies(self, arguments: Json) -> Json:
        room = self.rooms.get(str(arguments.get("channel", "")))
        if room is None:
            return _no("channel_not_found")
        of = [m for m in room.messages if arguments.get("ts") in {m["ts"], m.get("thread_ts")}]
        return _listed(of, arguments) if of else _no("thread_not_found")


_METHODS: Final[Mapping[str, Callable[[Workspace, Json], Json]]] = {
    "chat.postMessage": Workspace._post,  # noqa: SLF001 - its own
    "chat.update": Workspace._update,  # noqa: SLF001 - the same
    "conversations.history": Workspace._history,  # noqa: SLF001 - the same
    "conversations.replies": Workspace._replies,  # noqa: SLF001 - the same
}


def _closed(room: Room) -> str:
    return "is_archived" if room.archived else "not_in_channel" if room.closed else ""


def _no(word: str) -> Json:
    return {"ok": False, "error": word}


def _listed(messages: list[Json], arguments: Json) -> Json:
    """Return a page of messages: those after ``oldest`` and before ``latest``, both with ``inclusive``."""
    oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    inclusive = str(arguments.get("inclusive", "")) in {"1", "true", "True"}
    within = [
        m for m in messages if oldest < float(m["ts"]) < latest or (inclusive and float(m["ts"]) in {oldest, latest})
    ]
    limit = min(int(arguments.get("limit") or _USUAL), _MOST)
    start = int(arguments.get("cursor") or 0)
    page = within[start : start + limit]
    more = start + limit < len(within)
    with_metadata = str(arguments.get("include_all_metadata", "")) in {"1", "true", "True"}
    return {
        "ok": True,
        "messages": [_given(m, metadata=with_metadata) for m in page],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + limit) if more else ""},
    }


def _given(message: Json, *, metadata: bool = True) -> Json:
    """Return a message as Slack gives it back: with entities in its plain texts (slackapi/bolt-python#513)."""
    given = {name: value for name, value in message.items() if metadata or name != "metadata"}
    return {**given, **({"blocks": _escaped(message["blocks"])} if "blocks" in message else {})}


def _escaped(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        inner = {name: _escaped(part) for name, part in value.items()}
        if inner.get("type") == "plain_text":
            inner["text"] = inner["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return inner
    return [_escaped(part) for part in value] if isinstance(value, list) else value


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a shell: this is where a replay's clock comes in


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave in the middle."""


def _handler(workspace: Workspace) -> type[_Handler]:
    return type("Handler", (_Handler,), {"workspace": workspace})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    workspace: ClassVar[Workspace]

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        self._answer(_read(self.rfile.read(int(self.headers.get("content-length") or 0))))

    def _answer(self, arguments: Any) -> None:  # noqa: ANN401 - JSON
        path = urlsplit(self.path).path
        api, _, method = path.rpartition("/")
        method = method if api == "/api" else "hook"
        fault = self.workspace.fault(method)
        status, body = 0, ""
        headers: dict[str, str] = {}
        if fault is None or fault.taken:
            status, body, headers = self._taken(path, method, arguments)
        if fault:
            time.sleep(fault.late)
            if fault.status or not fault.late:
                status, body, headers = fault.status, fault.body, dict(fault.headers)
        self._write(status, body, headers)

    def _taken(self, path: str, method: str, arguments: Any) -> tuple[int, str, dict[str, str]]:  # noqa: ANN401 - JSON
        given = {name.lower(): value for name, value in self.headers.items()}
        if method == "hook":
            return self.workspace.post_to_hook(path, arguments, given)
        if not isinstance(arguments, dict):
            return 200, json.dumps(_no("invalid_json")), {}
        status, answer, headers = self.workspace.call(method, arguments, given)
        return status, json.dumps(answer), {**headers, "Content-Type": "application/json; charset=utf-8"}

    def _write(self, status: int, body: str, headers: Mapping[str, str]) -> None:
        self.close_connection = True
        if not status:
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body.encode())), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: requests hold the token."""


def _read(body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        arguments = json.loads(body)
        # Halves of surrogate pairs are no text, and UTF-8 says so.
        json.dumps(arguments, ensure_ascii=False).encode()
    except ValueError:
        return None
    return arguments

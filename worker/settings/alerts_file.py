"""``alerts.yaml``: the channels, which alerts go where, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from worker.alerts.policy import Policy, Route
from worker.channels.config import ChannelConfig
from worker.errors import Problem
from worker.settings.document import Document, Keys
from worker.settings.fields import (
    AtLeastZero,
    Id,
    Languages,
    Names,
    Networks,
    Pause,
    QuietHours,
    ReadBack,
    Shape,
    Text,
    Texts,
    Url,
    check_id,
    choice,
    well_made_secret,
)
from worker.settings.not_yet import NOT_YET_SENT
from worker.settings.part import Part, Placed
from worker.settings.shape import check_shape, label
from worker.settings.words import did_you_mean, kind, listed, shown

_FOLLOW_UP = choice("development", "every", "never")


class _Channel(Shape):
    type: str


class _Terminal(_Channel):
    pass


class _FileChannel(_Channel):
    path: Text


class _Slack(_Channel):
    token: Text | None = None
    channel: Text | None = None
    webhook_url: Url | None = None
    allow_private: Networks = False


class _Webhook(_Channel):
    url: Url
    secret: str = ""
    read_back: ReadBack = ""
    allow_private: Networks = False
    format: Annotated[str, choice("standard", "cloudevents")] = "standard"


_TYPES: Mapping[str, type[_Channel]] = {
    "terminal": _Terminal,
    "file": _FileChannel,
    "slack": _Slack,
    "webhook": _Webhook,
}


class _Id(Shape):
    id: Id


class _Route(Shape):
    topics: Names = Field(default_factory=lambda: ["*"])
    outlets: Texts = Field(default_factory=list)
    languages: Languages = Field(default_factory=list)
    channels: Names = Field(default_factory=list)


class _Policy(Shape):
    group_wait: Pause = timedelta(seconds=30)
    follow_up: Annotated[str, _FOLLOW_UP] = "development"
    min_gap: Pause = timedelta(minutes=30)
    per_hour: AtLeastZero = 20
    quiet_hours: QuietHours = ""
    digest: str = ""


class _File(Shape):
    channels: dict[str, object] | None = None
    routes: list[object] | None = None
    policy: dict[str, object] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What ``alerts.yaml`` says, as far as it is right."""

    channels: Mapping[str, ChannelConfig]
    routes: tuple[Placed[Route], ...]
    policy: Policy
    #: The ids of all channels, the wrong ones too, so that what refers to them is not called wrong as well.
    names: frozenset[str]


def read_alerts(document: Document) -> Part[Alerts]:
    """Return what ``alerts.yaml`` says.

    Without ``channels`` there is one, ``screen``, of type ``terminal``. Without ``routes`` every topic goes to
    every channel; ``routes: []`` sends nothing but what topics send themselves.
    """
    checked = check_shape(_File, document, ())
    file = checked.value or _File()
    problems = [*document.problems, *checked.problems]
    channels, wrong = _channels(document, file)
    policy, wrong_policy = _policy(document) if "policy" not in checked.dropped else (Policy(), ())
    routes, wrong_routes = _routes(document, file, tuple(channels))
    return Part(
        document=document,
        value=Alerts(
            channels=channels,
            routes=routes,
            policy=policy,
            names=frozenset(channels) | frozenset(file.channels or ()),
        ),
        problems=(*problems, *wrong, *wrong_policy, *wrong_routes),
        warnings=tuple(warning for channel in channels.values() for warning in _channel_warnings(document, channel)),
    )


def _channels(document: Document, file: _File) -> tuple[dict[str, ChannelConfig], tuple[Problem, ...]]:
    if file.channels is None:
        return {"screen": ChannelConfig(id="screen", type="terminal")}, ()
    channels: dict[str, ChannelConfig] = {}
    problems: list[Problem] = []
    for name in file.channels:
        channel, wrong = _channel(document, name)
        problems += wrong
        if channel:
            channels[name] = channel
    return channels, tuple(problems)


def _channel(document: Document, name: str) -> tuple[ChannelConfig | None, tuple[Problem, ...]]:
    keys: Keys = ("channels", name)
    try:
        check_id(name)
    except ValueError as error:
        return None, (document.problem(keys, f"{label(keys)}: {error}", on_key=True),)
    given = document.at(keys)
    type_ = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or type_ not in _TYPES:
        return None, _wrong_type(document, keys, given)
    checked = check_shape(_TYPES[str(type_)], document, keys)
    if checked.value is None or checked.dropped:
        return None, checked.problems
    if wrong := _slack_problems(document, keys, checked.value):
        return None, wrong
    options = checked.value.model_dump(exclude={"type"}, exclude_none=True)
    return ChannelConfig(id=name, type=checked.value.type, options=options), ()


def _wrong_type(document: Document, keys: Keys, given: object) -> tuple[Problem, ...]:
    types = listed(_TYPES)
    if not isinstance(given, dict):
        message = f"{label(keys)}: expected a mapping such as {{type: terminal}}, found {kind(given)}"
        return (document.problem(keys, message),)
    if document.broken((*keys, "type")):
        return ()
    type_ = given.get("type")
    if type_ is None:
        return (document.problem(keys, f"{label(keys)}: type is missing; write {types}", on_key=True),)
    found = shown(type_) + did_you_mean(type_, _TYPES) if isinstance(type_, str) else kind(type_)
    return (document.problem((*keys, "type"), f"type: expected {types}, found {found}"),)


def _slack_problems(document: Document, keys: Keys, channel: _Channel) -> tuple[Problem, ...]:
    if not isinstance(channel, _Slack):
        return ()
    by_token = channel.token is not None or channel.channel is not None
    if by_token and channel.webhook_url is not None:
        message = "takes token and channel, or webhook_url, and not both"
    elif not by_token and channel.webhook_url is None:
        message = "slack needs token and channel, or webhook_url"
    elif by_token and (channel.token is None or channel.channel is None):
        message = f"{'token' if channel.token is None else 'channel'} is missing; slack needs token and channel"
    else:
        return ()
    return (document.problem(keys, f"{label(keys)}: {message}", on_key=True),)


def _channel_warnings(document: Document, channel: ChannelConfig) -> tuple[Problem, ...]:
    keys: Keys = ("channels", channel.id)
    messages = []
    if channel.type in NOT_YET_SENT:
        messages.append(f"type {channel.type} is accepted but not sent to by this version")
    if channel.type == "webhook":
        secret = str(channel.options["secret"])
        if not secret:
            messages.append("without a secret its messages are not signed; receivers cannot tell who sent them")
        elif not well_made_secret(secret):
            messages.append("secret is not of the form of Standard Webhooks: whsec_ and 24 to 64 bytes in base64")
    return tuple(document.problem(keys, f"channel {channel.id}: {m}", on_key=True) for m in messages)


def _policy(document: Document) -> tuple[Policy, tuple[Problem, ...]]:
    checked = check_shape(_Policy, document, ("policy",))
    return Policy(**(checked.value or _Policy()).model_dump()), checked.problems


def _routes(
    document: Document, file: _File, channels: tuple[str, ...]
) -> tuple[tuple[Placed[Route], ...], tuple[Problem, ...]]:
    if file.routes is None:
        return (Placed(value=Route(channels=channels), keys=("routes",)),) if channels else (), ()
    routes: list[Placed[Route]] = []
    problems: list[Problem] = []
    for index in range(len(file.routes)):
        keys: Keys = ("routes", index)
        checked = check_shape(_Route, document, keys)
        problems += checked.problems
        if checked.value and not checked.value.channels and "channels" not in checked.dropped:
            problems.append(
                document.problem(keys, "a route without channels leads nowhere; name one in channels: [...]")
            )
        if checked.value:
            route = {name: tuple(value) for name, value in checked.value.model_dump().items()}
            routes.append(Placed(value=Route(**route), keys=keys))
    return tuple(routes), tuple(problems)

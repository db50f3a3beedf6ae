"""``alerts.yaml``: the channels, which alerts go where, and how often."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from worker.alerts.policy import Policy, Recipient, Route
from worker.channels.config import ChannelConfig
from worker.errors import Problem
from worker.settings.document import Document, Keys
from worker.settings.fields import (
    AtLeastZero,
    DigestTimes,
    Id,
    Languages,
    Names,
    Networks,
    NotifyUrls,
    Pause,
    QuietHours,
    ReadBack,
    Secrets,
    Shape,
    Text,
    Texts,
    Url,
    check_id,
    choice,
    well_made_secret,
)
from worker.settings.part import Part, Placed
from worker.settings.shape import check_shape, label
from worker.settings.words import did_you_mean, kind, listed, shown

#: Ids of public and private channels: https://docs.slack.dev/reference/objects/conversation-object.
_SLACK_ID = re.compile(r"[CGD][A-Z0-9]{2,}")
_FOLLOW_UP = choice("development", "every", "never")


class _Policy(Shape):
    group_wait: Pause = timedelta(seconds=30)
    follow_up: Annotated[str, _FOLLOW_UP] = "development"
    min_gap: Pause = timedelta(minutes=30)
    per_hour: AtLeastZero = 20
    quiet_hours: QuietHours = ""
    digest: DigestTimes = ""
    on_unknown: Annotated[str, choice("hold", "resend")] = "hold"


class _Channel(Shape):
    type: str
    #: Its keys go before those of the policy of all channels.
    policy: _Policy | None = None
    fallback: Text | None = None

    @property
    def gathers(self) -> bool:
        """Whether it can neither thread nor edit."""
        return False


class _Terminal(_Channel):
    pass


class _FileChannel(_Channel):
    path: Text


class _Slack(_Channel):
    token: Text | None = None
    channel: Text | None = None
    webhook_url: Url | None = None
    #: Where the Web API of another kind of Slack is, such as GovSlack's https://slack-gov.com/api.
    api_url: Url | None = None
    allow_private: Networks = False

    @property
    def gathers(self) -> bool:
        """An incoming webhook does not say what it has posted (https://docs.slack.dev/messaging)."""
        return self.webhook_url is not None


class _Webhook(_Channel):
    url: Url
    secret: Secrets = ""
    read_back: ReadBack = ""
    allow_private: Networks = False
    format: Annotated[str, choice("standard", "cloudevents")] = "standard"


class _Apprise(_Channel):
    url: NotifyUrls

    @property
    def gathers(self) -> bool:
        """Mail and the like: what was sent is sent."""
        return True


_TYPES: Mapping[str, type[_Channel]] = {
    "terminal": _Terminal,
    "file": _FileChannel,
    "slack": _Slack,
    "webhook": _Webhook,
    "apprise": _Apprise,
}


class _Id(Shape):
    id: Id


class _Route(Shape):
    topics: Names = Field(default_factory=lambda: ["*"])
    outlets: Texts = Field(default_factory=list)
    languages: Languages = Field(default_factory=list)
    channels: Names = Field(default_factory=list)


class _File(Shape):
    channels: dict[str, object] | None = None
    routes: list[object] | None = None
    policy: dict[str, object] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What ``alerts.yaml`` says, as far as it is right."""

    channels: Mapping[str, ChannelConfig]
    #: The same channels, as decisions about alerts know them.
    recipients: Mapping[str, Recipient]
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
    names = frozenset(channels) | frozenset(file.channels or ())
    return Part(
        document=document,
        value=Alerts(
            channels={name: _config(name, shape) for name, shape in channels.items()},
            recipients={name: _recipient(name, shape, policy) for name, shape in channels.items()},
            routes=routes,
            policy=policy,
            names=names,
        ),
        problems=(*problems, *wrong, *wrong_policy, *wrong_routes, *_fallback_problems(document, channels, names)),
        warnings=tuple(
            warning for name, shape in channels.items() for warning in _channel_warnings(document, name, shape)
        ),
    )


def _channels(document: Document, file: _File) -> tuple[dict[str, _Channel], tuple[Problem, ...]]:
    if file.channels is None:
        return {"screen": _Terminal(type="terminal")}, ()
    channels: dict[str, _Channel] = {}
    problems: list[Problem] = []
    for name in file.channels:
        channel, wrong = _channel(document, name)
        problems += wrong
        if channel:
            channels[name] = channel
    return channels, tuple(problems)


def _channel(document: Document, name: str) -> tuple[_Channel | None, tuple[Problem, ...]]:
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
    return checked.value, ()


def _config(name: str, shape: _Channel) -> ChannelConfig:
    options = shape.model_dump(exclude=set(_Channel.model_fields), exclude_none=True)
    return ChannelConfig(id=name, type=shape.type, options=options)


def _recipient(name: str, shape: _Channel, policy: Policy) -> Recipient:
    own = shape.policy.model_dump(exclude_unset=True) if shape.policy else {}
    return Recipient(id=name, policy=replace(policy, **own), gathers=shape.gathers, fallback=shape.fallback or "")


def _fallback_problems(
    document: Document, channels: Mapping[str, _Channel], names: Collection[str]
) -> Iterable[Problem]:
    """Yield what is wrong with the channels that others name to stand in for them."""
    for name, shape in channels.items():
        keys: Keys = ("channels", name, "fallback")
        if shape.fallback is None or document.broken(keys):
            continue
        if shape.fallback not in names:
            hint = did_you_mean(shape.fallback, names) or f"; alerts.yaml defines {listed(sorted(names), 'and')}"
            yield document.problem(keys, f"fallback: no channel is called {shown(shape.fallback)}{hint}")
        elif (circle := _circle(name, channels)) and name == next(one for one in channels if one in circle):
            way = " to ".join([*circle, name])
            yield document.problem(keys, f"fallback: leads from {way}; one of them must have none, or another")


def _circle(name: str, channels: Mapping[str, _Channel]) -> list[str]:
    """Return the channels by way of which a channel stands in for itself, itself first; none when it does not."""
    way = [name]
    while (shape := channels.get(way[-1])) and shape.fallback and shape.fallback not in way:
        way.append(shape.fallback)
    return way if shape and shape.fallback == name else []


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


def _channel_warnings(document: Document, name: str, channel: _Channel) -> tuple[Problem, ...]:
    said = _doubtful_place(channel) if isinstance(channel, _Slack) else _unsigned(channel)
    return (document.problem(("channels", name), f"channel {name}: {said}", on_key=True),) if said else ()


def _doubtful_place(channel: _Slack) -> str:
    """Return what is wrong with where a Slack app posts; empty when nothing is."""
    if channel.channel is None or _SLACK_ID.fullmatch(channel.channel):
        return ""
    return "channel is a name; write its id (C0123456789), by which Slack can be asked for what may have arrived"


def _unsigned(channel: _Channel) -> str:
    """Return what is wrong with the secrets of a webhook; empty when nothing is."""
    if not isinstance(channel, _Webhook):
        return ""
    secrets = channel.secret if isinstance(channel.secret, tuple) else (channel.secret,)
    if not any(secrets):
        return "without a secret its messages are not signed; receivers cannot tell who sent them"
    if not all(map(well_made_secret, secrets)):
        return "secret is not of the form of Standard Webhooks: whsec_ and 24 to 64 bytes in base64"
    return ""


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

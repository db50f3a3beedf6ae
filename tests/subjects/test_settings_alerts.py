from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from worker.alerts.policy import Policy, Recipient, Route
from worker.channels.config import ChannelConfig
from worker.settings.alerts_file import Alerts, read_alerts
from worker.settings.document import parse
from worker.settings.part import Part

#: 24 bytes in base64, as Standard Webhooks wants a secret.
_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"


def _read(text: str) -> Part[Alerts]:
    return read_alerts(parse("alerts.yaml", text, {"TOKEN": "hunter2", "EMPTY": ""}))


def _alerts(text: str) -> Alerts:
    part = _read(text)
    assert part.problems == ()
    return part.value


def test_without_a_file_alerts_go_to_the_screen() -> None:
    """Nobody should miss an alert because a file is missing."""
    alerts = _alerts("")
    assert alerts.channels == {"screen": ChannelConfig(id="screen", type="terminal")}
    assert [route.value for route in alerts.routes] == [Route(channels=("screen",))]
    assert alerts.policy == Policy()


def test_without_routes_every_topic_goes_to_every_channel() -> None:
    """An empty list, however, is an answer."""
    alerts = _alerts("channels: {a: {type: terminal}, b: {type: file, path: x}}")
    assert [route.value.channels for route in alerts.routes] == [("a", "b")]
    assert _alerts("channels: {a: {type: terminal}}\nroutes: []").routes == ()


def test_every_type_of_channel_has_its_options() -> None:
    """The options of a channel are those of its type, with their defaults."""
    channels = _alerts(
        f"""
        channels:
          ops: {{type: slack, token: "${{TOKEN}}", channel: C0123}}
          hook: {{type: slack, webhook_url: "https://hooks.example/${{TOKEN}}"}}
          siem: {{type: webhook, url: "https://x.example", secret: "{_SECRET}", allow_private: [10.0.0.0/8],
            read_back: "https://x.example/{{alert}}"}}
          bare: {{type: webhook, url: "https://x.example", format: cloudevents}}
          two: {{type: webhook, url: "https://x.example", secret: ["{_SECRET}", "${{TOKEN}}"]}}
          gov: {{type: slack, token: x, channel: C0, api_url: "https://slack-gov.com/api"}}
          mail: {{type: apprise, url: "mailto://user:${{TOKEN}}@example.org"}}
          phones: {{type: apprise, url: ["json://x.example", "xml://x.example"]}}
          log: {{type: file, path: alerts.jsonl}}
          screen: {{type: terminal}}
        """
    ).channels
    assert {name: (channel.type, dict(channel.options)) for name, channel in channels.items()} == {
        "ops": ("slack", {"token": "hunter2", "channel": "C0123", "allow_private": False}),
        "hook": ("slack", {"webhook_url": "https://hooks.example/hunter2", "allow_private": False}),
        "siem": (
            "webhook",
            {
                "url": "https://x.example",
                "secret": _SECRET,
                "read_back": "https://x.example/{alert}",
                "allow_private": ("10.0.0.0/8",),
                "format": "standard",
            },
        ),
        "bare": (
            "webhook",
            {
                "url": "https://x.example",
                "secret": "",
                "read_back": "",
                "allow_private": False,
                "format": "cloudevents",
            },
        ),
        "two": (
            "webhook",
            {
                "url": "https://x.example",
                "secret": (_SECRET, "hunter2"),
                "read_back": "",
                "allow_private": False,
                "format": "standard",
            },
        ),
        "gov": (
            "slack",
            {"token": "x", "channel": "C0", "allow_private": False, "api_url": "https://slack-gov.com/api"},
        ),
        "mail": ("apprise", {"url": "mailto://user:hunter2@example.org"}),
        "phones": ("apprise", {"url": ("json://x.example", "xml://x.example")}),
        "log": ("file", {"path": "alerts.jsonl"}),
        "screen": ("terminal", {}),
    }
    assert "hunter2" not in repr(channels)


def test_the_policy_is_read() -> None:
    """Zero is a length of time and a limit here: no wait, no gap, no budget."""
    alerts = _alerts(
        "policy: {group_wait: 0, follow_up: every, min_gap: 0s, per_hour: 0, "
        'quiet_hours: " 22:00-07:00 Europe/Berlin ", digest: " 08:00  18:00 Europe/Berlin", on_unknown: resend}'
    )
    assert alerts.policy == Policy(
        group_wait=timedelta(),
        follow_up="every",
        min_gap=timedelta(),
        per_hour=0,
        quiet_hours="22:00-07:00 Europe/Berlin",
        digest="08:00 18:00 Europe/Berlin",
        on_unknown="resend",
    )


def test_a_channel_has_the_policy_of_all_but_for_the_keys_of_its_own() -> None:
    """A key that says what is the default anyway is one of its own, too."""
    alerts = _alerts(
        """
        channels:
          desk: {type: terminal}
          hook: {type: slack, webhook_url: https://x.example, fallback: desk}
          mail: {type: apprise, url: "json://x", policy: {digest: "08:00", per_hour: 20}, fallback: hook}
        policy: {per_hour: 5, quiet_hours: "22:00-07:00"}
        """
    )
    everywhere = Policy(per_hour=5, quiet_hours="22:00-07:00")
    assert alerts.policy == everywhere
    assert alerts.recipients == {
        "desk": Recipient(id="desk", policy=everywhere),
        "hook": Recipient(id="hook", policy=everywhere, gathers=True, fallback="desk"),
        "mail": Recipient(
            id="mail", policy=replace(everywhere, digest="08:00", per_hour=20), gathers=True, fallback="hook"
        ),
    }
    assert all(set(channel.options) <= {"url", "webhook_url", "allow_private"} for channel in alerts.channels.values())


def test_a_channel_that_can_thread_gathers_nothing() -> None:
    """Slack's bots edit and thread; its incoming webhooks do not."""
    recipients = _alerts(
        """
        channels:
          bot: {type: slack, token: x, channel: C0}
          siem: {type: webhook, url: https://x.example}
          log: {type: file, path: x}
        """
    ).recipients
    assert not any(recipient.gathers for recipient in recipients.values())


@pytest.mark.parametrize(
    ("channels", "place", "message"),
    [
        ("{a: {type: terminal, fallback: b}}", (1, 42), 'no channel is called "b"; alerts.yaml defines a'),
        (
            "{screen: {type: terminal}, b: {type: terminal, fallback: scren}}",
            (1, 68),
            'no channel is called "scren"; did you mean "screen"?',
        ),
        ("{a: {type: terminal, fallback: a}}", (1, 42), "fallback: leads from a to a; one of them must have none"),
        (
            "{a: {type: terminal, fallback: b}, b: {type: terminal, fallback: c}, c: {type: terminal, fallback: b}}",
            (1, 76),
            "fallback: leads from b to c to b; one of them",
        ),
        ("{a: {type: terminal, fallback: ''}}", (1, 42), "fallback: expected text, found an empty one"),
        ("{a: {type: terminal, policy: {per_hour: -1}}}", (1, 51), "per_hour: must be at least 0"),
        ("{a: {type: terminal, policy: {digset: x}}}", (1, 41), 'digset: unknown key; did you mean "digest"?'),
        ("{a: {type: terminal, policy: 5}}", (1, 40), "policy: expected a mapping (key: value), found a number"),
        ("{a: {type: apprise}}", (1, 15), "url: missing"),
        ("{a: {type: apprise, url: nowhere}}", (1, 36), "url: expected a URL of Apprise such as mailto://"),
        ("{a: {type: apprise, url: [json://x, 5]}}", (1, 36), "url: expected text, or a list of texts, found a list"),
        ("{a: {type: apprise, url: []}}", (1, 36), "url: expected text, or a list of texts, found an empty one"),
        (
            "{a: {type: webhook, url: https://x, secret: 5}}",
            (1, 55),
            "secret: expected text, or a list of texts, found",
        ),
        ("{a: {type: webhook, url: https://x, secret: ['']}}", (1, 55), "secret: expected text, found an empty one"),
    ],
)
def test_a_mistake_in_what_all_channels_have_is_found_at_its_place(
    channels: str, place: tuple[int, int], message: str
) -> None:
    """Each message says what to write."""
    (problem,) = _read(f"channels: {channels}\nroutes: []").problems
    assert (problem.line, problem.column) == place
    assert message in problem.message


def test_a_channel_may_fall_back_to_one_that_is_wrong_otherwise() -> None:
    """One mistake is one message."""
    (problem,) = _read("channels: {a: {type: terminal, fallback: b}, b: {type: slac}}\nroutes: []").problems
    assert "slac" in problem.message


@pytest.mark.parametrize(
    ("channel", "place", "message"),
    [
        (
            "{type: slac}",
            (2, 13),
            'type: expected terminal, file, slack, webhook or apprise, found "slac"; did you mean "slack"?',
        ),
        ("{type: 5}", (2, 13), "type: expected terminal, file, slack, webhook or apprise, found a number"),
        ("{token: x}", (2, 3), "a: type is missing; write terminal, file, slack, webhook or apprise"),
        ("terminal", (2, 6), "a: expected a mapping such as {type: terminal}, found text"),
        ("", (2, 3), "a: expected a mapping such as {type: terminal}, found nothing"),
        ("{type: terminal, path: x}", (2, 23), "path: unknown key; known here: type, policy, fallback"),
        ("{type: file}", (2, 6), "path: missing"),
        ("{type: file, path: ''}", (2, 25), "path: expected text, found an empty one"),
        ("{type: slack}", (2, 3), "a: slack needs token and channel, or webhook_url"),
        ("{type: slack, token: x}", (2, 3), "a: channel is missing; slack needs token and channel"),
        ("{type: slack, channel: x}", (2, 3), "a: token is missing; slack needs token and channel"),
        ("{type: slack, channel: c, webhook_url: https://x}", (2, 3), "and not both"),
        ("{type: slack, tokn: x, channel: c}", (2, 20), 'tokn: unknown key; did you mean "token"?'),
        ("{type: slack, token: 5, channel: c}", (2, 27), "token: expected text, found a number; put it in quotes"),
        ('{type: slack, token: "${EMPTY}", channel: c}', (2, 27), "token: expected text, found an empty one"),
        ("{type: webhook}", (2, 6), "url: missing"),
        ("{type: webhook, url: x}", (2, 27), "url: expected a URL"),
        ("{type: webhook, url: https://x, read_back: https://x/y}", (2, 49), "read_back: expected a URL with {alert}"),
        ("{type: webhook, url: https://x, read_back: 'https://{alert}.x/'}", (2, 49), "read_back: expected a URL with"),
        ("{type: webhook, url: https://x, read_back: 'ftp://x/{alert}'}", (2, 49), "read_back: expected a URL that"),
        ("{type: webhook, url: https://x, format: xml}", (2, 46), 'expected standard or cloudevents, found "xml"'),
        ("{type: webhook, url: https://x, allow_private: 5}", (2, 53), "allow_private: expected true, false or a list"),
    ],
)
def test_a_mistake_in_a_channel_is_found_at_its_place(channel: str, place: tuple[int, int], message: str) -> None:
    """Each message says what the type of channel needs."""
    (problem,) = _read(f"channels:\n  a: {channel}\nroutes: []").problems
    assert (problem.line, problem.column) == place
    assert message in problem.message


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("policy: {follow_up: evry}", 21, 'expected development, every or never, found "evry"; did you mean "every"?'),
        ("policy: {follow_up: false}", 21, "found true or false without quotes; put it in quotes"),
        ("policy: {per_hour: -1}", 20, "per_hour: must be at least 0"),
        ("policy: {min_gap: -1s}", 19, "a duration cannot be negative"),
        ("policy: {quiet_hours: 22-7}", 23, 'quiet_hours: "22-7": expected "22:00-07:00"'),
        ("policy: {quiet_hours: '25:00-07:00'}", 23, "quiet_hours: "),
        ("policy: {quiet_hours: '22:00-22:00'}", 23, "begins and ends at the same time"),
        ("policy: {quiet_hours: 22:00-07:00 Europe/Berln}", 23, 'did you mean "Europe/Berlin"?'),
        ("policy: {digest: daily}", 18, 'digest: "daily": expected times such as "08:00"'),
        ("policy: {digest: '08:00 25:00'}", 18, "digest: "),
        ("policy: {digest: '08:00 08:00'}", 18, "the same time stands there twice"),
        ("policy: {digest: 08:00 Europe/Berln}", 18, 'did you mean "Europe/Berlin"?'),
        ("policy: {on_unknown: send}", 22, 'on_unknown: expected hold or resend, found "send"; did you mean "resend"?'),
        ("policy: {quite_hours: x}", 10, 'quite_hours: unknown key; did you mean "quiet_hours"?'),
        ("policy: 5", 9, "policy: expected a mapping (key: value), found a number"),
        ("routes: {topics: [a]}", 9, "routes: expected a list, found a mapping"),
        ("routes: [screen]", 10, "routes[0]: expected a mapping (key: value), found text"),
        ("routes: [{topic: a, channels: [screen]}]", 11, 'topic: unknown key; did you mean "topics"?'),
        ("routes: [{topics: ['*']}]", 10, "a route without channels leads nowhere"),
        ("routes: [{channels: [5]}]", 22, "channels[0]: expected text, found a number"),
        ("routes: [{channels: screen, languages: [xx]}]", 41, 'languages[0]: "xx" is no language code'),
        ("channels: [a]", 11, "channels: expected a mapping (key: value), found a list"),
        ("channels: {'a*': {type: terminal}}", 12, "a*: an id holds none of"),
        ("channels: {a: {type: terminal}, a: {type: terminal}}", 33, "a: this key stands here already, on line 1"),
        ("chanels: {}", 1, 'chanels: unknown key; did you mean "channels"?'),
    ],
)
def test_a_mistake_in_routes_and_policy_is_found_at_its_place(text: str, column: int, message: str) -> None:
    """Each message names the key, what was expected and what was found."""
    (problem,) = _read(text).problems
    assert (problem.line, problem.column) == (1, column)
    assert message in problem.message


def test_a_variable_that_is_not_set_is_the_only_thing_said_about_its_channel() -> None:
    """What follows from the missing value would lead a person astray."""
    (problem,) = _read('channels:\n  a: {type: slack, token: "${NOPE}", channel: c}\n').problems
    assert (problem.line, problem.column) == (2, 27)
    assert "NOPE is not set" in problem.message


@pytest.mark.parametrize(
    ("channel", "messages"),
    [
        ("{type: terminal}", []),
        ("{type: file, path: x}", []),
        ("{type: slack, webhook_url: https://x}", []),
        ("{type: apprise, url: 'json://x'}", []),
        (f"{{type: webhook, url: https://x, secret: {_SECRET}}}", []),
        (f"{{type: webhook, url: https://x, secret: {_SECRET}, format: cloudevents}}", []),
        ("{type: slack, token: x, channel: C0123456789}", []),
        ("{type: slack, token: x, channel: ops-room}", ["write its id"]),
        ("{type: webhook, url: https://x}", ["not signed"]),
        ("{type: webhook, url: https://x, secret: short}", ["whsec_"]),
        (f"{{type: webhook, url: https://x, secret: [{_SECRET}, {_SECRET}]}}", []),
        (f"{{type: webhook, url: https://x, secret: [{_SECRET}, short]}}", ["whsec_"]),
    ],
)
def test_what_a_channel_cannot_do_yet_is_a_warning(channel: str, messages: list[str]) -> None:
    """Accepted is not the same as sent to, and unsigned is not the same as signed."""
    warnings = _read(f"channels:\n  a: {channel}\n").warnings
    assert len(warnings) == len(messages)
    assert all((warning.line, warning.column) == (2, 3) for warning in warnings)
    for message, warning in zip(messages, warnings, strict=True):
        assert message in warning.message
        assert "short" not in warning.message

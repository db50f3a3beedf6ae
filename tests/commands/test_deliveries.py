"""``deliveries`` and ``channel``: what a person sees of what was sent, and what they can do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, alert, article, at, message
from tests.commands.shells import ends_well
from tests.processes import Ended, wirewatch
from worker.build import SERVICE_LEDGER
from worker.ledger import channels, dead, decided, deliveries, entries, gathered, outbox, shown
from worker.ledger.engine import Ledger, Transaction, open_file
from worker.model import Alert, Delivery, Digest, Reason, Role


def key(number: int) -> str:
    """Return a key that is as long as those of real alerts."""
    return f"{number:08x}" * 4


def one_like(number: int, **changes: Any) -> Alert:
    """Return an alert with such a key, of a story of its own."""
    return alert(number, key=key(number), story_id=f"s-{number}", **changes)


def ends(t: Transaction, one: Alert, outcome: Reason, detail: str = "", **more: Any) -> None:
    """Claim an alert that is due, begin it, and let it end."""
    (claim,) = outbox.claim(t, now=NOON, limit=1)
    assert claim.value.alert.key == one.key
    told = message(alert=one, article=article(title=f"Headline of {one.key[:8]}\x1b[2J"))
    outbox.begin(t, claim, now=NOON, shown=shown.to_json(told, through=one.channel_id))
    ended = Delivery(alert_key=one.key, at=NOON, attempt=1, outcome=outcome, detail=detail, **more)
    if outcome is Reason.DEAD:
        outbox.add_delivery(t, ended)
        dead.bury(t, claim, kind="alert", subject=one.key, reason=detail, now=NOON)
    else:
        outbox.record(t, claim, ended, due_at=at(5))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a configuration of two channels and a ledger in which alerts have come to every end.

    1 delivered, 2 unknown, 3 dead, 4 waits to be sent again, 5 off, 6 and 7 delivered in the digest 8, 9 gathered.
    """
    config = tmp_path / "config"
    config.mkdir()
    (config / "alerts.yaml").write_text(
        f"channels:\n  screen: {{type: terminal, fallback: archive}}\n"
        f"  archive: {{type: file, path: '{tmp_path / 'alerts.jsonl'}'}}\n"
        "routes: [{channels: [screen]}]\n"
    )
    ledger = open_file(tmp_path / ".wirewatch" / SERVICE_LEDGER, durable=False)
    whole = one_like(8, role=Role.DIGEST, topic_id="", article_id="")
    whole = replace(whole, story_id="")
    with ledger.write() as t:
        for number in range(1, 10):
            about = article(number, title=f"Headline {number} \x1b]0;owned\x07", url=f"https://wire.example/{number}")
            entries.add_article(t, about, now=NOON)
        steps: tuple[tuple[int, Reason, str, dict[str, Any]], ...] = (
            (1, Reason.DELIVERED, "", {"remote_id": "ts-1"}),
            (2, Reason.UNKNOWN, "the answer was lost", {}),
            (3, Reason.DEAD, "no such channel", {}),
            (4, Reason.RETRY, "the receiver answered 500", {}),
        )
        for number, outcome, detail, more in steps:
            decided.add(t, one_like(number))
            ends(t, one_like(number), outcome, detail, **more)
        decided.add(t, one_like(5))
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.turn_off(t, claim, why="silenced: silence 1 by anna")
        _tell_digest(t, whole)
        decided.add(t, one_like(9, digest="f" * 32, topic_id="ferries"))
    ledger.close()
    return tmp_path


def _tell_digest(t: Transaction, whole: Alert) -> None:
    decided.add(t, whole)
    items = [one_like(number, digest=whole.key) for number in (6, 7)]
    for item in items:
        decided.add(t, item)
    gathered.include(t, [item.key for item in items], now=NOON)
    told = Digest(alert=whole, items=tuple(message(alert=item) for item in items), more=0, at=NOON)
    (claim,) = outbox.claim(t, now=NOON, limit=1)
    outbox.begin(t, claim, now=NOON, shown=shown.to_json(told, through="screen"))
    outbox.record(t, claim, Delivery(alert_key=whole.key, at=NOON, attempt=1, outcome=Reason.DELIVERED))


def opened(place: Path) -> Ledger:
    """Return the ledger of a place."""
    return open_file(place / ".wirewatch" / SERVICE_LEDGER, durable=False)


def lines(found: Ended) -> list[dict[str, Any]]:
    """Return the JSON lines of an output."""
    return [json.loads(line) for line in found.out.splitlines()]


def run(place: Path, *args: str, code: int = 0) -> Ended:
    """Run a command in a place."""
    return ends_well(wirewatch(*args, cwd=place), code)


def numbers(found: Ended) -> list[int]:
    """Return the numbers of the alerts that were listed."""
    return [int(line["alert"][:8], 16) for line in lines(found)]


# Lists


def test_alerts_are_listed_newest_first_with_what_came_of_them(place: Path) -> None:
    """State, channel, attempts, and the end of the last one; no title commands the terminal."""
    out = run(place, "deliveries").out.splitlines()
    assert [line[:12] for line in out] == [key(n)[:12] for n in (9, 7, 6, 8, 5, 4, 3, 2, 1)]
    states = [line.split()[3] for line in out]
    assert states == ["gathered", "delivered", "delivered", "delivered", "off", "open", "dead", "unknown", "delivered"]
    assert out[5].endswith("1 attempt, due 2026-02-11 12:05:00 (queued), the receiver answered 500")
    assert "1 attempt, the answer was lost" in out[7]
    assert "silenced: silence 1 by anna" in out[4]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--only", "unknown"), [2]),
        (("--only", "open"), [4]),
        (("--only", "gathered"), [9]),
        (("--only", "delivered"), [7, 6, 8, 1]),
        (("--only", "off", "--channel", "screen"), [5]),
        (("--channel", "archive"), []),
        (("--topic", "ferries"), [9]),
        (("--limit", "2"), [9, 7]),
        (("--since", "24h"), []),
        (("--since", "36000d", "--only", "dead"), [3]),
    ],
    ids=["unknown", "open", "gathered", "delivered", "off", "channel", "topic", "limit", "since", "both"],
)
def test_lists_hold_what_was_asked_for(place: Path, args: tuple[str, ...], expected: list[int]) -> None:
    """As JSON lines, whose alerts are named by their keys."""
    assert numbers(run(place, "deliveries", "--json", *args)) == expected


def test_a_list_that_was_cut_says_so(place: Path) -> None:
    """On stderr, where it disturbs no machine."""
    assert "there are more than 2" in run(place, "deliveries", "--limit", "2").err
    assert run(place, "deliveries", "--channel", "archive").out == "no alerts\n"


# One alert


def test_an_alert_is_shown_with_its_message_and_every_attempt(place: Path) -> None:
    """As it was sent; by its key or the beginning of it."""
    (found,) = lines(run(place, "deliveries", "show", key(1)[:8], "--json"))
    assert (found["state"], found["message"]["title"]) == ("delivered", "Headline of 00000001\x1b[2J")
    assert [(a["attempt"], a["outcome"], a["remote_id"]) for a in found["attempts"]] == [(1, "delivered", "ts-1")]
    out = run(place, "deliveries", "show", key(1)).out
    assert "sent as   at 2026-02-11T12:00:00Z: Headline of 00000001" in out
    assert "attempt   1  2026-02-11T12:00:00Z  delivered, the receiver calls it ts-1" in out


def test_a_dead_alert_is_shown_with_its_letter(place: Path) -> None:
    """Whose number is the one for `dead redrive`."""
    (found,) = lines(run(place, "deliveries", "show", key(3), "--json"))
    assert (found["state"], found["dead"]["id"], found["dead"]["reason"]) == ("dead", 1, "no such channel")
    assert "dead      letter 1: no such channel" in run(place, "deliveries", "show", key(3)).out


def test_an_alert_of_a_digest_is_shown_where_it_was_told(place: Path) -> None:
    """With the attempts of the digest; and the digest with its alerts."""
    (found,) = lines(run(place, "deliveries", "show", key(6), "--json"))
    assert (found["told_in"]["alert"], found["told_in"]["state"]) == (key(8), "delivered")
    assert [attempt["outcome"] for attempt in found["told_in"]["attempts"]] == ["delivered"]
    assert (found["message"]["kind"], found["message"]["alert"]) == ("alert", key(6))
    assert "attempt   1  2026-02-11T12:00:00Z  delivered" in run(place, "deliveries", "show", key(6)).out
    (whole,) = lines(run(place, "deliveries", "show", key(8), "--json"))
    assert [item["alert"] for item in whole["items"]] == [key(6), key(7)]
    assert f"item      {key(7)[:12]}  delivered" in run(place, "deliveries", "show", key(8)).out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("show", "nothing-like-it"), "no alert nothing-like-it; `wirewatch deliveries` lists them"),
        (("show", "0000"), "name at least 8 characters of its key"),
        (("show", "\x1b[2J"), "no alert"),
        (("redeliver",), "name the alerts to send again"),
        (("redeliver", key(2), "--unknown"), "name the alerts to send again"),
        (("redeliver", key(2), "--channel", "screen"), "name the alerts to send again"),
        (("redeliver", key(2), "nothing-like-it"), "no alert nothing-like-it"),
        (("--only", "lost"), "'lost' is not one of 'open'"),
        (("--since", "yesterday"), "--since yesterday: write 30s, 10m, 24h, 30d"),
        (("--limit", "0"), "0 is not in the range"),
    ],
    ids=["unknown", "short", "escape", "nothing", "both", "channel", "one-unknown", "state", "since", "limit"],
)
def test_what_cannot_be_asked_is_a_usage_error(place: Path, args: tuple[str, ...], said: str) -> None:
    """And of several that were named, none is sent again when one does not exist."""
    assert said in run(place, "deliveries", *args, code=2).err
    assert numbers(run(place, "deliveries", "--json", "--only", "unknown")) == [2]


def test_a_beginning_that_several_alerts_share_is_refused(place: Path) -> None:
    """With their keys."""
    ledger = opened(place)
    with ledger.write() as t:
        decided.add(t, alert(20, key="aaaaaaaa1"))
        decided.add(t, alert(21, key="aaaaaaaa2", story_id="s-21"))
    ledger.close()
    said = run(place, "deliveries", "show", "aaaaaaaa", code=2).err
    assert "aaaaaaaa is the beginning of several alerts: aaaaaaaa1, aaaaaaaa2" in said


# Sending again


def test_what_is_unknown_is_sent_again_as_a_possible_repeat(place: Path) -> None:
    """All of it, or that of one channel."""
    assert run(place, "deliveries", "redeliver", "--unknown", "--channel", "archive").out == "no alerts\n"
    assert run(place, "deliveries", "redeliver", "--unknown").out == f"{key(2)[:12]}: is sent again\n"
    (found,) = lines(run(place, "deliveries", "show", key(2), "--json"))
    assert (found["state"], found["repeat"]) == ("open", True)


def test_what_is_dead_is_given_back_by_its_letter(place: Path) -> None:
    """Which is settled."""
    run(place, "deliveries", "redeliver", "--dead")
    (found,) = lines(run(place, "deliveries", "show", key(3), "--json"))
    assert (found["state"], found["repeat"], found["charged"]) == ("open", False, 0)
    assert run(place, "dead", "list").out == "no dead letters\n"


def test_what_has_arrived_is_sent_again_only_by_force(place: Path) -> None:
    """Exit code 1 says that it was not."""
    refused = run(place, "deliveries", "redeliver", key(1)[:10], code=1)
    assert "has arrived; --force sends it again, as a possible repeat" in refused.err
    assert run(place, "deliveries", "redeliver", key(1), "--force").out == f"{key(1)[:12]}: is sent again\n"
    (found,) = lines(run(place, "deliveries", "show", key(1), "--json"))
    assert (found["state"], found["repeat"]) == ("open", True)


def test_an_alert_of_a_digest_is_sent_again_with_it(place: Path) -> None:
    """It names the digest; the others that were named are sent."""
    found = run(place, "deliveries", "redeliver", key(6), key(2), "--force", code=1)
    assert f"is told in the digest {key(8)}; redeliver that" in found.err
    assert found.out == f"{key(2)[:12]}: is sent again\n"


# Channels


def test_channels_are_listed_with_what_stands_in_their_way(place: Path) -> None:
    """And who stands in for them."""
    ledger = opened(place)
    with ledger.write() as t:
        channels.disable(t, "screen", reason="the token was revoked", config="v1", now=NOON)
        channels.hold(t, "archive", until=ledger.clock() + timedelta(hours=1))
    ledger.close()
    screen, archive = lines(run(place, "channel", "list", "--json"))
    assert (screen["id"], screen["state"], screen["reason"]) == ("screen", "disabled", "the token was revoked")
    assert (screen["since"], screen["fallback"]) == ("2026-02-11T12:00:00Z", "archive")
    assert (screen["delivered"], screen["unknown"], screen["dead"], screen["open"]) == (4, 1, 1, 1)
    assert (screen["gathered"], screen["off"]) == (1, 1)
    assert (archive["state"], archive["reason"]) == ("waits", "")
    out = run(place, "channel", "list").out
    assert "DISABLED since 2026-02-11T12:00:00Z: the token was revoked; archive stands in" in out
    assert "archive: 0 delivered, 0 open, 0 unknown, 0 dead, left alone until" in out
    status = wirewatch("status", cwd=place).out
    assert "channel screen: 4 delivered, 1 open, 1 unknown, 1 dead, 1 gathered, 1 off, oldest open for" in status
    assert "DISABLED since" in status
    assert "see `wirewatch deliveries --only unknown --channel screen`" in status


def test_a_channel_is_disabled_and_enabled_by_a_person(place: Path) -> None:
    """What waits for it is counted, and is due at once."""
    assert "--comment" in run(place, "channel", "disable", "screen", code=2).err
    assert "--comment is empty" in run(place, "channel", "disable", "screen", "--comment", " ", code=2).err
    assert run(place, "channel", "disable", "screen", "--comment", "moving").out == "screen: disabled\n"
    assert run(place, "channel", "disable", "screen", "--comment", "again").out == "screen: is disabled already\n"
    ledger = opened(place)
    with ledger.write() as t:
        assert channels.states(t)["screen"].config == channels.BY_HAND
        channels.park(t, "screen", now=ledger.clock())
    ledger.close()
    assert run(place, "channel", "enable", "screen").out == "screen: enabled; 1 alert had waited for it\n"
    assert run(place, "channel", "enable", "screen").out == "screen: nothing stood in its way\n"
    ledger = opened(place)
    with ledger.read() as t:
        assert deliveries.find(t, key(4))[0].alert.due_at <= ledger.clock()
    ledger.close()


@pytest.mark.parametrize("command", [("enable", "siem"), ("disable", "siem", "--comment", "x")], ids=str)
def test_a_channel_that_does_not_exist_is_a_usage_error(place: Path, command: tuple[str, ...]) -> None:
    """With those that do."""
    assert "no channel siem; there are: screen, archive" in run(place, "channel", *command, code=2).err


@pytest.mark.parametrize(
    "command", [("deliveries",), ("deliveries", "show", "x"), ("channel", "list"), ("channel", "enable", "x")], ids=str
)
def test_without_a_ledger_there_is_nothing_to_tell(tmp_path: Path, command: tuple[str, ...]) -> None:
    """And asking makes nothing."""
    assert "no ledger here" in ends_well(wirewatch(*command, cwd=tmp_path), 2).err
    assert not (tmp_path / ".wirewatch").exists()

"""Channels that end as a test says, and alerts that are due on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.builders import NOON, alert, article
from tests.pipeline.conftest import House
from worker.alerts.policy import Policy, Recipient
from worker.channels.base import NO_GAP, Found
from worker.errors import WirewatchError
from worker.ledger import decided, deliveries, entries
from worker.ledger.deliveries import Told
from worker.model import Alert, Message, Outgoing, Role


@dataclass(slots=True)
class Inbox:
    """A channel that ends each call as ``ends`` says, the first one first, and takes all that comes after them."""

    id: str = "screen"
    ends: list[WirewatchError | None] = field(default_factory=list)
    #: What it answers when it is asked, in turn; after that ``knows``.
    answers: list[Found] = field(default_factory=list)
    knows: bool | None = None
    gap: timedelta = NO_GAP
    sent: list[Outgoing] = field(default_factory=list)
    #: All calls, also those that were refused.
    called: list[Outgoing] = field(default_factory=list)
    asked: list[tuple[Outgoing, datetime]] = field(default_factory=list)

    def send(self, message: Outgoing, *, now: datetime) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Take the message, or end as the next of ``ends`` says."""
        self.called.append(message)
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end
        self.sent.append(message)
        return f"{self.id}-{len(self.sent)}"

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Return the next of ``answers``."""
        self.asked.append((message, since))
        return self.answers.pop(0) if self.answers else Found(arrived=self.knows)

    def keys(self) -> list[str]:
        """Return the keys of what it has taken."""
        return [message.alert.key for message in self.sent]


def tell(house: House, *inboxes: Inbox, recipients: Sequence[Recipient] = (), **policy: Any) -> None:
    """Have these channels in place of the usual one, with this policy for all but those ``recipients``."""
    rule = Policy(group_wait=timedelta(0), **policy)
    house.change(
        channels={inbox.id: inbox for inbox in inboxes},
        policy=rule,
        recipients={one.id: replace(one, policy=rule) for one in recipients},
    )


def due(house: House, *alerts: Alert) -> None:
    """Put alerts into the outbox, each with an article of its own number."""
    with house.p.ledger.write() as t:
        for number, one in enumerate(alerts, start=1):
            if one.article_id:
                about = article(number, id=one.article_id, url=f"https://wire.example/{one.article_id}")
                entries.add_article(t, about, now=NOON)
            assert decided.add(t, one)


def digest(*items: Alert, key: str = "digest-0001", channel: str = "screen", at: datetime = NOON) -> list[Alert]:
    """Return a digest with its items."""
    own = alert(key=key, topic_id="", story_id="", article_id="", channel_id=channel, role=Role.DIGEST, due_at=at)
    return [own, *(replace(item, digest=key, due_at=at) for item in items)]


def several(count: int, **changes: Any) -> list[Alert]:
    """Return alerts about different stories."""
    return [alert(n, story_id=f"s-{n}", **changes) for n in range(1, count + 1)]


def look(house: House, key: str = "key-0001") -> Told:
    """Return an alert as it stands in the ledger."""
    with house.p.ledger.read() as t:
        (found,) = deliveries.find(t, key)
    return found


def attempts(house: House, key: str = "key-0001") -> list[tuple[int, str]]:
    """Return the attempts to send an alert, and how each ended."""
    with house.p.ledger.read() as t:
        return [(d.attempt, d.outcome.value) for d in deliveries.attempts(t, key)]


def messages(inbox: Inbox) -> list[Message]:
    """Return what a channel was sent, all of which must be messages of one alert."""
    assert all(isinstance(one, Message) for one in inbox.sent)
    return [one for one in inbox.sent if isinstance(one, Message)]

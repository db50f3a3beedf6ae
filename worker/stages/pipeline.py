"""What the stages work with, and what they say of each row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from worker.alerts.policy import Policy, Recipient, Route
from worker.articles.extraction import Extract, NoText, extract
from worker.channels.base import Channel
from worker.errors import WirewatchError
from worker.feeds.document import Document, parse
from worker.feeds.polling import Polling
from worker.ledger import snapshots
from worker.ledger.engine import Ledger, Transaction
from worker.model import Article, Feed, Match, Reason, Topic
from worker.stages.known import Known
from worker.stories import model
from worker.stories.model import Model
from worker.web.gates import Gates, OpenGates
from worker.web.response import Web

_log = logging.getLogger("wirewatch")
#: Names of errors after which nothing is known of a host but that it did not answer.
UNANSWERED = frozenset({"", Reason.FETCH_FAILED, Reason.DNS_FAILED, Reason.TIMED_OUT})


class Matcher(Protocol):
    """Decides which topics an article meets."""

    def match(self, article: Article) -> Sequence[Match]:
        """Return the matches of ``article``, none of them a no."""
        ...

    def judge(self, article: Article) -> Sequence[Match]:
        """Return the answer of every topic to ``article``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Functions that turn a stranger's bytes into values; arguments, results and errors are those of the defaults.

    Any of them may also raise ``Retryable`` with the name ``overran``, when its process had to be killed.
    """

    feed: Callable[..., Document] = parse
    page: Callable[..., Extract | NoText] = extract


class Outdated(WirewatchError):  # noqa: N818 - named for what it says
    """The ledger has another configuration than the pipeline works by: make a new pipeline. Nothing was claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A configuration at work: its values, its edges, and its ledger."""

    feeds: Mapping[str, Feed]
    topics: Mapping[str, Topic]
    matcher: Matcher
    #: Weight of a term, for stories.
    rarity: Callable[[str], float]
    routes: Sequence[Route]
    #: For channels that ``recipients`` does not name.
    policy: Policy
    polling: Polling
    ledger: Ledger
    web: Web
    channels: Mapping[str, Channel]
    #: Gives random numbers in 0..1, to spread what would happen at one moment.
    jitter: Callable[[], float]
    #: Decides whether articles are about one event.
    story_model: Model = field(default_factory=model.load)
    #: What was read of stories before.
    known: Known = field(default_factory=Known)
    #: How often a host may be asked; a recorded web does not care.
    gates: Gates = field(default_factory=OpenGates)
    #: What reads strangers' documents, in this process or in one that can be killed.
    readers: Readers = field(default_factory=Readers)
    #: Channels with a policy, a way of being told, or a fallback of their own.
    recipients: Mapping[str, Recipient] = field(default_factory=dict)
    #: By id, what changes with the configuration of a channel: a disabled one gets a new chance with another one.
    channel_versions: Mapping[str, str] = field(default_factory=dict)
    #: Where the console is for those who read alerts, without a slash at its end; empty when nobody said.
    console: str = ""
    #: That of the configuration in the ledger; ``None`` where it is not from there and holds whatever happens.
    generation: int | None = None

    def recipient(self, channel_id: str) -> Recipient:
        """Return what is to be known of a channel before it is told something."""
        return self.recipients.get(channel_id) or Recipient(id=channel_id, policy=self.policy)

    def must_be_in_force(self, t: Transaction) -> None:
        """Ask, in the transaction of a claim, whether this configuration still holds.

        Raises:
            Outdated: there is another; roll back.
        """
        if self.generation is None:
            return
        newest = snapshots.generation(t)
        if newest != self.generation:
            raise Outdated(f"generation {newest} of the configuration is in force, and {self.generation} is at work")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a stage has done with one row."""

    #: ``poll``, ``read`` or ``deliver``.
    stage: str
    #: A feed's id, an entry's address or an alert's key.
    subject: str
    reason: Reason
    detail: str = ""
    #: Figures and ids that belong to the line in the log.
    facts: Mapping[str, object] = field(default_factory=dict)


def logged(outcome: Outcome) -> Outcome:
    """Write the one line that the log has for a row, and return ``outcome``."""
    facts = "".join(f" {name}={value}" for name, value in outcome.facts.items())
    detail = f" detail={outcome.detail!r}" if outcome.detail else ""
    row = {"stage": outcome.stage, "verdict": outcome.reason.value, "subject": outcome.subject, **outcome.facts}
    if outcome.detail:
        row["detail"] = outcome.detail
    _log.info("%s verdict=%s subject=%s%s%s", outcome.stage, outcome.reason, outcome.subject, facts, detail, extra=row)
    return outcome

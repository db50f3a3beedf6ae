"""What follows from an article that has changed since it was told of: corrections, and alerts that are withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.alerts.corrections import Change, also, changed, correction, told_in, with_match
from worker.alerts.silences import said, silenced_by
from worker.alerts.timing import due_correction
from worker.ledger import decided, silences, stories
from worker.ledger.decided import Decided
from worker.ledger.engine import Transaction
from worker.ledger.entries import evidence_from_json
from worker.model import Alert, Article, Match, Reason, Role
from worker.stages.pipeline import Pipeline
from worker.stages.telling import gathered


def withdrawn_topics(t: Transaction, article_id: str) -> set[str]:
    """Return the topics of which an article was to be told and was not, since it had changed: it may be told anew."""
    last = decided.last_reasons(t, article_id)
    return {topic for (topic, _), reason in last.items() if reason is Reason.WITHDRAWN}


def correct(
    t: Transaction, p: Pipeline, *, before: Article, after: Article, matches: Sequence[Match], now: datetime
) -> None:
    """Bring what was told of an article, or is to be told, up to what it says now.

    An alert that waits is changed, or turned off when the article matches no longer. Whoever was told already hears of
    what was wrong, once for each new state. To be called in the transaction that records the article as it is now.
    """
    # Whoever decides about stories locks alerts in this order, too.
    stories.take_turn(t)
    found = {match.topic_id: replace(match, article_id=after.id) for match in matches}
    for match in found.values():
        decided.change_match(t, match)
    work = _Correcting(t=t, p=p, before=before, after=after, matches=found, now=now)
    alerts: dict[tuple[str, str], list[Decided]] = {}
    for one in decided.about(t, after.id):
        alerts.setdefault((one.alert.topic_id, one.alert.channel_id), []).append(one)
    for about in alerts.values():
        work.bring_up_to_date(about)
    work.note_what_was_folded()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Correcting:
    """One article that has changed."""

    t: Transaction
    p: Pipeline
    before: Article
    after: Article
    matches: Mapping[str, Match]
    now: datetime

    @property
    def _worse(self) -> bool:
        """Whether the page gave nothing this time: what the feed says leaves out most of what was read before."""
        return self.before.source is Reason.PAGE and self.after.source is not Reason.PAGE

    def bring_up_to_date(self, alerts: Sequence[Decided]) -> None:
        """Change what waits for one channel about one topic, and correct what it was told."""
        told: list[Alert] = []
        waiting: list[Alert] = []
        for one in alerts:
            if one.waits and decided.lock_waiting(self.t, one.alert):
                waiting.append(one.alert)
            elif not (one.off or one.dead):
                told.append(one.alert)
        match = self.matches.get(alerts[0].alert.topic_id)
        for alert in waiting:
            if alert.role is not Role.CORRECTION:
                self._revise(alert, match)
        if told:
            pending = next((alert for alert in waiting if alert.role is Role.CORRECTION), None)
            self._correct(told[-1], pending, match)

    def _revise(self, alert: Alert, match: Match | None) -> None:
        """Have an alert that waits tell what the article says now, or what another one says for which it stands too."""
        if match:
            changed_alert = with_match(alert, match)
            decided.change(self.t, changed_alert)
            if changed_alert != alert or changed(self.before, self.after, evidence=alert.evidence, matches=True):
                self._note(alert, Reason.EDITED, "its alert still waits, and tells what it says now", key=alert.key)
            return
        if self._worse:
            return
        heir = next(iter(decided.others(self.t, alert)), None)
        if heir is None:
            detail = "the article has changed, and matches no longer"
            decided.turn_off(self.t, alert, reason=Reason.WITHDRAWN, detail=detail)
            self._note(alert, Reason.WITHDRAWN, detail, key=alert.key)
            return
        article_id, values = heir
        decided.change(self.t, _inherited(alert, article_id, values))
        detail = f"the article has changed, and matches no longer; its alert tells of {article_id} in its place"
        self._note(alert, Reason.WITHDRAWN, detail, key=alert.key)

    def _correct(self, told: Alert, pending: Alert | None, match: Match | None) -> None:
        """Put a correction of ``told`` into the outbox, or change the one that is ``pending``."""
        evidence = () if self._worse else told.evidence
        change = changed(self.before, self.after, evidence=evidence, matches=match is not None)
        if pending is not None:
            self._amend(told, pending, also(told_in(pending.detail), change, self.after), match)
        elif change:
            self._add(told, change, match)

    def _add(self, told: Alert, change: Change, match: Match | None) -> None:
        if said_why := self._silence(told):
            self._note(told, Reason.SILENCED, f"{change.detail}; {said_why}")
            return
        topic = self.p.topics.get(told.topic_id)
        due = due_correction(self.p.recipient(told.channel_id), urgent=topic is not None and topic.urgent, now=self.now)
        alert = correction(told, change, article=self.after, match=match, due=due, now=self.now)
        if due.slot:
            alert = gathered(self.t, alert, due.slot, now=self.now)
        if decided.add(self.t, alert):
            detail = "; ".join(part for part in (change.detail, due.detail) if part)
            self._note(alert, Reason.CORRECTION, detail, key=alert.key)
        else:
            self._note(alert, Reason.DUPLICATE, f"{change.detail}: this was told before", key=alert.key)

    def _amend(self, told: Alert, pending: Alert, change: Change, match: Match | None) -> None:
        """Have a correction that waits tell what is to be corrected now, if anything is."""
        if not change:
            detail = "the article says again what was told"
            decided.turn_off(self.t, pending, reason=Reason.WITHDRAWN, detail=detail)
            self._note(pending, Reason.CORRECTION, detail, key=pending.key)
            return
        due = due_correction(self.p.recipient(told.channel_id), urgent=True, now=self.now)
        newer = correction(told, change, article=self.after, match=match, due=due, now=self.now)
        if newer.key != pending.key and decided.exists(self.t, newer.key):
            detail = f"{change.detail}: this was told before"
            decided.turn_off(self.t, pending, reason=Reason.DUPLICATE, detail=detail)
            self._note(pending, Reason.DUPLICATE, detail, key=newer.key)
            return
        decided.change(self.t, newer, key=pending.key)
        self._note(newer, Reason.CORRECTION, f"{change.detail}; its correction still waits", key=newer.key)

    def _silence(self, told: Alert) -> str:
        silence = silenced_by(
            silences.matching(self.t, now=self.now),
            topic_id=told.topic_id,
            outlet=self.after.outlet,
            channel_id=told.channel_id,
            story_id=told.story_id,
        )
        return said(silence, now=self.now) if silence else ""

    def note_what_was_folded(self) -> None:
        """Record where another article's alert was to speak for this one, which matches no longer."""
        last = {} if self._worse else decided.last_reasons(self.t, self.after.id)
        for (topic_id, channel_id), reason in last.items():
            if reason in {Reason.FOLDED, Reason.COPY} and topic_id not in self.matches:
                decided.add_decision(
                    self.t,
                    article_id=self.after.id,
                    topic_id=topic_id,
                    channel_id=channel_id,
                    reason=Reason.WITHDRAWN,
                    detail="the article has changed, and matches no longer",
                    now=self.now,
                )

    def _note(self, alert: Alert, reason: Reason, detail: str, *, key: str | None = None) -> None:
        decided.add_decision(
            self.t,
            article_id=self.after.id,
            topic_id=alert.topic_id,
            channel_id=alert.channel_id,
            reason=reason,
            detail=detail,
            alert_key=key,
            now=self.now,
        )


def _inherited(alert: Alert, article_id: str, match: Mapping[str, Any]) -> Alert:
    evidence = evidence_from_json(match["evidence"])
    return replace(
        alert,
        article_id=article_id,
        score=match["score"],
        by=match["by"],
        clause=match["clause"],
        evidence=evidence,
    )

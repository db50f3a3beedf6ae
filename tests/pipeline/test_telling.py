"""What channels are told, when, and why not: from the page to the channel and to what ``why`` says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import NOON, at, topic
from tests.pipeline.conftest import House, item
from tests.pipeline.test_stages import HARVEST, MISSILES, PAGE, REWRITE
from tests.service import invented
from worker.alerts.policy import Policy, Recipient, Route
from worker.channels.file import FileChannel
from worker.ledger import decided, outbox, silences
from worker.ledger.engine import Transaction
from worker.model import Alert, Reason
from worker.stages.explain import explain

_NONE = timedelta(0)
#: One more report of what ``MISSILES`` and ``REWRITE`` tell.
DAM = (
    "A missile hit the Karvel dam in northern Kellia on Tuesday after three days of fighting, and at least 14 people "
    "are missing, officials in Saltash said. Governor Ilse Brandt ordered the evacuation of 6,000 people from Lower "
    "Saltash."
)
DAM_AGAIN = (
    "Kellian rescuers searched for 14 missing people after the Karvel dam was broken by a missile. Governor Brandt said"
    " the town of Lower Saltash had been evacuated, and that 6,000 residents were in shelters."
)
THIRD = (
    "Residents of the coast filmed the white trail of a missile over Velmark on Wednesday. It was a test, and it went "
    "well, said the ministry of Ostria; the flight over the sea took nine minutes, and fishermen had been warned."
)


def subject(number: int) -> str:
    """Return a page about something that no other page is about."""
    return (
        f"A missile was seen over {invented.article(3, number).title.split()[-1]}. {invented.article(4, number).text}"
    )


def policy(house: House, *, gathers: bool = False, **changes: Any) -> None:
    """Tell the screen by this policy."""
    changed = replace(Policy(group_wait=_NONE), **changes)
    house.change(policy=changed, recipients={"screen": Recipient(id="screen", policy=changed, gathers=gathers)})


def publish(house: House, now: datetime, **pages: str) -> None:
    """Have the feed show these entries, each page by its number, and read them."""
    for name, words in pages.items():
        number = int(name.removeprefix("n"))
        house.web.page(f"https://wire.example/{number}", PAGE.format(title=f"Headline {number}", text=words))
    house.web.feed(*(item(int(name.removeprefix("n"))) for name in pages))
    house.poll(now)
    while house.read(now):
        pass


def stories(house: House, now: datetime, *numbers: int) -> None:
    """Publish a page for each number, of a story of its own."""
    publish(house, now, **{f"n{number}": subject(number) for number in numbers})


def edit(house: House, now: datetime, number: int, *, title: str = "", words: str = "", summary: str = "new") -> None:
    """Publish a page anew, and have the feed say that it is another one."""
    title = title or f"Headline {number}"
    if words:
        house.web.page(f"https://wire.example/{number}", PAGE.format(title=title, text=words))
    house.web.feed(item(number, title=title, summary=summary))
    house.poll(now)
    assert house.read(now)


def told(house: House, *, since: int = 0) -> list[str]:
    """Return what the receiver was sent: roles, and for a digest those of its alerts in brackets."""
    lines = house.told()[since:]
    return [line["role"] if line["kind"] == "alert" else str([a["role"] for a in line["alerts"]]) for line in lines]


def reasons(house: House, number: int) -> list[tuple[str, str]]:
    """Return the decisions about a page, with their details, as ``why`` has them."""
    (path, *_) = explain(house.p.ledger, house.p.matcher, f"https://wire.example/{number}")
    return [(decision["reason"], decision["detail"]) for decision in path.decisions]


def works(house: House) -> list[str]:
    """Return the states of all alerts, digests apart."""
    with house.p.ledger.read() as t:
        return list(t.execute(text("SELECT work FROM alert WHERE article_id <> '' ORDER BY id")).scalars())


# digests


def test_what_is_not_urgent_is_told_in_one_message_at_the_time_of_the_digest(house: House) -> None:
    """Nothing before, one message then, and nothing left to tell."""
    policy(house, digest="18:00")
    stories(house, NOON, 1, 2, 3)
    assert house.deliver(at(359)) == []
    house.deliver(at(360))
    assert told(house) == ["['first', 'first', 'first']"]
    assert works(house) == ["done"] * 3
    assert reasons(house, 2) == [("digest", "told in the digest of 18:00 UTC")]
    assert house.deliver(at(9999)) == []


def test_a_digest_of_one_is_told_as_that_one(house: House) -> None:
    """A list of one is no list."""
    policy(house, digest="18:00")
    stories(house, NOON, 1)
    house.deliver(at(360))
    assert told(house) == ["first"]


def test_reports_of_a_story_that_waits_in_a_digest_are_counted_there(house: House) -> None:
    """They are told by the alert that waits; the next one, after the digest, is in the next."""
    policy(house, digest="18:00")
    publish(house, NOON, n1=MISSILES)
    publish(house, at(10), n1=MISSILES, n2=REWRITE)
    assert [reason for reason, _ in reasons(house, 2)] == [Reason.FOLDED]
    house.deliver(at(360))
    assert [(line["role"], line["articles"]) for line in house.told()] == [("first", 2)]
    publish(house, at(361), n1=MISSILES, n2=REWRITE, n3=THIRD)
    assert reasons(house, 3) == [("digest", "told in the digest of 12 Feb 18:00 UTC")]


def test_urgent_topics_wait_for_no_digest(house: House) -> None:
    """Nor for the end of quiet hours."""
    house.watch(topic(urgent=True))
    policy(house, digest="18:00", quiet_hours="00:00-23:59", per_hour=1)
    stories(house, NOON, 1, 2)
    house.deliver(NOON)
    assert told(house) == ["first", "first"]
    assert reasons(house, 1) == [("queued", "urgent")]


def test_what_quiet_hours_hold_is_told_in_one_message_in_the_morning(house: House) -> None:
    """At their end, and with the reason recorded."""
    policy(house, quiet_hours="11:00-13:00")
    stories(house, NOON, 1, 2)
    assert house.deliver(at(59)) == []
    house.deliver(at(60))
    assert told(house) == ["['first', 'first']"]
    assert reasons(house, 1) == [("quiet-hours", "11:00-13:00; told with the rest at 13:00 UTC")]


def test_a_burst_is_the_budget_and_one_message_with_the_rest(house: House) -> None:
    """The rest comes an hour later, all of it, and counts as one."""
    policy(house, per_hour=3)
    stories(house, NOON, *range(1, 13))
    for minute in range(60):
        house.deliver(at(minute))
    assert told(house) == ["first"] * 3
    house.deliver(at(60))
    assert told(house, since=3) == [str(["first"] * 9)]
    assert {reasons(house, number)[0] for number in range(1, 13)} == {
        ("queued", "told at once"),
        ("budget", "3 in the last hour; told with the rest at 13:00 UTC"),
    }
    stories(house, at(61), 20, 21, 22)
    house.deliver(at(61))
    assert told(house, since=4) == ["first", "first"]


def test_every_channel_is_told_by_its_own_policy(house: House) -> None:
    """One at once, the other in the evening; a channel that nobody speaks of has the policy of all."""
    desk = FileChannel("desk", house.receiver.path.with_name("desk.jsonl"))
    house.change(channels={"screen": house.receiver, "desk": desk}, routes=(Route(channels=("screen", "desk")),))
    house.change(
        policy=Policy(group_wait=_NONE), recipients={"desk": Recipient(id="desk", policy=Policy(digest="18:00"))}
    )
    stories(house, NOON, 1)
    house.deliver(NOON)
    assert (len(house.told()), desk.path.exists()) == (1, False)
    assert [reason for reason, _ in reasons(house, 1)] == [Reason.DIGEST, Reason.QUEUED]
    house.deliver(at(360))
    assert desk.path.exists()


def test_a_channel_that_cannot_thread_hears_of_follow_ups_in_a_digest(house: House) -> None:
    """First alerts come one by one; what follows on all stories comes together, min_gap after the first of it."""
    policy(house, gathers=True, follow_up="every", min_gap=timedelta(minutes=30))
    publish(house, NOON, n1=MISSILES, n5=DAM)
    house.deliver(NOON)
    assert told(house) == ["first", "first"]
    publish(house, at(10), n1=MISSILES, n2=REWRITE)
    publish(house, at(20), n2=REWRITE, n6=DAM_AGAIN)
    assert reasons(house, 2) == [("min-gap", "told with what else follows at 12:40 UTC")]
    assert reasons(house, 6) == reasons(house, 2)
    assert house.deliver(at(39)) == []
    house.deliver(at(40))
    assert told(house, since=2) == ["['report', 'report']"]


def test_quiet_reports_are_no_messages_where_nothing_can_be_changed(house: House) -> None:
    """They are recorded, and told to nobody."""
    policy(house, gathers=True)
    publish(house, NOON, n1=MISSILES)
    house.deliver(NOON)
    publish(house, at(10), n1=MISSILES, n2=REWRITE)
    assert [reason for reason, _ in reasons(house, 2)] == [Reason.REPORT]
    house.deliver(at(999))
    assert told(house) == ["first"]


def test_what_comes_while_a_digest_is_being_sent_goes_into_another(house: House) -> None:
    """Nothing is put into a message that somebody has begun to send."""
    policy(house, digest="18:00")
    stories(house, NOON, 1)
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=at(360), limit=1)
    # A worker with an older time decides; the digest of 18:00 is in hand.
    stories(house, at(359), 2)
    with house.p.ledger.write() as t:
        outbox.release(t, [claim])
    house.deliver(at(360))
    assert sorted(told(house)) == ["first", "first"]
    assert works(house) == ["done", "done"]


def test_a_report_that_comes_while_the_alert_is_being_sent_is_told_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert that was taken up after it was looked at counts nothing more."""
    policy(house, group_wait=timedelta(minutes=20))
    publish(house, NOON, n1=MISSILES)
    lock = decided.lock_waiting

    def taken_up(t: Transaction, alert: Alert) -> bool:
        outbox.claim(t, now=at(20), limit=1)
        return lock(t, alert)

    monkeypatch.setattr(decided, "lock_waiting", taken_up)
    publish(house, at(10), n1=MISSILES, n2=REWRITE)
    assert [reason for reason, _ in reasons(house, 2)] == [Reason.MIN_GAP]


# silences


def silenced(house: House, now: datetime, *, minutes: float = 60, **patterns: str) -> str:
    """Begin a silence and return how decisions name it."""
    with house.p.ledger.write() as t:
        ends_at = now + timedelta(minutes=minutes)
        made = silences.add(t, author="anna", comment="exercise", starts_at=now, ends_at=ends_at, now=now, **patterns)
    return f"silence {made.id} by anna until {ends_at:%H:%M} UTC: exercise"


def test_a_story_that_began_in_a_silence_is_told_when_the_silence_has_ended(house: House) -> None:
    """The first article is recorded with the silence; the next one is the first that is told."""
    policy(house)
    said = silenced(house, NOON, topic="miss*")
    publish(house, NOON, n1=MISSILES)
    assert house.deliver(at(50)) == []
    assert reasons(house, 1) == [("silenced", said)]
    publish(house, at(60), n1=MISSILES, n2=REWRITE)
    house.deliver(at(60))
    assert told(house) == ["first"]
    assert house.told()[0]["title"] == "Headline 2"


def test_a_silence_that_begins_while_an_alert_waits_keeps_it_from_being_told(house: House) -> None:
    """It is turned off, and what comes after the silence is told as new."""
    policy(house, group_wait=timedelta(minutes=5))
    publish(house, NOON, n1=MISSILES)
    silenced(house, at(1), channel="screen")
    house.deliver(at(5))
    assert (house.told(), works(house)) == ([], ["off"])
    publish(house, at(61), n1=MISSILES, n2=REWRITE)
    house.deliver(at(70))
    assert told(house) == ["first"]


# topics that refine others


def test_of_two_topics_the_narrower_one_is_told(house: House) -> None:
    """Also of the reports that only the broader one matches; the decision names the topic."""
    house.watch(topic(), topic(id="tests", any=("neighbours",), refines=("missiles",)))
    policy(house)
    publish(house, NOON, n1=MISSILES)
    house.deliver(NOON)
    assert [line["topic"] for line in house.told()] == ["tests"]
    assert ("inhibited", "tests, which refines it, tells this channel of the story") in reasons(house, 1)
    publish(house, at(60), n1=MISSILES, n2=REWRITE)
    house.deliver(at(60))
    assert {line["topic"] for line in house.told()} == {"tests"}
    assert [reason for reason, _ in reasons(house, 2)] == [Reason.INHIBITED]


def test_a_narrower_topic_that_is_silenced_keeps_nothing_back(house: House) -> None:
    """The broader one speaks while the narrower may not."""
    house.watch(topic(), topic(id="tests", any=("neighbours",), refines=("missiles",)))
    policy(house)
    silenced(house, NOON, topic="tests")
    publish(house, NOON, n1=MISSILES)
    house.deliver(NOON)
    assert [line["topic"] for line in house.told()] == ["missiles"]


# corrections


SENTENCE = f"{subject(1).partition('.')[0]}."


def test_a_title_that_was_changed_after_it_was_told_is_corrected(house: House) -> None:
    """Once, with what it was, under the same story; the comma of the next edit is nobody's business."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    edit(house, at(60), 1, title="Another headline")
    house.deliver(at(60))
    assert told(house) == ["first", "correction"]
    last = house.told()[-1]
    assert (last["title"], last["detail"]) == ("Another headline", 'title was "Headline 1"')
    assert last["evidence"][0]["text"] == "missile"
    assert reasons(house, 1)[-1] == ("correction", 'title was "Headline 1"')
    edit(house, at(120), 1, title="Another headline!", summary="newer")
    house.deliver(at(120))
    assert len(house.told()) == 2


def test_evidence_that_is_gone_is_corrected_without_evidence(house: House) -> None:
    """The reader has seen the sentence, and hears that it does not stand there any more."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    edit(house, at(60), 1, words=HARVEST)
    house.deliver(at(60))
    assert told(house) == ["first", "correction"]
    assert (house.told()[-1]["detail"], house.told()[-1]["evidence"]) == (f'the sentence "{SENTENCE}" is gone', [])


def test_the_same_state_is_told_once(house: House) -> None:
    """There and back and there again: the second time there is nothing new."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    for minute, title in ((60, "Second"), (120, "Headline 1"), (180, "Second")):
        edit(house, at(minute), 1, title=title)
        house.deliver(at(minute))
    assert [line.get("detail") for line in house.told()] == ["", 'title was "Headline 1"', 'title was "Second"']
    assert reasons(house, 1)[-1] == ("duplicate", 'title was "Headline 1": this was told before')


def test_an_edit_that_changes_nothing_that_was_told_is_told_to_nobody(house: House) -> None:
    """Articles grow all day."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    edit(house, at(60), 1, words=f"{subject(1)} More was to be said of it in the afternoon, a spokesman added.")
    assert house.deliver(at(600)) == []
    assert len(reasons(house, 1)) == 1


def test_an_alert_that_waits_tells_what_the_article_says_by_then(house: House) -> None:
    """Nobody has seen the first state, so there is nothing to correct."""
    policy(house, digest="18:00")
    stories(house, NOON, 1)
    edit(house, at(60), 1, title="Another headline", words=f"Before all that, nothing. {subject(1)}")
    house.deliver(at(360))
    (line,) = house.told()
    assert (line["role"], line["title"]) == ("first", "Another headline")
    (evidence,) = line["evidence"]
    with house.p.ledger.read() as t:
        kept = t.execute(text("SELECT text FROM article")).scalar_one()
    assert kept[evidence["start"] : evidence["end"]] == "missile"
    assert reasons(house, 1)[-1] == ("edited", "its alert still waits, and tells what it says now")


@pytest.mark.parametrize("changes", [{"digest": "18:00"}, {"group_wait": timedelta(hours=6)}], ids=["digest", "alone"])
def test_an_article_that_matches_no_longer_is_not_told_at_all(house: House, changes: dict[str, Any]) -> None:
    """Its alert is turned off; when it matches again later, it is told as new."""
    policy(house, **changes)
    stories(house, NOON, 1)
    edit(house, at(60), 1, words=HARVEST)
    house.deliver(at(400))
    assert (house.told(), works(house)) == ([], ["off"])
    assert reasons(house, 1)[-1] == ("withdrawn", "the article has changed, and matches no longer")
    edit(house, at(410), 1, words=subject(1), summary="newer")
    for minute in (800, 1800):
        house.deliver(at(minute))
    assert told(house) == ["first"]


def test_an_alert_outlives_its_article_where_it_spoke_for_others_too(house: House) -> None:
    """Who joined it was to be told by it, and is not forgotten."""
    policy(house, digest="18:00")
    publish(house, NOON, n1=MISSILES)
    publish(house, at(10), n1=MISSILES, n2=REWRITE)
    assert [reason for reason, _ in reasons(house, 2)] == [Reason.FOLDED]
    edit(house, at(60), 1, words=HARVEST)
    house.deliver(at(360))
    assert [(line["role"], line["title"]) for line in house.told()] == [("first", "Headline 2")]
    assert reasons(house, 1)[-1][0] == "withdrawn"
    assert "tells of a-" in reasons(house, 1)[-1][1]


def test_a_page_that_gives_nothing_this_time_corrects_nothing(house: House) -> None:
    """What the feed says of an article is no newer state of it."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    del house.web.answers["https://wire.example/1"]
    edit(house, at(60), 1, summary="A word or two.")
    assert house.deliver(at(600)) == []
    edit(house, at(610), 1, title="Another headline", summary="A word or two.")
    house.deliver(at(610))
    assert told(house) == ["first", "correction"]


def test_an_alert_that_waits_outlives_a_page_that_gives_nothing_this_time(house: House) -> None:
    """It matched when it could be read."""
    policy(house, digest="18:00")
    stories(house, NOON, 1)
    del house.web.answers["https://wire.example/1"]
    edit(house, at(60), 1, summary="A word or two.")
    house.deliver(at(360))
    assert told(house) == ["first"]


def test_corrections_wait_for_the_end_of_quiet_hours_and_change_while_they_wait(house: House) -> None:
    """One message in the morning that tells what is wrong by then; what was put right again is not told."""
    policy(house, quiet_hours="13:00-20:00")
    stories(house, NOON, 1, 2)
    house.deliver(NOON)
    edit(house, at(90), 1, title="Second")
    edit(house, at(100), 2, title="Second")
    edit(house, at(110), 1, title="Third")
    edit(house, at(120), 2, title="Headline 2")
    assert house.deliver(at(479)) == []
    house.deliver(at(480))
    assert told(house, since=2) == ["correction"]
    assert (house.told()[-1]["title"], house.told()[-1]["detail"]) == ("Third", 'title was "Headline 1"')
    assert reasons(house, 2)[-1] == ("correction", "the article says again what was told")


def test_a_correction_is_silenced_like_all_else(house: House) -> None:
    """And recorded."""
    policy(house)
    stories(house, NOON, 1)
    house.deliver(NOON)
    said = silenced(house, at(30), topic="*")
    edit(house, at(60), 1, title="Another headline")
    assert house.deliver(at(61)) == []
    assert reasons(house, 1)[-1] == ("silenced", f'title was "Headline 1"; {said}')

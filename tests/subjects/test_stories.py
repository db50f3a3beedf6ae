"""Which articles are about one event."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, article
from worker.model import Article, Role, Story
from worker.stories import model, rarity
from worker.stories.features import Features, cosine, features
from worker.stories.joining import HORIZON, Joined, join
from worker.stories.origins import origin
from worker.stories.shingles import containment

RARITY = rarity.load()
MODEL = model.load()

DAM = (
    "The Karvel dam in northern Ostria burst on Tuesday after three days of rain, and at least 14 people are missing, "
    "officials in Velmark said. Governor Ilse Brandt ordered the evacuation of 6,000 people from Lower Velmark.",
    "Ostrian rescuers searched for 14 missing people after the Karvel dam collapsed. Governor Brandt said the town of "
    "Lower Velmark had been evacuated, and that 6,000 residents were in shelters.",
    "At least 14 people were missing when the Karvel dam gave way in Ostria, the office of Governor Ilse Brandt said. "
    "Lower Velmark lies under water; engineers had warned of cracks in 2019.",
)
STRIKE = (
    "Ferry workers in Port Callis voted on Wednesday to strike for 48 hours over pay, the Dockers' Union said. "
    "Operator Marelline said 22 crossings would be cancelled."
)


def told(texts: list[tuple[str, float]]) -> list[Story]:
    """Return the stories that arise when texts arrive in order, each with the hours after noon of its date."""
    stories: dict[str, Story] = {}
    for number, (text, hours) in enumerate(texts):
        joined = _join(_article(number, text, hours), list(stories.values()))
        stories |= {story.id: story for story in (*joined.changed, joined.story)}
        for merged in joined.merges:
            del stories[merged]
    return list(stories.values())


def _article(number: int, text: str, hours: float = 0.0) -> Article:
    return article(number, title="", text=text, outlet=f"Outlet {number}", published_at=NOON + timedelta(hours=hours))


def _join(one: Article, stories: list[Story]) -> Joined:
    return join(one, features(one, rarity=RARITY), stories, model=MODEL)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_reports_of_one_event_are_one_story_in_every_order(order: tuple[int, ...]) -> None:
    """Three reports of a dam and one of a strike are two stories, whichever arrives first."""
    texts = [*DAM, STRIKE]
    stories = told([(texts[i], 0.0) for i in order])
    assert sorted(len(story.members) for story in stories) == [1, 3]


def test_the_same_words_beyond_the_window_are_another_story_that_follows() -> None:
    """A story is closed 72 hours after its newest article; what resembles it later is linked."""
    first, second = told([(DAM[0], 0.0), (DAM[1], 73.0)])
    assert second.linked == first.id
    assert first.linked is None


def test_within_the_window_a_late_report_still_joins() -> None:
    """The window counts from the newest article, and a report that arrives out of order joins too."""
    assert len(told([(DAM[0], 0.0), (DAM[1], 70.0), (DAM[2], 140.0)])) == 1
    assert len(told([(DAM[0], 70.0), (DAM[1], 0.0)])) == 1


def test_what_lies_beyond_the_horizon_is_not_linked() -> None:
    """After 90 days a story is history."""
    days = HORIZON / timedelta(hours=1) + 1
    assert [story.linked for story in told([(DAM[0], 0.0), (DAM[1], days)])] == [None, None]


def test_a_reprint_is_a_copy_and_a_rewrite_is_a_report() -> None:
    """A dateline and a signature make no report of their own."""
    opened = _join(_article(0, DAM[0]), [])
    reprint = _join(_article(1, f"VELMARK (Agency) - {DAM[0]} Reporting by staff."), [opened.story])
    rewrite = _join(_article(2, DAM[1]), [opened.story])
    assert (opened.role, reprint.role, rewrite.role) == (Role.FIRST, Role.COPY, Role.REPORT)


def test_the_answer_does_not_depend_on_the_order_of_the_stories() -> None:
    """The ledger may give stories in any order."""
    stories = told([(DAM[0], 0.0), (STRIKE, 0.0)])
    one = _article(9, DAM[2])
    assert _join(one, stories).story.id == _join(one, stories[::-1]).story.id


def test_an_empty_article_opens_a_story_of_its_own() -> None:
    """Without words nothing is similar, and nothing fails."""
    empty = _article(1, "")
    assert _join(empty, told([(DAM[0], 0.0)])).role is Role.FIRST


def test_a_name_in_two_romanisations_is_one_name() -> None:
    """Baqaei and Baghaei are the same spokesman."""
    one = features(_article(1, "The spokesman Esmaeil Baqaei spoke."), rarity=RARITY)
    two = features(_article(2, "The spokesman Esmaeil Baghaei spoke."), rarity=RARITY)
    assert cosine(one.name_vector, two.name_vector) == pytest.approx(1.0, abs=1e-3)


def test_features_survive_the_ledger() -> None:
    """What was stored as JSON is what was computed."""
    made = features(_article(1, DAM[0]), rarity=RARITY)
    assert Features.from_json(made.to_json(), made.shingles) == made


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_containment_is_a_share(a: set[int], b: set[int]) -> None:
    """It lies in 0..1, is the same both ways, and is 1 for a subset."""
    share = containment(frozenset(a), frozenset(b))
    assert 0 <= share <= 1
    assert share == containment(frozenset(b), frozenset(a))
    if a and a <= b:
        assert share == 1


@given(st.text(max_size=300))
def test_any_text_has_features_of_length_one(text: str) -> None:
    """Vectors have length 1 or are empty, whatever the text."""
    made = features(_article(1, text), rarity=RARITY)
    for vector in (made.lead_vector, made.full_vector, made.name_vector):
        assert not vector or sum(w * w for w in vector.values()) == pytest.approx(1.0, abs=1e-2)


def test_common_words_weigh_nothing_beside_rare_ones() -> None:
    """The table that ships knows "the" and does not know an invented name."""
    assert RARITY("the") < 0.5
    assert RARITY("velmark") > 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dam burst on Tuesday, Xinhua reported.", "Xinhua"),
        (
            "Citing reports from the Islamic Republic News Agency (IRNA), officials spoke.",
            "IRNA",
        ),
        ("The dam burst, according to Reuters.", "Reuters"),
        ("The dam burst, according to Brandt.", "Wire"),
        ("Nothing was said of anyone.", "Wire"),
    ],
    ids=["reported", "citing", "according-to-agency", "according-to-a-person", "own"],
)
def test_the_origin_is_the_agency_that_the_lead_names(text: str, expected: str) -> None:
    """A person who is quoted is no origin; without an agency the outlet speaks for itself."""
    assert origin(article(text=text)) == expected

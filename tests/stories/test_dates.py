"""On which day: days of the year as news writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import article
from worker.stories import rarity
from worker.stories.comparing import compare
from worker.stories.dates import dates
from worker.stories.features import Features, features

RARITY = rarity.load()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("On May 12 and on 12 May.", ["may 12", "may 12"]),
        ("the 3rd of April, Sept. 4th", ["apr 3", "sep 4"]),
        ("He may 3 times march 4 miles.", []),
        ("In May 2026, or June 30.", ["jun 30"]),
        ("March 3.5, May 12:30, June 40 million, July 5%", []),
        ("12 Mayors and 120 May", []),
    ],
)
def test_a_date_is_a_month_and_a_day_beside_it(text: str, expected: list[str]) -> None:
    """Years, verbs, times, amounts and parts of words are none."""
    assert dates(text) == expected


@given(st.text(st.sampled_from("JFMASONDaeprily 0123.tho:%"), max_size=60))
def test_any_text_has_dates_that_can_be(text: str) -> None:
    """A date is three letters and a number below forty."""
    for date in dates(text):
        month, day = date.split()
        assert len(month) == 3
        assert 0 <= int(day) < 40


def _features(text: str) -> Features:
    return features(article(title="", text=text), rarity=RARITY)


def test_leads_with_other_dates_differ_unless_one_names_the_others_too() -> None:
    """A report of the next day names the day before."""
    one, other = _features("The dam at Karvel burst on May 12."), _features("The dam at Karvel burst on 14 May.")
    both = _features("On 14 May the dam at Karvel was closed. It had burst on 12 May.")
    assert compare(one, other).other_date == 1.0
    assert compare(one, both).other_date == compare(other, both).other_date == 0.0


def test_leads_with_other_acts_differ() -> None:
    """Who was arrested and who resigned did two things; an article without an act differs from none."""
    one, other = _features("Ivo Karlin was arrested."), _features("Ivo Karlin resigned.")
    assert compare(one, other).other_acts == 1.0
    assert compare(one, one).other_acts == compare(one, _features("Ivo Karlin sings.")).other_acts == 0.0


def test_what_was_kept_before_dates_were_is_still_compared() -> None:
    """Its title stands for its opening."""
    made = features(article(title="Karvel dam bursts", text="The dam burst on May 12."), rarity=RARITY)
    kept = {key: value for key, value in made.to_json().items() if key not in {"dates", "lead_dates", "opening"}}
    old = Features.from_json(kept, made.shingles)
    assert (old.dates, old.opening) == ((), len(old.title))
    assert compare(old, made).names == pytest.approx(1.0, abs=1e-3)

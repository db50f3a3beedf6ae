"""Stories that are opened for articles which leave another."""

from __future__ import annotations

from tests.builders import article
from worker.stories import joining, model, rarity
from worker.stories.features import features

RARITY, MODEL = rarity.load(), model.load()


def test_articles_that_are_put_apart_twice_open_two_stories() -> None:
    """The first of the stories may live on with other articles, which the second must not take the place of."""
    one = article(1, text="The Karvel dam burst.")
    member = joining.join(one, features(one, rarity=RARITY), [], model=MODEL).member
    ids = {joining._new([member], added).id for added in ("a-2", "a-3", "a-3")}
    assert len(ids) == 2
    assert joining.story_id(one.id) not in ids

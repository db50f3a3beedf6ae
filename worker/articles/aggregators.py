"""Links of aggregators that lead to an article without being its address."""

from __future__ import annotations

import re

#: Detail of an article whose entry carries such a link.
AGGREGATOR_LINK = "aggregator-link"
#: Since 2024 the token in a Google News link can only be resolved by calls that its terms do not allow, and the page
#: itself redirects by script: the feed's title and source are all that can honestly be had.
_GOOGLE_NEWS = re.compile(
    r"https?://news\.google\.[a-z.]{2,6}/(?:rss/)?(?:articles|read|__i/rss/rd/articles)/", re.IGNORECASE
)


def is_aggregator(url: str) -> bool:
    """Return whether ``url`` is a link that hides the article's address."""
    return _GOOGLE_NEWS.match(url) is not None

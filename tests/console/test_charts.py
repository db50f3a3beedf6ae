"""Plots: whatever the numbers and names, a browser under our Content-Security-Policy shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.console import charts, plots
from worker.console.charts import bars, histogram, sparkline

DAY = date(2026, 2, 11)
#: More than any count will be, and less than none.
numbers = st.integers(min_value=-5, max_value=10**12)
names = st.text(max_size=12)
SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: str) -> ET.Element:
    """Return markup as XML; it is an error when it is none."""
    return ET.fromstring(f"<body>{markup}</body>")  # noqa: S314 - our own


def is_harmless(tree: ET.Element) -> bool:
    """Return whether there is nothing that a policy without inline styles and scripts refuses."""
    return not any(
        element.tag.endswith(("script", "style", "foreignObject"))
        or any(name == "style" or name.startswith("on") or "href" in name for name in element.attrib)
        for element in tree.iter()
    )


def boxes(tree: ET.Element, kind: str = "") -> Iterator[tuple[float, float, float, float]]:
    """Yield the place and size of each rectangle whose class begins with ``kind``."""
    for rect in tree.iter(f"{SVG}rect"):
        if rect.get("class", "").startswith(kind):
            x, y, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
            yield x, y, width, height


def drawing(tree: ET.Element) -> ET.Element:
    """Return the plot."""
    return next(svg for svg in tree.iter(f"{SVG}svg") if svg.get("role") == "img")


def lies_inside(tree: ET.Element) -> bool:
    """Return whether every bar of the plot lies inside of its box."""
    plot = drawing(tree)
    width, height = float(plot.get("width", "0")), float(plot.get("height", "0"))
    found = list(boxes(plot))
    return all(
        x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= width + 0.6 and y + h <= height + 0.1 for x, y, w, h in found
    )


def spark_bars(tree: ET.Element) -> list[tuple[float, float, float]]:
    """Return where each bar of a sparkline begins, its width and its height."""
    (path,) = tree.iter(f"{SVG}path")
    return [
        (float(x), float(width), float(height))
        for x, height, width, back in re.findall(r"M([\d.]+) 20v-([\d.]+)h([\d.]+)v([\d.]+)z", path.get("d", ""))
        if height == back
    ]


@given(st.lists(numbers, max_size=40), names)
def test_a_sparkline_is_well_formed(values: list[int], label: str) -> None:
    """A drawing of a fixed size with a title, a bar for every number above 0, nothing outside and nothing refused."""
    tree = parsed(sparkline(values, label=label))
    plot = drawing(tree)
    assert (plot.get("width"), plot.get("viewBox")) == ("112", "0 0 112 20")
    assert plot[0].tag == f"{SVG}title"
    found = spark_bars(plot)
    assert len(found) == sum(value > 0 for value in values)
    assert all(x >= 0 and x + width <= 112.01 and 0 < height <= 19 for x, width, height in found)
    assert is_harmless(tree)


@given(st.lists(st.integers(min_value=1, max_value=10**9), min_size=2, max_size=20))
def test_bars_are_as_high_as_their_values(values: list[int]) -> None:
    """Of two values the greater has no lower bar, and the greatest fills the box."""
    heights = [height for _, _, height in spark_bars(drawing(parsed(sparkline(values, label=""))))]
    assert max(heights) == pytest.approx(19, abs=0.01)
    ranked = sorted(zip(values, heights, strict=True))
    assert all(low <= high for (_, low), (_, high) in pairwise(ranked))


def test_many_small_figures_beside_a_great_one_stay_in_the_box() -> None:
    """What is not 0 is seen, also where the bars already fill the plot."""
    series = {"great": {DAY: 999_980}} | {f"small {n}": {DAY: 1} for n in range(20)}
    tree = parsed(bars([DAY], series, label=""))
    assert lies_inside(tree)
    assert len(list(boxes(drawing(tree), "series-"))) == 21


@given(
    st.integers(min_value=0, max_value=40),
    st.dictionaries(names, st.dictionaries(st.dates(DAY, DAY + timedelta(days=40)), numbers, max_size=8), max_size=12),
)
def test_daily_bars_are_well_formed_and_so_is_their_table(count: int, series: dict[str, dict[date, int]]) -> None:
    """Every figure that is drawn stands in the table, and every series in the legend."""
    days = [DAY + timedelta(days=n) for n in range(count)]
    tree = parsed(bars(days, series, label="matches"))
    assert is_harmless(tree)
    assert lies_inside(tree)
    rows = [[cell.text for cell in row] for row in tree.iter("tr")]
    assert len(rows) == count + 1
    expected = [[str(max(0, found.get(day, 0))) for found in series.values()] for day in days]
    assert [row[1:] for row in rows[1:]] == expected
    assert len(list(tree.iter("li"))) == len(series)
    drawn = len(list(boxes(drawing(tree), "series-")))
    assert drawn == sum(cell != "0" for row in expected for cell in row)


@given(st.lists(st.tuples(names, numbers), max_size=20))
def test_a_histogram_is_well_formed(buckets: list[tuple[str, int]]) -> None:
    """One bar for each bucket that has something, and all of them in the table."""
    tree = parsed(histogram(buckets, label="delay"))
    assert is_harmless(tree)
    assert lies_inside(tree)
    assert len(list(boxes(drawing(tree), "series-0"))) == sum(count > 0 for _, count in buckets)
    assert len(list(tree.iter("tr"))) == len(buckets) + 1


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b onload=x>', "&amp;", "\x00\x0b\x1b[2J", "\ud800"])
def test_names_of_strangers_are_text(text: str) -> None:
    """In titles, legends, labels and tables they are shown, and never obeyed."""
    tree = parsed(bars([DAY], {text: {DAY: 1}}, label=text))
    assert is_harmless(tree)
    shown = charts.clean(text)
    assert drawing(tree)[0].text == shown
    assert [item for item in tree.iter("th") if item.text == shown]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from([f"topic-{n}" for n in range(20)]), st.sampled_from(["rule", "meaning"])),
        st.dictionaries(st.dates(DAY - timedelta(days=9), DAY), st.integers(min_value=0, max_value=50)),
        max_size=30,
    )
)
def test_no_match_is_lost_between_tally_and_plot(found: dict[tuple[str, ...], dict[date, int]]) -> None:
    """However many topics there are, the figures of a day add up to what was counted, and colours suffice."""
    tree = parsed(plots.by_topic(found, until=DAY, days=10, label="x"))
    rows = [[cell.text or "" for cell in row] for row in tree.iter("tr")][1:]
    counted = sum(count for by_day in found.values() for count in by_day.values())
    assert sum(int(cell) for row in rows for cell in row[1:]) == counted
    assert len(list(tree.iter("li"))) <= charts.SERIES


@given(st.lists(st.integers(min_value=0, max_value=1000), min_size=2, max_size=15))
def test_buckets_tell_what_is_in_them_alone(counts: list[int]) -> None:
    """From "so many up to here" to "so many in here", and the median lies where half of them are."""
    bounds = [float(2**n) for n in range(len(counts) - 1)] + [float("inf")]
    buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
    assert [count for _, count in plots.own_counts(buckets)] == counts
    middle = plots.median(buckets)
    assert (middle is None) is (sum(counts) == 0)
    if middle is not None:
        below = sum(count for bound, count in zip(bounds, counts, strict=True) if bound <= middle)
        assert below * 2 >= sum(counts)
        assert (below - counts[bounds.index(middle)]) * 2 < sum(counts)


def test_buckets_have_names_that_people_read() -> None:
    """Seconds, minutes, hours, and what is beyond them."""
    found: Any = [(1.0, 0.0), (2.5, 0.0), (60.0, 1.0), (3600.0, 1.0), (float("inf"), 2.0)]
    assert [name for name, _ in plots.own_counts(found)] == ["1 s", "2.5 s", "1 min", "1 h", "> 1 h"]

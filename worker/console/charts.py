"""Plots as inline SVG, and the same figures as a table for those who would rather read them.

Nothing here has a style, a script or an identifier of its own: a page under ``style-src 'self'`` shows it as it is, and
two plots never get in each other's way. Colours and lengths of text come from the classes in ``static/bench.css``;
width, height and ``viewBox`` are fixed, so that nothing moves when a plot is swapped in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from markupsafe import Markup, escape

from worker.console.visible import visible

#: Of a sparkline, in pixels: room for fourteen days, and one line of a table high.
_SPARK_WIDTH, _SPARK_HEIGHT = 112, 20
#: Of the larger plots.
_WIDTH, _HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 8, 22
#: Colours that there are; further series share the last one.
SERIES = 8
#: A label of a day or a bucket every so many pixels at least.
_LABEL_GAP = 58
_NOTHING = Markup("")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sparkline(values: Sequence[int], *, label: str) -> Markup:
    """Return a row of small bars, oldest first, with ``label`` as its title for those who cannot see it.

    The tallest bar is the greatest value; what is not 0 is always seen. Negative values count as 0.
    """
    counts = [max(0, value) for value in values]
    step = _SPARK_WIDTH / max(1, len(counts))
    heights = enumerate(_heights(counts, max(counts, default=0), _SPARK_HEIGHT - 1))
    # One path in the place of many rectangles: a page may have a hundred of these.
    bars = "".join(_bar(i * step, max(0.5, step - 1), height) for i, height in heights if height)
    parts = [
        _rect(0, _SPARK_HEIGHT - 1, _SPARK_WIDTH, 1, kind="spark-floor"),
        Markup('<path class="spark-bar" d="{}"/>').format(bars),
    ]
    return _svg(parts, width=_SPARK_WIDTH, height=_SPARK_HEIGHT, label=label, kind="spark")


def _bar(x: float, width: float, height: float) -> str:
    """Return a rectangle that stands on the floor as part of a path."""
    return f"M{_figure(x)} {_SPARK_HEIGHT}v-{_figure(height)}h{_figure(width)}v{_figure(height)}z"


def _heights(counts: Iterable[int], top: int, room: float) -> list[float]:
    """Return bar heights in pixels: in proportion, and 1 at least for what is not 0."""
    return [max(1.0, count / top * room) if count else 0.0 for count in counts]


def _rect(x: float, y: float, width: float, height: float, *, kind: str, title: str = "") -> Markup:
    inside = f"<title>{escape(clean(title))}</title>" if title else ""
    place = f'x="{_figure(x)}" y="{_figure(y)}" width="{_figure(width)}" height="{_figure(height)}"'
    # Put together as a text, since a page has hundreds of these.
    return Markup(f'<rect class="{kind}" {place}>{inside}</rect>')  # noqa: S704 - our words, figures, what is escaped


def _svg(parts: Iterable[Markup], *, width: int, height: int, label: str, kind: str) -> Markup:
    return Markup(
        '<svg class="chart {}" role="img" width="{}" height="{}" viewBox="0 0 {} {}" '
        'xmlns="http://www.w3.org/2000/svg"><title>{}</title>{}</svg>'
    ).format(kind, width, height, width, height, clean(label), _NOTHING.join(parts))


def _figure(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def clean(text: str) -> str:
    """Return ``text`` with a mark for every character that no XML may hold (https://www.w3.org/TR/xml/#charsets)."""
    return visible(_NO_XML.sub("\ufffd", text))


def bars(days: Sequence[date], series: Mapping[str, Mapping[date, int]], *, label: str) -> Markup:
    """Return stacked bars, one for each of ``days``, with a legend and the figures as a table; series keep their order.

    A day that a series does not have counts as 0, as do negative numbers.
    """
    counts = {name: [max(0, found.get(day, 0)) for day in days] for name, found in series.items()}
    top = _round_up(max((sum(column) for column in zip(*counts.values(), strict=True)), default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(days))
    names = [day.isoformat() for day in days]
    parts = [*_scale(top), *_stacks(counts, names, top, step), *_names([f"{day:%d %b}" for day in days], step)]
    chart = _svg(parts, width=_WIDTH, height=_HEIGHT, label=label, kind="bars")
    return _figured(chart, _rows("day", names, counts), legend=_legend(list(series)), late=True)


def histogram(buckets: Sequence[tuple[str, int]], *, label: str, of: str = "alerts") -> Markup:
    """Return one bar for each bucket, a name and a number each, and the figures as a table.

    ``of`` is what is counted, as the table's head says it.
    """
    counts = {of: [max(0, count) for _, count in buckets]}
    names = [name for name, _ in buckets]
    top = _round_up(max(counts[of], default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(names))
    parts = [*_scale(top), *_stacks(counts, names, top, step), *_names(names, step)]
    chart = _svg(parts, width=_WIDTH, height=_HEIGHT, label=label, kind="histogram")
    return _figured(chart, _rows("within", names, counts))


def _stacks(counts: Mapping[str, Sequence[int]], names: Sequence[str], top: int, step: float) -> list[Markup]:
    room = _HEIGHT - _TOP - _BOTTOM
    floors = [0.0] * len(names)
    found = []
    for nth, (series, column) in enumerate(counts.items()):
        for i, height in enumerate(_heights(column, top, room)):
            if not height:
                continue
            floors[i] += height
            y = max(0.0, _HEIGHT - _BOTTOM - floors[i])
            title = f"{names[i]}: {column[i]} {series}"
            kind = f"series-{min(nth, SERIES - 1)}"
            found.append(_rect(_LEFT + i * step + 1, y, max(0.5, step - 2), height, kind=kind, title=title))
    return found


def _scale(top: int) -> list[Markup]:
    """Return the floor, a line at half and one at the greatest value, each with its number."""
    room = _HEIGHT - _TOP - _BOTTOM
    found = []
    for value in dict.fromkeys((0, top // 2, top)):
        y = _HEIGHT - _BOTTOM - (value / top * room if top else 0)
        found.append(
            Markup('<line class="rule" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
                _LEFT, _figure(y), _WIDTH - _RIGHT, _figure(y)
            )
        )
        found.append(_text(str(value), _LEFT - 6, y + 4, "end"))
    return found


def _names(names: Sequence[str], step: float) -> list[Markup]:
    """Return the names under the bars, as many as there is room for, the last one among them."""
    every = max(1, -(-_LABEL_GAP // max(1, int(step))))
    return [
        _text(name, _LEFT + (i + 0.5) * step, _HEIGHT - 6, "middle")
        for i, name in enumerate(names)
        if (len(names) - 1 - i) % every == 0
    ]


def _text(words: str, x: float, y: float, anchor: str) -> Markup:
    return Markup('<text class="label" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        _figure(x), _figure(y), anchor, clean(words)
    )


def _round_up(value: int) -> int:
    """Return the next number with one digit that counts, and an even one, so that half of it is whole."""
    if value <= 0:
        return 0
    unit = int("1".ljust(len(str(value)), "0"))
    up = -(-value // unit) * unit
    return up + up % 2


def _legend(names: Sequence[str]) -> Markup:
    items = [
        Markup('<li><svg class="swatch" width="10" height="10" aria-hidden="true">{}</svg>{}</li>').format(
            _rect(0, 0, 10, 10, kind=f"series-{min(nth, SERIES - 1)}"), clean(name)
        )
        for nth, name in enumerate(names)
    ]
    return Markup('<ul class="legend">{}</ul>').format(_NOTHING.join(items)) if items else _NOTHING


def _rows(corner: str, names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> list[list[str]]:
    """Return the figures as a table, its head first."""
    body = [[name, *(str(column[i]) for column in counts.values())] for i, name in enumerate(names)]
    return [[corner, *counts], *body]


def _figured(chart: Markup, rows: Sequence[Sequence[str]], *, legend: Markup = _NOTHING, late: bool = False) -> Markup:
    head = _NOTHING.join(Markup('<th scope="col">{}</th>').format(clean(name)) for name in rows[0])
    body = _NOTHING.join(Markup("<tr>{}</tr>").format(_cells(row)) for row in rows[1:])
    return Markup(
        '<figure class="plot"><div class="plot-box{}" tabindex="0" role="group" aria-label="Plot">{}</div>{}'
        "<details><summary>The figures as a table</summary>"
        '<div class="plot-box" tabindex="0" role="group" aria-label="Table"><table class="figures">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details></figure>"
    ).format(" late" if late else "", chart, legend, head, body)


def _cells(row: Sequence[str]) -> Markup:
    first, *rest = row
    figures = "".join(f"<td>{escape(value)}</td>" for value in rest)
    return Markup('<th scope="row">{}</th>{}').format(clean(first), Markup(figures))  # noqa: S704 - escaped above

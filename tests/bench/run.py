"""`make bench`: every comparison, as a table; ONLY=name runs one (``web``, ``scheduling`` and ``console`` only so).

OUT=FILE writes the rows as JSON lines as well; AGAINST=FILE reads such rows of an earlier run and says of each whether
the two agree, that is, whether what the rounds of one came to overlaps with what those of the other did, each span a
tenth wider, and times stretched by as much as the pace of the machine has changed. PROFILE=1 shows where the time of
this process went, as a tree of calls, after the rows of each comparison.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.harness import Row, pace, read_row

_BEGAN = time.perf_counter()
#: Comparisons in the order in which they run, and the rounds of each unless ``--rounds`` says how many.
NAMES = {
    "article_path": 3,
    "extraction": 3,
    "naive": 3,
    "meaning": 3,
    "percolator": 3,
    "tasks": 3,
    "polling": 3,
    "fleet": 3,
    "stories": 3,
    "ledger_rates": 3,
    "memory": 1,
    "startup": 5,
}
#: Those that run only when they are asked for by name: minutes each, and not about what an article costs.
LONGER = {"web": 5, "scheduling": 5, "console": 5}


def main() -> None:
    """Run the comparisons that were asked for and print their rows."""
    asked = _arguments()
    before = _earlier(asked.against) if asked.against else {}
    print(headline(), flush=True)
    failed = []
    for name in [asked.only] if asked.only else NAMES:
        try:
            with _profiled() if asked.profile else nullcontext():
                found = _rows(name, asked)
        except Exception:  # noqa: BLE001 - whatever it is, the other comparisons can still be made
            traceback.print_exc()
            failed.append(name)
            continue
        for row in found:
            if asked.out:
                with asked.out.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row.to_json()) + "\n")
            print(json.dumps(row.to_json()) if asked.json else line(row, before.get(row.what)), flush=True)
    print(f"# {time.perf_counter() - _BEGAN:.0f} s: done", file=sys.stderr)
    if failed:
        sys.exit(f"no figures of {', '.join(failed)}: see above")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[*NAMES, *LONGER], help="run this comparison alone")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (default: 1 to 5, as each needs)")
    parser.add_argument("--pages", type=Path, help="directory of .html or .html.gz pages in place of made ones")
    parser.add_argument("--json", action="store_true", help="JSON lines in place of the table")
    parser.add_argument("--out", type=Path, help="file that the JSON lines are added to as well")
    parser.add_argument("--against", type=Path, help="JSON lines of an earlier run to be compared with")
    parser.add_argument("--profile", action="store_true", help="show where the time went as well")
    return parser.parse_args()


@contextmanager
def _profiled() -> Iterator[None]:
    """Print a profile of the block, by samples of the wall's time, without what took less than a hundredth."""
    from pyinstrument import Profiler

    profiler = Profiler()
    with profiler:
        yield
    print(profiler.output_text(unicode=True, show_all=True, timeline=False), file=sys.stderr)


def _rows(name: str, asked: argparse.Namespace) -> Sequence[Row]:
    """Return the rows of a comparison with the pace of the machine, which is measured before it and after it."""
    module = importlib.import_module(f"tests.bench.{name}")
    extra = {"pages_dir": asked.pages} if asked.pages and getattr(module, "TAKES_PAGES", False) else {}
    print(f"# {time.perf_counter() - _BEGAN:.0f} s: {name}", file=sys.stderr, flush=True)
    before = pace()
    found = [replace(row, comparison=name) for row in module.rows(asked.rounds or (NAMES | LONGER)[name], **extra)]
    between = (before + pace()) / 2
    return [replace(row, pace=between) for row in found]


def _earlier(path: Path) -> Mapping[str, Row]:
    rows = (read_row(json.loads(text)) for text in path.read_text("utf-8").splitlines())
    return {row.what: row for row in rows}


def headline() -> str:
    """Return where and when the rows are measured."""
    return (
        f"# {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; CPU time unless wall is said; median (least to greatest of the rounds)"
    )


def line(row: Row, before: Row | None) -> str:
    """Return a row for people; ``before`` is the same row of another run."""
    value = row.value
    goal = {None: "", True: "met", False: "NOT MET"}[row.is_met]
    if row.goal is not None:
        goal = f"  goal {'<=' if row.wanted == 'most' else '>='} {number(row.goal)}: {goal}"
    spread = "" if value.least == value.greatest else f" ({number(value.least)} to {number(value.greatest)})"
    agreed = ""
    if before is not None:
        agreed = "  agrees" if row.agrees(before) else f"  DIFFERS from {number(before.value.median)}"
    beside = "".join(f"\n      {name}: {shown(found)}" for name, found in row.beside.items())
    return f"{row.comparison:13} {row.what}\n      {number(value.median)} {row.unit}{spread}{goal}{agreed}{beside}"


def number(value: float) -> str:
    """Return a figure with three places that count, and no more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def shown(value: object) -> str:
    """Return something beside a figure as text."""
    return number(value) if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()

"""`make bench`: the comparisons, as a table and as JSON lines. `make bench ONLY=name` runs one."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

NAMES = ("article_path", "percolator", "ledger_rates", "polling", "web", "scheduling", "stories", "console")


def main() -> None:
    """Run the comparisons that were asked for and print their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="run this comparison alone")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default 5)")
    parser.add_argument("--pages", type=Path, help="directory of .html or .html.gz pages for article_path")
    parser.add_argument("--json", action="store_true", help="JSON lines in place of the table")
    asked = parser.parse_args()
    print(
        f"# {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, CPU time, medians"
    )
    for name in [asked.only] if asked.only else NAMES:
        module = importlib.import_module(f"tests.bench.{name}")
        extra = {"pages_dir": asked.pages} if name == "article_path" else {}
        for row in module.rows(asked.rounds, **extra):
            print(json.dumps(row) if asked.json else line(row), flush=True)


def line(row: dict[str, Any]) -> str:
    """Return a row for people."""
    what = row.get("what", f"percolator against the naive loop, {row.get('topics')} topics, {row.get('words')} words")
    figures = "  ".join(f"{key} {value}" for key, value in row.items() if key not in {"what", "topics", "words"})
    return f"{what}\n    {figures}"


if __name__ == "__main__":
    main()

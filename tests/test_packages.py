"""Each package's own suite, in its folder, against its own foreign project.

They run one after the other beside the tests of this folder, which wait for them here, at the end: see conftest.
"""

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
NAMES = sorted(p.parent.name for p in PACKAGES.glob("*/pyproject.toml"))
OURS = ("DJANGO_", "PYTEST_", "LOG_", "CACHE_URL")  # a cache that two suites empty would be nobody's

type Run = subprocess.CompletedProcess[str]


def start_suites(pool: ThreadPoolExecutor, names: list[str]) -> dict[str, Future[Run]]:
    return {package: pool.submit(run_suite, package) for package in names}


def run_suite(package: str) -> Run:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    # The same servers, another database: ours is in use.
    url = urlsplit(os.environ["DATABASE_URL"])
    kept["DATABASE_URL"] = urlunsplit(url._replace(path=f"/package_{package}"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # A folder of its own: of two runs that tidy up one at a time, one finds it in the other's hands.
    with TemporaryDirectory() as kept["PYTEST_DEBUG_TEMPROOT"]:
        return subprocess.run(command, cwd=PACKAGES / package, env=kept, capture_output=True, text=True)


@pytest.mark.parametrize("package", NAMES)
def test_its_own_suite_passes(suites, package):
    run = suites[package].result()

    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]

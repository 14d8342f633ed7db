"""Each package's own suite, in its folder, against its own foreign project; two at a time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
NAMES = sorted(p.parent.name for p in PACKAGES.glob("*/pyproject.toml"))
AT_ONCE = 2  # they wait for their servers more than they compute

type Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[Run]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {package: pool.submit(run_suite, package) for package in NAMES}
        pool.shutdown(cancel_futures=True)


def run_suite(package: str) -> Run:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "PYTEST_", "LOG_"))}
    # The same servers, another database: ours is in use.
    url = urlsplit(os.environ["DATABASE_URL"])
    kept["DATABASE_URL"] = urlunsplit(url._replace(path=f"/package_{package}"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=PACKAGES / package, env=kept, capture_output=True, text=True)


@pytest.mark.parametrize("package", NAMES)
def test_its_own_suite_passes(runs, package):
    run = runs[package].result()

    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]

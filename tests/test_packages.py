"""Each package's own suite, in its folder, against its own foreign project."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"


@pytest.mark.parametrize("package", sorted(p.parent.name for p in PACKAGES.glob("*/pyproject.toml")))
def test_its_own_suite_passes(package):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "PYTEST_", "LOG_"))}
    # The same servers, another database: ours is in use.
    url = urlsplit(os.environ["DATABASE_URL"])
    kept["DATABASE_URL"] = urlunsplit(url._replace(path=f"/package_{package}"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    run = subprocess.run(command, cwd=PACKAGES / package, env=kept, capture_output=True, text=True)

    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]

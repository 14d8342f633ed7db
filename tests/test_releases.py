"""Releases, in a small repository made for it: two packages, one of which stands on the other."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace import releases
from marketplace_kit import clock

TODAY = datetime(2027, 3, 1, tzinfo=UTC)
PROJECT = """
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.13"
dependencies = [{dependencies}]

[tool.uv.sources]
marketplace-kit = {{ workspace = true }}
"""
CHANGELOG = """# Changelog of marketplace-{name}

## 0.1.0 (unreleased)

The first version.

- What {name} does.
"""


def git(folder, *command):
    return subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    asks = '"marketplace-kit>=0.1,<0.2"'
    workspace = '\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(name="marketplace", dependencies=asks) + workspace)
    for name, dependencies in (("kit", ""), ("booking", asks)):
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(PROJECT.format(name=f"marketplace-{name}", dependencies=dependencies))
        (folder / "CHANGELOG.md").write_text(CHANGELOG.format(name=name))
    releases.run(tmp_path, releases.UV, "lock", "--quiet")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "Begin")
    monkeypatch.chdir(tmp_path)
    with clock.frozen(TODAY):
        yield tmp_path


def commit(folder, message):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def note(folder, name, version, text="- New.\n"):
    """Say in a changelog what is new, as a developer does."""
    path = folder / "packages" / name / "CHANGELOG.md"
    path.write_text(path.read_text().replace("\n## ", f"\n## {version} (unreleased)\n\n{text}\n## ", 1))
    commit(folder, f"Change {name}")


def run(*command):
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def state_of(folder):
    return git(folder, "rev-parse", "HEAD"), git(folder, "tag"), git(folder, "status", "--porcelain")


def asks_of(folder, project):
    return tomllib.loads((folder / project / "pyproject.toml").read_text())["project"]["dependencies"]


def is_locked(folder):
    return subprocess.run([releases.UV, "lock", "--check", "--quiet"], cwd=folder).returncode == 0


def test_the_first_version_is_dated_committed_and_tagged(clone):
    run("release", "booking", "0.1.0")

    assert run("changelog", "booking") == "## 0.1.0 (2027-03-01)\n\nThe first version.\n\n- What booking does.\n"
    assert git(clone, "log", "-1", "--format=%s") == "Release booking 0.1.0"
    assert git(clone, "show", "--name-only", "--format=") == "packages/booking/CHANGELOG.md"
    assert git(clone, "tag", "--points-at", "HEAD") == "booking-0.1.0"
    assert git(clone, "tag", "--list", "--format=%(contents)") == "The first version.\n\n- What booking does."
    assert git(clone, "status", "--porcelain") == ""


def test_a_new_version_is_asked_for_by_whoever_stands_on_it(clone):
    run("release", "kit", "0.1.0")
    note(clone, "kit", "0.2.0")

    told = run("release", "kit", "0.2.0")

    assert "booking asks for it" in told
    assert asks_of(clone, ".") == asks_of(clone, "packages/booking") == ["marketplace-kit>=0.2,<0.3"]
    assert releases.package_named(clone, "kit").version == "0.2.0"
    assert is_locked(clone)
    assert git(clone, "tag", "--points-at", "HEAD") == "kit-0.2.0"
    assert git(clone, "status", "--porcelain") == ""
    assert run("changelog", "kit", "0.2.0") == "## 0.2.0 (2027-03-01)\n\n- New.\n"
    assert run("changelog", "kit", "0.1.0").startswith("## 0.1.0 (2027-03-01)\n\nThe first version.")


def test_one_within_the_range_changes_nobody_else(clone):
    run("release", "kit", "0.1.0")
    note(clone, "kit", "0.1.1")

    told = run("release", "kit", "0.1.1")

    assert "asks for it" not in told
    assert asks_of(clone, ".") == asks_of(clone, "packages/booking") == ["marketplace-kit>=0.1,<0.2"]
    assert is_locked(clone)


def test_what_is_released_and_what_has_changed_since(clone):
    run("release", "kit", "0.1.0")
    note(clone, "kit", "0.10.0")
    run("release", "kit", "0.10.0")
    note(clone, "kit", "0.10.1")

    lines = [line.split() for line in run("versions").splitlines()[1:]]

    # The release of kit changed what booking asks for.
    assert lines == [["booking", "0.1.0", "none", "2"], ["kit", "0.10.0", "kit-0.10.0", "1"]]


@pytest.mark.parametrize(
    ("package", "version", "why"),
    [
        ("cooking", "0.2.0", "There is no package cooking; there are booking, kit."),
        ("kit", "0.2", "A version is three numbers"),
        ("kit", "v0.2.0", "A version is three numbers"),
        ("kit", "0.0.9", "marketplace-kit is at 0.1.0 already."),
        ("kit", "0.1.0", "kit-0.1.0 is released already."),
        ("kit", "0.2.0", "Say in packages/kit/CHANGELOG.md what is new"),
    ],
)
def test_refusals(clone, package, version, why):
    run("release", "kit", "0.1.0")
    before = state_of(clone)

    with pytest.raises(CommandError, match=why):
        run("release", package, version)

    assert state_of(clone) == before


def test_nothing_is_released_that_says_nothing(clone):
    note(clone, "kit", "0.2.0", text="")

    with pytest.raises(CommandError, match="Say in"):
        run("release", "kit", "0.2.0")


def test_nothing_is_released_that_is_not_committed(clone):
    (clone / "packages/kit/extra.py").touch()

    with pytest.raises(CommandError, match="Commit your changes first"):
        run("release", "kit", "0.1.0")


def test_a_release_that_fails_leaves_no_trace(clone):
    note(clone, "kit", "0.2.0")
    before = state_of(clone)
    (clone / ".git/hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (clone / ".git/hooks/pre-commit").chmod(0o755)

    with pytest.raises(CommandError, match="git commit"):
        run("release", "kit", "0.2.0")

    assert state_of(clone) == before


def test_outside_of_a_clone_there_is_nothing_to_release(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    for command in (("release", "kit", "0.1.0"), ("versions",), ("changelog", "kit")):
        with pytest.raises(CommandError, match="in a clone of the repository"):
            run(*command)


@pytest.mark.parametrize(
    ("version", "promised"),
    [("0.2.0", ">=0.2,<0.3"), ("0.2.7", ">=0.2,<0.3"), ("1.0.0", ">=1.0,<2"), ("2.3.1", ">=2.3,<3")],
)
def test_what_a_version_promises(version, promised):
    assert releases.compatible(version) == promised

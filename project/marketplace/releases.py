"""Releases of the packages, in a clone of the repository. Each has its own version, changelog and tags.

A release of booking is one commit, in which its `pyproject.toml`, its changelog, the packages that stand on it and
`uv.lock` say so, with the tag `booking-0.2.0`.
"""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from marketplace_kit.clock import now

VERSION = re.compile(r"\d+\.\d+\.\d+")
# A section of a changelog: its heading, and its text up to the next one.
SECTION = re.compile(r"^## (?P<version>\S+) \((?P<date>[\w-]+)\)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
UNRELEASED = "unreleased"
UV = os.environ.get("UV", "uv")  # as `uv run` tells it


class ReleaseRefused(CommandError):
    """Why there is no release, in one sentence."""


@dataclass(frozen=True, slots=True)
class Package:
    """One of `packages/`, in the clone at `root`."""

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        return self.root / "packages" / self.name

    @property
    def distribution(self) -> str:
        return f"marketplace-{self.name}"

    @property
    def version(self) -> str:
        project: dict[str, Any] = tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]
        return str(project["version"])

    @property
    def changelog(self) -> Path:
        return self.folder / "CHANGELOG.md"

    def tag(self, version: str) -> str:
        return f"{self.name}-{version}"

    def last_tag(self) -> str | None:
        """The newest of its tags that the present commit knows."""
        newest_first = ("--merged", "HEAD", "--sort=-version:refname")
        tags = run(self.root, "git", "tag", "--list", f"{self.name}-*", *newest_first)
        return tags.partition("\n")[0] or None

    def commits_since(self, tag: str | None) -> int:
        """How many changed it since then, or ever."""
        since = f"{tag}..HEAD" if tag else "HEAD"
        return int(run(self.root, "git", "rev-list", "--count", since, "--", f"packages/{self.name}"))

    def section(self, version: str | None = None) -> re.Match[str]:
        """What its changelog says of a version, or of the newest. ReleaseRefused where it says nothing."""
        for found in SECTION.finditer(self.changelog.read_text()):
            if version in (None, found["version"]):
                return found
        raise ReleaseRefused(f"{self.changelog.relative_to(self.root)} has no section on {version or 'any version'}.")


def clone() -> Path:
    """The clone that we are in. ReleaseRefused elsewhere."""
    try:
        return Path(run(Path.cwd(), "git", "rev-parse", "--show-toplevel"))
    except (OSError, ReleaseRefused) as error:
        raise ReleaseRefused("Releases are made in a clone of the repository.") from error


def packages(root: Path) -> list[Package]:
    return [Package(root, path.parent.name) for path in sorted(root.glob("packages/*/pyproject.toml"))]


def package_named(root: Path, name: str) -> Package:
    """ReleaseRefused where there is none of that name."""
    known = {package.name: package for package in packages(root)}
    if name not in known:
        raise ReleaseRefused(f"There is no package {name}; there are {', '.join(known)}.")
    return known[name]


def release(package: Package, version: str) -> list[Package]:
    """Commit and tag a version; the packages that ask for it from now on. Whatever it raises, nothing has changed."""
    refuse_unready(package, version)
    try:
        moved = write(package, version)
        run(package.root, UV, "lock", "--quiet")
        run(package.root, "git", "commit", "--quiet", "--all", "--message", f"Release {package.name} {version}")
    except BaseException:
        run(package.root, "git", "reset", "--quiet", "--hard")  # all was committed
        raise
    words = package.section(version)["text"].strip()
    run(package.root, "git", "tag", "--annotate", package.tag(version), "--cleanup=verbatim", "--message", words)
    return moved


def refuse_unready(package: Package, version: str) -> None:
    """ReleaseRefused unless all is committed, the version is a new one, and its changes are written down."""
    if not VERSION.fullmatch(version):
        raise ReleaseRefused(f"A version is three numbers, like 0.2.0, and not {version}.")
    if numbers(version) < numbers(package.version):
        raise ReleaseRefused(f"{package.distribution} is at {package.version} already.")
    if run(package.root, "git", "tag", "--list", package.tag(version)):
        raise ReleaseRefused(f"{package.tag(version)} is released already.")
    if run(package.root, "git", "status", "--porcelain"):
        raise ReleaseRefused("Commit your changes first, or set them aside.")
    newest = package.section()
    if newest["date"] != UNRELEASED or not newest["text"].strip():
        path = package.changelog.relative_to(package.root)
        raise ReleaseRefused(f"Say in {path} what is new, below `## {version} ({UNRELEASED})`.")


def write(package: Package, version: str) -> list[Package]:
    """Let the files say that this is the version; the other packages whose files had to."""
    run(package.root, UV, "version", "--quiet", "--frozen", "--package", package.distribution, version)
    text = package.changelog.read_text()
    start, end = package.section().span()
    heading = f"## {version} ({now():%Y-%m-%d})"
    package.changelog.write_text(text[:start] + re.sub("^.*", heading, text[start:end], count=1) + text[end:])
    widen(package.root / "pyproject.toml", package, version)
    return [other for other in packages(package.root) if widen(other.folder / "pyproject.toml", package, version)]


def widen(pyproject: Path, package: Package, version: str) -> bool:
    """Let a project ask for this version where its range ends before it; whether it did."""
    text = pyproject.read_text()
    asks = re.compile(rf'"{package.distribution}>=[\d.]+,<(?P<end>[\d.]+)"')
    found = asks.search(text)
    if found is None or numbers(version) < numbers(found["end"]):
        return False
    pyproject.write_text(asks.sub(f'"{package.distribution}{compatible(version)}"', text))
    return True


def compatible(version: str) -> str:
    """The versions that promise what this one does: before 1.0 each second number may break it."""
    major, minor, _ = numbers(version)
    return f">={major}.{minor},<{major + 1}" if major else f">=0.{minor},<0.{minor + 1}"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def overview(root: Path) -> Iterator[tuple[str, str, str, int]]:
    """Of each package: name, version, last tag, and how many commits changed it since."""
    for package in packages(root):
        tag = package.last_tag()
        yield package.name, package.version, tag or "none", package.commits_since(tag)


def run(folder: Path, *command: str) -> str:
    """What a command prints. ReleaseRefused where it fails."""
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603  (our own words)
    if done.returncode:
        raise ReleaseRefused(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()

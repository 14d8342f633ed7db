"""A stranger's project, made of nothing but what the documents say.

A page becomes a shell script: its `sh` blocks as they stand, and each block whose first line names a file writes the
rest into that file or, `at the end`, adds it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packages"
NAMES = sorted(p.parent.name for p in PACKAGES.glob("*/pyproject.toml"))
HOWTO = ROOT / "docs/howto"
PAGE = (HOWTO / "use-one-package.md").read_text()
UV = os.environ.get("UV") or shutil.which("uv") or "uv"

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMING = re.compile(r"# ([\w/-]+\.(?:py|toml))(, at the end)?\n")
LOCKED = "locked.txt"  # beside the homes: the versions of others' packages that we test with, not today's newest
# Of the environment this is ours; what leads to the network is the machine's.
# `UV_INTERNAL__…`: `python -m uv` tells its children where it is installed, and they install there too.
OURS = ("COVERAGE_", "DJANGO_", "MARKETPLACE_", "PYTEST_", "PYTHON", "UV_INTERNAL", "UV_PROJECT", "VIRTUAL_ENV")


class Block(NamedTuple):
    """What a reader of a page types, or writes into a file."""

    path: str  # empty: it is typed
    is_added: bool
    text: str

    @property
    def typed(self) -> str:
        if not self.path:
            return self.text
        to = ">>" if self.is_added else ">"
        return f"cat {to} {self.path} <<'END OF FILE'\n{self.text}END OF FILE\n"


def blocks(page: str) -> Iterator[Block]:
    """Those of a page that something is to be done with."""
    for language, text in FENCED.findall(page):
        named = NAMING.match(text)
        if named:
            yield Block(named[1], bool(named[2]), text[named.end() :])
        elif language == "sh":
            yield Block("", False, text)


def typed(page: str) -> str:
    """All that somebody types who follows a page to the letter."""
    return "".join(block.typed for block in blocks(page))


def sections(first: int, last: int) -> str:
    """The page on using one package, from one of its numbered headings up to another."""
    return PAGE[PAGE.index(f"\n## {first}. ") : PAGE.index(f"\n## {last}. ")]


def project_with(package: str, last: int) -> str:
    """What the page does before it mounts anything, up to a section: with another package, in another project."""
    return typed(sections(2, last).replace("marketplace-booking", f"marketplace-{package}").replace("salon", "example"))


def mounting(package: str) -> str:
    """What a package's README says about mounting it in that project."""
    readme = list(blocks((PACKAGES / package / "README.md").read_text()))
    folder = "" if package == "embedded" else "example/"
    mounted = [block._replace(path=folder + block.path) if block.path else block for block in readme]
    if any(block.path == "example/api.py" for block in mounted):
        mounted += blocks(_urls().replace("salon", "example"))
    return "".join(block.typed for block in mounted)


def _urls() -> str:
    found = re.search(r"^```python\n# salon/urls\.py.*?^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


class Home:
    """A stranger's home folder and the database of his project; of ours there is a clone, and where uv is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = f"stranger_{folder.name}"
        folder.mkdir(parents=True)
        self.clone.symlink_to(ROOT)

    @property
    def clone(self) -> Path:
        return self.folder / "marketplace"

    def take_wheels(self, of: "Home") -> None:
        """Have those that somebody else made."""
        (self.folder / "wheels").symlink_to(of.folder / "wheels")

    def take_project(self, of: "Home") -> None:
        """Have one like his, without what is installed for it."""
        shutil.copytree(of.folder / "example", self.folder / "example", ignore=shutil.ignore_patterns(".venv"))

    def copy_clone(self) -> None:
        """Have a clone to write into: what uv needs of it."""
        self.clone.unlink()
        passed_over = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "dist")
        shutil.copytree(PACKAGES, self.clone / "packages", ignore=passed_over)
        shutil.copytree(ROOT / "project", self.clone / "project", ignore=passed_over)
        for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE", ".python-version"):
            shutil.copy(ROOT / name, self.clone)

    @property
    def environment(self) -> dict[str, str]:
        url = urlsplit(os.environ["DATABASE_URL"])
        return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
            "HOME": str(self.folder),
            "PATH": f"{sys.base_prefix}/bin:{Path(UV).parent}:/usr/local/bin:/usr/bin:/bin",
            "DATABASE_URL": urlunsplit(url._replace(path=f"/{self.database}")),
            "JWT_SIGNING_KEY": "a stranger's own, and long enough",
            "TILL_SECRET": "whsec_YSBzdHJhbmdlcidzIG93biwgYW5kIGxvbmcgZW5vdWdo",
            "UV_CACHE_DIR": output(UV, "cache", "dir"),
            "UV_CONSTRAINT": str(self.folder.parent / LOCKED),
        }

    def follow(self, script: str) -> str:
        """Type all of it into one shell; what came out in the end. AssertionError where something fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout


def lock(folder: Path) -> None:
    """Write down for the homes in a folder which versions are taken of what is declared."""
    options = ("--frozen", "--all-packages", "--no-emit-workspace", "--no-hashes", "--no-annotate", "--no-header")
    (folder / LOCKED).write_text(output(UV, "export", "--quiet", "--directory", str(ROOT), *options))


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

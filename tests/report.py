"""The page on tests and coverage: `python -m tests.report`, after a whole run under coverage; the page tells how."""

import os
import re
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import orjson

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "test-report.md"
PROJECT = "project"
LEAST = 10  # files that the page names
OURS = ("DJANGO_", "PYTEST_", "COVERAGE_")  # a suite that is counted has settings of its own, and is not measured

HEAD = """\
# Test report

How many tests there are, and what of the code they run: written on {day} by

```
bash .ci/run
python3 -m uv run python -m tests.report --junit .tests.xml --write
```

`.ci/run` runs them under coverage, and fails below 95 %. It also runs what needs a package index or tools that no wheel
brings (`-m external`), which is counted here and not part of the coverage, and each package's suite with nothing
installed but what that package declares.
"""
COVERED = """\
## Coverage, by package

Lines are statements, branches the ways out of a condition; both of the package's own code, without migrations,
whichever tests ran it.
"""
WEAKEST = """\
## Least covered
"""


class Covered(NamedTuple):
    """What of some code was run."""

    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def plus(self, other: "Covered") -> "Covered":
        return Covered(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def missing(self) -> int:
        return self.lines - self.lines_run + self.branches - self.branches_run


class Counted(NamedTuple):
    """Tests that a folder's command runs, and those that wait for tools."""

    tests: int
    external: int


class Outcome(NamedTuple):
    """What became of the tests of a run."""

    tests: int
    failed: int
    skipped: int
    seconds: float


# --- what is read ---


def by_file(document: Mapping[str, Any]) -> dict[PurePath, Covered]:
    """The files of what `coverage json` writes."""
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {
        PurePath(path): Covered(*(file["summary"][name] for name in names)) for path, file in document["files"].items()
    }


def package_of(path: PurePath) -> str:
    """`booking` for a file of `packages/booking/`, else the project."""
    return path.parts[1] if path.parts[0] == "packages" else PROJECT


def by_package(files: Mapping[PurePath, Covered]) -> dict[str, Covered]:
    found: defaultdict[str, Covered] = defaultdict(Covered)
    for path, covered in files.items():
        found[package_of(path)] = found[package_of(path)].plus(covered)
    return dict(found)


def counted(told: str) -> Counted:
    """From the last line of `pytest --collect-only --quiet`. ValueError where that failed."""
    found = re.search(r"^(\d+)(?:/(\d+))? tests? collected(?! / \d+ error)", told, re.MULTILINE)
    if found is None:
        raise ValueError(f"The tests can't be counted:\n{told[-2000:]}")
    tests = int(found[1])
    return Counted(tests, int(found[2] or tests) - tests)


def collect(folder: Path) -> Counted:
    """Those of the suite in this folder."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return counted(subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True).stdout)


def outcome(junit: Path) -> Outcome:
    """Of what `--junit-xml` wrote."""
    suites = list(ElementTree.parse(junit).getroot().iter("testsuite"))

    def sum_of(*names: str) -> int:
        return sum(int(suite.get(name, 0)) for suite in suites for name in names)

    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    return Outcome(sum_of("tests"), sum_of("failures", "errors"), sum_of("skipped"), seconds)


# --- what is written ---


def page(files: Mapping[PurePath, Covered], tests: Mapping[str, Counted], ran: Outcome | None, day: str) -> str:
    parts = [HEAD.format(day=day), *_tests(tests, ran), "", COVERED, *_packages(by_package(files)), ""]
    return "\n".join([*parts, WEAKEST, *_weakest(files), ""])


def _tests(tests: Mapping[str, Counted], ran: Outcome | None) -> Iterator[str]:
    yield "## Tests\n"
    rows = [(name, _number(one.tests), _number(one.external)) for name, one in tests.items()]
    yield from _table(("suite", "tests", "that need further tools"), rows)
    yield _bold("all", *(_number(sum(column)) for column in zip(*tests.values(), strict=True)))
    if ran is not None:
        yield ""
        yield f"The project's ran in {ran.seconds / 60:.0f} minutes: {ran.failed} failed, {ran.skipped} skipped. One of"
        yield "them for each package runs that package's suite, and fails with it."


def _packages(packages: Mapping[str, Covered]) -> Iterator[str]:
    rows = [(name, *_shares(packages[name])) for name in sorted(packages)]
    yield from _table(("package", "lines", "run", "branches", "run"), rows)
    total = Covered()
    for one in packages.values():
        total = total.plus(one)
    yield _bold("all", *_shares(total))


def _weakest(files: Mapping[PurePath, Covered]) -> Iterator[str]:
    found = sorted(files.items(), key=lambda item: (-item[1].missing, item[0]))[:LEAST]
    rows = [(f"`{path}`", _number(one.missing), *_shares(one)[1::2]) for path, one in found if one.missing]
    yield from _table(("file", "lines and branches never run", "lines run", "branches run"), rows)


def _shares(one: Covered) -> tuple[str, str, str, str]:
    return (
        _number(one.lines),
        _percent(one.lines_run, one.lines),
        _number(one.branches),
        _percent(one.branches_run, one.branches),
    )


def _percent(part: int, whole: int) -> str:
    """Rounded down: only what is whole is 100 %."""
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "none"


def _number(count: int) -> str:
    return f"{count:,}"


def _bold(*cells: str) -> str:
    return f"| {' | '.join(f'**{cell}**' for cell in cells)} |"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, ("---",) + ("---:",) * (len(heads) - 1), *rows):
        yield f"| {' | '.join(row)} |"


# --- the command ---


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.report", description=__doc__)
    parser.add_argument("--junit", type=Path, metavar="FILE", help="what the run wrote with --junit-xml")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} instead of printing it")
    return parser.parse_args()


def measured() -> dict[PurePath, Covered]:
    """By the data that `coverage combine` left."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "--quiet", "-o", file], cwd=ROOT, check=True)
        return by_file(orjson.loads(file.read_bytes()))


def main() -> None:
    asked = arguments()
    suites = {PROJECT: ROOT} | {path.name: path for path in sorted((ROOT / "packages").iterdir()) if path.is_dir()}
    tests = {name: collect(folder) for name, folder in suites.items()}
    ran = outcome(asked.junit) if asked.junit else None
    text = page(measured(), tests, ran, datetime.now(UTC).date().isoformat())
    if asked.write:
        PAGE.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

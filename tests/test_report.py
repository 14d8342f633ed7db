"""The report on tests, on a small made-up run."""

import pytest
from tests import report
from tests.report import Counted, Covered, Outcome


def file(lines, lines_run, branches, branches_run):
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(names, (lines, lines_run, branches, branches_run), strict=True))}


FILES = report.by_file(
    {
        "files": {
            "packages/booking/src/marketplace_booking/models.py": file(100, 100, 10, 9),
            "packages/booking/src/marketplace_booking/actions.py": file(2000, 1999, 0, 0),
            "packages/kit/src/marketplace_kit/clock.py": file(5, 5, 0, 0),
            "project/marketplace/settings.py": file(50, 40, 8, 4),
        }
    }
)
TESTS = {"project": Counted(1200, 12), "booking": Counted(300, 0)}
JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="1200" time="600.5"><testcase name="x"/></testsuite>
</testsuites>"""


def test_files_are_summed_up_by_package():
    assert report.by_package(FILES) == {
        "booking": Covered(2100, 2099, 10, 9),
        "kit": Covered(5, 5, 0, 0),
        "project": Covered(50, 40, 8, 4),
    }


def test_the_page_tells_lines_and_branches_and_what_is_least_covered():
    page = report.page(FILES, TESTS, Outcome(1200, 0, 3, 600.5), "2026-11-23")

    for line in (
        "| project | 1,200 | 12 |",
        "| **all** | **1,500** | **12** |",
        "| booking | 2,100 | 99.9 % | 10 | 90.0 % |",  # never rounded up to all of it
        "| kit | 5 | 100.0 % | 0 | none |",
        "| **all** | **2,155** | **99.4 %** | **18** | **72.2 %** |",
        "| `project/marketplace/settings.py` | 14 | 80.0 % | 50.0 % |",
    ):
        assert f"{line}\n" in page, line
    assert "clock.py" not in page
    assert "written on 2026-11-23" in page
    assert "ran in 10 minutes: 0 failed, 3 skipped" in page


def test_without_a_run_nothing_is_said_of_one():
    assert "failed" not in report.page(FILES, TESTS, None, "2026-11-23").partition("## Tests")[2]


def test_what_failed_is_told(tmp_path):
    (tmp_path / "junit.xml").write_text(JUNIT)

    assert report.outcome(tmp_path / "junit.xml") == Outcome(1200, 3, 3, 600.5)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("tests/test_a.py::test_b\n\n1 test collected in 0.01s", Counted(1, 0)),
        ("\n1188/1200 tests collected (12 deselected) in 3.21s\n", Counted(1188, 12)),
    ],
)
def test_tests_are_counted(told, expected):
    assert report.counted(told) == expected


@pytest.mark.parametrize("told", ["", "no tests collected in 0.01s", "5 tests collected / 1 error in 0.02s"])
def test_tests_that_cannot_be_counted_are_none(told):
    with pytest.raises(ValueError, match="can't be counted"):
        report.counted(told)


def test_pytest_itself_is_understood(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -m 'not external'\nmarkers = external\n")
    (tmp_path / "test_one.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_a(n): pass\n"
        "@pytest.mark.external\n"
        "def test_b(): pass\n"
    )

    assert report.collect(tmp_path) == Counted(3, 1)

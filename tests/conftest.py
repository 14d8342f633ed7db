"""What holds for every test here."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import test_packages

COMMITTING = {"transactional_db", "live_server"}
SUITES = "test_its_own_suite_passes"


def pytest_collection_modifyitems(items):
    for item in items:
        _must_put_back(item)
    items.sort(key=_of_a_package)


def _must_put_back(item):
    """A test that commits puts back the rows that migrations made: without, the next one to do so finds others."""
    marks = [marker.kwargs for marker in item.iter_markers("django_db")]
    commits = any(mark.get("transaction") for mark in marks) or not COMMITTING.isdisjoint(item.fixturenames)
    if commits and not any(mark.get("serialized_rollback") for mark in marks):
        raise pytest.UsageError(f"{item.nodeid}: it commits, and needs the mark with serialized_rollback=True.")


def _of_a_package(item):
    return item.originalname == SUITES


@pytest.fixture(scope="session", autouse=True)
def suites(request):
    """The chosen packages' suites, running in the background from the first test on: they mostly wait."""
    chosen = [item.callspec.params["package"] for item in request.session.items if _of_a_package(item)]
    with ThreadPoolExecutor(1) as pool:
        yield test_packages.start_suites(pool, chosen)
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def chromium():
    """A browser, for tests that are marked `external`."""
    from tests.browser import Browser

    browser = Browser()
    yield browser
    browser.close()

"""What holds for every test here."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import test_packages

SUITES = "test_its_own_suite_passes"


def pytest_collection_modifyitems(items):
    for item in items:
        _must_put_back(item)
    items.sort(key=_of_a_package)


def _must_put_back(item):
    """A test that commits puts back the rows that migrations made: without, the next one to do so finds others."""
    for marker in item.iter_markers("django_db"):
        if marker.kwargs.get("transaction") and not marker.kwargs.get("serialized_rollback"):
            raise pytest.UsageError(f"{item.nodeid}: transaction=True needs serialized_rollback=True here.")


def _of_a_package(item):
    return item.originalname == SUITES


@pytest.fixture(scope="session", autouse=True)
def suites(request):
    """The chosen packages' suites, running in the background from the first test on: they mostly wait."""
    chosen = [item.callspec.params["package"] for item in request.session.items if _of_a_package(item)]
    with ThreadPoolExecutor(1) as pool:
        yield test_packages.start_suites(pool, chosen)
        pool.shutdown(cancel_futures=True)

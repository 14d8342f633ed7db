from collections.abc import Iterator

import pytest
from tests.hashers import CountingHasher

from marketplace_accounts.models import User
from marketplace_accounts.testing import PASSWORD, make_user
from marketplace_kit.testing import JsonClient


@pytest.fixture
def client() -> JsonClient:
    return JsonClient()


@pytest.fixture
def user() -> User:
    """Somebody with a password."""
    return make_user("Ada@Example.com", PASSWORD)


@pytest.fixture
def work() -> Iterator[list[str]]:
    """What was hashed, and how."""
    CountingHasher.work.clear()
    yield CountingHasher.work
    CountingHasher.work.clear()

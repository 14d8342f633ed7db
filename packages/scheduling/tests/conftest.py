from datetime import UTC, datetime

import pytest
from tests.people.models import Person


@pytest.fixture
def now() -> datetime:
    """A Wednesday."""
    return datetime(2026, 6, 10, 6, 0, tzinfo=UTC)


@pytest.fixture
def provider(db: None) -> Person:
    return Person.objects.create(name="Ada")


@pytest.fixture
def other_provider(db: None) -> Person:
    return Person.objects.create(name="Grace")

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from tests.people.models import Person

from marketplace_media import storage


@pytest.fixture
def owner(db: Any) -> Person:
    return Person.objects.create(name="Ada")


@pytest.fixture
def bucket() -> Iterator[Any]:
    """The real bucket, empty again at the end."""
    found = storage._storage().bucket
    yield found
    found.objects.delete()


@pytest.fixture
def keys(bucket: Any) -> Any:
    """What is in the bucket now."""
    return lambda: {item.key for item in bucket.objects.all()}


@pytest.fixture
def with_media() -> Any:
    from django.conf import settings

    return lambda **changes: override_settings(MEDIA=settings.MEDIA | changes)

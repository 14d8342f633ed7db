import pytest
from marketplace_kit.testing import JsonClient

from tests.people.models import Person


@pytest.fixture
def anybody() -> JsonClient:
    return JsonClient()


@pytest.fixture
def member(db) -> JsonClient:
    client = JsonClient()
    client.force_login(Person.objects.create(login="member"))
    return client

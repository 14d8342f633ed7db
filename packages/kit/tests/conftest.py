import pytest
from tests.people.models import Person

from marketplace_kit.testing import JsonClient


@pytest.fixture
def anybody() -> JsonClient:
    return JsonClient()


@pytest.fixture
def member(db) -> JsonClient:
    client = JsonClient()
    client.force_login(Person.objects.create(login="member"))
    return client

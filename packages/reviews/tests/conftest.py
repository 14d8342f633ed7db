import pytest
from tests.people.models import Person

from marketplace_kit.testing import JsonClient


@pytest.fixture
def provider(db) -> Person:
    return Person.objects.create(login="provider", first_name="Pia", last_name="Rovider", sells=True)


@pytest.fixture
def customer(db) -> Person:
    return Person.objects.create(login="customer")


@pytest.fixture
def sign_in():
    def client_of(person: Person | None) -> JsonClient:
        client = JsonClient()
        if person is not None:
            client.force_login(person)
        return client

    return client_of

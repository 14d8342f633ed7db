import pytest
from django.conf import settings
from django.test import override_settings
from tests.people.models import Person

from marketplace_catalog.testing import make_service
from marketplace_kit.testing import JsonClient
from marketplace_media import storage


@pytest.fixture
def provider(db) -> Person:
    return Person.objects.create(login="provider", first_name="Pia", last_name="Rovider", sells=True)


@pytest.fixture
def other_provider(django_user_model):
    return django_user_model.objects.create(login="other", sells=True)


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


# --- a service, its provider's client, and where its files are ---


@pytest.fixture
def service(provider):
    return make_service(provider)


@pytest.fixture
def path(service):
    return f"/api/services/{service.pk}"


@pytest.fixture
def mine(provider, sign_in):
    return sign_in(provider)


@pytest.fixture
def bucket():
    yield storage._storage().bucket
    storage._storage().bucket.objects.delete()


@pytest.fixture
def keys(bucket):
    return lambda: {item.key for item in bucket.objects.all()}


@pytest.fixture
def storage_away():
    return override_settings(MEDIA=settings.MEDIA | {"ENDPOINT_URL": "http://127.0.0.1:1", "TIMEOUT": 1.0})

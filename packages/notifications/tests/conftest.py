"""People, and a client that speaks JSON."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from marketplace_kit.testing import JsonClient


def make_person(name: str):
    return get_user_model().objects.create(name=name, post=f"{name}@example.org")


@pytest.fixture
def ann(db):
    return make_person("ann")


@pytest.fixture
def bob(db):
    return make_person("bob")


@pytest.fixture
def no_jobs(transactional_db):
    """pytest-django's flush leaves procrastinate's tables alone: Django does not manage them."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture
def client():
    return JsonClient()


@pytest.fixture
def as_ann(client, ann):
    client.force_login(ann)
    return client


@pytest.fixture
def mails(settings, tmp_path):
    """The messages that have been sent, by the real backend in place of pytest-django's."""
    backend = {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": {"file_path": str(tmp_path)}}
    settings.MAILERS = {"default": backend}
    return lambda: sorted(tmp_path.glob("*.eml"))

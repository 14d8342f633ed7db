"""What reviews make of a service: they are counted in and out, wherever they come from."""

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction

from marketplace_catalog import actions
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(provider):
    return make_service(provider)


def shown(service):
    rating = Service.objects.get(pk=service.pk).rating
    return rating.count, rating.average


def test_ratings_are_counted_in_and_out(service):
    told = []
    for change, rating in (("rate", 5), ("rate", 4), ("unrate", 5), ("unrate", 4)):
        getattr(actions, change)(service.pk, rating)
        told.append(shown(service))

    assert told == [(1, 5), (2, 4.5), (1, 4), (0, None)]


def test_a_deleted_service_is_rated_too_and_no_other_one(service, provider):
    other = make_service(provider)
    actions.delete_service(provider, service)
    actions.rate(service.pk, 3)

    assert (shown(service), shown(other)) == ((1, 3), (0, None))


def test_a_rating_is_no_change_by_the_provider(service):
    actions.rate(service.pk, 3)

    assert Service.objects.get().updated_at == service.updated_at


@pytest.mark.parametrize(("change", "rating"), [("rate", 6), ("rate", 0), ("unrate", 1)])
def test_what_can_not_be_is_refused(service, change, rating):
    with pytest.raises(IntegrityError), transaction.atomic():
        getattr(actions, change)(service.pk, rating)


@pytest.mark.parametrize("change", ["rate", "unrate"])
def test_kept_answers_move_on(service, sign_in, settings, change, django_capture_on_commit_callbacks):
    actions.rate(service.pk, 4)
    settings.KIT = {"PUBLIC_CACHE_SECONDS": 60}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    path = f"/api/services/{service.pk}"
    [_, before] = [
        sign_in(None).get(path).json()["rating"]["count"] for _ in range(2)
    ]  # what is asked for twice is kept

    with django_capture_on_commit_callbacks(execute=True):
        getattr(actions, change)(service.pk, 4)

    assert (before, sign_in(None).get(path).json()["rating"]["count"]) == (1, {"rate": 2, "unrate": 0}[change])

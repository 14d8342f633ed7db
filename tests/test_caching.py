"""What is cached in the composed system: categories by cachalot, and bodies of the public catalog. Nothing else."""

from datetime import timedelta

import pytest
from cachalot.settings import cachalot_settings
from cachalot.utils import UncachableQuery
from django.core.cache import caches
from django.db import connection
from django.db.models import JSONField, Value
from django.test.utils import CaptureQueriesContext

from marketplace.query_keys import query_key
from marketplace_accounts.actions import update_profile
from marketplace_accounts.models import User
from marketplace_accounts.signals import user_erased
from marketplace_accounts.testing import bearer
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Category, Service
from marketplace_catalog.testing import make_service
from marketplace_kit import public_cache
from marketplace_kit.clock import now
from marketplace_kit.testing import JsonClient


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch):
    monkeypatch.setattr(public_cache, "_resting_until", 0.0)  # after a test in which it was down
    monkeypatch.setattr(public_cache, "asked", public_cache.Asked())
    for alias in ("default", "categories"):
        caches[alias].clear()


def queries_of(ask):
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


@pytest.mark.django_db
def test_categories_are_read_once_and_anew_when_they_change():
    def ask():
        return JsonClient().get("/api/v1/services/categories").json()["items"]

    assert queries_of(ask) > 0
    assert queries_of(ask) == 0
    Category.objects.filter(slug="yoga").update(name="Yoga")
    assert {c["name"] for c in ask() if c["slug"] == "yoga"} == {"Yoga"}


@pytest.mark.django_db
@pytest.mark.parametrize("model", [User, Service])
def test_no_other_table_is_cached(model):
    [*model.objects.all()]

    assert queries_of(lambda: [*model.objects.all()]) == 1
    assert {Category._meta.db_table} == cachalot_settings.CACHALOT_ONLY_CACHABLE_TABLES


@pytest.mark.django_db
@pytest.mark.parametrize("value", [Value({"a": "x" * 100}, JSONField()), Value(b"x" * 100)])
def test_a_query_that_cant_be_named_for_certain_is_not_cached(value):
    rows = Category.objects.annotate(odd=value)

    with pytest.raises(UncachableQuery):
        query_key(rows.query.get_compiler("default"))


@pytest.mark.django_db
def test_a_cache_that_is_down_is_gone_without(settings):
    settings.CACHES = {
        **settings.CACHES,
        "categories": {**settings.CACHES["categories"], "LOCATION": "redis://127.0.0.1:1/2"},
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }

    assert JsonClient().get("/api/v1/services/categories").status_code == 200
    assert JsonClient().get("/api/v1/services").status_code == 200


@pytest.fixture
def offered(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        provider = User.objects.create_user("provider@example.com", role="provider", profile={"first_name": "Pia"})
        return make_service(provider)


@pytest.mark.django_db
def test_a_kept_list_and_service_are_read_without_the_database(offered):
    for path in ("/api/v1/services", f"/api/v1/services/{offered.pk}", "/api/v1/services?q=cleaning"):
        # What is asked for once is not kept.
        assert queries_of(lambda path=path: JsonClient().get(path)) > 0
        assert queries_of(lambda path=path: JsonClient().get(path)) > 0
        assert queries_of(lambda path=path: JsonClient().get(path)) == 0


@pytest.mark.django_db
def test_what_shows_time_is_not_kept(offered):
    span = f"{now():%Y-%m-%dT%H:%M:%SZ}", f"{now() + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    lists = f"/api/v1/services?availableFrom={span[0]}&availableTo={span[1]}"
    slots = f"/api/v1/services/{offered.pk}/slots?from={span[0]}&to={span[1]}"

    for path in (lists, slots):
        for _ in range(3):
            assert queries_of(lambda path=path: JsonClient().get(path)) > 0


CHANGES = {
    "title": lambda s: catalog.change_service(s.provider, s, {"title": "Other"}),
    "activity": lambda s: catalog.change_service(s.provider, s, {"is_active": False}),
    "deletion": lambda s: catalog.delete_service(s.provider, s),
    "category": lambda s: catalog.save_category(s.category),
    "profile": lambda s: update_profile(s.provider_id, {"first_name": "Other"}),
    "erasure": lambda s: user_erased.send(sender=User, user_id=s.provider_id),
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_they_show_moves_them_on(offered, change, django_capture_on_commit_callbacks):
    def ask():
        return JsonClient().get(f"/api/v1/services/{offered.pk}"), JsonClient().get("/api/v1/services")

    ask(), ask()
    assert queries_of(ask) == 0
    with django_capture_on_commit_callbacks(execute=True):
        CHANGES[change](offered)

    assert queries_of(ask) > 0


@pytest.mark.django_db
def test_what_its_provider_sees_is_for_him_alone(offered, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        catalog.change_service(offered.provider, offered, {"is_active": False})
    path = f"/api/v1/services/{offered.pk}"

    assert JsonClient(headers={"Authorization": bearer(offered.provider)}).get(path).status_code == 200
    assert JsonClient().get(path).status_code == 404

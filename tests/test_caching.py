"""What is cached in the composed system: categories by cachalot, and bodies of the public catalog. Nothing else."""

import pytest
from cachalot.settings import cachalot_settings
from cachalot.utils import UncachableQuery
from django.core.cache import caches
from django.db import connection
from django.db.models import JSONField, Value
from django.test.utils import CaptureQueriesContext

from marketplace.query_keys import query_key
from marketplace_accounts.models import User
from marketplace_catalog.models import Category, Service
from marketplace_kit.testing import JsonClient


@pytest.fixture(autouse=True)
def empty_caches():
    for alias in ("default", "categories"):
        caches[alias].clear()


def queries_of(ask):
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
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
    assert cachalot_settings.CACHALOT_ONLY_CACHABLE_TABLES == {Category._meta.db_table}


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

"""What support finds services by."""

import pytest
from django.contrib.admin import AdminSite

from marketplace_catalog.admin import ServiceAdmin
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service


@pytest.mark.parametrize("by", ["id", "provider_id", "login", "words"])
def test_services_are_found_by_keys_people_and_words(provider, customer, rf, by):
    service = make_service(provider, title="Window cleaning")
    customer.sells = True
    make_service(customer, title="Yoga", description="On the mat.", category="yoga")
    term = {"login": " provider ", "words": "cleaning windows"}.get(by) or str(getattr(service, by))
    pages, request = ServiceAdmin(Service, AdminSite()), rf.get("/")

    rows, _ = pages.get_search_results(request, pages.get_queryset(request), term)

    assert list(rows) == [service]


def test_nobody_looks_for_nothing(provider, rf):
    make_service(provider)
    pages, request = ServiceAdmin(Service, AdminSite()), rf.get("/")

    assert pages.get_search_results(request, pages.get_queryset(request), "")[0].count() == 1
    assert not pages.get_search_results(request, pages.get_queryset(request), "nothing like it")[0]

"""What support finds bookings by. Billing's tests walk the pages, in a foreign project; the root's, in ours."""

from uuid import uuid4

import pytest
from django.contrib.admin import AdminSite

from marketplace_booking.admin import BookingAdmin, HistoryEntryAdmin, HistoryInline
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_booking.testing import make_booking
from marketplace_catalog.testing import make_service

BOOKINGS, HISTORY = BookingAdmin(Booking, AdminSite()), HistoryEntryAdmin(HistoryEntry, AdminSite())


@pytest.fixture
def booking(provider, customer):
    return make_booking(customer, make_service(provider))


def found(pages, term, rf):
    request = rf.get("/")
    return list(pages.get_search_results(request, pages.get_queryset(request), str(term))[0])


def test_bookings_are_found_by_keys_and_people(booking, rf):
    for term in (booking.pk, booking.service_id, booking.provider_id, booking.customer_id, "provider", " customer "):
        assert found(BOOKINGS, term, rf) == [booking], term
        assert bool(found(HISTORY, term, rf)) == (term in (booking.pk, booking.customer_id, " customer ")), term
    for term in (uuid4(), "nobody", "0"):
        assert found(BOOKINGS, term, rf) == found(HISTORY, term, rf) == []


def test_nothing_is_added_changed_or_deleted(rf):
    request = rf.get("/")
    for pages in (BOOKINGS, HISTORY, HistoryInline(Booking, AdminSite())):
        assert not pages.has_add_permission(request)
        assert not pages.has_change_permission(request)
    assert not BOOKINGS.has_delete_permission(request)
    assert not HISTORY.has_delete_permission(request)

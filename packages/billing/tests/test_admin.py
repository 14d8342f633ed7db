"""The admin's pages of the money, and of all below it, in a foreign project whose users have integers for keys: they
show it all, change nothing, and ask the database little.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.test import RequestFactory

from marketplace_billing import actions, events, payouts
from marketplace_billing.gateways.mock.models import MockCharge, MockRefund
from marketplace_billing.models import Entry, GatewayEvent, Payment, Payout, Posting, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_booking.testing import a_start
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_scheduling.models import Reservation, Schedule

pytestmark = pytest.mark.django_db
SHOWN = (Payment, Refund, Payout, Posting, Entry, GatewayEvent, MockCharge, MockRefund)
BELOW = (Booking, HistoryEntry, Service, Schedule, Reservation)


class Superuser:
    """Who may do everything: what remains impossible is the page's own doing."""

    is_active = is_staff = is_superuser = is_authenticated = True
    pk = 1

    def has_perm(self, *_):
        return True

    has_module_perms = has_perm

    def has_usable_password(self):
        return False

    def get_username(self):
        return "root"


@pytest.fixture
def money(provider, customer):
    for number in range(5):
        payment = make_payment(customer, make_service(provider), a_start(timedelta(days=2 + number)))
        bookings.confirm_booking(provider, payment.booking)
        with clock.frozen(payment.booking.scheduled_at):
            bookings.complete_booking(provider, payment.booking)
        refund = actions.refund(provider, payment, Decimal(20), "mock_pending")
        payouts.pay_out(provider, "USD")
        event = {"type": "refund.succeeded", "data": {"reference": str(refund.pk)}}
        events.receive_event(f"e-{number}", actions.gateway().event(event))
        actions.refund(provider, payment, Decimal(1), None)


def asked(**query):
    request = RequestFactory().get("/", query)
    request.user = Superuser()
    return request


@pytest.mark.parametrize("model", [*SHOWN, *BELOW])
def test_lists_take_few_queries(money, model, django_assert_max_num_queries):
    page = admin.site.get_model_admin(model)
    with django_assert_max_num_queries(12):
        shown = page.changelist_view(asked()).render().content.decode()

    assert shown.count('class="action-checkbox"') + shown.count('<th class="field-') >= 5


@pytest.mark.parametrize("model", [*SHOWN, *BELOW])
def test_one_is_shown(money, model, django_assert_max_num_queries):
    page = admin.site.get_model_admin(model)
    row = model.objects.first()

    with django_assert_max_num_queries(12):
        shown = page.change_view(asked(), str(row.pk)).render().content.decode()
    assert 'name="_save"' not in shown


@pytest.mark.parametrize("model", SHOWN)
def test_one_is_searched_for(money, model):
    page = admin.site.get_model_admin(model)
    row = model.objects.first()
    terms = {GatewayEvent: "event_id", Entry: "posting_id"}

    found = page.changelist_view(asked(q=str(getattr(row, terms.get(model, "pk")))))

    assert row in found.context_data["cl"].result_list
    assert not page.changelist_view(asked(q="something else")).context_data["cl"].result_list


def test_payments_are_found_by_either_side_and_by_the_gateways_name(money, provider, customer):
    page, payment = admin.site.get_model_admin(Payment), Payment.objects.first()

    for term, count in (("provider", 5), ("customer", 5), (payment.reference, 1), (payment.booking_id, 1)):
        assert page.changelist_view(asked(q=str(term))).context_data["cl"].result_count == count, term


@pytest.mark.parametrize("model", SHOWN)
def test_nothing_is_added_changed_or_deleted(model):
    page = admin.site.get_model_admin(model)
    request = asked()

    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert not page.get_actions(request)

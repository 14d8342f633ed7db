"""Moving a booking is no way around its policy."""

from datetime import timedelta

import pytest

from marketplace_billing.models import Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit import clock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("moves", "cancelled_before", "back"),
    [
        # (who moves it, how long before its start then), in order; each to ten days later
        ([("customer", 3 * DAY)], 9 * DAY, "50.00"),
        ([("customer", 3 * HOUR)], 9 * DAY, "25.00"),
        ([("provider", 3 * HOUR)], 9 * DAY, "50.00"),
        ([("customer", 3 * HOUR), ("provider", 3 * DAY)], 9 * DAY, "25.00"),
        ([("provider", 3 * HOUR), ("customer", 5 * DAY)], 9 * DAY, "50.00"),
        ([("customer", 5 * DAY), ("customer", 2 * HOUR)], 9 * DAY, "25.00"),
        ([("provider", 3 * DAY)], 2 * HOUR, "25.00"),
        ([], 24 * HOUR, "50.00"),
    ],
)
def test_no_later_refund_is_better_than_at_each_of_his_moves(provider, customer, moves, cancelled_before, back):
    booking = make_payment(customer, make_service(provider), a_start(6 * DAY)).booking

    for who, ahead in moves:
        with clock.frozen(booking.scheduled_at - ahead):
            person = {"customer": customer, "provider": provider}[who]
            booking = bookings.reschedule_booking(person, booking, booking.scheduled_at + 10 * DAY)
    with clock.frozen(booking.scheduled_at - cancelled_before):
        bookings.cancel_booking(customer, booking)

    assert f"{Refund.objects.get().amount}" == back

"""How billing reacts to what happens to bookings: inside the booking's own transaction."""

from typing import Any

from marketplace_booking.models import Booking
from marketplace_booking.signals import booking_cancelled

from . import actions


def connect() -> None:
    booking_cancelled.connect(give_back, sender=Booking, dispatch_uid="marketplace_billing.give_back")


def give_back(booking: Booking, **_: Any) -> None:
    """A cancelled booking refunds itself by its policy."""
    actions.refund_cancelled(booking)

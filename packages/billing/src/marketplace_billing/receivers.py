"""How billing reacts to what happens to bookings: inside the booking's own transaction."""

from typing import Any

from marketplace_booking.models import Booking
from marketplace_booking.signals import booking_cancelled, booking_completed

from . import actions


def connect() -> None:
    booking_cancelled.connect(give_back, sender=Booking, dispatch_uid="marketplace_billing.give_back")
    booking_completed.connect(let_have, sender=Booking, dispatch_uid="marketplace_billing.let_have")


def give_back(booking: Booking, **_: Any) -> None:
    """A cancelled booking refunds itself by its policy."""
    actions.refund_cancelled(booking)


def let_have(booking: Booking, **_: Any) -> None:
    """A completed booking's share is its provider's."""
    actions.release_completed(booking)

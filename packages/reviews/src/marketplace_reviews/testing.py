"""Reviews for tests, ours and a host's."""

from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser

from marketplace_booking import actions as bookings
from marketplace_booking.models import Booking
from marketplace_booking.testing import make_booking
from marketplace_catalog.models import Service
from marketplace_kit.clock import frozen, now

from . import actions
from .models import Review


def make_completed_booking(customer: AbstractBaseUser, service: Service, start: datetime | None = None) -> Booking:
    """A booking of the service that is over: at the first slot that is free since last month, unless told otherwise."""
    with frozen(now() - timedelta(days=30)):
        start = start or service.free_slots(now(), now() + timedelta(days=28))[0][0]
        booking = make_booking(customer, service, start)
        if booking.status == "pending":
            bookings.confirm_booking(service.provider, booking)
    with frozen(booking.ends_at):
        return bookings.complete_booking(service.provider, booking)


def make_review(
    customer: AbstractBaseUser, service: Service, rating: int = 5, comment: str | None = "On time and thorough."
) -> Review:
    """A review of a booking of the service that is made for it."""
    return actions.create_review(customer, make_completed_booking(customer, service), rating, comment)

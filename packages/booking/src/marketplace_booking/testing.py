"""Bookings for tests, ours and a host's."""

from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser

from marketplace_catalog.models import Service
from marketplace_kit.clock import now

from . import actions
from .models import Booking


def a_start(ahead: timedelta = timedelta(days=2)) -> datetime:
    """The full hour that lies so far ahead, or the next: a start in every service that is open round the clock."""
    return (now() + ahead + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)


def make_booking(customer: AbstractBaseUser, service: Service, start: datetime | None = None) -> Booking:
    """A booking of the service, in two days unless told otherwise."""
    return actions.create_booking(customer, service, start or a_start())

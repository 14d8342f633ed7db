"""Payments for tests, ours and a host's."""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from marketplace_booking.testing import make_booking
from marketplace_catalog.models import Service

from . import actions
from .models import Payment


def make_payment(
    customer: AbstractBaseUser, service: Service, start: datetime | None = None, method: str = "mock_success"
) -> Payment:
    """A booking of the service, paid."""
    return actions.pay(customer, make_booking(customer, service, start), method)

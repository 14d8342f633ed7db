"""Services for tests, ours and a host's."""

from decimal import Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from . import actions
from .models import Service

EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def make_service(provider: AbstractBaseUser, **fields: Any) -> Service:
    """A service that can be booked round the clock, in UTC, unless told otherwise."""
    given: dict[str, Any] = {
        "title": "Deep cleaning",
        "description": "Every room, windows included.",
        "category": "cleaning",
        "price": Decimal("50.00"),
        "currency": "USD",
        "duration": 60,
        "timezone": "UTC",
        "availability": {day: ["00:00", "24:00"] for day in EVERY_DAY},
        "cancellation_policy": "flexible",
    }
    return actions.create_service(provider, given | fields)

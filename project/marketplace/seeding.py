"""Data to look at: three people to sign in as, and a handful of services. The same each time, made once."""

from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction

from marketplace_accounts.models import User
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Service
from marketplace_kit.clock import now

log = structlog.get_logger(__name__)

PASSWORD = "marketplace-demo"  # noqa: S105  (printed for everybody to use)
CUSTOMER, PROVIDER, ADMIN = "customer@example.com", "provider@example.com", "admin@example.com"

WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
OFFICE_HOURS = {day: ["09:00", "12:00", "13:00", "18:00"] for day in WORKDAYS}
EVENINGS = {day: ["17:00", "22:00"] for day in (*WORKDAYS, "saturday")}

SERVICES: tuple[dict[str, Any], ...] = (
    {
        "title": "Deep cleaning of a flat",
        "description": "Every room, windows included. We bring what is needed and take the rubbish with us.",
        "category": "cleaning",
        "price": Decimal("89.00"),
        "currency": "EUR",
        "duration": 180,
        "timezone": "Europe/Berlin",
        "availability": OFFICE_HOURS,
        "buffer_after": 30,
        "cancellation_policy": "moderate",
    },
    {
        "title": "Yoga for beginners",
        "description": "An hour on the mat, one to one. Mats are there.",
        "category": "yoga",
        "price": Decimal("45.00"),
        "currency": "USD",
        "duration": 60,
        "timezone": "America/New_York",
        "availability": EVENINGS,
        "auto_confirm": True,
    },
    {
        "title": "Japanese conversation",
        "description": "Half an hour of talk, corrected kindly.",
        "category": "languages",
        "price": Decimal("3000"),
        "currency": "JPY",
        "duration": 30,
        "timezone": "Asia/Tokyo",
        "availability": EVENINGS,
        "cancellation_policy": "strict",
    },
    {
        "title": "A first talk about your tax return",
        "description": "What you need, what it costs. Free of charge.",
        "category": "accounting",
        "price": Decimal("0.00"),
        "currency": "EUR",
        "duration": 20,
        "timezone": "Europe/Berlin",
        "availability": OFFICE_HOURS,
        "slot_interval": 20,
        "minimum_notice": 120,
    },
)


@transaction.atomic
def seed_demo() -> None:
    """The demo data. Where it is there already nothing happens."""
    if User.objects.with_email(PROVIDER).exists():
        return
    make = User.objects.create_user
    seen = {"email_verified_at": now()}
    make(CUSTOMER, PASSWORD, role="customer", profile={"first_name": "Carla", "last_name": "Customer"}, **seen)
    provider = make(
        PROVIDER, PASSWORD, role="provider", profile={"first_name": "Paul", "last_name": "Provider"}, **seen
    )
    User.objects.create_superuser(ADMIN, PASSWORD, profile={"first_name": "Ada", "last_name": "Admin"})
    for fields in SERVICES:
        catalog.create_service(provider, fields)
    log.info("demo_data_made", services=Service.objects.count())

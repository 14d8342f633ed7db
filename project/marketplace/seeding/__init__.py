"""Data to look at: three people to sign in as, a handful of services, and some weeks of their life. The same each
time, made once, by the actions themselves, so that there are notifications and mails of it. `bulk` makes any amount.
"""

from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.contrib.auth.hashers import make_password
from django.db import transaction

from marketplace_accounts.models import User
from marketplace_billing import actions as billing
from marketplace_billing.exceptions import CardDeclined
from marketplace_billing.models import Refund
from marketplace_booking import actions as bookings
from marketplace_booking.models import Booking
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Service
from marketplace_kit.clock import frozen, now
from marketplace_reviews import actions as reviews

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


def seed_demo() -> None:
    """The demo data. Where it is there already nothing happens."""
    if User.objects.with_email(PROVIDER).exists():
        return
    today = now()
    customer, provider, services = _open(today)
    _live(customer, provider, services, today)
    log.info("demo_data_made", services=len(services))


def demo_sign_ins() -> dict[str, Any] | None:
    """Who can sign in for a look around, and how; None where there is no demo data."""
    # The administrator tells: anyone may register with the other two addresses, but not with an administrator's rights.
    if not User.objects.with_email(ADMIN).filter(is_superuser=True).exists():
        return None
    return {"emails": (CUSTOMER, PROVIDER), "admin": ADMIN, "password": PASSWORD}


def _days_ago(days: int, today: datetime) -> AbstractContextManager[None]:
    return frozen(today - timedelta(days=days))


@transaction.atomic
def _open(today: datetime) -> tuple[User, User, list[Service]]:
    """The people and what is offered."""
    with _days_ago(40, today):
        customer, provider = _people()
        return customer, provider, [catalog.create_service(provider, fields) for fields in SERVICES]


def _people() -> tuple[User, User]:
    """The customer and the provider; the administrator beside them."""
    make, at = User.objects.create_user, now()
    named = {"first_name": "Carla", "last_name": "Customer"}
    customer = make(CUSTOMER, role="customer", profile=named, email_verified_at=at)
    named = {"first_name": "Paul", "last_name": "Provider"}
    provider = make(PROVIDER, role="provider", profile=named, email_verified_at=at)
    admin = User.objects.create_superuser(ADMIN, profile={"first_name": "Ada", "last_name": "Admin"})
    # Hashed once for the three of them: it is slow on purpose.
    everybody = [customer.pk, provider.pk, admin.pk]
    User.objects.filter(pk__in=everybody).update(password=make_password(PASSWORD))
    return customer, provider


def _live(customer: User, provider: User, services: list[Service], today: datetime) -> None:
    """One booking that was paid for, done and reviewed, one cancelled and refunded, one confirmed, one that waits.

    Not one transaction: there is a gateway to be called, and that is never done inside of one.
    """
    cleaning, yoga, japanese, tax = services
    done = _agree(customer, provider, cleaning, today)
    with _days_ago(19, today):
        billing.pay(customer, done, "mock_success")
    with frozen(done.ends_at):
        done = bookings.complete_booking(provider, done)
    with frozen(done.ends_at + timedelta(days=1)):
        review = reviews.create_review(customer, done, 5, "You can see through the windows again.")
    with frozen(done.ends_at + timedelta(days=2)):
        reviews.reply_to_review(provider, review, "Thank you. Greetings to the dog.")
    with _days_ago(10, today):
        missed = _book(customer, yoga)
        billing.pay(customer, missed, "mock_success")
    with _days_ago(9, today):
        _call_off(customer, missed)
    with _days_ago(3, today):
        coming = _book(customer, japanese)
        with suppress(CardDeclined):  # the first card was
            billing.pay(customer, coming, "mock_declined")
        billing.pay(customer, coming, "mock_success")
    with _days_ago(2, today):
        bookings.confirm_booking(provider, coming)
    with _days_ago(1, today):
        _book(customer, tax, "I have two employers since May.")


@transaction.atomic
def _agree(customer: User, provider: User, service: Service, today: datetime) -> Booking:
    """A booking whose time has passed: in one step, as a worker would call it off while it is not confirmed."""
    with _days_ago(20, today):
        booking = _book(customer, service, "Second floor. The dog is friendly.")
    with _days_ago(19, today):
        return bookings.confirm_booking(provider, booking)


def _book(customer: User, service: Service, notes: str = "") -> Booking:
    """The first free slot that lies a few days ahead."""
    start, _ = service.free_slots(now() + timedelta(days=5), now() + timedelta(days=12))[0]
    return bookings.create_booking(customer, service, start, notes)


def _call_off(customer: User, booking: Booking) -> None:
    bookings.cancel_booking(customer, booking, "My back aches.")
    for refund in Refund.objects.filter(payment__booking=booking):
        billing.send_refund(refund.pk)

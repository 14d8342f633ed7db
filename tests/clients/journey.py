"""A customer's day through a client that openapi-python-client made of the document: from signing in to a payment."""

from datetime import UTC, datetime, timedelta

import httpx
from marketplace_client import AuthenticatedClient, Client
from marketplace_client.api.auth import log_in
from marketplace_client.api.availability import list_slots
from marketplace_client.api.bookings import create_booking, get_booking
from marketplace_client.api.payments import create_payment
from marketplace_client.api.services import list_services
from marketplace_client.models import (
    Booking,
    BookingStatus,
    CreateBooking,
    CreatePayment,
    CreatePaymentPaymentMethod,
    LogIn,
    Payment,
    PaymentStatus,
    Problem,
    ServicePage,
    Session,
    Slots,
)


def play(url: str, transport: httpx.BaseTransport, email: str, password: str) -> Payment:
    """Sign in, find a service and a slot of it, book, and pay."""
    options = {"transport": transport}
    session = log_in.sync(client=Client(url, httpx_args=options), body=LogIn(email, password))
    assert isinstance(session, Session), session
    client = AuthenticatedClient(url, session.access, httpx_args=options)

    services = list_services.sync(client=client, q="cleaning", limit=1)
    assert isinstance(services, ServicePage), services
    service = services.items[0]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    slots = list_slots.sync(service.id, client=client, from_=tomorrow, to=tomorrow + timedelta(days=7))
    assert isinstance(slots, Slots), slots

    wish = CreateBooking(service.id, slots.items[0].start, notes="Ring twice.")
    booking = create_booking.sync(client=client, body=wish, idempotency_key="a-journey")
    assert isinstance(booking, Booking), booking
    assert booking.status is BookingStatus.PENDING
    taken = create_booking.sync(client=client, body=wish)
    assert isinstance(taken, Problem), taken
    assert taken.code == "slot_unavailable"

    how = CreatePayment(booking.id, CreatePaymentPaymentMethod.MOCK_SUCCESS)
    payment = create_payment.sync(client=client, body=how)
    assert isinstance(payment, Payment), payment
    assert payment.status is PaymentStatus.SUCCEEDED
    assert get_booking.sync(booking.id, client=client) == booking
    return payment

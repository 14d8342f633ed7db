"""What comes about without a request: lapsed bookings, reminders; and the history that nobody rewrites."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from marketplace_booking import actions, tasks
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_booking.signals import booking_cancelled, booking_due
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock


def make_confirmed(provider, customer):
    """A confirmed booking in nine days."""
    return actions.confirm_booking(provider, make_booking(customer, make_service(provider), a_start(timedelta(days=9))))


@pytest.fixture
def heard():
    """The bookings that a signal told of."""
    told = []

    def listen(booking, **_):
        told.append(booking.pk)

    for fact in (booking_cancelled, booking_due):
        fact.connect(listen)
    yield told
    for fact in (booking_cancelled, booking_due):
        fact.disconnect(listen)


def test_a_pending_booking_is_called_off_at_its_start(provider, customer, heard):
    service = make_service(provider)
    pending = make_booking(customer, service)
    confirmed = actions.confirm_booking(provider, make_booking(customer, service, a_start(timedelta(days=3))))

    with clock.frozen(pending.scheduled_at - timedelta(seconds=1)):
        tasks.cancel_lapsed(0)
    assert heard == []
    with clock.frozen(confirmed.scheduled_at):
        tasks.cancel_lapsed(0)
        tasks.cancel_lapsed(0)

    assert heard == [pending.pk]
    pending.refresh_from_db()
    assert (pending.status, pending.cancelled_by, pending.reservation_id) == ("cancelled", "system", None)
    last = pending.history.last()
    assert (last.action, last.actor_id) == ("cancelled", None)
    assert Booking.objects.get(pk=confirmed.pk).status == "confirmed"


def test_one_that_fails_stops_no_other(provider, customer):
    service = make_service(provider)
    bookings = [make_booking(customer, service, a_start(timedelta(days=days))) for days in (2, 3, 4)]

    def fail(booking, **_):
        if booking.pk == bookings[0].pk:
            raise RuntimeError("no")

    booking_cancelled.connect(fail)
    try:
        with clock.frozen(bookings[-1].scheduled_at), pytest.raises(ExceptionGroup) as failed:
            tasks.cancel_lapsed(0)
    finally:
        booking_cancelled.disconnect(fail)

    statuses = dict(Booking.objects.values_list("pk", "status"))
    assert [statuses[booking.pk] for booking in bookings] == ["pending", "cancelled", "cancelled"]
    [error] = failed.value.exceptions
    assert error.__notes__ == [f"for {bookings[0].pk}"]


def test_from_its_start_on_it_blocks_nothing_even_before_that(provider, customer):
    service = make_service(provider, slot_interval=30, duration=60)
    pending = make_booking(customer, service)

    with clock.frozen(pending.scheduled_at):
        taken = make_booking(customer, service, pending.scheduled_at + timedelta(minutes=30))

    assert taken.status == "pending"


@pytest.mark.parametrize(
    ("ahead", "reminded"), [(timedelta(hours=25), False), (timedelta(hours=24), True), (timedelta(hours=1), True)]
)
def test_a_customer_is_reminded_a_day_before_and_once(provider, customer, heard, ahead, reminded):
    booking = make_confirmed(provider, customer)

    with clock.frozen(booking.scheduled_at - ahead):
        tasks.remind(0)
        tasks.remind(0)

    assert heard == [booking.pk] * reminded


def test_nobody_is_reminded_of_what_he_has_just_booked_nor_of_what_is_not_confirmed(provider, customer, heard):
    service = make_service(provider)
    soon = actions.confirm_booking(provider, make_booking(customer, service, a_start(timedelta(hours=5))))
    pending = make_booking(customer, service, a_start(timedelta(days=3)))

    with clock.frozen(soon.scheduled_at - timedelta(hours=1)):
        tasks.remind(0)
    with clock.frozen(pending.scheduled_at - timedelta(hours=1)):
        tasks.remind(0)

    assert heard == []


def test_who_is_moved_is_reminded_anew(provider, customer, heard):
    booking = make_confirmed(provider, customer)
    start = booking.scheduled_at
    with clock.frozen(start - timedelta(hours=24)):
        tasks.remind(0)
        actions.reschedule_booking(provider, booking, start + timedelta(days=3))
    with clock.frozen(start + timedelta(days=2)):
        tasks.remind(0)

    assert heard == [booking.pk] * 2


@pytest.mark.django_db
def test_nobody_rewrites_history(provider, customer):
    make_booking(customer, make_service(provider))

    for statement in ("UPDATE {} SET reason = 'x'", "DELETE FROM {}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(HistoryEntry._meta.db_table))

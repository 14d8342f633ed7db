"""The whole table: status x move x party x time."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from marketplace_booking import actions
from marketplace_booking.exceptions import InvalidTransition, NotYourMove, TooEarly, TooLate
from marketplace_booking.lifecycle import MOVES, BookingStatus, Event, Party, diagram
from marketplace_booking.models import Booking
from marketplace_booking.testing import make_booking
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import DomainError

VERBS = {
    Event.CONFIRMED: actions.confirm_booking,
    Event.COMPLETED: actions.complete_booking,
    Event.CANCELLED: actions.cancel_booking,
}
# (move, status) that the contract allows -> the status after
ALLOWED = {
    (Event.CONFIRMED, BookingStatus.PENDING): BookingStatus.CONFIRMED,
    (Event.COMPLETED, BookingStatus.CONFIRMED): BookingStatus.COMPLETED,
    (Event.CANCELLED, BookingStatus.PENDING): BookingStatus.CANCELLED,
    (Event.CANCELLED, BookingStatus.CONFIRMED): BookingStatus.CANCELLED,
}
PARTIES = (Party.CUSTOMER, Party.PROVIDER, Party.STAFF)


def expected(event: Event, status: BookingStatus, party: Party, started: bool) -> BookingStatus | type[DomainError]:
    if event is not Event.CANCELLED and party is not Party.PROVIDER:
        return NotYourMove
    if (event, status) not in ALLOWED:
        return InvalidTransition
    if event is Event.COMPLETED and not started:
        return TooEarly
    if event is Event.CONFIRMED and started:
        return TooLate
    if event is Event.CANCELLED and started and party is not Party.STAFF:
        return TooLate
    return ALLOWED[event, status]


def brought_to(status: BookingStatus, booking: Booking, provider) -> Booking:
    if status in (BookingStatus.CONFIRMED, BookingStatus.COMPLETED):
        booking = actions.confirm_booking(provider, booking)
    if status is BookingStatus.COMPLETED:
        with clock.frozen(booking.scheduled_at):
            booking = actions.complete_booking(provider, booking)
    if status is BookingStatus.CANCELLED:
        booking = actions.cancel_booking(provider, booking)
    return booking


@pytest.mark.parametrize(
    ("event", "status", "party", "started"), [*product(VERBS, BookingStatus, PARTIES, (False, True))]
)
def test_every_move_from_every_status_by_everybody(
    provider, customer, django_user_model, event, status, party, started
):
    staff = django_user_model.objects.create(login="staff", is_staff=True)
    who = {Party.CUSTOMER: customer, Party.PROVIDER: provider, Party.STAFF: staff}[party]
    booking = brought_to(status, make_booking(customer, make_service(provider)), provider)
    outcome = expected(event, status, party, started)
    at = booking.scheduled_at if started else booking.scheduled_at - timedelta(minutes=1)

    with clock.frozen(at):
        if isinstance(outcome, BookingStatus):
            moved = VERBS[event](who, booking)
            assert (moved.status, Booking.objects.get().status) == (outcome, outcome)
            last = booking.history.last()
            assert (last.action, last.from_status, last.to_status, last.actor_id) == (event, status, outcome, who.pk)
        else:
            before = booking.history.count()
            with pytest.raises(outcome):
                VERBS[event](who, booking)
            assert Booking.objects.get().status == status
            assert booking.history.count() == before


def test_the_table_of_moves_is_the_contract():
    plain = [m for m in MOVES if m.event is not Event.RESCHEDULED]

    assert {(m.event, source): m.target for m in plain for source in m.sources} == ALLOWED


# status, who moves it, autoConfirm -> the status after
RESCHEDULED = {
    (BookingStatus.PENDING, Party.CUSTOMER, False): BookingStatus.PENDING,
    (BookingStatus.PENDING, Party.CUSTOMER, True): BookingStatus.PENDING,
    (BookingStatus.PENDING, Party.PROVIDER, False): BookingStatus.PENDING,
    (BookingStatus.PENDING, Party.PROVIDER, True): BookingStatus.PENDING,
    (BookingStatus.CONFIRMED, Party.CUSTOMER, False): BookingStatus.PENDING,
    (BookingStatus.CONFIRMED, Party.CUSTOMER, True): BookingStatus.CONFIRMED,
    (BookingStatus.CONFIRMED, Party.PROVIDER, False): BookingStatus.CONFIRMED,
    (BookingStatus.CONFIRMED, Party.PROVIDER, True): BookingStatus.CONFIRMED,
}


@pytest.mark.parametrize(
    ("status", "party", "auto", "started"), [*product(BookingStatus, PARTIES, (False, True), (False, True))]
)
def test_rescheduling_from_every_status_by_everybody(
    provider, customer, django_user_model, status, party, auto, started
):
    staff = django_user_model.objects.create(login="staff", is_staff=True)
    who = {Party.CUSTOMER: customer, Party.PROVIDER: provider, Party.STAFF: staff}[party]
    service = make_service(provider)
    booking = brought_to(status, make_booking(customer, service), provider)
    Service.objects.update(auto_confirm=auto)
    at = booking.scheduled_at if started else booking.scheduled_at - timedelta(minutes=1)
    target = booking.scheduled_at + timedelta(days=1)

    with clock.frozen(at):
        if party is Party.STAFF:
            expected = (
                NotYourMove
                if status in (BookingStatus.PENDING, BookingStatus.CONFIRMED)
                else (NotYourMove, InvalidTransition)
            )
        elif status in (BookingStatus.COMPLETED, BookingStatus.CANCELLED):
            expected = InvalidTransition
        elif started:
            expected = TooLate
        else:
            moved = actions.reschedule_booking(who, booking, target)
            assert (moved.status, moved.scheduled_at) == (RESCHEDULED[status, party, auto], target)
            return
        with pytest.raises(expected):
            actions.reschedule_booking(who, booking, target)
    booking.refresh_from_db()
    assert booking.status == status
    assert booking.scheduled_at != target


def test_the_readme_shows_the_table():
    readme = (Path(__file__).parent.parent / "README.md").read_text()

    assert f"```mermaid\n{diagram()}\n```" in readme

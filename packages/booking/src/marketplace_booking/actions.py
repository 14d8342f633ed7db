"""What can happen to a booking: one function, one transaction, one thing.

Locks are taken in one order: the provider (by scheduling), then the booking's row.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.dispatch import Signal

from marketplace_catalog.models import Service
from marketplace_kit.clock import instant, now
from marketplace_kit.exceptions import NotFound
from marketplace_kit.exporting import exported
from marketplace_kit.inserting import insert
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import hold_users
from marketplace_scheduling import actions as scheduling
from marketplace_scheduling.exceptions import StartOutOfReach
from marketplace_scheduling.models import Reservation

from . import offers
from .exceptions import NotYourMove, OpenBookings, OwnService, TooEarly, TooLate
from .lifecycle import CANCEL, COMPLETE, CONFIRM, OPEN, BookingStatus, Event, Move, Party, rescheduling
from .models import Booking, HistoryEntry
from .signals import (
    booking_cancelled,
    booking_completed,
    booking_confirmed,
    booking_created,
    booking_due,
    booking_rescheduled,
)


@action
def create_booking(customer: AbstractBaseUser, service: Service, start: datetime, notes: str = "") -> Booking:
    """Book the slot of `service` that starts at `start` (aware).

    NotFound where the service or a side is gone; StartOutOfReach, at `/scheduledAt`, for a start in the past, inside
    the notice or beyond the window; OwnService, SlotUnavailable.
    """
    if service.is_owned_by(customer.pk):
        _refuse_out_of_reach(service, start)
        raise OwnService
    scheduling.lock_provider(service.provider_id)
    # Read again under the lock: what is agreed is what the service says now.
    service = offers.bookable(service.pk)
    if not hold_users(customer.pk, service.provider_id):
        raise NotFound
    expires_at = None if service.auto_confirm else start
    reservation = scheduling.free(service.schedule, service.provider_id, start, expires_at=expires_at)
    booking = _agreed(customer, service, reservation, notes)
    scheduling.take(reservation, booking, _entry(booking, Event.CREATED, None, customer.pk))
    booking_created.send(sender=Booking, booking=booking, actor_id=customer.pk)
    return booking


def _agreed(customer: AbstractBaseUser, service: Service, reservation: Reservation, notes: str) -> Booking:
    """The booking, not stored yet, with what the service says copied."""
    schedule, slot = service.schedule, reservation.during
    return Booking(
        customer_id=customer.pk,
        provider_id=service.provider_id,
        service=service,
        reservation=reservation,
        status=BookingStatus.CONFIRMED if service.auto_confirm else BookingStatus.PENDING,
        scheduled_at=slot.lower,
        ends_at=slot.upper,
        timezone=schedule.timezone,
        duration=schedule.duration,
        buffer_before=schedule.buffer_before,
        buffer_after=schedule.buffer_after,
        total_amount=service.price,
        currency=service.currency,
        cancellation_policy=service.cancellation_policy,
        notes=notes,
    )


@action
def confirm_booking(user: AbstractBaseUser, booking: Booking) -> Booking:
    """The provider accepts. NotYourMove, InvalidTransition, TooLate once its time has come."""
    booking, before = _move(user, booking, CONFIRM)
    if booking.has_started:
        raise TooLate
    scheduling.make_firm(booking.held_time)
    return _settle(booking, CONFIRM, before, user, booking_confirmed)


@action
def complete_booking(user: AbstractBaseUser, booking: Booking) -> Booking:
    """The provider has done it. NotYourMove, InvalidTransition, TooEarly before its start."""
    booking, before = _move(user, booking, COMPLETE)
    if not booking.has_started:
        raise TooEarly
    return _settle(booking, COMPLETE, before, user, booking_completed)


@action
def cancel_booking(user: AbstractBaseUser, booking: Booking, reason: str | None = None) -> Booking:
    """Either side calls it off: its time is free again. InvalidTransition; TooLate from its start on, but for staff."""
    booking, before = _move(user, booking, CANCEL)
    party = booking.party_of(user)
    if booking.has_started and party is not Party.STAFF:
        raise TooLate
    held, booking.reservation = booking.held_time, None
    booking.cancelled_by, booking.cancellation_reason = party, reason or None
    settled = _settle(booking, CANCEL, before, user, booking_cancelled)
    scheduling.release(held)
    return settled


@action
def reschedule_booking(user: AbstractBaseUser, booking: Booking, start: datetime) -> Booking:
    """Move it to another free slot, in one step. To where it is already: nothing happens.

    NotYourMove for staff; StartOutOfReach as when it is booked; InvalidTransition, TooLate from its start on,
    SlotUnavailable.
    """
    scheduling.lock_provider(booking.provider_id)
    booking = lock_row(Booking.objects.with_details().select_related("service__schedule", "reservation"), booking.pk)
    party, service = booking.party_of(user), booking.service
    move = rescheduling(BookingStatus(booking.status), party, auto_confirm=service.auto_confirm)
    if party not in move.parties:
        raise NotYourMove
    _refuse_out_of_reach(service, start)
    if start == booking.scheduled_at and booking.status in OPEN:
        return booking
    before, was = booking.move_to(move), booking.scheduled_at
    if booking.has_started:
        raise TooLate
    if party is Party.CUSTOMER:
        booking.moved_with_notice = booking.notice
    _take(booking, service, start)
    _record(booking, move.event, before, user.pk, data={"from": instant(was), "to": instant(booking.scheduled_at)})
    booking.save()
    booking_rescheduled.send(sender=Booking, booking=booking, actor_id=user.pk, party=party)
    return booking


def _refuse_out_of_reach(service: Service, start: datetime) -> None:
    """What could never be booked is told before what is in its way: a 422 comes before a 409. StartOutOfReach."""
    at = now()
    reach = service.schedule.rules().reach(at)
    if start < reach.start:
        raise StartOutOfReach("in_the_past" if start <= at else "too_soon")
    if start >= reach.end:
        raise StartOutOfReach("too_far")


def _take(booking: Booking, service: Service, start: datetime) -> None:
    """Give the booking the slot at `start` for the one it has: in memory, its reservation in the database."""
    assert booking.reservation is not None  # while it is open: a constraint
    expires_at = start if booking.status == BookingStatus.PENDING else None
    slot = scheduling.move(booking.reservation, service.schedule, start, expires_at=expires_at).during
    booking.scheduled_at, booking.ends_at = slot.lower, slot.upper
    booking.agreed_at, booking.reminded_at = now(), None


# --- what happens by itself ---


@action
def cancel_lapsed(booking_id: UUID) -> bool:
    """Call a pending booking off whose start has come; False where that is no longer so."""
    booking = Booking.objects.lapsed().with_details().select_for_update(of=("self",)).filter(pk=booking_id).first()
    if booking is None:
        return False
    held, booking.reservation = booking.held_time, None
    before = booking.move_to(CANCEL)
    booking.cancelled_by, booking.cancellation_reason = Party.SYSTEM, "It was not confirmed before its start."
    _settle(booking, CANCEL, before, None, booking_cancelled)
    scheduling.release(held)
    return True


@action
def remind(booking_id: UUID) -> bool:
    """Announce once that a booking is due; False where that was done, or is no longer so."""
    due = Booking.objects.to_be_reminded_of().with_details().select_for_update(of=("self",))
    booking = due.filter(pk=booking_id).first()
    if booking is None:
        return False
    booking.reminded_at = now()
    booking.save(update_fields=["reminded_at"])
    booking_due.send(sender=Booking, booking=booking)
    return True


# --- users who leave, and the data held about them ---


def refuse_open_bookings(user_id: Any) -> None:
    """OpenBookings while the user is on either side of one that is still to come about."""
    if Booking.objects.of(user_id).open().exists():
        raise OpenBookings


def export(user_id: Any) -> dict[str, Any]:
    """The bookings that the user made and received, and what the user did to them."""
    agreed = Booking.objects.of(user_id).order_by("created_at", "id")
    fields = ("id", "customer_id", "provider_id", "service_id", "status", "scheduled_at", "ends_at", "timezone")
    terms = ("total_amount", "currency", "notes", "cancelled_by", "cancellation_reason", "created_at", "updated_at")
    did = HistoryEntry.objects.filter(actor=user_id)
    return {
        "bookings": exported(agreed, *fields, *terms),
        "bookingHistory": exported(did, "booking_id", "action", "to_status", "reason", "created_at"),
    }


def _move(user: AbstractBaseUser, booking: Booking, move: Move) -> tuple[Booking, BookingStatus]:
    """Lock the row, look whose move it is, and make it in memory."""
    locked = lock_row(Booking.objects.with_details(), booking.pk)
    if locked.party_of(user) not in move.parties:
        raise NotYourMove
    return locked, locked.move_to(move)


def _settle(
    booking: Booking, move: Move, before: BookingStatus, user: AbstractBaseUser | None, fact: Signal
) -> Booking:
    """Save the move, write its history, announce the fact."""
    actor_id = user.pk if user else None
    booking.save()
    _record(booking, move.event, before, actor_id)
    fact.send(sender=Booking, booking=booking, actor_id=actor_id)
    return booking


def _record(
    booking: Booking, event: Event, before: BookingStatus | None, actor_id: Any, data: dict[str, str] | None = None
) -> None:
    insert(_entry(booking, event, before, actor_id, data))


def _entry(
    booking: Booking, event: Event, before: BookingStatus | None, actor_id: Any, data: dict[str, str] | None = None
) -> HistoryEntry:
    return HistoryEntry(
        booking=booking,
        action=event,
        from_status=before,
        to_status=booking.status,
        actor_id=actor_id,
        reason=booking.cancellation_reason,
        data=data or {},
    )

"""`/bookings`: parse, fetch in scope, call an action, return the row."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_kit.conditional import conditional
from marketplace_kit.exceptions import NotFound
from marketplace_kit.idempotency import idempotent
from marketplace_kit.pagination import Page, Whole
from marketplace_kit.renderer import answered
from marketplace_kit.routing import Router, refuses, tells_location
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of
from marketplace_scheduling.exceptions import SlotUnavailable

from . import actions, calendar, offers, schemas, shown
from .exceptions import InvalidTransition, NotYourMove, OwnService, TooEarly, TooLate
from .models import Booking

router = Router(tags=["Bookings"])


def visible(request: HttpRequest, booking_id: UUID) -> Booking:
    """The booking if the caller may see it. NotFound."""
    booking = Booking.objects.visible_to(user_of(request)).with_details().filter(pk=booking_id).first()
    if booking is None:
        raise NotFound
    return booking


@router.post("", response={201: schemas.Booking})
@idempotent
@tells_location
@refuses(NotFound, OwnService, SlotUnavailable)
def create_booking(request: HttpRequest, response: HttpResponse, body: schemas.CreateBooking) -> Status[Booking]:
    """Book a free slot of a service. Of several simultaneous requests for a slot, only one succeeds."""
    user = user_of(request)
    service = offers.visible(user, body.service_id)
    booking = actions.create_booking(user, service, body.scheduled_at, body.notes)
    response["Location"] = f"{request.path}/{booking.pk}"
    return Status(201, booking)


@router.get("", response=Page[schemas.Booking])
def list_bookings(request: HttpRequest, params: Query[schemas.BookingFilters]) -> HttpResponse:
    """List your bookings, as a customer and as a provider."""
    return answered(shown.page_of(user_of(request).pk, params))


@router.get("/{booking_id}", response=schemas.Booking)
@conditional
def get_booking(request: HttpRequest, booking_id: Id) -> HttpResponse:
    """Get a booking. For its customer, its provider and staff."""
    return answered(shown.one(user_of(request), booking_id))


@router.get("/{booking_id}/history", response=Whole[schemas.HistoryEntry])
def list_booking_history(request: HttpRequest, booking_id: Id) -> dict[str, Any]:
    """Everything that happened to a booking, oldest first."""
    return {"items": visible(request, booking_id).history.all()}


@router.post("/{booking_id}/confirm", response=schemas.Booking)
@refuses(NotYourMove, InvalidTransition, TooLate)
def confirm_booking(request: HttpRequest, booking_id: Id) -> Booking:
    """Confirm a pending booking. For its provider, before it starts."""
    return actions.confirm_booking(user_of(request), visible(request, booking_id))


@router.post("/{booking_id}/complete", response=schemas.Booking)
@refuses(NotYourMove, InvalidTransition, TooEarly)
def complete_booking(request: HttpRequest, booking_id: Id) -> Booking:
    """Mark a confirmed booking as completed. For its provider, once it has started."""
    return actions.complete_booking(user_of(request), visible(request, booking_id))


@router.post("/{booking_id}/reschedule", response=schemas.Booking)
@refuses(NotYourMove, InvalidTransition, TooLate, SlotUnavailable)
def reschedule_booking(request: HttpRequest, booking_id: Id, body: schemas.RescheduleBooking) -> Booking:
    """Move a booking to another free slot, before it starts. Its own time counts as free.

    The service's current hours, grid, notice and window apply; duration, buffers and price stay as booked.
    A confirmed booking moved by its customer becomes pending again, unless the service confirms automatically.
    """
    return actions.reschedule_booking(user_of(request), visible(request, booking_id), body.scheduled_at)


@router.get("/{booking_id}/calendar", response={200: None}, openapi_extra=calendar.RESPONSE)
def get_booking_calendar(request: HttpRequest, booking_id: Id) -> HttpResponse:
    """Download a booking as an iCalendar file (RFC 5545)."""
    content = calendar.render(visible(request, booking_id), user_of(request))
    headers = {"Content-Disposition": f'attachment; filename="booking-{booking_id}.ics"'}
    return HttpResponse(content, content_type=calendar.MEDIA_TYPE, headers=headers)


@router.post("/{booking_id}/cancel", response=schemas.Booking)
@refuses(InvalidTransition, TooLate)
def cancel_booking(request: HttpRequest, booking_id: Id, body: schemas.CancelBooking | None = None) -> Booking:
    """Cancel a booking, before it starts. Payments are refunded according to its cancellation policy."""
    reason = body.reason if body else None
    return actions.cancel_booking(user_of(request), visible(request, booking_id), reason)

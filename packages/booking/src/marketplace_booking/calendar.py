"""A booking as an iCalendar file (RFC 5545), by the `icalendar` library."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser
from icalendar import Calendar, Event

from .lifecycle import Status
from .models import Booking

MEDIA_TYPE = "text/calendar; charset=utf-8"
RESPONSE: dict[str, Any] = {
    "responses": {200: {"content": {"text/calendar": {"schema": {"type": "string", "description": "RFC 5545"}}}}}
}
STATUSES = {
    Status.PENDING: "TENTATIVE",
    Status.CONFIRMED: "CONFIRMED",
    Status.COMPLETED: "CONFIRMED",
    Status.CANCELLED: "CANCELLED",
}


def render(booking: Booking, viewer: AbstractBaseUser) -> bytes:
    """The file: one event, in the service's zone, with the same UID whatever becomes of the booking."""
    zone = ZoneInfo(booking.timezone)
    event = Event()
    event.add("uid", f"{booking.pk}@marketplace-booking")
    # Each entry of the history is a change that a calendar which has an older one must take over.
    event.add("sequence", max(booking.history.count() - 1, 0))
    event.add("dtstamp", booking.updated_at.astimezone(UTC))
    event.add("created", booking.created_at.astimezone(UTC))
    event.add("last-modified", booking.updated_at.astimezone(UTC))
    event.add("dtstart", booking.scheduled_at.astimezone(zone))
    event.add("dtend", booking.ends_at.astimezone(zone))
    event.add("summary", booking.service.title)
    event.add("status", STATUSES[Status(booking.status)])
    event.add("transp", "TRANSPARENT" if booking.is_cancelled else "OPAQUE")
    if booking.notes and viewer.pk in (booking.customer_id, booking.provider_id):
        event.add("description", booking.notes)
    calendar = Calendar()
    calendar.add("prodid", "-//marketplace-booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if booking.is_cancelled else "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())

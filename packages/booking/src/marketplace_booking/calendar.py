"""A booking as an iCalendar file (RFC 5545) and as an invitation (RFC 5546), by the `icalendar` library."""

from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from icalendar import Calendar, Event, vCalAddress

from marketplace_kit.clock import instant

from .lifecycle import BookingStatus
from .models import Booking

MEDIA_TYPE = "text/calendar; charset=utf-8"
RESPONSE: dict[str, Any] = {
    "responses": {200: {"content": {"text/calendar": {"schema": {"type": "string", "description": "RFC 5545"}}}}}
}
INSTANTS = ("created_at", "updated_at", "start", "end")
STATUSES = {
    BookingStatus.PENDING: "TENTATIVE",
    BookingStatus.CONFIRMED: "CONFIRMED",
    BookingStatus.COMPLETED: "CONFIRMED",
    BookingStatus.CANCELLED: "CANCELLED",
}


def render(booking: Booking, viewer: AbstractBaseUser) -> bytes:
    """The file: one event, with the same UID whatever becomes of the booking."""
    known = facts(booking)
    if viewer.pk not in (booking.customer_id, booking.provider_id):
        known["notes"] = ""
    return _file(_event(known))


def facts(booking: Booking) -> dict[str, Any]:
    """What calendars are told of it now, as plain JSON: for an invitation that is written later."""
    return {
        "uid": f"{booking.pk}@marketplace-booking",
        # Each entry of the history is a change that a calendar which has an older one must take over.
        "sequence": max(booking.history.count() - 1, 0),
        "created_at": instant(booking.created_at),
        "updated_at": instant(booking.updated_at),
        "start": instant(booking.scheduled_at),
        "end": instant(booking.ends_at),
        "title": booking.service.title,
        "status": booking.status,
        "notes": booking.notes,
    }


def invitation(known: dict[str, Any], organizer: str, attendee: str) -> tuple[str, bytes]:
    """What the attendee's calendar is sent: its method and the file. The same UID and a higher SEQUENCE move or cancel.

    The organizer, `Name <address>`, is the site: a calendar takes no invitation from its own owner, and neither side
    needs to know the other's address. Both have agreed, so nobody is asked to answer.
    """
    event = _event(known)
    name, address = parseaddr(organizer)
    event.add("organizer", vCalAddress(f"mailto:{address}"), {"CN": name or address})
    agreed = {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}
    event.add("attendee", vCalAddress(f"mailto:{attendee}"), agreed)
    method = "CANCEL" if known["status"] == BookingStatus.CANCELLED else "REQUEST"
    return method, _file(event, method)


def _event(known: dict[str, Any]) -> Event:
    # In UTC: a wall clock shows an hour twice in autumn, and what a zone will be other programs may know less well.
    at = {name: datetime.fromisoformat(known[name]).astimezone(UTC) for name in INSTANTS}
    event = Event()
    event.add("uid", known["uid"])
    event.add("sequence", known["sequence"])
    event.add("dtstamp", at["updated_at"])
    event.add("created", at["created_at"])
    event.add("last-modified", at["updated_at"])
    event.add("dtstart", at["start"])
    event.add("dtend", at["end"])
    event.add("summary", known["title"])
    event.add("status", STATUSES[BookingStatus(known["status"])])
    event.add("transp", "TRANSPARENT" if known["status"] == BookingStatus.CANCELLED else "OPAQUE")
    if known["notes"]:
        event.add("description", known["notes"])
    return event


def _file(event: Event, method: str | None = None) -> bytes:
    """With a method it is a message between calendars, and without one a file."""
    calendar = Calendar()
    calendar.add("prodid", "-//marketplace-booking//EN")
    calendar.add("version", "2.0")
    if method:
        calendar.add("method", method)
    calendar.add_component(event)
    return bytes(calendar.to_ical())

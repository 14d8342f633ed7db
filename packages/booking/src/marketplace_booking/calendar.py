"""A booking as an iCalendar file (RFC 5545) and as an invitation (RFC 5546), by the `icalendar` library."""

from datetime import UTC, date, datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser
from icalendar import Calendar, Event, Timezone, vCalAddress

from marketplace_kit.clock import instant

from .lifecycle import BookingStatus
from .models import Booking

MEDIA_TYPE = "text/calendar; charset=utf-8"
RESPONSE: dict[str, Any] = {
    "responses": {200: {"content": {"text/calendar": {"schema": {"type": "string", "description": "RFC 5545"}}}}}
}
STATUSES = {
    BookingStatus.PENDING: "TENTATIVE",
    BookingStatus.CONFIRMED: "CONFIRMED",
    BookingStatus.COMPLETED: "CONFIRMED",
    BookingStatus.CANCELLED: "CANCELLED",
}


def render(booking: Booking, viewer: AbstractBaseUser) -> bytes:
    """The file: one event, in the service's zone, with the same UID whatever becomes of the booking."""
    known = facts(booking)
    if viewer.pk not in (booking.customer_id, booking.provider_id):
        known["notes"] = ""
    return _file("CANCEL" if booking.is_cancelled else "PUBLISH", _event(known))


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
        "timezone": booking.timezone,
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
    return method, _file(method, event)


def _event(known: dict[str, Any]) -> Event:
    zone = ZoneInfo(known["timezone"])
    at = {name: datetime.fromisoformat(known[name]) for name in ("created_at", "updated_at", "start", "end")}
    event = Event()
    event.add("uid", known["uid"])
    event.add("sequence", known["sequence"])
    event.add("dtstamp", at["updated_at"].astimezone(UTC))
    event.add("created", at["created_at"].astimezone(UTC))
    event.add("last-modified", at["updated_at"].astimezone(UTC))
    event.add("dtstart", at["start"].astimezone(zone))
    event.add("dtend", at["end"].astimezone(zone))
    event.add("summary", known["title"])
    event.add("status", STATUSES[BookingStatus(known["status"])])
    event.add("transp", "TRANSPARENT" if known["status"] == BookingStatus.CANCELLED else "OPAQUE")
    if known["notes"]:
        event.add("description", known["notes"])
    return event


def _file(method: str, event: Event) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//marketplace-booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    for name in calendar.get_missing_tzids():
        calendar.subcomponents.insert(0, _zone(name, event.start.year))  # before what refers to it
    return bytes(calendar.to_ical())


@lru_cache
def _zone(name: str, year: int) -> Timezone:
    """What an event of that year needs to be told of its zone.

    Kept, and without the decades that the library goes through unless told otherwise: to find and to write them was a
    third of what a mail cost.
    """
    return Timezone.from_tzid(name, first_date=date(year - 1, 1, 1), last_date=date(year + 2, 1, 1))

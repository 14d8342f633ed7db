"""What mails say and carry besides a notification's title and body."""

from django.conf import settings

from marketplace_accounts.models import Profile
from marketplace_booking import calendar
from marketplace_booking.models import Booking
from marketplace_kit.mail import Part
from marketplace_notifications.conf import email_of
from marketplace_notifications.models import Notification

# In this order. What a type has no fact of stays unsaid.
NAMES = {
    "service": "Service",
    "when": "When",
    "when_utc": "In UTC",
    "was": "Before",
    "duration": "Duration",
    "amount": "Amount",
    "failure": "Why it failed",
    "customer": "Customer",
    "provider": "Provider",
    "notes": "Notes",
    "reason": "Reason",
    "rating": "Rating",
    "url": "Webhook",
}


def facts_of(notification: Notification) -> list[tuple[str, str]]:
    """What, when, how much and who, by its name and as it is said."""
    booking_id = notification.data.get("bookingId")
    known = {**notification.context, **(_sides(booking_id) if booking_id else {})}
    return [(name, known.get(fact, "")) for fact, name in NAMES.items()]


def _sides(booking_id: str) -> dict[str, str]:
    agreed = Booking.objects.get(pk=booking_id)
    side_of = {agreed.customer_id: "customer", agreed.provider_id: "provider"}
    return {side_of[profile.pk]: str(profile) for profile in Profile.objects.filter(pk__in=side_of)}


def parts_of(notification: Notification) -> list[Part]:
    """The booking for the calendar of whoever is told, where `facts.for_calendars` has something to say."""
    known, address = notification.context.get("calendar"), email_of(notification.user)
    if known is None or address is None:
        return []
    method, content = calendar.invitation(known, settings.DEFAULT_FROM_EMAIL, address)
    # Programs with a calendar look for it among the forms of the text; the others show the file.
    return [
        Part(content, f"text/calendar; method={method}"),
        Part(content, "application/ics", "booking.ics"),
    ]

"""The facts of what happened, as plain words: of them a notification's title, body and mail are made.

They are stored with the notification and so hold no names, which would outlive an erasure. `mails` looks names up.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from marketplace_billing.models import Payment, Payout, Refund
from marketplace_booking import calendar
from marketplace_booking.lifecycle import BookingStatus
from marketplace_booking.models import Booking


def of_booking(agreed: Booking) -> dict[str, Any]:
    """What, when, for how long and how much, and who with whom."""
    return {
        "service": one_line(agreed.service.title),
        "when": moment(agreed.scheduled_at, agreed.timezone),
        "when_utc": in_utc(agreed.scheduled_at),
        "duration": f"{agreed.duration} minutes",
        "amount": f"{agreed.total_amount} {agreed.currency}" if agreed.total_amount else "free of charge",
        "status": agreed.status,
        "notes": one_line(agreed.notes),
        "reason": one_line(agreed.cancellation_reason or ""),
        "cancelled_by": agreed.cancelled_by or "",
    }


def of_move(agreed: Booking) -> dict[str, Any]:
    """The same of one that was moved, and when it was to be before."""
    was = agreed.history.order_by("-created_at", "-id")[0].data["from"]
    return {**of_booking(agreed), "was": moment(datetime.fromisoformat(was), agreed.timezone)}


def of_payment(payment: Payment) -> dict[str, Any]:
    """The money, and the booking that it is for."""
    return {
        **of_booking(payment.booking),
        "amount": f"{payment.amount} {payment.currency}",
        "failure": (payment.failure_code or "").replace("_", " "),
    }


def of_refund(refund: Refund) -> dict[str, Any]:
    """What was given back, of which payment, and why."""
    reason = one_line(refund.reason or "")
    return {**of_payment(refund.payment), "amount": f"{refund.amount} {refund.currency}", "reason": reason}


def of_payout(payout: Payout) -> dict[str, Any]:
    """How much, and when."""
    return {"amount": f"{payout.amount} {payout.currency}", "when": in_utc(payout.created_at)}


def for_calendars(agreed: Booking) -> dict[str, Any]:
    """What a mail tells calendars of it. Before it is confirmed they hear nothing, then all."""
    if agreed.status == BookingStatus.CONFIRMED or agreed.history.filter(to_status=BookingStatus.CONFIRMED).exists():
        return {"calendar": calendar.facts(agreed)}
    return {}


def moment(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%A, %d %B %Y, %H:%M} ({timezone})"


def in_utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def one_line(text: str) -> str:
    """What a user wrote, so that it can't look like a line of ours."""
    return " ".join(text.split())

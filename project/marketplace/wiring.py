"""Who is told of what. Packages that don't know each other meet on this page, and nowhere else.

Every receiver runs inside the transaction of what happened: it writes rows and defers jobs, and nothing more.
"""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.dispatch import Signal

from marketplace_accounts import signals as accounts
from marketplace_accounts.models import User
from marketplace_billing import actions as money
from marketplace_billing import payouts
from marketplace_billing import signals as billing
from marketplace_billing.models import Payment, Payout, Refund
from marketplace_booking import actions as bookings
from marketplace_booking import signals as booking
from marketplace_booking.models import Booking
from marketplace_catalog import actions as catalog
from marketplace_kit.exceptions import NotFound
from marketplace_kit.models import IdempotencyKey
from marketplace_notifications import actions as notifications
from marketplace_notifications.actions import notify


def is_provider(user: User) -> bool:
    """Who may offer services."""
    return user.role == "provider"


def may_see(caller: User, user: User) -> bool:
    """Whose profile, beside that of providers, one may look at: theirs with whom one shares a booking."""
    return Booking.objects.of(caller.pk).of(user.pk).exists()


# --- facts for the text of a notification ---


def _moment(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%A, %d %B %Y, %H:%M} ({timezone})"


def _of_booking(agreed: Booking) -> dict[str, Any]:
    return {
        "service": agreed.service.title,
        "when": _moment(agreed.scheduled_at, agreed.timezone),
        "when_utc": f"{agreed.scheduled_at:%Y-%m-%d %H:%M} UTC",
        "duration": agreed.duration,
        "amount": f"{agreed.total_amount} {agreed.currency}" if agreed.total_amount else "",
        "status": agreed.status,
        "reason": agreed.cancellation_reason or "",
        "cancelled_by": agreed.cancelled_by or "",
    }


def _of_payment(payment: Payment) -> dict[str, Any]:
    return {
        **_of_booking(payment.booking),
        "amount": f"{payment.amount} {payment.currency}",
        "failure": (payment.failure_code or "").replace("_", " "),
    }


# --- bookings ---


def tell_created(booking: Booking, **_: Any) -> None:
    notify(booking.provider_id, "booking.created", _about(booking), _of_booking(booking))


def tell_confirmed(booking: Booking, **_: Any) -> None:
    notify(booking.customer_id, "booking.confirmed", _about(booking), _of_booking(booking))


def tell_completed(booking: Booking, **_: Any) -> None:
    notify(booking.customer_id, "booking.completed", _about(booking), _of_booking(booking))


def tell_cancelled(booking: Booking, **_: Any) -> None:
    """The other side; both where neither of them did it."""
    sides = {"customer": [booking.provider_id], "provider": [booking.customer_id]}
    for user_id in sides.get(booking.cancelled_by or "", [booking.customer_id, booking.provider_id]):
        notify(user_id, "booking.cancelled", _about(booking), _of_booking(booking))


def tell_rescheduled(booking: Booking, party: str, **_: Any) -> None:
    """The other side."""
    user_id = booking.provider_id if party == "customer" else booking.customer_id
    notify(user_id, "booking.rescheduled", _about(booking), _of_booking(booking))


def tell_due(booking: Booking, **_: Any) -> None:
    notify(booking.customer_id, "booking.reminder", _about(booking), _of_booking(booking))


def _about(agreed: Booking) -> dict[str, str]:
    return {"bookingId": str(agreed.pk), "serviceId": str(agreed.service_id)}


# --- money ---


def tell_paid(payment: Payment, **_: Any) -> None:
    about = {"paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    notify(payment.customer_id, "payment.succeeded", about, _of_payment(payment))
    notify(payment.provider_id, "payment.succeeded", about, _of_payment(payment))


def tell_not_paid(payment: Payment, **_: Any) -> None:
    about = {"paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    notify(payment.customer_id, "payment.failed", about, _of_payment(payment))


def tell_refunded(refund: Refund, **_: Any) -> None:
    payment = refund.payment
    about = {"refundId": str(refund.pk), "paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    facts = {**_of_payment(payment), "amount": f"{refund.amount} {refund.currency}", "reason": refund.reason or ""}
    notify(payment.customer_id, "refund.succeeded", about, facts)


def tell_paid_out(payout: Payout, **_: Any) -> None:
    facts = {"amount": f"{payout.amount} {payout.currency}"}
    notify(payout.provider_id, "payout.paid", {"payoutId": str(payout.pk)}, facts)


# --- leaving, and taking one's data along ---


def refuse_while_open(user: User, **_: Any) -> None:
    """Nobody leaves the other side of a booking alone, nor money on its way."""
    bookings.refuse_open_bookings(user.pk)
    money.refuse_pending_money(user.pk)


def pay_out_first(user: User, **_: Any) -> None:
    """What is a provider's goes to him before he goes."""
    payouts.pay_out_all(user.pk)


def refuse_those_gone(booking: Booking, **_: Any) -> None:
    """Neither side of a new booking has just been erased.

    Writing the booking waited for an erasure that was under way; this is the first look after it.
    """
    if User.objects.active().filter(pk__in=(booking.customer_id, booking.provider_id)).count() < 2:
        raise NotFound


def withdraw_services(user_id: UUID, **_: Any) -> None:
    catalog.withdraw_services(user_id)


def show_profiles_anew(**_: Any) -> None:
    """Services show their provider."""
    catalog.forget_cached()


def forget_notifications(user_id: UUID, **_: Any) -> None:
    notifications.forget(user_id)


def forget_answers(user_id: UUID, **_: Any) -> None:
    """What a client was told under its keys repeats what he wrote."""
    IdempotencyKey.objects.of(user_id).delete()


def export_all(user: User, **_: Any) -> dict[str, Any]:
    parts = (catalog.export, bookings.export, money.export, notifications.export)
    return {name: rows for part in parts for name, rows in part(user.pk).items()}


REACTIONS: tuple[tuple[Signal, Any], ...] = (
    (booking.booking_created, refuse_those_gone),
    (booking.booking_created, tell_created),
    (booking.booking_confirmed, tell_confirmed),
    (booking.booking_completed, tell_completed),
    (booking.booking_cancelled, tell_cancelled),
    (booking.booking_rescheduled, tell_rescheduled),
    (booking.booking_due, tell_due),
    (billing.payment_succeeded, tell_paid),
    (billing.payment_failed, tell_not_paid),
    (billing.refund_succeeded, tell_refunded),
    (billing.payout_paid, tell_paid_out),
    (accounts.user_erasing, refuse_while_open),
    (accounts.user_erasing, pay_out_first),
    (accounts.profile_changed, show_profiles_anew),
    (accounts.user_erased, withdraw_services),
    (accounts.user_erased, show_profiles_anew),
    (accounts.user_erased, forget_notifications),
    (accounts.user_erased, forget_answers),
    (accounts.user_exporting, export_all),
)


def connect() -> None:
    for fact, reaction in REACTIONS:
        fact.connect(reaction, dispatch_uid=f"marketplace.{reaction.__name__}")

"""Who is told of what. Packages that don't know each other meet on this page, and nowhere else.

Every receiver runs inside the transaction of what happened: it writes rows and defers jobs, and nothing more.
"""

from typing import Any
from uuid import UUID

from django.dispatch import Signal

from marketplace_accounts import signals as accounts
from marketplace_accounts.models import User
from marketplace_billing import actions as money
from marketplace_billing import payouts
from marketplace_billing import signals as billing
from marketplace_billing.models import Payment, Payout, Refund
from marketplace_booking import actions as bookings
from marketplace_booking import signals as booking
from marketplace_booking.lifecycle import BookingStatus
from marketplace_booking.models import Booking
from marketplace_catalog import actions as catalog
from marketplace_kit.models import IdempotencyKey
from marketplace_notifications import actions as notifications
from marketplace_notifications.actions import notify
from marketplace_reviews import actions as reviews
from marketplace_reviews import signals as review
from marketplace_reviews.models import Review

from . import facts


def is_provider(user: User) -> bool:
    """Who may offer services."""
    return user.role == "provider"


def may_see(caller: User, user: User) -> bool:
    """Whose profile, beside that of providers, one may look at: theirs with whom one shares a booking."""
    return Booking.objects.of(caller.pk).of(user.pk).exists()


# --- bookings ---


def tell_created(booking: Booking, **_: Any) -> None:
    """The provider; one that needs no confirmation goes into their calendar at once."""
    known = facts.for_calendars(booking) if booking.status == BookingStatus.CONFIRMED else {}
    notify(booking.provider_id, "booking.created", _about(booking), facts.of_booking(booking) | known)


def tell_confirmed(booking: Booking, **_: Any) -> None:
    known = facts.of_booking(booking) | facts.for_calendars(booking)
    notify(booking.customer_id, "booking.confirmed", _about(booking), known)


def tell_completed(booking: Booking, **_: Any) -> None:
    notify(booking.customer_id, "booking.completed", _about(booking), facts.of_booking(booking))


def tell_cancelled(booking: Booking, **_: Any) -> None:
    """The other side; both where neither of them did it."""
    known = facts.of_booking(booking) | facts.for_calendars(booking)
    sides = {"customer": [booking.provider_id], "provider": [booking.customer_id]}
    for user_id in sides.get(booking.cancelled_by or "", [booking.customer_id, booking.provider_id]):
        notify(user_id, "booking.cancelled", _about(booking), known)


def tell_rescheduled(booking: Booking, party: str, **_: Any) -> None:
    """The other side."""
    known = facts.of_move(booking) | facts.for_calendars(booking)
    user_id = booking.provider_id if party == "customer" else booking.customer_id
    notify(user_id, "booking.rescheduled", _about(booking), known)


def tell_due(booking: Booking, **_: Any) -> None:
    notify(booking.customer_id, "booking.reminder", _about(booking), facts.of_booking(booking))


def _about(agreed: Booking) -> dict[str, str]:
    return {"bookingId": str(agreed.pk), "serviceId": str(agreed.service_id)}


# --- money ---


def tell_paid(payment: Payment, **_: Any) -> None:
    about = {"paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    known = facts.of_payment(payment)
    notify(payment.customer_id, "payment.succeeded", about, known)
    notify(payment.provider_id, "payment.succeeded", about, known)


def tell_not_paid(payment: Payment, **_: Any) -> None:
    about = {"paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    notify(payment.customer_id, "payment.failed", about, facts.of_payment(payment))


def tell_refunded(refund: Refund, **_: Any) -> None:
    """The customer, unless they have left."""
    payment = refund.payment
    if _has_left(payment.customer_id):
        return
    about = {"refundId": str(refund.pk), "paymentId": str(payment.pk), "bookingId": str(payment.booking_id)}
    notify(payment.customer_id, "refund.succeeded", about, facts.of_refund(refund))


def tell_paid_out(payout: Payout, **_: Any) -> None:
    notify(payout.provider_id, "payout.paid", {"payoutId": str(payout.pk)}, facts.of_payout(payout))


# --- reviews ---


def tell_reviewed(review: Review, **_: Any) -> None:
    """The provider, unless they have left. None of the author's words are stored: they would outlive an erasure."""
    provider_id = review.booking.provider_id
    if not _has_left(provider_id):
        about = {"reviewId": str(review.pk), **_about(review.booking)}
        notify(provider_id, "review.created", about, facts.of_booking(review.booking) | {"rating": review.rating})


# --- leaving, and taking one's data along ---


def _has_left(user_id: UUID) -> bool:
    """Whether the account was erased. Nothing is written about such a user any more: nobody would erase it."""
    return User.objects.filter(pk=user_id).exclude(erased_at=None).exists()


def refuse_while_open(user: User, **_: Any) -> None:
    """Nobody leaves the other side of a booking alone, nor money on its way."""
    bookings.refuse_open_bookings(user.pk)
    money.refuse_pending_money(user.pk)


def pay_out_first(user: User, **_: Any) -> None:
    """Pay out a provider's balance before they leave."""
    payouts.pay_out_all(user.pk)


def close_services(user_id: UUID, **_: Any) -> None:
    """Nobody can book whom staff has shut out."""
    catalog.close_services(user_id)


def withdraw_services(user_id: UUID, **_: Any) -> None:
    catalog.withdraw_services(user_id)


def show_profiles_anew(**_: Any) -> None:
    """Services show their provider."""
    catalog.forget_cached()


def forget_notifications(user_id: UUID, **_: Any) -> None:
    notifications.forget(user_id)


def forget_words(user_id: UUID, **_: Any) -> None:
    """Ratings stay, for the other side."""
    reviews.forget(user_id)


def forget_answers(user_id: UUID, **_: Any) -> None:
    """Stored answers under a user's idempotency keys repeat what they wrote, so they are deleted."""
    IdempotencyKey.objects.of(user_id).delete()


def export_all(user: User, **_: Any) -> dict[str, Any]:
    parts = (catalog.export, bookings.export, money.export, reviews.export, notifications.export)
    return {name: rows for part in parts for name, rows in part(user.pk).items()}


REACTIONS: tuple[tuple[Signal, Any], ...] = (
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
    (review.review_created, tell_reviewed),
    (accounts.user_erasing, refuse_while_open),
    (accounts.user_erasing, pay_out_first),
    (accounts.profile_changed, show_profiles_anew),
    (accounts.user_deactivated, close_services),
    (accounts.user_erased, withdraw_services),
    (accounts.user_erased, show_profiles_anew),
    (accounts.user_erased, forget_notifications),
    (accounts.user_erased, forget_words),
    (accounts.user_erased, forget_answers),
    (accounts.user_exporting, export_all),
)


def connect() -> None:
    for fact, reaction in REACTIONS:
        fact.connect(reaction, dispatch_uid=f"marketplace.{reaction.__name__}")

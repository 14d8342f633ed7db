"""What can happen to money. Rows inside the transaction, the gateway never: the intent is recorded, then the gateway
is called with the row's own id as key, then its result is recorded; a job picks up what died in between.
A caller that may have to come back chooses that id beforehand: a row that is there already is gone on with. What it
passes as `then` hears of the outcome in the very transaction that records it.

Locks are taken in one order: the booking, then the payment.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from marketplace_booking.models import Booking
from marketplace_kit.clock import now
from marketplace_kit.exceptions import InvalidField
from marketplace_kit.exporting import exported
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import defer
from marketplace_kit.money import is_exact, percentage, rounded
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import is_staff

from .conf import conf
from .exceptions import (
    DECLINES,
    AlreadyPaid,
    BookingNotPayable,
    NotYourBookingToPay,
    NotYourRefund,
    OpenPayments,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from .gateways.protocol import GatewayError, Outcome, Result, gateway
from .lifecycle import PaymentStatus, RefundStatus, refundable
from .models import Payment, Refund
from .signals import payment_failed, payment_succeeded, refund_succeeded

type Then[R] = Callable[[R], None]


def nobody(_: object) -> None:
    """Who hears of an outcome where the caller names no one."""


# --- payments ---


def pay(
    user: AbstractBaseUser,
    booking: Booking,
    method: str,
    *,
    payment_id: UUID | None = None,
    then: Then[Payment] = nobody,
) -> Payment:
    """Charge the booking's whole amount. Not one transaction, but three steps that survive each other.

    NotYourBookingToPay, AlreadyPaid, BookingNotPayable; CardDeclined, InsufficientFunds (the failed payment is kept,
    its id in the refusal). A gateway that does not answer leaves the payment pending, to be settled by a job.
    """
    return accepted(settle_payment(start_payment(user, booking, method, payment_id).pk, then))


def accepted(payment: Payment) -> Payment:
    """The payment. CardDeclined, InsufficientFunds where it failed."""
    if payment.status == PaymentStatus.FAILED:
        raise DECLINES[payment.failure_code or ""](payment_id=payment.pk)
    return payment


@action
def start_payment(user: AbstractBaseUser, booking: Booking, method: str, payment_id: UUID | None = None) -> Payment:
    """Record that the customer is about to pay. Raises as `pay` does, but for the card's refusals."""
    booking = lock_row(Booking.objects.all(), booking.pk)
    begun = Payment.objects.filter(pk=payment_id).first() if payment_id else None
    if begun is not None:
        return begun
    if booking.customer_id != user.pk:
        raise NotYourBookingToPay
    if Payment.objects.active().filter(booking=booking).exists():
        raise AlreadyPaid
    if not booking.is_payable:
        raise BookingNotPayable
    nothing = rounded(Decimal(0), booking.currency)
    payment = Payment.objects.create(
        pk=payment_id or uuid7(),
        booking=booking,
        customer_id=booking.customer_id,
        provider_id=booking.provider_id,
        amount=booking.total_amount,
        currency=booking.currency,
        fee_amount=percentage(booking.total_amount, Decimal(conf.FEE_PERCENT), booking.currency),
        payment_method=method,
        claimed_amount=nothing,
        refunded_amount=nothing,
    )
    defer("marketplace_billing.settle_payment", after=patience(), payment_id=str(payment.pk))
    return payment


def settle_payment(payment_id: UUID, then: Then[Payment] = nobody) -> Payment:
    """Ask the gateway for the charge (the same key is the same charge) and record its answer. Safe to repeat."""
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != PaymentStatus.PENDING:
        return payment
    try:
        result = gateway().charge(
            key=str(payment.pk), amount=payment.amount, currency=payment.currency, method=payment.payment_method
        )
    except GatewayError:
        return payment  # still pending; the job asks again
    return _recorded(record_charge, payment.pk, result, then)


@action
def record_charge(payment_id: UUID, result: Result) -> Payment:
    """Write down what the gateway said of a charge. Once: a payment that is settled stays as it is."""
    booking_id = Payment.objects.values_list("booking", flat=True).get(pk=payment_id)
    booking = lock_row(Booking.objects.all(), booking_id)
    payment = lock_row(Payment.objects.all(), payment_id)
    if payment.status != PaymentStatus.PENDING or result.outcome is Outcome.PENDING:
        return payment
    payment.status = PaymentStatus.SUCCEEDED if result.outcome is Outcome.SUCCEEDED else PaymentStatus.FAILED
    payment.reference, payment.failure_code, payment.updated_at = result.reference, result.failure_code, now()
    payment.save()
    if not payment.is_paid:
        payment_failed.send(sender=Payment, payment=payment)
        return payment
    if booking.is_cancelled:
        _claim(payment, payment.left, "The booking was cancelled before its payment settled.")
    payment_succeeded.send(sender=Payment, payment=payment)
    return payment


# --- refunds ---


def refund(
    user: AbstractBaseUser,
    payment: Payment,
    amount: Decimal | None,
    reason: str | None,
    *,
    refund_id: UUID | None = None,
    then: Then[Refund] = nobody,
) -> Refund:
    """Give `amount`, or all that is left, back. NotYourRefund, PaymentNotRefundable, RefundExceedsPayment."""
    return send_refund(start_refund(user, payment, amount, reason, refund_id).pk, then)


@action
def start_refund(
    user: AbstractBaseUser,
    payment: Payment,
    amount: Decimal | None,
    reason: str | None,
    refund_id: UUID | None = None,
) -> Refund:
    """Record that money is about to be given back. Raises as `refund`."""
    if payment.provider_id != user.pk and not is_staff(user):
        raise NotYourRefund
    payment = lock_row(Payment.objects.all(), payment.pk)
    begun = Refund.objects.filter(pk=refund_id).first() if refund_id else None
    if begun is not None:
        return begun
    if not payment.is_paid:
        raise PaymentNotRefundable
    asked = payment.left if amount is None else amount
    if not is_exact(asked, payment.currency):
        raise InvalidField("/amount", "too_many_decimals", f"The amount has more decimals than {payment.currency}.")
    if asked > payment.left or not payment.left:
        raise RefundExceedsPayment
    return _claim(payment, asked, reason, after=patience(), refund_id=refund_id)


def send_refund(refund_id: UUID, then: Then[Refund] = nobody) -> Refund:
    """Ask the gateway for the refund (the same key is the same refund) and record its answer. Safe to repeat."""
    found = Refund.objects.select_related("payment").get(pk=refund_id)
    if found.status != RefundStatus.PENDING:
        return found
    try:
        result = gateway().refund(
            key=str(found.pk), charge=found.payment.reference, amount=found.amount, currency=found.currency
        )
    except GatewayError:
        return found  # still pending; the job asks again
    return _recorded(record_refund, found.pk, result, then)


@action
def record_refund(refund_id: UUID, result: Result) -> Refund:
    """Write down what the gateway said of a refund. Once: a refund that is settled stays as it is."""
    payment_id = Refund.objects.values_list("payment", flat=True).get(pk=refund_id)
    payment = lock_row(Payment.objects.all(), payment_id)
    found = lock_row(Refund.objects.select_related("payment"), refund_id)
    if found.status != RefundStatus.PENDING or result.outcome is Outcome.PENDING:
        return found
    found.payment, found.reference, found.updated_at = payment, result.reference, now()
    found.status = RefundStatus.SUCCEEDED if result.outcome is Outcome.SUCCEEDED else RefundStatus.FAILED
    found.save()
    _count(payment, found)
    if found.status == RefundStatus.SUCCEEDED:
        refund_succeeded.send(sender=Refund, refund=found)
    return found


@action
def refund_cancelled(booking: Booking) -> Refund | None:
    """Give back what a cancelled booking's policy says; all of it where it was not the customer who cancelled."""
    payment = Payment.objects.active().filter(booking=booking).select_for_update().first()
    if payment is None or not payment.is_paid:
        return None  # a payment that settles later is given back then
    owed = min(owed_on_cancellation(booking, payment), payment.left)
    return _claim(payment, owed, booking.cancellation_reason) if owed else None


def owed_on_cancellation(booking: Booking, payment: Payment) -> Decimal:
    """What the policy gives back of a payment whose booking was just cancelled."""
    if booking.cancelled_by != "customer":
        return payment.amount
    return refundable(booking.cancellation_policy, booking.notice, payment.amount, payment.currency)


def export(user_id: Any) -> dict[str, Any]:
    """The payments that the user made and got, and what was given back of them."""
    paid = Payment.objects.of(user_id).order_by("created_at", "id")
    fields = ("id", "booking_id", "customer_id", "provider_id", "amount", "currency", "fee_amount", "status")
    given_back = Refund.objects.filter(payment__in=paid)
    return {
        "payments": exported(paid, *fields, "payment_method", "failure_code", "refunded_amount", "created_at"),
        "refunds": exported(given_back, "id", "payment_id", "amount", "status", "reason", "created_at"),
    }


def refuse_pending_money(user_id: Any) -> None:
    """OpenPayments while a payment or a refund of the user is not settled."""
    theirs = Payment.objects.of(user_id)
    if theirs.filter(status=PaymentStatus.PENDING).exists():
        raise OpenPayments
    if Refund.objects.filter(payment__in=theirs, status=RefundStatus.PENDING).exists():
        raise OpenPayments


def _claim(
    payment: Payment,
    amount: Decimal,
    reason: str | None,
    after: timedelta | None = None,
    refund_id: UUID | None = None,
) -> Refund:
    """Set `amount` of a locked payment aside for a refund, and have it sent (`after`: unless the caller does it)."""
    amount = rounded(amount, payment.currency)
    payment.claimed_amount += amount
    payment.updated_at = now()
    payment.save()
    found = Refund.objects.create(pk=refund_id or uuid7(), payment=payment, amount=amount, reason=reason or None)
    defer("marketplace_billing.send_refund", after=after, refund_id=str(found.pk))
    return found


def _count(payment: Payment, found: Refund) -> None:
    """Let a locked payment tell what became of one of its refunds."""
    if found.status == RefundStatus.SUCCEEDED:
        payment.count_refund(found.amount)
    else:
        payment.claimed_amount -= found.amount
    payment.updated_at = now()
    payment.save()


@action
def _recorded[R](record: Callable[[UUID, Result], R], key: UUID, result: Result, then: Then[R]) -> R:
    row = record(key, result)
    then(row)
    return row


def patience() -> timedelta:
    """Long enough for a gateway that is slow but alive to be recorded by the request that called it."""
    return timedelta(seconds=conf.GATEWAY_TIMEOUT + 10)

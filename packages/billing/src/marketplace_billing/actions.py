"""What can happen to money. Rows inside the transaction, the gateway never: the intent is recorded, then the gateway
is called with the row's own id as key, then its result is recorded; a job picks up what died in between.
A caller that may have to come back chooses that id beforehand: a row that is there already is gone on with. What it
passes as `then` hears of the outcome in the very transaction that records it.

Locks are taken in one order: the booking, then the payment; the ledger is written last.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F

from marketplace_booking.lifecycle import OPEN, BookingStatus, Party
from marketplace_booking.models import Booking
from marketplace_kit.clock import now
from marketplace_kit.exceptions import InvalidField
from marketplace_kit.exporting import exported
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import defer
from marketplace_kit.money import is_exact, percentage, rounded
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import hold_users, is_staff

from . import ledger
from .conf import conf
from .exceptions import (
    DECLINES,
    AlreadyPaid,
    BookingNotPayable,
    CardDeclined,
    NotYourBookingToPay,
    NotYourRefund,
    OpenPayments,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from .gateways.protocol import GatewayError, Outcome, Result, gateway
from .lifecycle import PaymentStatus, RefundStatus, refundable
from .models import Payment, Payout, Refund
from .signals import payment_failed, payment_succeeded, refund_failed, refund_succeeded

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
        raise DECLINES.get(payment.failure_code or "", CardDeclined)(payment_id=payment.pk)
    return payment


@action
def start_payment(user: AbstractBaseUser, booking: Booking, method: str, payment_id: UUID | None = None) -> Payment:
    """Record that the customer is about to pay. Raises as `pay` does, but for the card's refusals."""
    booking = lock_row(Booking.objects.all(), booking.pk)
    begun = Payment.objects.filter(pk=payment_id).first() if payment_id else None
    if begun is not None:
        return begun
    _refuse_unpayable(user, booking)
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


def _refuse_unpayable(user: AbstractBaseUser, booking: Booking) -> None:
    if booking.customer_id != user.pk:
        raise NotYourBookingToPay
    if Payment.objects.active().filter(booking=booking).exists():
        raise AlreadyPaid
    if not booking.is_payable or not hold_users(booking.customer_id, booking.provider_id):
        raise BookingNotPayable


def settle_payment(payment_id: UUID, then: Then[Payment] = nobody) -> Payment:
    """Ask the gateway for the charge (the same key is the same charge) and record its answer. Safe to repeat."""
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != PaymentStatus.PENDING:
        return payment
    try:
        result = _charged(payment)
    except GatewayError:
        return payment  # still pending; the job asks again
    return _recorded(record_charge, payment.pk, result, then)


def _charged(payment: Payment) -> Result:
    """What the gateway says: of the charge that a first try came through with, else of one asked for now."""
    key, age = str(payment.pk), now() - payment.created_at
    known = gateway().find_charge(key) if age > patience() else None
    if known is not None:
        return known
    if age > timedelta(seconds=conf.CHARGE_WITHIN):  # nobody is charged a day after they asked for it
        return Result(Outcome.FAILED, "")
    return gateway().charge(key=key, amount=payment.amount, currency=payment.currency, method=payment.payment_method)


@action
def record_charge(payment_id: UUID, result: Result) -> Payment:
    """Write down what the gateway said of a charge. Once: a payment that is settled stays as it is."""
    booking_id = Payment.objects.values_list("booking", flat=True).get(pk=payment_id)
    booking = lock_row(Booking.objects.all(), booking_id)
    payment = lock_row(Payment.objects.all(), payment_id)
    if payment.status != PaymentStatus.PENDING or result.outcome is Outcome.PENDING:
        return payment  # what is on its way has our key: its name comes with its outcome
    payment.status = PaymentStatus.SUCCEEDED if result.outcome is Outcome.SUCCEEDED else PaymentStatus.FAILED
    payment.reference, payment.failure_code, payment.updated_at = result.reference, result.failure_code, now()
    payment.save()
    if not payment.is_paid:
        payment_failed.send(sender=Payment, payment=payment)
        return payment
    ledger.post_payment(payment)
    if booking.is_cancelled:
        _claim(payment, payment.left, "The booking was cancelled before its payment settled.")
    elif booking.status == BookingStatus.COMPLETED:
        ledger.release(payment)
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
    asked = payment.left if amount is None else amount
    if not is_exact(asked, payment.currency):
        raise InvalidField("/amount", "too_many_decimals", f"Too many decimals for {payment.currency}.")
    if not payment.is_paid:
        raise PaymentNotRefundable
    if asked > payment.left or not payment.left:
        raise RefundExceedsPayment
    return _claim(payment, asked, reason, after=patience(), refund_id=refund_id)


def send_refund(refund_id: UUID, then: Then[Refund] = nobody) -> Refund:
    """Ask the gateway for the refund (the same key is the same refund) and record its answer. Safe to repeat."""
    found = Refund.objects.select_related("payment").get(pk=refund_id)
    if found.status != RefundStatus.PENDING:
        return found
    try:
        result = _given_back(found)
    except GatewayError:
        return found  # still pending; the job asks again
    return _recorded(record_refund, found.pk, result, then)


def _given_back(found: Refund) -> Result:
    """What the gateway says: of the refund that a first try came through with, else of one asked for now."""
    key, ask = str(found.pk), gateway()
    known = ask.find_refund(key) if now() - found.created_at > patience() else None
    charge, reason = found.payment.reference, found.reason or ""
    return known or ask.refund(key=key, charge=charge, amount=found.amount, currency=found.currency, reason=reason)


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
    fact = refund_succeeded if found.status == RefundStatus.SUCCEEDED else refund_failed
    fact.send(sender=Refund, refund=found)
    return found


@action
def refund_cancelled(booking: Booking) -> Refund | None:
    """Give back what a cancelled booking's policy says, all of it where it was not the customer who cancelled; what
    the provider keeps is theirs.
    """
    payment = _paid_for(booking)
    if payment is None:
        return None  # a payment that settles later is given back then
    owed = owed_on_cancellation(booking, payment, Party(booking.cancelled_by or ""))
    found = _claim(payment, owed, booking.cancellation_reason) if owed else None
    ledger.release(payment)
    return found


@action
def release_completed(booking: Booking) -> None:
    """Let the provider have the share of a booking that is completed."""
    payment = _paid_for(booking)
    if payment is not None:
        ledger.release(payment)


def owed_on_cancellation(booking: Booking, payment: Payment, party: Party) -> Decimal:
    """What is given back of a payment when this side cancels its booking now."""
    if party is not Party.CUSTOMER:
        return payment.left
    policy = refundable(booking.cancellation_policy, booking.notice, payment.amount, payment.currency)
    return min(policy, payment.left)


def quote(user: AbstractBaseUser, booking: Booking) -> Decimal:
    """What would be refunded if the user cancelled now: nothing if nothing is paid yet, or they can't cancel."""
    party = booking.party_of(user)
    payment = Payment.objects.active().filter(booking=booking).first()
    possible = booking.status in OPEN and (party is Party.STAFF or not booking.has_started)
    if not possible or payment is None or not payment.is_paid:
        return rounded(Decimal(0), booking.currency)
    return rounded(owed_on_cancellation(booking, payment, party), booking.currency)


def _paid_for(booking: Booking) -> Payment | None:
    """The booking's payment, locked, if its money was taken."""
    payment = Payment.objects.active().filter(booking=booking).select_for_update().first()
    return payment if payment is not None and payment.is_paid else None


# --- users who leave, and the data held about them ---


def export(user_id: Any) -> dict[str, Any]:
    """The payments that the user made and received, their refunds, and the user's payouts."""
    paid = Payment.objects.of(user_id).order_by("created_at", "id")
    fields = ("id", "booking_id", "customer_id", "provider_id", "amount", "currency", "fee_amount", "status")
    given_back = Refund.objects.filter(payment__in=paid).annotate(currency=F("payment__currency"))  # type: ignore[no-redef]
    paid_out = Payout.objects.filter(provider=user_id).order_by("created_at", "id")
    return {
        "payments": exported(paid, *fields, "payment_method", "failure_code", "refunded_amount", "created_at"),
        "refunds": exported(given_back, "id", "payment_id", "amount", "currency", "status", "reason", "created_at"),
        "payouts": exported(paid_out, "id", "amount", "currency", "status", "created_at"),
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
    """Let a locked payment tell what became of one of its refunds, and the ledger."""
    if found.status == RefundStatus.SUCCEEDED:
        payment.count_refund(found.amount)
        ledger.post_refund(found)
    else:
        payment.claimed_amount -= found.amount
        # Read without its lock: who completes it meanwhile waits for this payment, and then releases all of it.
        # Of a cancelled one the money stays pending: it is owed to the customer.
        if payment.booking.status == BookingStatus.COMPLETED:
            ledger.release(payment)
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

"""Payments and refunds of bookings, as the policies have them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from marketplace_billing.conf import conf
from marketplace_billing.lifecycle import PaymentStatus, refundable
from marketplace_billing.models import Payment, Refund
from marketplace_booking.lifecycle import Party, Status
from marketplace_kit.money import percentage, rounded

from .agreements import Agreement
from .loading import Batch, Row
from .people import People
from .plan import Chance, Plan

# How often it is paid for, where it costs anything.
PAID = {Status.COMPLETED: 0.96, Status.CONFIRMED: 0.85, Status.PENDING: 0.5, Status.CANCELLED: 0.6}
DECLINES = {"mock_declined": "card_declined", "mock_insufficient_funds": "insufficient_funds"}


@dataclass(slots=True)
class Returned:
    """Money that was given back."""

    amount: Decimal
    at: datetime
    reason: str | None


class Money:
    """The payments of a plan."""

    def __init__(self, plan: Plan, people: People) -> None:
        self.plan = plan
        self.people = people
        self.fee_percent = Decimal(conf.FEE_PERCENT)

    def batch(self, agreements: Sequence[Agreement]) -> Batch:
        payments, refunds = [], []
        for it in agreements:
            for payment, refund in self._paid(it):
                payments.append(payment)
                refunds += refund
        return {Payment: payments, Refund: refunds}

    def _paid(self, it: Agreement) -> Iterator[tuple[Row, list[Row]]]:
        chance = self.plan.chance("payment", it.number)
        if not it.terms.price or not chance.happens(PAID[it.status]):
            return
        limit = it.cancelled_at or min(it.start, self.plan.end)
        at = chance.between(it.created_at, min(limit, it.created_at + timedelta(hours=2)))
        if chance.happens(0.06):
            yield self._failed(it, at, chance.pick(list(DECLINES))), []
            if chance.happens(0.3):
                return
            at = chance.between(at, min(limit, at + timedelta(minutes=10)))
        yield self._succeeded(it, at, self._returned(it, chance))

    def _returned(self, it: Agreement, chance: Chance) -> Returned | None:
        """By the policy where it was cancelled; now and then out of good will."""
        soon = timedelta(seconds=1 + int(chance.random() * 20))
        if it.cancelled_at:
            amount = _owed(it, it.start - it.cancelled_at)
            return Returned(amount, it.cancelled_at + soon, it.reason) if amount else None
        if it.completed_at and it.completed_at + soon < self.plan.end and chance.happens(0.02):
            amount = percentage(it.terms.price, Decimal(chance.pick((10, 20, 50))), it.terms.place.currency)
            return Returned(amount, it.completed_at + soon, "Not quite as agreed.") if amount else None
        return None

    def _failed(self, it: Agreement, at: datetime, method: str) -> Row:
        failed = {"status": PaymentStatus.FAILED, "payment_method": method, "failure_code": DECLINES[method]}
        return self._payment(it, 2 * it.number, at) | failed

    def _succeeded(self, it: Agreement, at: datetime, back: Returned | None) -> tuple[Row, list[Row]]:
        payment = self._payment(it, 2 * it.number + 1, at) | {"payment_method": "mock_success"}
        if back is None:
            return payment | {"status": PaymentStatus.SUCCEEDED}, []
        whole = back.amount == it.terms.price
        payment |= {
            "status": PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED,
            "claimed_amount": back.amount,
            "refunded_amount": back.amount,
            "updated_at": back.at,
        }
        return payment, [self._refund(it, payment["id"], back)]

    def _payment(self, it: Agreement, number: int, at: datetime) -> Row:
        key, currency = self.plan.row_id("payment", number), it.terms.place.currency
        nothing = rounded(Decimal(0), currency)
        return {
            "id": key,
            "booking_id": self.plan.row_id("booking", it.number),
            "customer_id": self.people.customer_id(it.customer),
            "provider_id": self.people.provider_id(it.terms.provider),
            "amount": it.terms.price,
            "currency": currency,
            "fee_amount": percentage(it.terms.price, self.fee_percent, currency),
            "reference": f"mock_ch_{key}",
            "claimed_amount": nothing,
            "refunded_amount": nothing,
            "created_at": at,
            "updated_at": at,
        }

    def _refund(self, it: Agreement, payment_id: str, back: Returned) -> Row:
        key = self.plan.row_id("refund", it.number)
        return {
            "id": key,
            "payment_id": payment_id,
            "amount": back.amount,
            "status": "succeeded",
            "reason": back.reason,
            "reference": f"mock_re_{key}",
            "created_at": back.at,
            "updated_at": back.at,
        }


def _owed(it: Agreement, left: timedelta) -> Decimal:
    """What the cancelled booking's customer gets back who cancelled with so much time left, or was left alone."""
    if it.cancelled_by is not Party.CUSTOMER:
        return it.terms.price
    return refundable(it.terms.policy, left, it.terms.price, it.terms.place.currency)

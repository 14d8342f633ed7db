"""Payments, refunds and payouts, as the policies have them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from marketplace_billing.conf import conf
from marketplace_billing.lifecycle import PaymentStatus, refundable
from marketplace_booking.lifecycle import BookingStatus, Party
from marketplace_kit.money import percentage, rounded

from .agreements import Agreement
from .books import Books
from .loading import Batch, Row
from .people import People
from .plan import Chance, Plan

# How often it is paid for, where it costs anything.
PAID = {
    BookingStatus.COMPLETED: 0.96,
    BookingStatus.CONFIRMED: 0.85,
    BookingStatus.PENDING: 0.5,
    BookingStatus.CANCELLED: 0.6,
}
DECLINES = {"mock_declined": "card_declined", "mock_insufficient_funds": "insufficient_funds"}
PAYOUTS = timedelta(days=30)  # the last one of those who had one was within so many days

type Moves = list[tuple[datetime, Decimal]]  # when what came to a provider's available balance, or left it


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

    def batch(self, agreements: Iterable[Agreement]) -> Batch:
        """Of whole providers, one after the other."""
        books = Books(self.plan)
        for provider, theirs in groupby(agreements, key=lambda it: it.terms.provider):
            moves: Moves = []
            for it in theirs:
                self._settle(it, books, moves)
            self._pay_out(provider, moves, books)
        return books.rows

    def _settle(self, it: Agreement, books: Books, moves: Moves) -> None:
        chance = self.plan.chance("payment", it.number)
        at = self._tried(it, chance, books)
        if at is None:
            return
        back = self._returned(it, chance)
        payment = self._payment(it, 2 * it.number + 1, at) | {"payment_method": "mock_success"} | _outcome(it, back)
        books.paid(it.number, payment)
        over = it.completed_at or it.cancelled_at
        if over:
            claimed = back.amount if back and it.cancelled_at else Decimal(0)
            moves.append((over, books.released(it.number, payment, claimed, over)))
        if back:
            refund = self._refund(it, payment["id"], back)
            lost = books.refunded(it.number, payment, refund, released=it.completed_at is not None)
            moves.append((back.at, -lost))

    def _tried(self, it: Agreement, chance: Chance, books: Books) -> datetime | None:
        """When it was paid; None where it was not. What failed before is in the books."""
        if not it.terms.price or not chance.happens(PAID[it.status]):
            return None
        limit = it.cancelled_at or min(it.start, self.plan.end)
        at = chance.between(it.created_at, min(limit, it.created_at + timedelta(hours=2)))
        if not chance.happens(0.06):
            return at
        method = chance.pick(list(DECLINES))
        failed = {"status": PaymentStatus.FAILED, "payment_method": method, "failure_code": DECLINES[method]}
        books.failed(self._payment(it, 2 * it.number, at) | failed)
        return chance.between(at, min(limit, at + timedelta(minutes=10))) if chance.happens(0.7) else None

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

    def _pay_out(self, provider: int, moves: Sequence[tuple[datetime, Decimal]], books: Books) -> None:
        """What was available to a provider some day of the last weeks, if he asked for it."""
        chance = self.plan.chance("payout", provider)
        at = chance.between(self.plan.end - PAYOUTS, self.plan.end)
        available = sum((amount for moved, amount in moves if moved <= at), Decimal(0))
        if chance.happens(0.6) and available > 0:
            currency = self.people.place(provider).currency
            books.paid_out(provider, self.people.provider_id(provider), available, currency, at)

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


def _outcome(it: Agreement, back: Returned | None) -> Row:
    """What a payment that succeeded has come to."""
    if back is None:
        return {"status": PaymentStatus.SUCCEEDED}
    return {
        "status": PaymentStatus.REFUNDED if back.amount == it.terms.price else PaymentStatus.PARTIALLY_REFUNDED,
        "claimed_amount": back.amount,
        "refunded_amount": back.amount,
        "updated_at": back.at,
    }


def _owed(it: Agreement, left: timedelta) -> Decimal:
    """What the cancelled booking's customer gets back who cancelled with so much time left, or was left alone."""
    if it.cancelled_by is not Party.CUSTOMER:
        return it.terms.price
    return refundable(it.terms.policy, left, it.terms.price, it.terms.place.currency)

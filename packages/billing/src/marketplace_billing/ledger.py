"""Double entry: every amount that moves leaves one account and enters another, in the transaction that moves it.

The functions that write are called with the payment's row locked, or for payouts the provider's; entries are only ever
added. What a posting consists of is told by pure functions, so that data can be loaded in bulk as well.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from marketplace_kit.money import rounded

from .lifecycle import Account, PostingKind
from .models import Entry, Payment, Payout, Posting, Refund


@dataclass(frozen=True, slots=True)
class Line:
    """An amount on an account, debits positive; the owner's key where the account has one."""

    account: Account
    amount: Decimal
    owner_id: Any = None


@dataclass(frozen=True, slots=True)
class Balance:
    """What a provider has in one currency."""

    currency: str
    available: Decimal
    pending: Decimal


# --- what a posting consists of ---


def lines_of_payment(amount: Decimal, fee: Decimal, provider_id: Any) -> list[Line]:
    """The gateway took it; the fee is the platform's, the rest will be the provider's."""
    return [
        Line(Account.GATEWAY, amount),
        Line(Account.PLATFORM_FEE, -fee),
        Line(Account.PROVIDER_PENDING, fee - amount, provider_id),
    ]


def lines_of_refund(amount: Decimal, fee: Decimal, pending: Decimal, provider_id: Any) -> list[Line]:
    """The gateway gave it back; `fee` of it from the platform, the rest from the provider: `pending` first."""
    return [
        Line(Account.GATEWAY, -amount),
        Line(Account.PLATFORM_FEE, fee),
        Line(Account.PROVIDER_PENDING, pending, provider_id),
        Line(Account.PROVIDER_AVAILABLE, amount - fee - pending, provider_id),
    ]


def lines_of_release(amount: Decimal, provider_id: Any) -> list[Line]:
    """The provider's pending share becomes available."""
    return [
        Line(Account.PROVIDER_PENDING, amount, provider_id),
        Line(Account.PROVIDER_AVAILABLE, -amount, provider_id),
    ]


def lines_of_payout(amount: Decimal, provider_id: Any) -> list[Line]:
    """The provider's available balance was sent to their bank."""
    return [Line(Account.PROVIDER_AVAILABLE, amount, provider_id), Line(Account.PAID_OUT, -amount)]


# --- writing ---


def post_payment(payment: Payment) -> None:
    """A payment has succeeded. Once: a constraint."""
    lines = lines_of_payment(payment.amount, payment.fee_amount, payment.provider_id)
    _post(PostingKind.PAYMENT, payment.currency, lines, payment=payment)


def post_refund(refund: Refund) -> None:
    """A refund has succeeded, and its payment, locked, has counted it. Once: a constraint."""
    payment = refund.payment
    after, before = payment.refunded_amount, payment.refunded_amount - refund.amount
    share = payment.share_after(before) - payment.share_after(after)
    pending = min(share, Entry.objects.pending_of(payment).credit())
    lines = lines_of_refund(refund.amount, refund.amount - share, pending, payment.provider_id)
    _post(PostingKind.REFUND, payment.currency, lines, payment=payment, refund=refund)


def release(payment: Payment) -> None:
    """The booking is over: the provider's share of a locked payment becomes available, except what refunds claim."""
    claimed = payment.share_after(payment.refunded_amount) - payment.share_after(payment.claimed_amount)
    free = Entry.objects.pending_of(payment).credit() - claimed
    if free > 0:
        lines = lines_of_release(free, payment.provider_id)
        _post(PostingKind.RELEASE, payment.currency, lines, payment=payment)


def post_payout(payout: Payout) -> None:
    """A payout was made. Once: a constraint."""
    lines = lines_of_payout(payout.amount, payout.provider_id)
    _post(PostingKind.PAYOUT, payout.currency, lines, payout=payout)


def _post(kind: PostingKind, currency: str, lines: list[Line], **about: Any) -> None:
    posting = Posting.objects.create(kind=kind, **about)
    Entry.objects.bulk_create(
        Entry(posting=posting, account=line.account, owner_id=line.owner_id, currency=currency, amount=line.amount)
        for line in lines
        if line.amount
    )


# --- reading ---


def balances(owner_id: Any) -> list[Balance]:
    """A provider's balance in each currency they were paid in; negative if more was refunded than is left."""
    rows = Entry.objects.filter(owner=owner_id).values("currency", "account").annotate(sum=Sum("amount"))
    sums = {(row["currency"], row["account"]): -row["sum"] for row in rows}

    def of(account: Account, currency: str) -> Decimal:
        return rounded(sums.get((currency, account), Decimal(0)), currency)

    return [
        Balance(code, of(Account.PROVIDER_AVAILABLE, code), of(Account.PROVIDER_PENDING, code))
        for code in sorted({currency for currency, _ in sums})
    ]

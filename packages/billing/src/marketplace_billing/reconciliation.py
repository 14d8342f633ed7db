"""Whether all books say the same: our rows, the ledger, and the gateway's statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Sum

from marketplace_kit.money import rounded

from .gateways.protocol import Kind, Line, Outcome, gateway
from .lifecycle import PAID, Account, PaymentStatus, PostingKind, RefundStatus
from .models import Entry, Payment, Payout, Posting, Refund

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of one currency."""

    currency: str
    paid: Decimal
    refunded: Decimal
    ledger: Decimal  # on the gateway's account
    gateway: Decimal  # by its own statement


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; all is well where there are no differences."""

    totals: list[Totals]
    differences: list[str]
    unsettled: int  # payments and refunds of which it is not known yet what became of them


def report() -> Report:
    """Compare everything. Our side is read as it is at one moment, after the gateway's: whatever it did by then is a
    row here, settled or not; what it did since it is asked for by key.
    """
    theirs = {(line.kind, line.key): line for line in gateway().statement()}
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ours, unsettled = dict(_moved()), set(_unsettled())
        differences = [*_within_payments(), *_within_ledger()]
        paid, refunded, ledger = _paid(), _refunded(), _on(Account.GATEWAY)
    theirs |= {key: line for key, line in ours.items() if key not in theirs and _has_moved(*key)}
    differences += _between(ours, theirs, unsettled)
    told = _sums(line for key, line in theirs.items() if key in ours)
    totals = [
        Totals(code, *(rounded(sums.get(code, NOTHING), code) for sums in (paid, refunded, ledger, told)))
        for code in sorted({*paid, *refunded, *ledger, *told})
    ]
    differences += [
        f"{t.currency}: {t.paid} paid - {t.refunded} refunded, {t.ledger} in the ledger, {t.gateway} at the gateway."
        for t in totals
        if not t.paid - t.refunded == t.ledger == t.gateway
    ]
    return Report(totals, differences, len(unsettled))


# --- ours ---


def _moved() -> Iterator[tuple[tuple[Kind, str], Line]]:
    """Payments and refunds whose money moved."""
    for pk, amount, currency in Payment.objects.filter(status__in=PAID).values_list("pk", "amount", "currency"):
        yield (Kind.CHARGE, str(pk)), Line(Kind.CHARGE, str(pk), amount, currency)
    given = Refund.objects.filter(status=RefundStatus.SUCCEEDED)
    for pk, amount, currency in given.values_list("pk", "amount", "payment__currency"):
        yield (Kind.REFUND, str(pk)), Line(Kind.REFUND, str(pk), amount, currency)


def _unsettled() -> Iterator[tuple[Kind, str]]:
    for pk in Payment.objects.filter(status=PaymentStatus.PENDING).values_list("pk", flat=True):
        yield Kind.CHARGE, str(pk)
    for pk in Refund.objects.filter(status=RefundStatus.PENDING).values_list("pk", flat=True):
        yield Kind.REFUND, str(pk)


def _paid() -> dict[str, Decimal]:
    return _by_currency(Payment.objects.filter(status__in=PAID), "currency", "amount")


def _refunded() -> dict[str, Decimal]:
    return _by_currency(Refund.objects.filter(status=RefundStatus.SUCCEEDED), "payment__currency", "amount")


def _on(account: Account) -> dict[str, Decimal]:
    return _by_currency(Entry.objects.filter(account=account), "currency", "amount")


def _by_currency(rows: QuerySet[Any], currency: str, amount: str) -> dict[str, Decimal]:
    return {row[currency]: row["sum"] for row in rows.values(currency).annotate(sum=Sum(amount)).order_by(currency)}


def _within_payments() -> Iterator[str]:
    """A payment counts its refunds."""
    succeeded = Sum("refunds__amount", filter=Q(refunds__status=RefundStatus.SUCCEEDED), default=NOTHING)
    pending = Sum("refunds__amount", filter=Q(refunds__status=RefundStatus.PENDING), default=NOTHING)
    rows = Payment.objects.annotate(given=succeeded, held=succeeded + pending)
    for payment in rows.exclude(given=F("refunded_amount"), held=F("claimed_amount")):
        yield f"Payment {payment.pk} does not count its refunds: {payment.refunded_amount}, {payment.claimed_amount}."


def _within_ledger() -> Iterator[str]:
    """Each fact is posted once and in full, nothing else is, and each posting is balanced."""
    lopsided = Entry.objects.values("posting", "currency").annotate(sum=Sum("amount")).exclude(sum=0)
    yield from (f"Posting {row['posting']} does not sum to zero in {row['currency']}." for row in lopsided)
    at_gateway = Sum("entries__amount", filter=Q(entries__account=Account.GATEWAY), default=NOTHING)
    sent = Sum("entries__amount", filter=Q(entries__account=Account.PAID_OUT), default=NOTHING)
    posted = Posting.objects.annotate(at_gateway=at_gateway, sent=sent)
    for kind, wrong in (
        (PostingKind.PAYMENT, ~Q(payment__status__in=PAID) | ~Q(at_gateway=F("payment__amount"))),
        (PostingKind.REFUND, ~Q(refund__status=RefundStatus.SUCCEEDED) | ~Q(refund__amount=-F("at_gateway"))),
        (PostingKind.PAYOUT, ~Q(payout__amount=-F("sent"))),
    ):
        yield from (f"Posting {row.pk} is not what its {kind} is." for row in posted.filter(wrong, kind=kind))
    paid = Payment.objects.filter(status__in=PAID)
    yield from _unposted("Payment", paid.exclude(postings__kind=PostingKind.PAYMENT))
    yield from _unposted("Refund", Refund.objects.filter(status=RefundStatus.SUCCEEDED, posting=None))
    yield from _unposted("Payout", Payout.objects.filter(posting=None))


def _unposted(name: str, rows: QuerySet[Any]) -> Iterator[str]:
    yield from (f"{name} {pk} is not in the ledger." for pk in rows.values_list("pk", flat=True))


# --- theirs ---


def _between(
    ours: dict[tuple[Kind, str], Line], theirs: dict[tuple[Kind, str], Line], unsettled: set[tuple[Kind, str]]
) -> Iterator[str]:
    """What only one side knows, or both differently; what is unsettled here may have moved there."""
    for key in sorted({*ours, *theirs}, key=str):
        mine, other = ours.get(key), theirs.get(key)
        if mine is None and key in unsettled:
            continue
        if mine != other:
            yield f"{key[0].capitalize()} {key[1]}: {_told(mine)} here, {_told(other)} at the gateway."


def _has_moved(kind: Kind, key: str) -> bool:
    found = gateway().find_charge(key) if kind is Kind.CHARGE else gateway().find_refund(key)
    return found is not None and found.outcome is Outcome.SUCCEEDED


def _told(line: Line | None) -> str:
    return f"{line.amount} {line.currency}" if line else "nothing"


def _sums(lines: Iterator[Line]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        sign = 1 if line.kind is Kind.CHARGE else -1
        sums[line.currency] = sums.get(line.currency, NOTHING) + sign * line.amount
    return sums

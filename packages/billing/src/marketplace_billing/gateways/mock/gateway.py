"""The mock as a gateway. Its transactions are durable: called inside one of ours, it fails aloud."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum

from marketplace_kit.jobs import defer
from marketplace_kit.webhooks import verified

from ...conf import conf
from ..protocol import Event, GatewayError, Kind, Line, Outcome, Result
from .models import Book, MockCharge, MockRefund
from .outcomes import CHARGES, REFUNDS, SUCCESS, Play

BOOKS: dict[Kind, type[MockCharge] | type[MockRefund]] = {Kind.CHARGE: MockCharge, Kind.REFUND: MockRefund}
# The types of its webhooks: what they are about, and what became of it.
TYPES: dict[str, tuple[Kind, Outcome]] = {
    "payment.succeeded": (Kind.CHARGE, Outcome.SUCCEEDED),
    "payment.failed": (Kind.CHARGE, Outcome.FAILED),
    "refund.succeeded": (Kind.REFUND, Outcome.SUCCEEDED),
    "refund.failed": (Kind.REFUND, Outcome.FAILED),
}
PAUSE = timedelta(seconds=1)  # before a pending one is settled, so that "pending" is heard first


class MockGateway:
    """Plays what payment methods, and the reasons of refunds, say: see outcomes.py."""

    name = "mock"
    methods = tuple(CHARGES)

    def charge(self, *, key: str, amount: Decimal, currency: str, method: str) -> Result:
        if method not in CHARGES:
            raise GatewayError(f"The mock gateway does not know {method}.")
        return _played(CHARGES[method], MockCharge(key=key, amount=amount, currency=currency, method=method))

    def refund(self, *, key: str, charge: str, amount: Decimal, currency: str, reason: str) -> Result:
        play = REFUNDS.get(reason, SUCCESS)
        return _played(play, MockRefund(key=key, amount=amount, currency=currency, charge=charge))

    def find_charge(self, key: str) -> Result | None:
        return _found(MockCharge, key)

    def find_refund(self, key: str) -> Result | None:
        return _found(MockRefund, key)

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        return verified(conf.MOCK_WEBHOOK_SECRET, headers, body)

    def event(self, payload: Mapping[str, Any]) -> Event | None:
        """`data.reference` is our own key, with or without the mock's prefix.

        Whoever has the secret speaks for the mock: its books follow what they say about a pending one. Beyond that
        the books are right.
        """
        kind, outcome = TYPES[payload["type"]]
        book, key = BOOKS[kind], payload["data"]["reference"].removeprefix(BOOKS[kind].prefix)
        book.objects.settle_as(key, outcome)
        failure_code = "card_declined" if outcome is Outcome.FAILED else None
        return Event(kind, key, _found(book, key) or Result(outcome, f"{book.prefix}{key}", failure_code))

    def statement(self) -> Iterator[Line]:
        for kind, book in BOOKS.items():
            for row in book.objects.moved().order_by("key").iterator():
                yield Line(kind, row.key, row.amount, row.currency)


def _played(play: Play, asked: MockCharge | MockRefund) -> Result:
    """What is in the books under the key; where nothing is, what was asked for is written there."""
    asked.outcome, asked.in_the_end, asked.failure_code = play.at_once, play.in_the_end, play.failure_code
    row, is_new = _booked(asked)
    if is_new and not play.answers:
        raise GatewayError("The mock gateway did it, and does not answer.")
    return row.result


@transaction.atomic(durable=True)
def _booked(asked: MockCharge | MockRefund) -> tuple[Book, bool]:
    book = type(asked)
    if isinstance(asked, MockRefund) and not _has_left(asked):
        asked.outcome, asked.in_the_end, asked.failure_code = Outcome.FAILED, Outcome.FAILED, "charge_exhausted"
    values = {field.name: getattr(asked, field.name) for field in book._meta.concrete_fields if not field.primary_key}
    row, is_new = book.objects.get_or_create(key=asked.key, defaults=values)
    if (row.amount, row.currency) != (asked.amount, asked.currency):
        raise GatewayError(f"The key {asked.key} was used for another amount.")
    if is_new and row.outcome == Outcome.PENDING:
        kind = next(kind for kind, rows in BOOKS.items() if rows is book)
        defer("marketplace_billing_mock.tell", after=PAUSE, kind=kind.value, key=row.key)
    return row, is_new


def _has_left(asked: MockRefund) -> bool:
    """A gateway gives no more back than it took, and nothing of what it did not take."""
    taken = MockCharge.objects.select_for_update().filter(pk=asked.charge.removeprefix(MockCharge.prefix)).first()
    if taken is None:
        return True  # loaded in bulk: it is not in these books
    others = MockRefund.objects.filter(charge=asked.charge).exclude(pk=asked.key).exclude(outcome=Outcome.FAILED)
    given = others.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    return taken.outcome == Outcome.SUCCEEDED and given + asked.amount <= taken.amount


def _found(book: type[MockCharge] | type[MockRefund], key: str) -> Result | None:
    row = book.objects.filter(pk=key).first()
    return row.result if row else None

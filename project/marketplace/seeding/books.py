"""The money of bookings in everybody's books: the ledger, and those of the mock gateway."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from marketplace_billing.gateways.mock.models import Book, MockCharge, MockRefund
from marketplace_billing.gateways.protocol import Outcome
from marketplace_billing.ledger import Line, lines_of_payment, lines_of_payout, lines_of_refund, lines_of_release
from marketplace_billing.lifecycle import PostingKind, share_left
from marketplace_billing.models import Entry, Payment, Payout, Posting, Refund
from marketplace_kit.money import rounded

from .loading import Row
from .plan import Plan

TABLES = (Payment, Refund, Payout, Posting, Entry, MockCharge, MockRefund)


class Books:
    """The rows of one batch, by table."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: dict[type, list[Row]] = {model: [] for model in TABLES}

    def failed(self, payment: Row) -> None:
        """The gateway refused to charge it."""
        self.rows[Payment].append(payment)
        self._gateway(MockCharge, payment, Outcome.FAILED, method=payment["payment_method"])

    def paid(self, number: int, payment: Row) -> None:
        self.rows[Payment].append(payment)
        self._gateway(MockCharge, payment, Outcome.SUCCEEDED, method=payment["payment_method"])
        lines = lines_of_payment(payment["amount"], payment["fee_amount"], payment["provider_id"])
        self._post(PostingKind.PAYMENT, 3 * number, payment, lines, payment["created_at"])

    def released(self, number: int, payment: Row, claimed: Decimal, at: datetime) -> Decimal:
        """The provider has his share, but for what a refund claims; how much that is."""
        share = share_of(payment, claimed)
        if share:
            lines = lines_of_release(share, payment["provider_id"])
            self._post(PostingKind.RELEASE, 3 * number + 1, payment, lines, at)
        return share

    def refunded(self, number: int, payment: Row, refund: Row, *, released: bool) -> Decimal:
        """Given back, from what was released or from what still is pending; what the provider lost of the former."""
        self.rows[Refund].append(refund)
        self._gateway(MockRefund, {**payment, **refund}, Outcome.SUCCEEDED, charge=payment["reference"])
        share = share_of(payment, Decimal(0)) - share_of(payment, refund["amount"])
        fee, pending = refund["amount"] - share, Decimal(0) if released else share
        lines = lines_of_refund(refund["amount"], fee, pending, payment["provider_id"])
        about = {**payment, "refund_id": refund["id"]}
        self._post(PostingKind.REFUND, 3 * number + 2, about, lines, refund["created_at"])
        return share - pending

    def paid_out(self, number: int, provider_id: str, amount: Decimal, currency: str, at: datetime) -> None:
        key = self.plan.row_id("payout", number)
        amount = rounded(amount, currency)
        payout = {"id": key, "provider_id": provider_id, "amount": amount, "currency": currency, "created_at": at}
        self.rows[Payout].append(payout)
        about = {"id": None, "payout_id": key, "currency": currency}
        self._post(PostingKind.PAYOUT, number, about, lines_of_payout(amount, provider_id), at)

    def _post(self, kind: PostingKind, number: int, about: Row, lines: Iterable[Line], at: datetime) -> None:
        """`about`: the payment with the key of its refund, or that of a payout."""
        key = self.plan.row_id("payout posting" if kind is PostingKind.PAYOUT else "posting", number)
        pointers = {"payment_id": about["id"], "refund_id": about.get("refund_id"), "payout_id": about.get("payout_id")}
        self.rows[Posting].append({"id": key, "kind": kind, **pointers, "created_at": at})
        self.rows[Entry] += [
            {
                "posting_id": key,
                "account": line.account,
                "owner_id": line.owner_id,
                "currency": about["currency"],
                "amount": line.amount,
            }
            for line in lines
            if line.amount
        ]

    def _gateway(self, book: type[Book], asked: Row, outcome: Outcome, **named: str) -> None:
        self.rows[book].append(
            {
                "key": asked["id"],
                "amount": asked["amount"],
                "currency": asked["currency"],
                "outcome": outcome,
                "in_the_end": outcome,
                "failure_code": asked.get("failure_code") if book is MockCharge else None,
                "created_at": asked["created_at"],
                **named,
            }
        )


def share_of(payment: Row, refunded: Decimal) -> Decimal:
    """What the provider has of a payment of which so much is refunded."""
    return share_left(payment["fee_amount"], payment["amount"], refunded, payment["currency"])

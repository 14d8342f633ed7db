"""The statuses of payments and refunds, the ledger's accounts, and what a cancelled booking gives back."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db.models import TextChoices

from marketplace_kit.money import percentage, rounded


class PaymentStatus(TextChoices):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class RefundStatus(TextChoices):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class PayoutStatus(TextChoices):
    PAID = "paid"


class Account(TextChoices):
    """Where money is, or whose it is. Debits are positive: what we have; credits are negative: what we owe."""

    GATEWAY = "gateway"  # what the gateway took for us and has not given back
    PROVIDER_PENDING = "provider_pending"  # owed to a provider once the booking is over
    PROVIDER_AVAILABLE = "provider_available"  # owed to a provider now
    PLATFORM_FEE = "platform_fee"  # what the platform earned
    PAID_OUT = "paid_out"  # what went to providers' banks


# Those that belong to somebody.
OWNED = (Account.PROVIDER_PENDING, Account.PROVIDER_AVAILABLE)


class PostingKind(TextChoices):
    PAYMENT = "payment"
    REFUND = "refund"
    RELEASE = "release"
    PAYOUT = "payout"


# One of these per booking at the most.
ACTIVE = (
    PaymentStatus.PENDING,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.PARTIALLY_REFUNDED,
    PaymentStatus.REFUNDED,
)
# Money that was taken.
PAID = (PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED)

# By policy: with so much time left before the start (on the hour counts), a customer who cancels gets so many per
# cent back. The first line that fits counts; none fits: nothing.
REFUND_TABLE: dict[str, Sequence[tuple[timedelta, int]]] = {
    "flexible": ((timedelta(hours=24), 100), (timedelta(0), 50)),
    "moderate": ((timedelta(hours=72), 100), (timedelta(hours=24), 50)),
    "strict": ((timedelta(hours=168), 50),),
}


def refundable(policy: str, left: timedelta, amount: Decimal, currency: str) -> Decimal:
    """How much of `amount` a customer who cancels `left` before the start is refunded, odd cent included."""
    for at_least, percent in REFUND_TABLE[policy]:
        if left >= at_least:
            return percentage(amount, Decimal(percent), currency)
    return Decimal(0)


def fee_given_back(fee: Decimal, amount: Decimal, refunded: Decimal, currency: str) -> Decimal:
    """What of its fee the platform has given back once so much of a payment's amount is refunded: all of it, for all.

    Told for the sum and not for each refund, so that no cent is lost or made by refunding in parts.
    """
    return rounded(fee * refunded / amount, currency)


def share_left(fee: Decimal, amount: Decimal, refunded: Decimal, currency: str) -> Decimal:
    """What the provider has of a payment of which so much is refunded."""
    return amount - refunded - (fee - fee_given_back(fee, amount, refunded, currency))

"""The statuses of payments and refunds, and what a cancelled booking gives back."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db.models import TextChoices

from marketplace_kit.money import percentage


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
    """What of `amount` a customer gets back who cancels `left` before the start; the odd cent goes to him."""
    for at_least, percent in REFUND_TABLE[policy]:
        if left >= at_least:
            return percentage(amount, Decimal(percent), currency)
    return Decimal(0)

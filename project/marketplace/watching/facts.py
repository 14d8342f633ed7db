"""Which facts of the packages are counted as what. Like the wiring, it is one table."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal
from prometheus_client import Counter

from marketplace_billing import signals as billing
from marketplace_booking import signals as booking

from . import metrics

FACTS: tuple[tuple[Signal, Counter], ...] = (
    (booking.booking_created, metrics.BOOKINGS.labels("created")),
    (booking.booking_confirmed, metrics.BOOKINGS.labels("confirmed")),
    (booking.booking_completed, metrics.BOOKINGS.labels("completed")),
    (booking.booking_cancelled, metrics.BOOKINGS.labels("cancelled")),
    (booking.booking_rescheduled, metrics.BOOKINGS.labels("rescheduled")),
    (billing.payment_succeeded, metrics.PAYMENTS.labels("succeeded")),
    (billing.payment_failed, metrics.PAYMENTS.labels("failed")),
    (billing.refund_succeeded, metrics.REFUNDS.labels("succeeded")),
    (billing.refund_failed, metrics.REFUNDS.labels("failed")),
    (billing.payout_paid, metrics.PAYOUTS),
)


def connect() -> None:
    """Count each fact once its transaction has committed: what is rolled back did not happen."""
    for number, (fact, counter) in enumerate(FACTS):

        def count(counter: Counter = counter, **_: Any) -> None:
            transaction.on_commit(counter.inc)

        fact.connect(count, weak=False, dispatch_uid=f"marketplace.watching.{number}")
    # A refusal that is watched is there from the start: of a series that begins with its first one, no rate is known.
    metrics.REFUSALS.labels("slot_unavailable")

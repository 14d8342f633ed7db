"""Jobs: what must come about even where the process that began it died."""

import time
from itertools import takewhile
from uuid import UUID

from procrastinate.contrib.django import app

from marketplace_kit.clock import now
from marketplace_kit.jobs import PATIENT, each

from . import actions
from .exceptions import StillPending
from .lifecycle import PaymentStatus, RefundStatus
from .models import Payment, Refund

AT_ONCE = 500  # rows of one run
SECONDS = 50.0  # that one run goes on for: a gateway that hangs shall not keep the worker


@app.task(name="marketplace_billing.settle_payment", queue="billing", retry=PATIENT)
def settle_payment(payment_id: str) -> None:
    """Bring a payment whose answer was not recorded to its end."""
    if actions.settle_payment(UUID(payment_id)).status == PaymentStatus.PENDING:
        raise StillPending(payment_id)


@app.task(name="marketplace_billing.send_refund", queue="billing", retry=PATIENT)
def send_refund(refund_id: str) -> None:
    """Give back what was set aside."""
    if actions.send_refund(UUID(refund_id)).status == RefundStatus.PENDING:
        raise StillPending(refund_id)


@app.periodic(cron="* * * * *")
@app.task(name="marketplace_billing.reconcile", queue="billing", queueing_lock="marketplace_billing.reconcile")
def reconcile(timestamp: int) -> None:
    """Look up at the gateway what became of all that is not settled in time."""
    before = now() - actions.patience()
    # In no order: those that the gateway itself has not settled do not stand in the way of the others.
    payments = Payment.objects.unsettled(before).order_by("?").values_list("pk", flat=True)[:AT_ONCE]
    refunds = Refund.objects.unsettled(before).order_by("?").values_list("pk", flat=True)[:AT_ONCE]
    waiting = [(actions.settle_payment, key) for key in payments] + [(actions.send_refund, key) for key in refunds]
    end = time.monotonic() + SECONDS
    each(takewhile(lambda _: time.monotonic() < end, waiting), lambda one: one[0](one[1]))

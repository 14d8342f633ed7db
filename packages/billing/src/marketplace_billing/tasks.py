"""Jobs: what must come about even where the process that began it died."""

from uuid import UUID

from procrastinate.contrib.django import app

from marketplace_kit.clock import now
from marketplace_kit.jobs import PATIENT

from . import actions
from .exceptions import StillPending
from .lifecycle import PaymentStatus, RefundStatus
from .models import Payment, Refund

AT_ONCE = 500  # rows of one run


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
    for payment_id in Payment.objects.unsettled(before).order_by("?").values_list("pk", flat=True)[:AT_ONCE]:
        actions.settle_payment(payment_id)
    for refund_id in Refund.objects.unsettled(before).order_by("?").values_list("pk", flat=True)[:AT_ONCE]:
        actions.send_refund(refund_id)

"""Jobs: what must come about even where the process that began it died."""

from uuid import UUID

from procrastinate.contrib.django import app

from marketplace_kit.jobs import PATIENT

from . import actions
from .exceptions import StillPending
from .lifecycle import PaymentStatus, RefundStatus


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

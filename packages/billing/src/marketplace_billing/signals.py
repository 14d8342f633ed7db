"""The facts that billing announces, inside the transaction that makes them so."""

from django.dispatch import Signal

payment_succeeded = Signal()  # payment: Payment
payment_failed = Signal()  # payment: Payment, with its failure_code
refund_succeeded = Signal()  # refund: Refund

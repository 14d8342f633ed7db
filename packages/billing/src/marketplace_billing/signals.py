"""The facts that billing announces, inside the transaction that makes them so."""

from django.dispatch import Signal

payment_succeeded = Signal()  # payment: Payment
payment_failed = Signal()  # payment: Payment, with its failure_code
refund_succeeded = Signal()  # refund: Refund
refund_failed = Signal()  # refund: Refund; its amount can be given back anew
payout_paid = Signal()  # payout: Payout

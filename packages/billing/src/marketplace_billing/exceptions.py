"""Every refusal of billing."""

from uuid import UUID

from pydantic import Field

from marketplace_kit.exceptions import DomainError, Unauthenticated
from marketplace_kit.schemas import Problem


class PaymentProblem(Problem):
    """An error that leaves a payment behind."""

    payment_id: UUID = Field(description="The payment: it is kept, as failed.")


class CardDeclined(DomainError):
    """The card was declined."""

    status = 402
    code = "card_declined"
    problem = PaymentProblem


class InsufficientFunds(DomainError):
    """There is not enough money on the card."""

    status = 402
    code = "insufficient_funds"
    problem = PaymentProblem


DECLINES: dict[str, type[DomainError]] = {error.code: error for error in (CardDeclined, InsufficientFunds)}


class AlreadyPaid(DomainError):
    """This booking has a payment already."""

    code = "already_paid"


class BookingNotPayable(DomainError):
    """There is nothing to pay: the booking is cancelled, free, was not confirmed in time, or its provider has left."""

    code = "booking_not_payable"


class NotYourBookingToPay(DomainError):
    """Only the customer pays for a booking."""

    status = 403
    code = "forbidden"


class NotYourRefund(DomainError):
    """Only the provider of the booking, or staff, gives money back."""

    status = 403
    code = "forbidden"


class PaymentNotRefundable(DomainError):
    """Nothing was paid, so nothing can be given back."""

    code = "payment_not_refundable"


class RefundExceedsPayment(DomainError):
    """More than is left of the payment can't be given back."""

    code = "refund_exceeds_payment"


class OnlyProviders(DomainError):
    """Only providers have a balance."""

    status = 403
    code = "forbidden"


class NothingToPayOut(DomainError):
    """Nothing is available in this currency."""

    code = "nothing_to_pay_out"


class InvalidSignature(Unauthenticated):
    """This webhook was not signed by the gateway, or more than five minutes ago."""

    code = "invalid_signature"


class OpenPayments(DomainError):
    """A payment or a refund is not settled yet: wait for it."""

    code = "open_payments"


class StillPending(Exception):
    """The gateway has not settled it yet: the job tries again."""

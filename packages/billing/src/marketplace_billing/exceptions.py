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
    """The card has insufficient funds."""

    status = 402
    code = "insufficient_funds"
    problem = PaymentProblem


DECLINES: dict[str, type[DomainError]] = {error.code: error for error in (CardDeclined, InsufficientFunds)}


class AlreadyPaid(DomainError):
    """This booking already has a payment."""

    code = "already_paid"


class BookingNotPayable(DomainError):
    """This booking can't be paid: it is cancelled, free or was not confirmed in time, or its provider has left."""

    code = "booking_not_payable"


class NotYourBookingToPay(DomainError):
    """Only the customer can pay for a booking."""

    status = 403
    code = "forbidden"


class NotYourRefund(DomainError):
    """Only the booking's provider or staff can issue a refund."""

    status = 403
    code = "forbidden"


class PaymentNotRefundable(DomainError):
    """Nothing was paid, so nothing can be refunded."""

    code = "payment_not_refundable"


class RefundExceedsPayment(DomainError):
    """The refund is larger than what is left of the payment."""

    code = "refund_exceeds_payment"


class OnlyProviders(DomainError):
    """Only providers have a balance."""

    status = 403
    code = "forbidden"


class NothingToPayOut(DomainError):
    """There is nothing to pay out in this currency."""

    code = "nothing_to_pay_out"


class InvalidSignature(Unauthenticated):
    """The webhook's signature is invalid, or its timestamp is more than five minutes off."""

    code = "invalid_signature"


class OpenPayments(DomainError):
    """A payment or refund has not settled yet. Try again once it has."""

    code = "open_payments"


class StillPending(Exception):
    """The gateway has not settled it yet: the job tries again."""

"""What goes in and out of billing."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from marketplace_kit.pagination import PageParams
from marketplace_kit.schemas import Amount, AmountOut, Currency, Id, In, Instant, Out, Params, Text500, Wrong
from marketplace_kit.users import UserId

from .gateways.protocol import gateway
from .lifecycle import PaymentStatus, PayoutStatus, RefundStatus

METHODS = gateway().methods
PaymentMethod = Annotated[
    str, Field(max_length=40, json_schema_extra={"enum": [*METHODS], "examples": [METHODS[0]]} if METHODS else None)
]


class CreatePayment(In):
    """How to pay for a booking."""

    booking_id: Id = Field(description="The booking to pay for, in full.")
    payment_method: PaymentMethod = Field(description="A method of the gateway; the mock's names say what they do.")

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        method = data.get("paymentMethod")
        if METHODS and isinstance(method, str) and method not in METHODS:
            yield Wrong(("paymentMethod",), "unknown_method", f"Use one of: {', '.join(METHODS)}.")


class CreateRefund(In):
    """The amount to refund, and why."""

    amount: Annotated[Amount, Field(gt=0)] | None = Field(None, description="Default: everything that is left.")
    reason: Text500 = Field("", description="Shown to the customer.", examples=["The heating failed."])


class PayOut(In):
    """The currency to pay out."""

    currency: Currency = Field(description="ISO 4217 code. The whole available balance is paid out.")


class EventAbout(In):
    """The subject of an event."""

    reference: str = Field(max_length=100, description="The payment's or the refund's id.")


class GatewayEvent(In):
    """An event from the gateway, in the form of Standard Webhooks."""

    type: Literal["payment.succeeded", "payment.failed", "refund.succeeded", "refund.failed"] = Field(
        description="What happened."
    )
    timestamp: Instant = Field(description="When it happened.", examples=["2027-01-11T09:00:00Z"])
    data: EventAbout = Field(description="What it happened to.")


class PaymentFilters(PageParams):
    """Which payments."""

    status: PaymentStatus | None = Field(None, description="Only those with this status.")
    booking_id: Id | None = Field(None, description="Only those of this booking.")
    role: Literal["customer", "provider"] | None = Field(None, description="Only those in which you have this role.")


class QuoteParams(Params):
    """The booking to quote for."""

    booking_id: Id = Field(description="The booking that might be cancelled.")


class Payment(Out):
    """One attempt to pay for a booking, and its outcome."""

    id: UUID = Field(description="The payment's id.")
    booking_id: UUID = Field(description="The booking's id.")
    customer_id: UserId = Field(description="The customer's user id.")
    provider_id: UserId = Field(description="The provider's user id.")
    amount: AmountOut = Field(description="The booking's full amount.")
    currency: str = Field(description="ISO 4217 code.")
    status: PaymentStatus = Field(description="The current status.")
    refunded_amount: AmountOut = Field(description="The amount refunded so far.")
    fee_amount: AmountOut = Field(description="The platform's fee.")
    payment_method: PaymentMethod = Field(description="The payment method.")
    failure_code: Literal["card_declined", "insufficient_funds"] | None = Field(description="Why it failed, or null.")
    created_at: datetime = Field(description="When the payment was made.")
    updated_at: datetime = Field(description="When it was last changed.")


class Refund(Out):
    """A refund of a payment, in full or in part."""

    id: UUID = Field(description="The refund's id.")
    payment_id: UUID = Field(description="The refunded payment's id.")
    amount: AmountOut = Field(description="The amount.")
    currency: str = Field(description="ISO 4217 code.")
    status: RefundStatus = Field(description="The current status.")
    reason: str | None = Field(description="The reason, or null.")
    created_at: datetime = Field(description="When it was requested.")


class RefundQuote(Out):
    """What would be refunded on cancelling now."""

    refund_amount: AmountOut = Field(description="0 if nothing was paid yet, or the booking can't be cancelled.")
    currency: str = Field(description="ISO 4217 code.")
    policy: Literal["flexible", "moderate", "strict"] = Field(description="The booking's cancellation policy.")


class Balance(Out):
    """A provider's balance in one currency."""

    currency: str = Field(description="ISO 4217 code.")
    available: AmountOut = Field(description="What can be paid out; negative if refunds exceeded the balance.")
    pending: AmountOut = Field(description="What becomes available once the bookings have ended.")


class Payout(Out):
    """A payout of a provider's available balance."""

    id: UUID = Field(description="The payout's id.")
    amount: AmountOut = Field(description="The amount.")
    currency: str = Field(description="ISO 4217 code.")
    status: PayoutStatus = Field(description="The current status.")
    created_at: datetime = Field(description="When it was made.")

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

    booking_id: Id = Field(description="What to pay for, in whole.")
    payment_method: PaymentMethod = Field(description="One of the gateway's; the mock's say what they do.")

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        method = data.get("paymentMethod")
        if METHODS and isinstance(method, str) and method not in METHODS:
            yield Wrong(("paymentMethod",), "unknown_method", f"The methods are {', '.join(METHODS)}.")


class CreateRefund(In):
    """How much to give back, and why."""

    amount: Annotated[Amount, Field(gt=0)] | None = Field(None, description="All that is left, unless told.")
    reason: Text500 = Field("", description="For the customer.", examples=["The heating failed."])


class PayOut(In):
    """What to be paid."""

    currency: Currency = Field(description="ISO 4217 code: all that is available in it.")


class EventAbout(In):
    """What an event is about."""

    reference: str = Field(max_length=100, description="The payment's or the refund's id.")


class GatewayEvent(In):
    """What the gateway tells, as Standard Webhooks has it."""

    type: Literal["payment.succeeded", "payment.failed", "refund.succeeded", "refund.failed"] = Field(
        description="What happened."
    )
    timestamp: Instant = Field(description="When.", examples=["2027-01-11T09:00:00Z"])
    data: EventAbout = Field(description="To what.")


class PaymentFilters(PageParams):
    """Which payments."""

    status: PaymentStatus | None = Field(None, description="Those of one status.")
    booking_id: Id | None = Field(None, description="Those of one booking.")
    role: Literal["customer", "provider"] | None = Field(None, description="The side that the caller is on.")


class QuoteParams(Params):
    """Of which booking."""

    booking_id: Id = Field(description="The booking that might be cancelled.")


class Payment(Out):
    """One try to be paid for a booking, and what became of it."""

    id: UUID = Field(description="The payment's id.")
    booking_id: UUID = Field(description="What was paid for.")
    customer_id: UserId = Field(description="Who paid.")
    provider_id: UserId = Field(description="Whom it is for.")
    amount: AmountOut = Field(description="The booking's whole amount.")
    currency: str = Field(description="ISO 4217 code.")
    status: PaymentStatus = Field(description="What became of it.")
    refunded_amount: AmountOut = Field(description="What was given back.")
    fee_amount: AmountOut = Field(description="What the platform charged.")
    payment_method: PaymentMethod = Field(description="How it was paid.")
    failure_code: Literal["card_declined", "insufficient_funds"] | None = Field(description="Why it failed, or null.")
    created_at: datetime = Field(description="When it was tried.")
    updated_at: datetime = Field(description="When it last changed.")


class Refund(Out):
    """Money given back of a payment."""

    id: UUID = Field(description="The refund's id.")
    payment_id: UUID = Field(description="What it is of.")
    amount: AmountOut = Field(description="How much.")
    currency: str = Field(description="ISO 4217 code.")
    status: RefundStatus = Field(description="What became of it.")
    reason: str | None = Field(description="Why, or null.")
    created_at: datetime = Field(description="When it was asked for.")


class RefundQuote(Out):
    """What cancelling now would give back."""

    refund_amount: AmountOut = Field(description="How much; 0 where nothing is paid yet, or nothing can be cancelled.")
    currency: str = Field(description="ISO 4217 code.")
    policy: Literal["flexible", "moderate", "strict"] = Field(description="The booking's cancellation policy.")


class Balance(Out):
    """What a provider has in one currency."""

    currency: str = Field(description="ISO 4217 code.")
    available: AmountOut = Field(description="What can be paid out; below zero where refunds took more than was left.")
    pending: AmountOut = Field(description="What becomes available when its bookings are over.")


class Payout(Out):
    """What was available, sent to its provider."""

    id: UUID = Field(description="The payout's id.")
    amount: AmountOut = Field(description="How much.")
    currency: str = Field(description="ISO 4217 code.")
    status: PayoutStatus = Field(description="What became of it.")
    created_at: datetime = Field(description="When.")

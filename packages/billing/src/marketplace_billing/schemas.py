"""What goes in and out of billing."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from marketplace_kit.pagination import PageParams
from marketplace_kit.schemas import Amount, AmountOut, In, Out, Text500, Wrong
from marketplace_kit.users import UserId

from .gateways.mock import OUTCOMES
from .lifecycle import PaymentStatus, RefundStatus

PaymentMethod = Annotated[str, Field(json_schema_extra={"enum": [*OUTCOMES]}, examples=["mock_success"])]


class CreatePayment(In):
    """How to pay for a booking."""

    booking_id: UUID = Field(description="What to pay for, in whole.")
    payment_method: PaymentMethod = Field(description="The mock gateway's: what it says is in its name.")

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        method = data.get("paymentMethod")
        if isinstance(method, str) and method not in OUTCOMES:
            yield Wrong(("paymentMethod",), "unknown_method", f"The methods are {', '.join(OUTCOMES)}.")


class CreateRefund(In):
    """How much to give back, and why."""

    amount: Annotated[Amount, Field(gt=0)] | None = Field(None, description="All that is left, unless told.")
    reason: Text500 = Field("", description="For the customer.", examples=["The heating failed."])


class PaymentFilters(PageParams):
    """Which payments."""

    status: PaymentStatus | None = Field(None, description="Those of one status.")
    booking_id: UUID | None = Field(None, description="Those of one booking.")
    role: Literal["customer", "provider"] | None = Field(None, description="The side that the caller is on.")


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
    payment_method: str = Field(description="How it was paid.")
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

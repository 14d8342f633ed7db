"""What goes in and out of bookings."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from marketplace_catalog.lifecycle import CancellationPolicy
from marketplace_kit.pagination import PageParams
from marketplace_kit.schemas import AmountOut, Id, In, Instant, Out, Text500, Text2000
from marketplace_kit.users import UserId

from .lifecycle import BookingStatus, Event, Party

# --- in ---


class CreateBooking(In):
    """The slot to book."""

    service_id: Id = Field(description="What to book.")
    scheduled_at: Instant = Field(description="The start of a free slot.", examples=["2027-01-11T09:00:00Z"])
    notes: Text2000 = Field("", description="For the provider.", examples=["Second floor, ring twice."])


class RescheduleBooking(In):
    """The slot to move to."""

    scheduled_at: Instant = Field(description="The start of a free slot.", examples=["2027-01-12T09:00:00Z"])


class CancelBooking(In):
    """Why, if one wants to say."""

    reason: Text500 = Field("", description="For the other side.", examples=["I am ill."])


class BookingFilters(PageParams):
    """Which bookings, and in what order."""

    role: Literal["customer", "provider"] | None = Field(None, description="The side that the caller is on.")
    status: list[BookingStatus] = Field([], description="May be given more than once.")
    service_id: Id | None = Field(None, description="Those of one service.")
    scheduled_from: Instant | None = Field(None, alias="from", description="Scheduled at this moment or later.")
    scheduled_to: Instant | None = Field(None, alias="to", description="Scheduled before this moment.")
    sort: Literal["-createdAt", "scheduledAt", "-scheduledAt"] = Field("-createdAt", description="The order.")

    @field_validator("scheduled_to")
    @classmethod
    def _span(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("scheduled_from")
        if start is not None and end is not None and end <= start:
            raise PydanticCustomError("empty_span", "`to` must lie after `from`.")
        return end


# --- out ---


class BookedService(Out):
    """The service that was booked, in short."""

    id: UUID = Field(description="Its id.")
    title: str = Field(description="What is offered.")


class Booking(Out):
    """What a customer and a provider agreed."""

    id: UUID = Field(description="The booking's id.")
    customer_id: UserId = Field(description="Who booked.")
    provider_id: UserId = Field(description="Who was booked.")
    service_id: UUID = Field(description="What was booked.")
    service: BookedService = Field(description="The same, shown.")
    status: BookingStatus = Field(description="Where in its life it is.")
    scheduled_at: datetime = Field(description="Its start.")
    ends_at: datetime = Field(description="Its end.")
    duration: int = Field(description="Minutes.")
    timezone: str = Field(description="The zone of the service's hours when it was booked.")
    total_amount: AmountOut = Field(description="The price when it was booked.")
    currency: str = Field(description="ISO 4217 code.")
    notes: str = Field(description="For the provider.")
    cancellation_policy: CancellationPolicy = Field(description="The service's policy when it was booked.")
    cancelled_by: Party | None = Field(description="Who called it off, or null.")
    cancellation_reason: str | None = Field(description="Why, or null.")
    created_at: datetime = Field(description="When it was booked.")
    updated_at: datetime = Field(description="When it last changed.")


class HistoryEntry(Out):
    """One thing that happened to a booking."""

    action: Event = Field(description="What happened.")
    from_status: BookingStatus | None = Field(description="The status before; null at the beginning.")
    to_status: BookingStatus = Field(description="The status after.")
    actor_id: UserId | None = Field(description="Who did it; null for the system.")
    reason: str | None = Field(description="Why, or null.")
    data: dict[str, Any] = Field(description="What else belongs to it.")
    created_at: datetime = Field(description="When.")

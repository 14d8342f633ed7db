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

    service_id: Id = Field(description="The service to book.")
    scheduled_at: Instant = Field(description="The start of a free slot.", examples=["2027-01-11T09:00:00Z"])
    notes: Text2000 = Field("", description="A note for the provider.", examples=["Second floor, ring twice."])


class RescheduleBooking(In):
    """The slot to move to."""

    scheduled_at: Instant = Field(description="The start of a free slot.", examples=["2027-01-12T09:00:00Z"])


class CancelBooking(In):
    """An optional reason for cancelling."""

    reason: Text500 = Field("", description="Shown to the other party.", examples=["I am ill."])


class BookingFilters(PageParams):
    """Which bookings, and in what order."""

    role: Literal["customer", "provider"] | None = Field(None, description="Only those in which you have this role.")
    status: list[BookingStatus] = Field([], description="Only those with this status; can be repeated.")
    service_id: Id | None = Field(None, description="Only those of this service.")
    scheduled_from: Instant | None = Field(None, alias="from", description="Scheduled at this moment or later.")
    scheduled_to: Instant | None = Field(None, alias="to", description="Scheduled before this moment.")
    sort: Literal["-createdAt", "scheduledAt", "-scheduledAt"] = Field("-createdAt", description="Sort order.")

    @field_validator("scheduled_to")
    @classmethod
    def _span(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("scheduled_from")
        if start is not None and end is not None and end <= start:
            raise PydanticCustomError("empty_span", "`to` must be after `from`.")
        return end


# --- out ---


class BookedService(Out):
    """A short form of the booked service."""

    id: UUID = Field(description="The service's id.")
    title: str = Field(description="The service's title.")


class Booking(Out):
    """An agreement between a customer and a provider."""

    id: UUID = Field(description="The booking's id.")
    customer_id: UserId = Field(description="The customer's user id.")
    provider_id: UserId = Field(description="The provider's user id.")
    service_id: UUID = Field(description="The booked service's id.")
    service: BookedService = Field(description="The booked service.")
    status: BookingStatus = Field(description="The current status.")
    scheduled_at: datetime = Field(description="When it starts.")
    ends_at: datetime = Field(description="When it ends.")
    duration: int = Field(description="In minutes.")
    timezone: str = Field(description="The service's time zone when it was booked.")
    total_amount: AmountOut = Field(description="The price when it was booked.")
    currency: str = Field(description="ISO 4217 code.")
    notes: str = Field(description="A note for the provider.")
    cancellation_policy: CancellationPolicy = Field(description="The service's policy when it was booked.")
    cancelled_by: Party | None = Field(description="Who cancelled it, or null.")
    cancellation_reason: str | None = Field(description="The reason, or null.")
    created_at: datetime = Field(description="When it was booked.")
    updated_at: datetime = Field(description="When it was last changed.")


class HistoryEntry(Out):
    """One thing that happened to a booking."""

    action: Event = Field(description="What happened.")
    from_status: BookingStatus | None = Field(description="The status before; null at the beginning.")
    to_status: BookingStatus = Field(description="The status after.")
    actor_id: UserId | None = Field(description="The user who did it; null for the system.")
    reason: str | None = Field(description="The reason, or null.")
    data: dict[str, Any] = Field(description="Further details.")
    created_at: datetime = Field(description="When it happened.")

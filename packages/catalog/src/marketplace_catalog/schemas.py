"""What goes in and out of the catalog."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasPath, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from marketplace_kit.money import MAX_AMOUNT
from marketplace_kit.pagination import PageParams
from marketplace_kit.schemas import (
    NUMBER,
    Amount,
    AmountOut,
    Bool,
    Currency,
    Id,
    In,
    Instant,
    Int,
    Line200,
    Out,
    Params,
    Text10000,
    Wrong,
    clean_line,
    decimals_rule,
    partial,
    rfc3339,
)
from marketplace_kit.users import UserId
from marketplace_scheduling.exceptions import InvalidWindows
from marketplace_scheduling.models import RANGES, Schedule, ScheduleException

from .lifecycle import LONGEST_SPAN, MAX_FILES, CancellationPolicy

# --- what a schedule is made of ---


def _known_zone(name: str) -> str:
    if not Schedule.knows_timezone(name):
        raise PydanticCustomError("unknown_timezone", "Input should be an IANA time zone, such as Europe/Berlin")
    return name


def _minutes(field: str, **more: Any) -> Any:
    low, high = RANGES[field]
    return Field(ge=low, le=high, **more)


Zone = Annotated[str, AfterValidator(_known_zone), Field(max_length=64, examples=["Europe/Berlin"])]
# What hours look like. Beyond that `windows_rule` knows what is wrong with them, and says where.
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TIME = {"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"}
HOURS = {"type": "array", "items": TIME, "maxItems": 24}
WEEKLY = {"type": "object", "propertyNames": {"enum": [*WEEK]}, "additionalProperties": HOURS}
Hours = Annotated[list[str], WithJsonSchema(HOURS)]
WeeklyHours = Annotated[dict[str, list[str]], WithJsonSchema(WEEKLY)]
Windows = Annotated[
    WeeklyHours,
    Field(
        description="By weekday in lower case, an ascending list of local times in pairs: opens, closes, opens …",
        examples=[{"monday": ["09:00", "17:00"], "tuesday": ["09:00", "12:00", "13:00", "24:00"]}],
    ),
]


def windows_rule(data: dict[str, Any]) -> Iterator[Wrong]:
    """Each place in `availability` that makes no sense."""
    given = data.get("availability")
    if not isinstance(given, dict) or not all(isinstance(times, list) for times in given.values()):
        return
    yield from _faults(("availability",), Schedule.check_windows, given)


def _faults(place: tuple[str, ...], check: Callable[[Any], None], given: Any) -> Iterator[Wrong]:
    try:
        check(given)
    except InvalidWindows as error:
        for fault in error.faults:
            yield Wrong((*place, *fault.place), "invalid_windows", fault.sentence)


# --- in ---


class CreateService(In):
    """A new service."""

    title: Line200 = Field(description="What the service is called.", examples=["Deep cleaning"])
    description: Text10000 = Field(description="What the customer gets.", examples=["Every room, windows included."])
    category: str = Field(max_length=60, description="The category's slug.", examples=["home_services"])
    price: Amount = Field(description="Per booking; 0 is free.")
    currency: Currency
    duration: Int = _minutes("duration", description="Minutes.", examples=[60])
    timezone: Zone = Field(description="IANA time zone of `availability`.")
    availability: Windows
    buffer_before: Int = _minutes("buffer_before", default=0, description="Minutes kept free before a booking.")
    buffer_after: Int = _minutes("buffer_after", default=0, description="Minutes kept free after a booking.")
    slot_interval: Int = _minutes("slot_interval", default=30, description="Minutes between possible start times.")
    minimum_notice: Int = _minutes("minimum_notice", default=0, description="Minutes ahead that one must book.")
    booking_window: Int = _minutes("booking_window", default=60, description="Days ahead that one can book.")
    cancellation_policy: CancellationPolicy = Field(
        CancellationPolicy.FLEXIBLE, description="What a customer who cancels is refunded."
    )
    auto_confirm: Bool = Field(False, description="Whether bookings are confirmed automatically.")
    is_active: Bool = Field(True, description="Whether customers can find and book it.")

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        yield from decimals_rule(data, "price", "currency")
        yield from windows_rule(data)

    def fields(self) -> dict[str, Any]:
        """All values, the defaults too, by their Python names."""
        return {name: getattr(self, name) for name in type(self).model_fields}


@partial
class ChangeService(CreateService):
    """Changes to a service. Omitted fields stay unchanged."""


# Lookups that a service must meet, and the parameters that say so.
BOUNDS = {
    "currency": "currency",
    "price__gte": "min_price",
    "price__lte": "max_price",
    "provider": "provider_id",
    "rating_average__gte": "min_rating",
}


class ServiceFilters(PageParams):
    """Which services, and in what order."""

    q: Annotated[str, AfterValidator(clean_line)] | None = Field(
        None,
        max_length=200,
        description='Words in any order, `"exact phrases"`, and `-excluded` words. If nothing matches, small typing'
        " errors are tolerated.",
        examples=["cleaning windows"],
    )
    category: str | None = Field(None, max_length=60, description="A category's slug; subcategories are included.")
    min_price: Decimal | None = Field(None, ge=0, le=MAX_AMOUNT, max_digits=20, description="The lowest price.")
    max_price: Decimal | None = Field(None, ge=0, le=MAX_AMOUNT, max_digits=20, description="The highest price.")
    currency: Currency | None = None
    provider_id: UserId | None = Field(None, description="Only those of this provider.")
    min_rating: Decimal | None = Field(None, ge=0, le=5, max_digits=20, description="The lowest average rating.")
    available_from: Instant | None = Field(None, description="With a free slot from then on. Requires `availableTo`.")
    available_to: Instant | None = Field(None, description="With a free slot before then; at most 31 days later.")
    sort: Literal["relevance", "newest", "price", "-price", "-rating"] | None = Field(
        None,
        description="`-price`: most expensive first; `-rating`: best first. Default: `relevance` with `q`, otherwise"
        " `newest`. `relevance` ranks the newest 10,000 matches.",
    )

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        for name, other in (("availableFrom", "availableTo"), ("availableTo", "availableFrom")):
            if name not in data and other in data:
                yield Wrong((name,), "missing", f"This is required together with `{other}`.")

    @field_validator("available_to")
    @classmethod
    def _span(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("available_from")
        if start is not None and end is not None:
            if end <= start:
                raise PydanticCustomError("empty_span", "`availableTo` must be after `availableFrom`.")
            if end - start > LONGEST_SPAN:
                raise PydanticCustomError("span_too_long", "The span can be at most 31 days.")
        return end

    @property
    def bounds(self) -> dict[str, Any]:
        """What a service must meet, as lookups."""
        return {lookup: value for lookup, name in BOUNDS.items() if (value := getattr(self, name)) is not None}

    @property
    def free(self) -> tuple[datetime, datetime] | None:
        """The span in which a slot must be free."""
        return (self.available_from, self.available_to) if self.available_from and self.available_to else None


class SlotSpan(Params):
    """A half-open span of starts, at most 31 days."""

    start: Instant = Field(alias="from", description="The earliest start.")
    end: Instant = Field(alias="to", description="The end of the span, exclusive.")


def _written_as_date(value: Any) -> Any:
    # pydantic would also take seconds since 1970, and a date-time at midnight.
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise PydanticCustomError("date_format", "Input should be a date, such as 2026-12-31")
    return value


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[dt.date, BeforeValidator(_written_as_date)]


_WALL_CLOCK = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"
InstantOrWallClock = Annotated[
    datetime,
    BeforeValidator(rfc3339),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": _WALL_CLOCK}]}),
]


class AskedStart(Params):
    """The start to explain."""

    start: InstantOrWallClock = Field(
        description="A date-time. Without an offset, local time in the service's time zone."
    )


class SetException(In):
    """The hours of one date."""

    windows: Hours = Field(
        description="An ascending list of local times in pairs: opens, closes, opens …; empty: closed.",
        examples=[["10:00", "14:00"]],
    )

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        if isinstance(given := data.get("windows"), list):
            yield from _faults(("windows",), ScheduleException.check_windows, given)


class OrderImages(In):
    """A new order for the images of a service."""

    ids: list[Id] = Field(max_length=MAX_FILES, description="Each image of the service, once.")


# --- out ---


def in_week_order(windows: dict[str, list[str]]) -> dict[str, list[str]]:
    """From Monday on: PostgreSQL keeps the keys of jsonb in an order of its own."""
    return {day: windows[day] for day in WEEK if day in windows}


class Category(Out):
    """A node of the category tree."""

    slug: str = Field(description="Its name in URLs and filters.")
    name: str = Field(description="Its display name.")
    parent: str | None = Field(validation_alias="parent_slug", description="The parent category's slug, or null.")


class Provider(Out):
    """A service's provider."""

    id: UserId = Field(description="The provider's user id.")
    first_name: str = Field(description="Given name.")
    last_name: str = Field(description="Family name.")
    avatar_url: str | None = Field(description="URL of the picture, or null.")


class Rating(Out):
    """A service's average rating."""

    average: Annotated[Decimal, NUMBER] | None = Field(description="1 to 5; null if there are no reviews.")
    count: int = Field(description="Number of reviews.")


class Service(Out):
    """Something that a provider offers."""

    id: UUID = Field(description="The service's id.")
    provider_id: UserId = Field(description="The provider's user id.")
    provider: Provider = Field(validation_alias="provider_card", description="The provider.")
    title: str = Field(description="What the service is called.")
    description: str = Field(description="What the customer gets, as plain text.")
    category: str = Field(validation_alias=AliasPath("category", "slug"), description="The category's slug.")
    price: AmountOut = Field(description="Per booking.")
    currency: str = Field(description="ISO 4217 code.")
    duration: int = Field(validation_alias=AliasPath("schedule", "duration"), description="In minutes.")
    timezone: str = Field(validation_alias=AliasPath("schedule", "timezone"), description="IANA zone of the hours.")
    availability: Annotated[WeeklyHours, BeforeValidator(in_week_order)] = Field(
        validation_alias=AliasPath("schedule", "windows"), description="Weekly hours: local times by weekday."
    )
    buffer_before: int = Field(validation_alias=AliasPath("schedule", "buffer_before"), description="In minutes.")
    buffer_after: int = Field(validation_alias=AliasPath("schedule", "buffer_after"), description="In minutes.")
    slot_interval: int = Field(validation_alias=AliasPath("schedule", "slot_interval"), description="In minutes.")
    minimum_notice: int = Field(validation_alias=AliasPath("schedule", "minimum_notice"), description="In minutes.")
    booking_window: int = Field(validation_alias=AliasPath("schedule", "booking_window"), description="In days.")
    cancellation_policy: CancellationPolicy = Field(description="What a customer who cancels is refunded.")
    auto_confirm: bool = Field(description="Whether bookings are confirmed automatically.")
    images: list[str] = Field(validation_alias="image_urls", description="URLs of its images, in order.")
    rating: Rating = Field(description="The average rating.")
    is_active: bool = Field(description="Whether customers can find and book it.")
    created_at: datetime = Field(description="When it was created.")
    updated_at: datetime = Field(description="When it was last changed.")


class Slot(Out):
    """A time that can be booked."""

    start: datetime = Field(description="When it starts.")
    end: datetime = Field(description="When it ends.")


class Slots(Out):
    """The bookable slots of a time span."""

    timezone: str = Field(description="The service's time zone.")
    items: list[Slot] = Field(description="In order of time.")


class Reason(StrEnum):
    """Why a start can't be booked."""

    OUTSIDE_HOURS = "outside_hours"
    CLOSED_BY_EXCEPTION = "closed_by_exception"
    IN_GAP = "in_gap"
    OFF_INTERVAL = "off_interval"
    RESERVED = "reserved"
    BUFFER = "buffer"
    TOO_SOON = "too_soon"
    TOO_FAR = "too_far"
    INACTIVE = "inactive"


class Explanation(Out):
    """Whether a start can be booked now."""

    bookable: bool = Field(description="Whether it can be booked.")
    reasons: list[Reason] = Field(description="Why it can't; empty if it can.")


class AvailabilityException(Out):
    """The hours of one date, in place of the weekly ones."""

    date: dt.date = Field(description="A local date in the service's time zone.")
    windows: Hours = Field(description="Local times: opens, closes, opens …; empty: closed.")

"""Services as anybody is shown them, from the rows straight to the answer: nothing is read more often.

`schemas.Service` declares what a service is for those who read, and answers with it wherever else one is shown. The
same is made here without a model and a schema between, in a tenth of the time; a test holds that the bytes are equal.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast

from marketplace_kit.compiled import Compiled
from marketplace_media.models import url_of

from .conf import conf
from .models import Service, ServiceFile
from .schemas import in_week_order


class Row(NamedTuple):
    """The columns of what is shown."""

    id: UUID
    provider_id: Any
    first_name: str
    last_name: str
    avatar_key: str | None
    title: str
    description: str
    category_slug: str
    price: Any
    currency: str
    duration: int
    timezone: str
    windows: str
    buffer_before: int
    buffer_after: int
    slot_interval: int
    minimum_notice: int
    booking_window: int
    cancellation_policy: str
    auto_confirm: bool
    image_keys: list[str]
    rating_average: Any
    rating_count: int
    is_active: bool
    created_at: Any
    updated_at: Any


SCHEDULE = (
    *("duration", "timezone", "buffer_before", "buffer_after"),
    *("slot_interval", "minimum_notice", "booking_window"),
)


type ProviderFields = tuple[tuple[str, str], ...]


def _rows(fields: ProviderFields, values: Mapping[str, Any]) -> QuerySet[Any, Any]:
    """The columns of a Row, of the listed services among these keys, with their images in one query."""
    images = ServiceFile.objects.filter(service=OuterRef("pk"), file__kind="image").order_by("position", "id")
    nothing = {"avatar_key": Value(None, TextField())}  # a project need not have pictures
    provider = {name: F(path) for name, path in fields}
    schedule = {name: F(f"schedule__{name}") for name in SCHEDULE}
    hours = {"windows": Cast("schedule__windows", TextField())}
    rows = Service.objects.listed().filter(pk__any_of=values["keys"])
    told = rows.annotate(
        **{**nothing, **provider, **schedule, **hours},
        category_slug=F("category__slug"),
        image_keys=ArraySubquery(images.values("file__key")),
    )
    return told.values_list(*Row._fields)


ROWS = Compiled(_rows, prepared=True)


def listed(keys: Sequence[UUID]) -> list[dict[str, Any]]:
    """The services of these keys, in their order, as anybody is shown them; without those that nobody may find."""
    if not keys:
        return []
    found = ROWS.rows(tuple(conf.PROVIDER_FIELDS.items()), {"keys": keys})
    rows = {row[0]: Row._make(row) for row in found}
    return [_service(rows[key]) for key in keys if key in rows]


def _service(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "providerId": row.provider_id,
        "provider": {
            "id": row.provider_id,
            "firstName": row.first_name,
            "lastName": row.last_name,
            "avatarUrl": url_of(row.avatar_key) if row.avatar_key else None,
        },
        "title": row.title,
        "description": row.description,
        "category": row.category_slug,
        "price": row.price,
        "currency": row.currency,
        "duration": row.duration,
        "timezone": row.timezone,
        "availability": _hours(row.windows),
        "bufferBefore": row.buffer_before,
        "bufferAfter": row.buffer_after,
        "slotInterval": row.slot_interval,
        "minimumNotice": row.minimum_notice,
        "bookingWindow": row.booking_window,
        "cancellationPolicy": row.cancellation_policy,
        "autoConfirm": row.auto_confirm,
        "images": [url_of(key) for key in row.image_keys],
        "rating": {"average": row.rating_average if row.rating_count else None, "count": row.rating_count},
        "isActive": row.is_active,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


@lru_cache(maxsize=1024)  # many are open at the same hours, and reading JSON takes longer than all the rest of a row
def _hours(windows: str) -> dict[str, list[str]]:
    return in_week_order(json.loads(windows))

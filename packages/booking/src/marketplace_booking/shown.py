"""Bookings as those are shown them who are in them, from the rows straight to the answer.

`schemas.Booking` declares what a booking is for those who read, and answers with it wherever one is changed. What is
only read is made without a model and a schema between; a test holds that the bytes are equal.
"""

from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from marketplace_kit.columns import Columns
from marketplace_kit.compiled import Compiled, Row, Values
from marketplace_kit.exceptions import NotFound
from marketplace_kit.pagination import Keyset, Pages
from marketplace_kit.users import is_staff

from . import schemas
from .lifecycle import Party
from .models import Booking

ORDERS = {
    "-createdAt": Keyset("-created_at", "-id"),
    "scheduledAt": Keyset("scheduled_at", "id"),
    "-scheduledAt": Keyset("-scheduled_at", "-id"),
}
BOOKING = Columns(schemas.Booking)
# Nobody is on both of one booking: a constraint.
SIDES = (Party.CUSTOMER, Party.PROVIDER)


def _rows(side: Party, values: Values) -> QuerySet[Booking]:
    """A user's bookings on one side, filtered."""
    filters = (values.get(name) for name in ("statuses", "service", "start", "end"))
    return Booking.objects.of(values["user"], side).matching(*filters)


def _row(to_staff: bool, values: Values) -> QuerySet[Any, Row]:
    """A booking, if the user may see it."""
    rows = Booking.objects.visible(values["user"], to_staff=to_staff).filter(pk=values["booking"])
    return rows.values_list(*BOOKING.names)


PAGES = Pages(Booking, _rows, BOOKING.names)
ONE = Compiled(_row, prepared=True)


def page_of(user_id: Any, params: schemas.BookingFilters) -> dict[str, Any]:
    """The page of the user's bookings that `params` ask for. InvalidField at `query/cursor`."""
    values = {
        "user": user_id,
        "statuses": [*map(str, params.status)] or None,
        "service": params.service_id,
        "start": params.scheduled_from,
        "end": params.scheduled_to,
    }
    sides = [Party(params.role)] if params.role else SIDES
    return BOOKING.paged(PAGES.merged(sides, values, params, ORDERS[params.sort]))


def one(user: AbstractBaseUser, booking_id: UUID) -> dict[str, Any]:
    """The booking if the user may see it. NotFound."""
    for row in ONE.rows(is_staff(user), {"user": user.pk, "booking": booking_id}):
        return BOOKING.filled(row)
    raise NotFound

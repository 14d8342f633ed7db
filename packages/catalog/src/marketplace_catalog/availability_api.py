"""`/services/{id}/slots` and `/services/{id}/availability`: when a service can be had, and why not."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_kit.exceptions import InvalidField, NotFound
from marketplace_kit.pagination import Whole
from marketplace_kit.renderer import answered, in_utc
from marketplace_kit.routing import Router, refuses
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of
from marketplace_scheduling.exceptions import TooManyExceptions

from . import actions, schemas
from .exceptions import NotYourService
from .lifecycle import LONGEST_SPAN
from .scope import scheduled, visible

router = Router(tags=["Availability"])


@router.get("/{service_id}/slots", auth=None, response=schemas.Slots)
def list_slots(request: HttpRequest, service_id: Id, span: Query[schemas.SlotSpan]) -> HttpResponse:
    """List every slot in a time span that can be booked now, in order of time."""
    if span.start >= span.end:
        raise InvalidField("query/to", "empty_span", "`to` must be after `from`.")
    if span.end - span.start > LONGEST_SPAN:
        raise InvalidField("query/to", "span_too_long", "The span can be at most 31 days.")
    service = scheduled(request, service_id)
    length = timedelta(minutes=service.schedule.duration)
    starts = (start.replace(tzinfo=None) for start in service.free_starts(span.start, span.end))
    # Hundreds of them: what comes out of the engine is what the schema says.
    items = in_utc([{"start": start, "end": start + length} for start in starts])
    return answered({"timezone": service.schedule.timezone, "items": items})


@router.get("/{service_id}/slots/explain", auth=None, response=schemas.Explanation)
def explain_slot(request: HttpRequest, service_id: Id, asked: Query[schemas.AskedStart]) -> dict[str, Any]:
    """Explain whether a start can be booked now and, if not, every reason why. Applies the rules of the slot list."""
    reasons = scheduled(request, service_id).explain(asked.start)
    return {"bookable": not reasons, "reasons": reasons}


@router.get("/{service_id}/availability/exceptions", auth=None, response=Whole[schemas.AvailabilityException])
def list_availability_exceptions(request: HttpRequest, service_id: Id) -> dict[str, Any]:
    """List the dates whose hours differ from the weekly ones, in order."""
    return {"items": scheduled(request, service_id).schedule.exceptions.all()}


@router.put("/{service_id}/availability/exceptions/{date}", response=schemas.AvailabilityException)
@refuses(NotYourService, TooManyExceptions)
def set_availability_exception(
    request: HttpRequest, service_id: Id, date: schemas.Day, body: schemas.SetException
) -> Any:
    """Set the hours of one local date; an empty list closes it. Existing bookings are not affected."""
    return actions.set_exception(user_of(request), visible(request, service_id), date, body.windows)


@router.delete("/{service_id}/availability/exceptions/{date}", response={204: None})
@refuses(NotYourService)
def clear_availability_exception(request: HttpRequest, service_id: Id, date: schemas.Day) -> Status[None]:
    """Remove a date's exception, so that its weekly hours apply again."""
    if not actions.clear_exception(user_of(request), visible(request, service_id), date):
        raise NotFound
    return Status(204, None)

"""What is booked: a service and its schedule, as far as an agreement takes them down.

Read twice for each booking, so by compiled queries; what else a service has is read when somebody asks for it.
"""

from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from marketplace_catalog.models import Service, ViewerKind, viewer_kind
from marketplace_kit.compiled import Compiled, Instances, Values
from marketplace_kit.exceptions import NotFound
from marketplace_scheduling.models import Schedule

AGREED = ("provider", "title", "price", "currency", "schedule", "cancellation_policy", "auto_confirm", "is_active")
SERVICES, SCHEDULES = Instances(Service, only=AGREED), Instances(Schedule)


def _visible(viewer: ViewerKind, values: Values) -> QuerySet[Any, Any]:
    rows = Service.objects.readable(viewer, values["user"])
    return rows.filter(pk=values["key"]).values_list(*SERVICES.columns)


def _bookable(how: None, values: Values) -> QuerySet[Any, Any]:
    schedule = (f"schedule__{name}" for name in SCHEDULES.columns)
    return Service.objects.listed().filter(pk=values["key"]).values_list(*SERVICES.columns, *schedule)


VISIBLE = Compiled(_visible, prepared=True)
BOOKABLE = Compiled(_bookable, prepared=True)


def visible(user: AbstractBaseUser, service_id: UUID) -> Service:
    """The service if the user may see it. NotFound."""
    for row in VISIBLE.rows(viewer_kind(user), {"user": user.pk, "key": service_id}):
        return SERVICES.made(row)
    raise NotFound("There is no such service.")


def bookable(service_id: UUID) -> Service:
    """The service, with its schedule, as it is offered to anybody now. NotFound."""
    for row in BOOKABLE.rows(None, {"key": service_id}):
        width = len(SERVICES.columns)
        service = SERVICES.made(row[:width])
        service.schedule = SCHEDULES.made(row[width:])
        return service
    raise NotFound

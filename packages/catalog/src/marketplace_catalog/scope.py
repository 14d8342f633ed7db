"""Which service a request is about."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace_kit.compiled import Compiled, Instances, Values
from marketplace_kit.exceptions import NotFound
from marketplace_kit.users import viewer_of
from marketplace_scheduling.models import Schedule

from .models import Service, ViewerKind, viewer_kind

SERVICES, SCHEDULES = Instances(Service, only=("provider", "schedule", "is_active", "deleted_at")), Instances(Schedule)


def scheduled(request: HttpRequest, service_id: UUID) -> Service:
    """The service if the caller may see it, with its schedule and no more. NotFound."""
    viewer = viewer_of(request)
    values = {"service": service_id} if viewer is None else {"service": service_id, "viewer": viewer.pk}
    for row in ROWS.rows(viewer_kind(viewer), values):
        width = len(SERVICES.columns)
        service = SERVICES.made(row[:width])
        service.schedule = SCHEDULES.made(row[width:])
        return service
    raise NotFound


def _rows(kind: ViewerKind, values: Values) -> QuerySet[Service, Any]:
    rows = Service.objects.readable(kind, values.get("viewer")).filter(pk=values["service"])
    return rows.values_list(*SERVICES.columns, *(f"schedule__{name}" for name in SCHEDULES.columns))


ROWS = Compiled(_rows, prepared=True)


def visible(request: HttpRequest, service_id: UUID) -> Service:
    """The service if the caller may see it, with all that it shows. NotFound."""
    service = Service.objects.visible_to(viewer_of(request)).with_details().filter(pk=service_id).first()
    if service is None:
        raise NotFound
    return service

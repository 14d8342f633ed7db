"""Which service a request is about."""

from uuid import UUID

from django.http import HttpRequest

from marketplace_kit.exceptions import NotFound
from marketplace_kit.users import viewer_of

from .models import Service


def scheduled(request: HttpRequest, service_id: UUID) -> Service:
    """The service if the caller may see it, with its schedule and no more. NotFound."""
    rows = Service.objects.visible_to(viewer_of(request)).select_related("schedule")
    service = rows.filter(pk=service_id).order_by().first()
    if service is None:
        raise NotFound
    return service


def visible(request: HttpRequest, service_id: UUID) -> Service:
    """The service if the caller may see it, with all that it shows. NotFound."""
    service = Service.objects.visible_to(viewer_of(request)).with_details().filter(pk=service_id).first()
    if service is None:
        raise NotFound
    return service

"""Which service a request is about."""

from uuid import UUID

from django.http import HttpRequest

from marketplace_kit.exceptions import NotFound
from marketplace_kit.users import viewer_of

from .models import Service


def visible(request: HttpRequest, service_id: UUID) -> Service:
    """The service if the caller may see it, with all that it shows. NotFound."""
    service = Service.objects.visible_to(viewer_of(request)).with_details().filter(pk=service_id).first()
    if service is None:
        raise NotFound
    return service

"""`/services`: parse, fetch in scope, call an action, return the row."""

from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_kit.conditional import conditional, conditional_change
from marketplace_kit.pagination import Page, Whole
from marketplace_kit.public_cache import cached_publicly
from marketplace_kit.renderer import answered
from marketplace_kit.routing import Router, refuses, tells_location
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of

from . import actions, listing, schemas, shown
from .availability_api import router as availability
from .exceptions import NotYourService, ProviderRequired
from .files_api import router as files
from .lifecycle import TOPIC
from .models import Category, Service
from .scope import visible

router = Router(tags=["Services"])
router.add_router("", availability)
router.add_router("", files)


def shows_time(request: HttpRequest) -> bool:
    """Whether the answer tells of free time, which changes with every booking."""
    return "availableFrom" in request.GET


@router.get("", auth=None, response=Page[schemas.Service])
@conditional
@cached_publicly(TOPIC, unless=shows_time)
def list_services(request: HttpRequest, params: Query[schemas.ServiceFilters]) -> HttpResponse:
    """Search the active services. Newest first; with `q`, best matches first.

    With `availableFrom` and `availableTo`, a page examines at most 500 services. It may hold fewer than `limit`, even
    none, and still have a `nextCursor`.
    """
    page = listing.page_of(params)
    return answered({"items": shown.listed(page.items), "nextCursor": page.next_cursor})


@router.post("", response={201: schemas.Service})
@tells_location
@refuses(ProviderRequired)
def create_service(request: HttpRequest, response: HttpResponse, body: schemas.CreateService) -> Status[Service]:
    """Offer a service. For providers."""
    created = actions.create_service(user_of(request), body.fields())
    response["Location"] = f"{request.path}/{created.pk}"
    return Status(201, visible(request, created.pk))


@router.get("/categories", auth=None, response=Whole[schemas.Category])
@conditional
def list_categories(request: HttpRequest) -> dict[str, Any]:
    """List the category tree, parents before their children."""
    return {"items": Category.objects.annotate(parent_slug=F("parent__slug")).tree()}


@router.get("/{service_id}", auth=None, response=schemas.Service)
@conditional
@cached_publicly(TOPIC)
def get_service(request: HttpRequest, service_id: Id) -> Service | HttpResponse:
    """Get a service. Inactive services are visible only to their provider and staff."""
    for found in shown.listed([service_id]):
        return answered(found)
    return visible(request, service_id)


@router.patch("/{service_id}", response=schemas.Service)
@conditional_change(visible)
@refuses(NotYourService)
def change_service(request: HttpRequest, service_id: Id, body: schemas.ChangeService) -> Service:
    """Update one of your services. Existing bookings keep their terms."""
    actions.change_service(user_of(request), visible(request, service_id), body.given())
    return visible(request, service_id)


@router.delete("/{service_id}", response={204: None})
@conditional_change(visible, schemas.Service)
@refuses(NotYourService)
def delete_service(request: HttpRequest, service_id: Id) -> Status[None]:
    """Remove one of your services from the catalog. Existing bookings are kept as they are."""
    actions.delete_service(user_of(request), visible(request, service_id))
    return Status(204, None)

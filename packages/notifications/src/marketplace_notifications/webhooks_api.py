"""`/notifications/webhooks`: the caller's endpoints, and what became of what they were sent."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_kit.conditional import conditional, conditional_change
from marketplace_kit.exceptions import NotFound
from marketplace_kit.pagination import Page, PageParams, Slice, paginate
from marketplace_kit.routing import Router, refuses, tells_location
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of

from . import schemas, webhooks
from .exceptions import TooManyWebhooks, WebhookInactive
from .models import WebhookDelivery, WebhookEndpoint

router = Router(tags=["Webhooks"])


def mine(request: HttpRequest, webhook_id: UUID) -> WebhookEndpoint:
    """The caller's endpoint. NotFound."""
    found = WebhookEndpoint.objects.of(user_of(request).pk).filter(pk=webhook_id).first()
    if found is None:
        raise NotFound
    return found


@router.get("", response=Page[schemas.Webhook])
def list_webhooks(request: HttpRequest, params: Query[PageParams]) -> Slice[WebhookEndpoint]:
    """List your webhooks, newest first."""
    return paginate(WebhookEndpoint.objects.of(user_of(request).pk), params, "-created_at", "-id")


@router.post("", response={201: schemas.WebhookWithSecret})
@tells_location
@refuses(TooManyWebhooks)
def create_webhook(
    request: HttpRequest, response: HttpResponse, body: schemas.CreateWebhook
) -> Status[WebhookEndpoint]:
    """Have your notifications sent to a URL of your own too, according to Standard Webhooks.

    Each is a POST of `{type, timestamp, data}`, where `data` is the Notification. It is signed with the `secret`, which
    is shown only once, here.

    Answer 2xx within 15 s. Anything else, a redirect too, is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and
    10 h, or later if `Retry-After` asks for it, always under the same `webhook-id`: count each once. It may come twice,
    and in another order. 410 switches the endpoint off, and so do five days without a success.
    """
    created = webhooks.create_webhook(user_of(request).pk, body.url, body.types)
    response["Location"] = f"{request.path}/{created.pk}"
    return Status(201, created)


@router.get("/{webhook_id}", response=schemas.Webhook)
@conditional
@refuses(NotFound)
def get_webhook(request: HttpRequest, webhook_id: Id) -> WebhookEndpoint:
    """Get one of your webhooks."""
    return mine(request, webhook_id)


@router.patch("/{webhook_id}", response=schemas.Webhook)
@conditional_change(get_webhook)
@refuses(NotFound)
def change_webhook(request: HttpRequest, webhook_id: Id, body: schemas.ChangeWebhook) -> WebhookEndpoint:
    """Change a webhook's URL or types, pause it or switch it on again.

    While it is inactive, new notifications are not sent to it, and waiting deliveries are given up when they come due.
    """
    webhooks.change_webhook(mine(request, webhook_id), body.given())
    return mine(request, webhook_id)


@router.delete("/{webhook_id}", response={204: None})
@conditional_change(get_webhook, schemas.Webhook)
@refuses(NotFound)
def delete_webhook(request: HttpRequest, webhook_id: Id) -> Status[None]:
    """Delete a webhook and its delivery log."""
    webhooks.delete_webhook(mine(request, webhook_id))
    return Status(204, None)


@router.post("/{webhook_id}/rotate-secret", response=schemas.WebhookWithSecret)
@refuses(NotFound)
def rotate_webhook_secret(request: HttpRequest, webhook_id: Id) -> WebhookEndpoint:
    """Get a new `secret`.

    For 24 hours, requests are signed with the previous secret as well: `webhook-signature` then holds several
    signatures, separated by spaces.
    """
    return webhooks.rotate_webhook_secret(mine(request, webhook_id))


@router.get("/{webhook_id}/deliveries", response=Page[schemas.WebhookDelivery])
@refuses(NotFound)
def list_webhook_deliveries(
    request: HttpRequest, webhook_id: Id, params: Query[schemas.DeliveryFilters]
) -> Slice[WebhookDelivery]:
    """List a webhook's deliveries of the last 30 days, newest first."""
    rows = mine(request, webhook_id).deliveries.shown()
    if params.status is not None:
        rows = rows.filter(status=params.status)
    return paginate(rows, params, "-created_at", "-id")


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", response={202: schemas.WebhookDelivery})
@refuses(NotFound, WebhookInactive)
def retry_webhook_delivery(request: HttpRequest, webhook_id: Id, delivery_id: Id) -> Status[WebhookDelivery]:
    """Send a delivery again now, with the same `webhook-id`, whatever its status."""
    delivery = mine(request, webhook_id).deliveries.shown().filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    return Status(202, webhooks.retry_webhook_delivery(delivery))

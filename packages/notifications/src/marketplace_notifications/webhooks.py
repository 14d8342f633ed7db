"""The verbs of webhooks, as far as their owner does them; how they are sent is in deliveries.py."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace_kit import audit
from marketplace_kit.clock import now
from marketplace_kit.jobs import Deferred, defer_all
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import lock_user
from marketplace_kit.webhooks import new_secret

from .conf import conf
from .exceptions import TooManyWebhooks, WebhookInactive
from .lifecycle import DeliveryStatus
from .models import Notification, WebhookDelivery, WebhookEndpoint, WebhookSecret

MOST_SECRETS = 5  # that sign at once: rotating more often than that in a day ends the oldest


@action
def create_webhook(user_id: Any, url: str, types: Sequence[str] | None) -> WebhookEndpoint:
    """Tell the user at this URL too, of these types; None: of all. Its `secret` is set.

    TooManyWebhooks; Unauthenticated where the user has just been erased or deactivated.
    """
    lock_user(user_id)
    if WebhookEndpoint.objects.of(user_id).count() >= conf.WEBHOOK_ENDPOINTS:
        raise TooManyWebhooks
    endpoint = WebhookEndpoint.objects.create(user_id=user_id, url=url, types=None if types is None else list(types))
    _give_secret(endpoint)
    _record("webhook_created", endpoint)
    return endpoint


@action
def change_webhook(endpoint: WebhookEndpoint, changes: dict[str, Any]) -> None:
    """Change its url, types or is_active. Switched on again, or at another URL, it starts with a clean record."""
    endpoint = lock_row(WebhookEndpoint.objects.all(), endpoint.pk)
    switched_on = changes.get("is_active", False) and not endpoint.is_active
    moved = changes.get("url", endpoint.url) != endpoint.url
    for name, value in changes.items():
        setattr(endpoint, name, value)
    if endpoint.is_active:
        endpoint.disabled_reason = None
    if switched_on or moved:
        endpoint.failing_since = None
    endpoint.updated_at = now()
    endpoint.save()


@action
def delete_webhook(endpoint: WebhookEndpoint) -> None:
    """Delete it, and the log of its deliveries. An attempt that is under way may come to its end."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).erase()
    _record("webhook_deleted", endpoint)


@action
def rotate_webhook_secret(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Give it a new secret: its `secret` is set. The one before signs along for a day."""
    endpoint = lock_row(WebhookEndpoint.objects.all(), endpoint.pk)
    ends_at = now() + timedelta(hours=conf.WEBHOOK_SECRET_HOURS)
    endpoint.secrets.filter(ends_at=None).update(ends_at=ends_at)
    _give_secret(endpoint)
    kept = endpoint.secrets.signing()[:MOST_SECRETS]
    endpoint.secrets.exclude(pk__in=kept.values("pk")).delete()
    endpoint.updated_at = now()
    endpoint.save(update_fields=["updated_at"])
    _record("webhook_secret_rotated", endpoint)
    return endpoint


def _give_secret(endpoint: WebhookEndpoint) -> None:
    endpoint.secret = new_secret()
    WebhookSecret.objects.create(endpoint=endpoint, secret=endpoint.secret)


def _record(what: str, endpoint: WebhookEndpoint) -> None:
    audit.record(what, user_id=str(endpoint.user_id), webhook_id=str(endpoint.pk))


@action
def retry_webhook_delivery(delivery: WebhookDelivery) -> WebhookDelivery:
    """Have it sent again now, under the same id, whatever became of it. Raises WebhookInactive.

    An attempt that is under way is that attempt.
    """
    endpoint = lock_row(WebhookEndpoint.objects.all(), delivery.endpoint_id)
    if not endpoint.is_active:
        raise WebhookInactive
    delivery = lock_row(WebhookDelivery.objects.shown(), delivery.pk)
    if delivery.leased_until is None:
        delivery.status, delivery.next_attempt_at = DeliveryStatus.PENDING, now()
        delivery.save(update_fields=["status", "next_attempt_at"])
        send_soon(delivery)
    return delivery


def enqueue(notification: Notification, endpoints: Sequence[UUID]) -> None:
    """Send it to these endpoints of its owner, once the transaction that tells commits."""
    deliveries = [WebhookDelivery(endpoint_id=key, notification=notification) for key in endpoints]
    defer_all(map(_attempt, WebhookDelivery.objects.bulk_create(deliveries)))


def send_soon(delivery: WebhookDelivery, after: timedelta | None = None) -> None:
    """Have the worker make the next attempt, once this transaction commits and `after` has gone by."""
    defer_all([_attempt(delivery, after)])


def _attempt(delivery: WebhookDelivery, after: timedelta | None = None) -> Deferred:
    """The job names the attempt: one that comes late, twice or for nothing finds that it was made."""
    arguments = {"delivery_id": str(delivery.pk), "attempt": delivery.attempts + 1}
    return Deferred("marketplace_notifications.deliver", arguments, after)

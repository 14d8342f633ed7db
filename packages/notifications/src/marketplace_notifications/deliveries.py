"""How a webhook is sent: claimed in one transaction, sent in none, its outcome recorded in another.

An endpoint is sent one at a time: a receiver that hangs holds up its owner's webhooks, and not the worker. What finds
its endpoint busy is left waiting, and woken by whoever is done there. Whatever dies on the way is found by `recover`,
and made again: at least once, always under the same id.
"""

import random
from datetime import timedelta
from uuid import UUID

from marketplace_kit.clock import now
from marketplace_kit.renderer import to_json
from marketplace_kit.transactions import action
from marketplace_kit.webhooks import signed

from .actions import notify
from .conf import conf
from .lifecycle import DeliveryStatus, DisabledReason
from .models import Notification, WebhookDelivery, WebhookEndpoint
from .posting import Answer, post
from .webhooks import send_soon

GONE = 410
ABANDONED = Answer(None, "abandoned")
JITTER = 0.25  # of a pause, added at the most: those that failed together don't come back together
MARGIN = timedelta(seconds=15)  # for a claim to be recorded, beyond the time-out of the attempt
DISABLED = "webhook.disabled"  # the type by which an owner is told, where the project has it
HEADERS = {"Content-Type": "application/json", "User-Agent": "marketplace-webhooks/1.0"}


def deliver(delivery_id: UUID, attempt: int) -> None:
    """Make the attempt of this number, unless it was made or is not to be made any more. Safe to repeat."""
    delivery = claim(delivery_id, attempt)
    if delivery is not None:
        record(delivery_id, attempt, send(delivery))


@action
def claim(delivery_id: UUID, attempt: int) -> WebhookDelivery | None:
    """The delivery, with the attempt begun and ours; None where there is nothing to do, or its endpoint is busy."""
    endpoint = WebhookEndpoint.objects.locked_for(delivery_id)
    waiting = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING, attempts=attempt - 1, leased_until=None)
    delivery = waiting.filter(pk=delivery_id).select_related("notification").first()
    if endpoint is None or delivery is None:
        return None
    if not endpoint.is_active:
        endpoint.deliveries.due().give_up()
        return None
    if endpoint.deliveries.in_flight().exists():
        return None
    delivery.endpoint, delivery.attempts = endpoint, attempt
    delivery.leased_until = now() + timedelta(seconds=conf.WEBHOOK_TIMEOUT) + MARGIN
    delivery.save(update_fields=["attempts", "leased_until"])
    return delivery


def send(delivery: WebhookDelivery) -> Answer:
    """Make the attempt. Outside of any transaction: others would wait for the receiver."""
    secrets = list(delivery.endpoint.secrets.signing().values_list("secret", flat=True))
    if not secrets:  # the endpoint was deleted just now
        return ABANDONED
    body = event_of(delivery.notification)
    # The id is the event's: whoever has two endpoints, or is sent it twice, counts it once.
    return post(delivery.endpoint.url, HEADERS | signed(str(delivery.notification_id), body, *secrets), body)


def event_of(told: Notification) -> bytes:
    """The body of a notification's webhooks: as the inbox had it, the same each time, whether or not it was read."""
    data = {
        **{name: getattr(told, name) for name in ("id", "type", "title", "body", "data")},
        "readAt": None,
        "createdAt": told.created_at,
    }
    return to_json({"type": told.type, "timestamp": told.created_at, "data": data})


@action
def record(delivery_id: UUID, attempt: int, answer: Answer) -> None:
    """Write down what became of an attempt, and what follows from it. Not if others have given it up meanwhile."""
    endpoint = WebhookEndpoint.objects.locked_for(delivery_id)
    delivery = WebhookDelivery.objects.filter(pk=delivery_id, attempts=attempt, leased_until__isnull=False).first()
    if endpoint is None or delivery is None:
        return
    delivery.leased_until = None
    delivery.response_status, delivery.fault = answer.status, answer.fault
    if answer.is_success:
        _succeed(endpoint, delivery)
    else:
        _fail(endpoint, delivery, answer)
    delivery.save()
    _wake_next(endpoint)


def _succeed(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> None:
    delivery.status, delivery.next_attempt_at = DeliveryStatus.SUCCEEDED, None
    if endpoint.failing_since is not None:
        endpoint.failing_since = None
        endpoint.save(update_fields=["failing_since"])


def _fail(endpoint: WebhookEndpoint, delivery: WebhookDelivery, answer: Answer) -> None:
    if endpoint.failing_since is None:
        endpoint.failing_since = now()
        endpoint.save(update_fields=["failing_since"])
    pause = pause_after(delivery.attempts, answer)
    if pause is not None and answer.status != GONE:
        delivery.next_attempt_at = now() + pause
        send_soon(delivery, after=pause)
        return
    delivery.status, delivery.next_attempt_at = DeliveryStatus.FAILED, None
    if answer.status == GONE:
        _disable(endpoint, DisabledReason.GONE)
    # Looked at only where one is given up, so that one bad attempt after quiet days is not the end.
    elif now() - endpoint.failing_since >= timedelta(days=conf.WEBHOOK_DISABLE_AFTER_DAYS):
        _disable(endpoint, DisabledReason.FAILING)


def pause_after(attempts: int, answer: Answer) -> timedelta | None:
    """How long to wait after so many attempts, the last of which was answered so; None: no longer."""
    if attempts > len(conf.WEBHOOK_PAUSES):
        return None
    pause = timedelta(seconds=conf.WEBHOOK_PAUSES[attempts - 1])
    asked = min(answer.retry_after or timedelta(0), timedelta(seconds=conf.WEBHOOK_LONGEST_PAUSE))
    return max(pause, asked) * random.uniform(1, 1 + JITTER)  # noqa: S311  (no secret)


def _disable(endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    """Send it nothing any more, and tell its owner by all other ways."""
    if not endpoint.is_active:
        return
    endpoint.is_active, endpoint.disabled_reason, endpoint.updated_at = False, reason, now()
    endpoint.save(update_fields=["is_active", "disabled_reason", "updated_at"])
    if DISABLED in conf.TYPES:
        facts = {"url": endpoint.url, "why": reason.value}
        notify(endpoint.user_id, DISABLED, {"webhookId": str(endpoint.pk)}, facts)


def _wake_next(endpoint: WebhookEndpoint) -> None:
    """Have the one sent that waits the longest, now that nobody is busy here."""
    waiting = endpoint.deliveries.due().order_by("next_attempt_at", "pk").first()
    if waiting is not None:
        send_soon(waiting)


# --- what nobody finished ---


def recover(at_once: int = 500) -> None:
    """Take up what died on its way: attempts that nobody recorded, and deliveries that nobody comes for."""
    abandoned = WebhookDelivery.objects.abandoned().values_list("pk", "attempts")
    for delivery_id, attempt in abandoned[:at_once]:
        record(delivery_id, attempt, ABANDONED)
    overdue = WebhookDelivery.objects.overdue().values_list("endpoint", flat=True).distinct()
    for endpoint_id in overdue[:at_once]:
        wake(endpoint_id)


@action
def wake(endpoint_id: UUID) -> None:
    """Have the endpoint sent what waits for it, unless it is busy."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if endpoint is not None and not endpoint.deliveries.in_flight().exists():
        _wake_next(endpoint)

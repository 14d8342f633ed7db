"""What notifications do in the background."""

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from marketplace_kit.jobs import PATIENT

from . import actions, deliveries
from .models import WebhookDelivery


@app.task(
    name="marketplace_notifications.publish",
    queue="stream",
    # Before mails and the like: somebody is looking at the screen, and behind a hundred mails it would be seconds.
    priority=10,
    retry=RetryStrategy(max_attempts=100, wait=1, linear_wait=2),
)
def publish(user_id: str) -> None:
    """Assign a user's new notifications their positions in the stream. Safe to repeat."""
    actions.publish(user_id)


@app.task(name="marketplace_notifications.send_email", queue="mail", retry=PATIENT)
def send_email(notification_id: str) -> None:
    """Mail a notification. Safe to repeat."""
    actions.send_email(UUID(notification_id))


@app.task(name="marketplace_notifications.deliver", queue="webhooks", retry=PATIENT)
def deliver(delivery_id: str, attempt: int) -> None:
    """Make one attempt to deliver a webhook. Safe to repeat; a failed one has a job of its own that comes later."""
    deliveries.deliver(UUID(delivery_id), attempt)


@app.periodic(cron="* * * * *")
@app.task(name="marketplace_notifications.recover", queue="webhooks", queueing_lock="marketplace_notifications.recover")
def recover(timestamp: int) -> None:
    """Take up the webhooks whose worker died."""
    deliveries.recover()


@app.periodic(cron="37 * * * *")
@app.task(
    name="marketplace_notifications.forget_deliveries",
    queue="webhooks",
    queueing_lock="marketplace_notifications.forget_deliveries",
)
def forget_deliveries(timestamp: int) -> None:
    """Delete the deliveries that are out of the log's time."""
    WebhookDelivery.objects.old().delete()

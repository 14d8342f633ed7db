"""What notifications do in the background."""

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from marketplace_kit.jobs import PATIENT

from . import actions


@app.task(
    name="marketplace_notifications.publish",
    queue="stream",
    retry=RetryStrategy(max_attempts=100, wait=1, linear_wait=2),
)
def publish(user_id: str) -> None:
    """Give a user's new notifications their places in his stream. Safe to repeat."""
    actions.publish(user_id)


@app.task(name="marketplace_notifications.send_email", queue="mail", retry=PATIENT)
def send_email(notification_id: str) -> None:
    """Mail a notification. Safe to repeat."""
    actions.send_email(UUID(notification_id))

"""What else goes out of a notification, inside the transaction in which it is made."""

from typing import Any
from uuid import UUID

from . import webhooks
from .models import Notification
from .signals import notification_created


def connect() -> None:
    notification_created.connect(
        send_webhooks, sender=Notification, dispatch_uid="marketplace_notifications.send_webhooks"
    )


def send_webhooks(notification: Notification, listening: list[UUID], **_: Any) -> None:
    webhooks.enqueue(notification, listening)

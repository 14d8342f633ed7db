"""Made-up rows for tests, ours and a host's."""

from typing import Any

from .models import Notification


def make_notification(user_id: Any, **fields: Any) -> Notification:
    """A notification in a user's inbox, not yet published, without jobs."""
    values = {"type": "test.happened", "title": "It happened", "body": "Just now.", "in_app": True}
    return Notification.objects.create(user_id=user_id, **values | fields)

"""The facts that notifications announce, inside the transaction that makes them so."""

from django.dispatch import Signal

# Sends `notification: Notification`, stored and not yet published, and `listening: list[UUID]`, the endpoints that are
# sent it. What else goes out of it hangs here.
notification_created = Signal()

"""The life of a webhook's delivery, and why an endpoint is sent nothing any more."""

from django.db.models import TextChoices


class DeliveryStatus(TextChoices):
    PENDING = "pending"  # it is sent, or waits to be sent again
    SUCCEEDED = "succeeded"  # its receiver answered 2xx
    FAILED = "failed"  # given up; its owner may have it sent again


class DisabledReason(TextChoices):
    FAILING = "failing"  # nothing has arrived for days
    GONE = "gone"  # its receiver answered 410

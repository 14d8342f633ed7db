"""Telling somebody who has a webhook, and doing what the worker does then and later."""

from procrastinate.contrib.django.models import ProcrastinateJob

from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_notifications import tasks
from marketplace_notifications.actions import notify
from marketplace_notifications.models import WebhookDelivery

FACTS = {"number": "7", "sender": "Zoë"}


def tell(person, kind="parcel.lost"):
    """Tell somebody, and do what the worker does at once."""
    told = notify(person.pk, kind, {"parcelId": "7"}, FACTS)
    run_jobs()
    return told


def jobs():
    """The attempts that wait for their time, as the worker would make them then."""
    waiting = ProcrastinateJob.objects.filter(task_name="marketplace_notifications.deliver", status="todo")
    return list(waiting.order_by("id"))


def come_due():
    """Make the attempts that wait, at the time at which they are due; when that was."""
    [delivery] = WebhookDelivery.objects.filter(status="pending")
    before = jobs()
    at = delivery.next_attempt_at
    with clock.frozen(at):
        for job in before:
            tasks.deliver(**job.args)
    ProcrastinateJob.objects.filter(pk__in=[job.pk for job in before])._raw_delete(using="default")
    return at


def fail(at, person, receiver):
    """Have one delivery fail for good, from a moment on."""
    receiver.status = 500
    with clock.frozen(at):
        tell(person)
    while WebhookDelivery.objects.filter(status="pending").exists():
        come_due()
    run_jobs()

"""A worker that makes the webhooks' attempts that are there, and is killed: `python -m tests.dying_webhooks POINT`."""

import os
import signal
import sys
from typing import Any

import django

# What has happened when the process dies.
POINTS = {
    "claimed": "the attempt is begun, and its receiver has heard nothing",
    "sent": "the receiver has it, and nothing is written down",
    "recording": "its outcome is written down, and not committed",
}


def die(*_: object) -> None:
    """By `kill -9`: nothing is finished, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Have this process die at the point."""
    from marketplace_notifications import deliveries

    send = deliveries.send

    def send_and_die(delivery: Any) -> Any:
        return die(send(delivery))

    if point == "recording":
        deliveries._wake_next = die  # its last word
    else:
        deliveries.send = die if point == "claimed" else send_and_die  # type: ignore[assignment]


def make_attempts() -> None:
    """Do the jobs, whether or not it is their time."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    name = "marketplace_notifications.deliver"
    for job in ProcrastinateJob.objects.filter(task_name=name).order_by("id"):
        app.tasks[name].func(**job.args)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    arm(sys.argv[1])
    make_attempts()

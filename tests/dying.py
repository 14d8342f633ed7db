"""A process that does one thing to money, and is killed on the way: `python -m tests.dying POINT VERB ARGUMENT...`.

Nothing in the system knows of this: it dies in a gateway of its own, and in receivers of signals.
"""

import os
import sys
from datetime import timedelta
from typing import Any

import django

KILLED = 9  # the exit status of a process that got to its point
DONE = 0


def die(*_: object, **__: object) -> None:
    """As `kill -9` does: nothing is finished, closed or rolled back."""
    os._exit(KILLED)


def deadly(call: Any) -> Any:
    """The call, made in full, and then the end."""
    return lambda *args, **kwargs: die(call(*args, **kwargs))


def arm(point: str, verb: str) -> None:
    """Have this process die at the point."""
    from django.db import transaction
    from django.db.models.signals import post_save

    from marketplace_billing import events, models, signals
    from marketplace_billing.gateways.mock.gateway import MockGateway

    def after_commit(**_: object) -> None:
        transaction.on_commit(die)

    intent = {"pay": models.Payment, "refund": models.Refund, "payout": models.Payout}.get(verb, models.GatewayEvent)
    facts = (signals.payment_succeeded, signals.refund_succeeded, signals.payout_paid)
    if point == "writing":
        post_save.connect(die, sender=intent, weak=False)
    elif point in ("recording", "recorded"):
        for fact in facts:
            fact.connect(die if point == "recording" else after_commit, weak=False)
    elif point == "telling":
        events.receive_event = die  # type: ignore[assignment]
    for name in ("charge", "refund"):
        if point in ("asking", "answered"):
            setattr(MockGateway, name, die if point == "asking" else deadly(getattr(MockGateway, name)))


def pay(user: str, booking: str, method: str) -> None:
    from marketplace_accounts.models import User
    from marketplace_billing import actions
    from marketplace_booking.models import Booking

    actions.pay(User.objects.get(pk=user), Booking.objects.get(pk=booking), method)


def refund(user: str, payment: str) -> None:
    from marketplace_accounts.models import User
    from marketplace_billing import actions
    from marketplace_billing.models import Payment

    actions.refund(User.objects.get(pk=user), Payment.objects.get(pk=payment), actions.Decimal("20.00"), None)


def job(name: str) -> None:
    """What the worker does: the jobs of this name that are there."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    for waiting in ProcrastinateJob.objects.filter(task_name=name):
        app.tasks[name].func(**waiting.args)


def payout(user: str) -> None:
    from marketplace_accounts.models import User
    from marketplace_billing import payouts

    payouts.pay_out(User.objects.get(pk=user), "USD")


def restart() -> None:
    """What comes about by itself, in a new process: what is due, and two minutes later what is looked up."""
    from marketplace_billing import tasks
    from marketplace_kit import clock
    from marketplace_kit.testing import run_jobs

    run_jobs()
    job("marketplace_billing_mock.tell")
    with clock.shifted(timedelta(minutes=2)):
        tasks.reconcile(0)
    run_jobs()


VERBS = {"pay": pay, "refund": refund, "job": job, "payout": payout, "restart": restart}

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import settings

    settings.BILLING["MOCK_WEBHOOK_URL"] = ""  # there is no front to post to
    where, what, *arguments = sys.argv[1:]
    arm(where, what)
    VERBS[what](*arguments)
    os._exit(DONE)

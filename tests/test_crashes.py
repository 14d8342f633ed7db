"""Killed at every point on the way of money, and started again: done once or not at all, and all books agree."""

import base64
import hmac
import json
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
from cachalot.api import cachalot_disabled
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.agreements import rows
from tests.dying import ASK, COMMIT, DONE, KILLED, LOOK

from marketplace_accounts.testing import bearer, make_provider, make_user
from marketplace_billing import actions as billing
from marketplace_billing import ledger, tasks
from marketplace_billing.gateways.mock.models import MockCharge, MockRefund
from marketplace_billing.models import Payment, Payout, Refund
from marketplace_billing.reconciliation import report
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_notifications.models import Notification

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

# What a step is: a commit of ours, or a call of the gateway, to do something or to look something up.
STEPS = {"key": COMMIT, "intent": COMMIT, "record": COMMIT, "ask": ASK, "look": LOOK}
# What is done, and its steps. Killed it is before each and after each: where a commit is next, that is when all is
# written and nothing committed. A way that has other steps than these fails the first test below.
WAYS = {
    "a payment": ("intent", "ask", "record"),
    "a payment under a key": ("key", "intent", "ask", "record"),
    "a payment that is declined": ("intent", "ask", "record"),
    "a payment that is settled later": ("intent", "ask", "record"),
    "a payment whose answer is lost": ("intent", "ask"),
    "a payment that was never asked for, by its job": ("look", "ask", "record"),
    "two payments that are looked up": ("look", "record", "look", "record"),
    "a webhook": ("record",),
    "a webhook about a refund": ("record",),
    "what the gateway tells by itself": ("record",),
    "a webhook whose booking was cancelled": ("record",),
    "a refund": ("intent", "ask", "record"),
    "a refund under a key": ("key", "intent", "ask", "record"),
    "a refund that fails": ("intent", "ask", "record"),
    "a cancellation": ("intent",),
    "two bookings that lapse": ("intent", "intent"),
    "the refund of a cancelled booking": ("ask", "record"),
    "a completion": ("record",),
    "a payout": ("record",),
}


def points(steps):
    """Where one can die on this way: the number of the step, and on which side of it."""
    for number, step in enumerate(steps):
        if number == 0 or STEPS[step] == COMMIT:
            yield number, "before"
        yield number, "after"


# --- the process that dies ---


@pytest.fixture
def doomed(transactional_db):
    """Orders to tests/dying.py, on the tests' database: the exit status of the child, and the steps that it took."""
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.dying"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(("project", "."))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def carry_out(verb, *arguments, at=None, kill=None):
        order = {"verb": verb, "arguments": arguments, "at": at and at.isoformat(), "kill": kill}
        process.stdin.write(json.dumps(order, default=str) + "\n")
        process.stdin.flush()
        return tuple(json.loads(process.stdout.readline()))

    yield carry_out
    process.communicate(timeout=30)


@pytest.fixture
def scene(transactional_db, settings):
    """Who and what there is, for all ways: to flush all tables after each would take longer than the ways do."""
    quiet = {name: {"email": False, "in_app": True} for name in settings.NOTIFICATIONS["TYPES"]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"TYPES": quiet}
    settings.BILLING = settings.BILLING | {"MOCK_WEBHOOK_URL": ""}  # there is no front to post to
    provider = make_provider()
    with cachalot_disabled(all_queries=True):  # not what this is about, and a third of the time
        yield SimpleNamespace(provider=provider, customer=make_user(), service=make_service(provider))
    rows.wipe()


def restart():
    """What comes about by itself afterwards, until nothing is pending: what is due, and later what is looked up."""
    for minutes in (0, 2, 4):
        with clock.shifted(timedelta(minutes=minutes)):
            run_jobs()
            for waiting in ProcrastinateJob.objects.filter(task_name="marketplace_billing_mock.tell"):
                app.tasks[waiting.task_name].func(**waiting.args)
            tasks.reconcile(0)
            run_jobs()
        if "pending" not in statuses(Payment) + statuses(Refund):
            return


# --- the ways: what is there before, the order to the process, and what there is in the end ---


def paid(scene, ahead=timedelta(days=2), method="mock_success"):
    return make_payment(scene.customer, scene.service, a_start(ahead), method)


def earned(scene):
    """A payment of a booking that is completed."""
    payment = paid(scene)
    bookings.confirm_booking(scene.provider, payment.booking)
    with clock.frozen(payment.booking.scheduled_at):
        bookings.complete_booking(scene.provider, payment.booking)
    return payment


def asked(user, path, body=None, key=None):
    """A request of a user's."""
    return "request", bearer(user), path, body, {"Idempotency-Key": key} if key else {}


def told(type_, key):
    """A signed webhook of the gateway's."""
    body = {"type": type_, "timestamp": clock.instant(clock.now()), "data": {"reference": str(key)}}
    at = str(int(clock.now().timestamp()))
    from django.conf import settings

    secret = base64.b64decode(settings.BILLING["MOCK_WEBHOOK_SECRET"].removeprefix("whsec_"))
    mac = hmac.digest(secret, b".".join((b"event", at.encode(), orjson.dumps(body))), sha256)
    signature = f"v1,{base64.b64encode(mac).decode()}"
    headers = {"webhook-id": "event", "webhook-timestamp": at, "webhook-signature": signature}
    return "request", None, "/payments/webhooks/mock", body, headers


def statuses(model):
    return [*model.objects.order_by("created_at").values_list("status", flat=True)]


def outcomes(book):
    return [*book.objects.order_by("created_at").values_list("outcome", flat=True)]


def a_payment(scene, method="mock_success", ends="succeeded", key=None):
    booking = make_booking(scene.customer, scene.service)
    body = {"bookingId": str(booking.pk), "paymentMethod": method}

    def check(was_begun):
        if key:
            assert retried(scene.customer, "/payments", body, key) == str(Payment.objects.get().pk)
        expected = [ends] if was_begun or key else []
        assert statuses(Payment) == outcomes(MockCharge) == expected
        assert tell(f"payment.{ends}") == (2 if ends == "succeeded" else 1) * len(expected)

    return asked(scene.customer, "/payments", body, key), check


def a_job(scene):
    """The process that was to ask died before."""
    billing.start_payment(scene.customer, make_booking(scene.customer, scene.service), "mock_success")

    def check(_):
        assert statuses(Payment) == outcomes(MockCharge) == ["succeeded"]
        assert tell("payment.succeeded") == 2

    return ("job", "marketplace_billing.settle_payment"), check, timedelta(minutes=1)


def a_reconciliation(scene):
    for ahead in (2, 3):
        paid(scene, timedelta(days=ahead), "mock_timeout")

    def check(_):
        assert statuses(Payment) == outcomes(MockCharge) == ["succeeded"] * 2
        assert tell("payment.succeeded") == 4

    return ("minute", "marketplace_billing.reconcile"), check, timedelta(minutes=1)


def a_webhook(scene, *, by="request", cancelled=False):
    payment = paid(scene, method="mock_pending")
    if cancelled:
        bookings.cancel_booking(scene.customer, payment.booking)

    def check(_):
        payment.refresh_from_db()
        assert outcomes(MockCharge) == ["succeeded"]
        assert (payment.status, payment.left) == (("refunded", 0) if cancelled else ("succeeded", payment.amount))
        assert outcomes(MockRefund) == statuses(Refund) == ["succeeded"] * cancelled
        assert (tell("payment.succeeded"), tell("refund.succeeded")) == (2, cancelled)

    order = told("payment.succeeded", payment.pk) if by == "request" else ("job", "marketplace_billing_mock.tell")
    return order, check


def a_webhook_about_a_refund(scene):
    refund = billing.refund(scene.provider, paid(scene), Decimal("20.00"), "mock_pending_failure")

    def check(_):
        assert statuses(Refund) == outcomes(MockRefund) == ["failed"]
        assert (Payment.objects.get().left, tell("refund.succeeded")) == (50, 0)

    return told("refund.failed", refund.pk), check


def a_refund(scene, reason=None, ends="succeeded", key=None):
    payment = paid(scene)
    path, body = f"/payments/{payment.pk}/refunds", {"amount": 20} | ({"reason": reason} if reason else {})

    def check(was_begun):
        if key:
            assert retried(scene.provider, path, body, key) == str(Refund.objects.get().pk)
        expected = [ends] if was_begun or key else []
        assert statuses(Refund) == outcomes(MockRefund) == expected
        given = 20 * expected.count("succeeded")
        payment.refresh_from_db()
        assert payment.refunded_amount == payment.claimed_amount == given
        assert tell("refund.succeeded") == expected.count("succeeded")

    return asked(scene.provider, path, body, key), check


def a_cancellation(scene):
    payment = paid(scene)

    def check(was_begun):
        assert statuses(Booking) == ["cancelled" if was_begun else "pending"]
        assert statuses(Refund) == outcomes(MockRefund) == ["succeeded"] * was_begun
        assert tell("refund.succeeded") == tell("booking.cancelled") == was_begun

    return asked(scene.customer, f"/bookings/{payment.booking_id}/cancel"), check


def two_that_lapse(scene):
    start = max(paid(scene, ahead=timedelta(days=days)).booking.scheduled_at for days in (2, 3))

    def check(_):
        with clock.frozen(start):
            app.tasks["marketplace_booking.cancel_lapsed"].func(0)
        run_jobs()
        assert statuses(Booking) == ["cancelled"] * 2
        assert statuses(Refund) == outcomes(MockRefund) == ["succeeded"] * 2
        assert (tell("refund.succeeded"), tell("booking.cancelled")) == (2, 4)

    return ("minute", "marketplace_booking.cancel_lapsed"), check, start - clock.now()


def a_refund_by_its_job(scene):
    payment = paid(scene)
    bookings.cancel_booking(scene.customer, payment.booking)

    def check(_):
        payment.refresh_from_db()
        assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
        assert outcomes(MockRefund) == ["succeeded"]
        assert tell("refund.succeeded") == 1

    return ("job", "marketplace_billing.send_refund"), check


def a_completion(scene):
    booking = paid(scene, ahead=timedelta(hours=1)).booking
    bookings.confirm_booking(scene.provider, booking)

    def check(was_begun):
        assert statuses(Booking) == ["completed" if was_begun else "confirmed"]
        assert balance(scene) == ((45, 0) if was_begun else (0, 45))
        assert tell("booking.completed") == was_begun

    with clock.frozen(booking.scheduled_at):
        order = asked(scene.provider, f"/bookings/{booking.pk}/complete")
    return order, check, booking.scheduled_at - clock.now()


def a_payout(scene):
    earned(scene)

    def check(was_begun):
        assert statuses(Payout) == ["paid"] * was_begun
        assert balance(scene) == (0 if was_begun else 45, 0)
        assert tell("payout.paid") == was_begun

    return asked(scene.provider, "/payments/payouts", {"currency": "USD"}), check


HOW = {
    "a payment": a_payment,
    "a payment under a key": partial(a_payment, key="k-1"),
    "a payment that is declined": partial(a_payment, method="mock_declined", ends="failed"),
    "a payment that is settled later": partial(a_payment, method="mock_pending"),
    "a payment whose answer is lost": partial(a_payment, method="mock_timeout"),
    "a payment that was never asked for, by its job": a_job,
    "two payments that are looked up": a_reconciliation,
    "a webhook": a_webhook,
    "a webhook about a refund": a_webhook_about_a_refund,
    "a webhook whose booking was cancelled": partial(a_webhook, cancelled=True),
    "what the gateway tells by itself": partial(a_webhook, by="job"),
    "a refund": a_refund,
    "a refund under a key": partial(a_refund, key="k-1"),
    "a refund that fails": partial(a_refund, reason="mock_failure", ends="failed"),
    "a cancellation": a_cancellation,
    "two bookings that lapse": two_that_lapse,
    "the refund of a cancelled booking": a_refund_by_its_job,
    "a completion": a_completion,
    "a payout": a_payout,
}


def tell(type_):
    return Notification.objects.filter(type=type_).count()


def balance(scene):
    [found] = ledger.balances(scene.provider.pk)
    return found.available, found.pending


def retried(user, path, body, key):
    """The id that the same request is answered with, once its lease is over."""
    with clock.shifted(timedelta(minutes=1)):
        client = JsonClient(HTTP_AUTHORIZATION=bearer(user))
        answer = client.post(f"/api/v1{path}", body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


# --- the tests ---


def arranged(scene, way):
    """The order, the moment at which it is carried out, and how to look at the end."""
    rows.wipe()
    order, check, *later = HOW[way](scene)
    return order, clock.now() + later[0] if later else None, check


def test_nobody_dies_in_vain(scene, doomed, subtests):
    """Were nobody killed, it would come through; and there are no other steps on the way than those named."""
    for way, steps in WAYS.items():
        with subtests.test(way):
            order, at, check = arranged(scene, way)
            assert doomed(*order, at=at) == (DONE, [STEPS[step] for step in steps])
            restart()
            check(True)


def test_killed_anywhere_and_started_again(scene, doomed, subtests):
    for way, steps in WAYS.items():
        for number, side in points(steps):
            with subtests.test(f"{way}, {side} step {number}: {steps[number]}"):
                order, at, check = arranged(scene, way)
                taken = steps[: number + (side == "after")]
                assert doomed(*order, at=at, kill=(number, side)) == (KILLED, [STEPS[step] for step in taken])
                restart()
                check(any(STEPS[step] == COMMIT and step != "key" for step in taken))
                assert report().differences == []
                assert "pending" not in statuses(Payment) + statuses(Refund)

"""Killed at every point between intent and record, and started again: one charge or none, and all books agree."""

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from tests.dying import KILLED

from marketplace_accounts.testing import make_provider, make_user
from marketplace_billing import payouts
from marketplace_billing.exceptions import NothingToPayOut
from marketplace_billing.gateways.mock.models import MockCharge, MockRefund
from marketplace_billing.models import GatewayEvent, Payment, Payout, Refund
from marketplace_billing.reconciliation import report
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_notifications.models import Notification

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

# What has happened when the process dies.
POINTS = {
    "writing": "the intent is written, and not committed",
    "asking": "the intent is committed, the gateway was not asked",
    "answered": "the gateway has done it, and nothing is written down",
    "recording": "the outcome is written down with all that follows from it, and not committed",
    "recorded": "the outcome is committed, and nobody has heard of it",
    "telling": "the gateway has settled what was pending, and could not tell",
}
# What is done, and the points on its way.
WAYS = {
    "pay": ("writing", "asking", "answered", "recording", "recorded"),
    "pay, pending": ("writing", "asking", "answered"),
    "refund": ("writing", "asking", "answered", "recording", "recorded"),
    "the refund of a cancelled booking": ("asking", "answered", "recording", "recorded"),
    "webhook": ("telling", "writing", "recording", "recorded"),
    "payout": ("writing", "recording", "recorded"),
}


@pytest.fixture(autouse=True)
def _no_other_jobs(transactional_db):
    """Django flushes the tables of its own between tests, and not procrastinate's."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture
def provider():
    return make_provider()


@pytest.fixture
def customer():
    return make_user()


def run(*words):
    """Run tests/dying.py on this test's database; its exit status."""
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    process = subprocess.run(
        [sys.executable, "-m", "tests.dying", *map(str, words)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(("project", "."))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode in (0, KILLED), process.stderr
    return process.returncode


def killed(point, *words):
    assert run(point, *words) == KILLED, f"It never came to where {POINTS[point]}."


def restarted():
    assert run("nowhere", "restart") == 0
    assert report().differences == []


def told(type_):
    return Notification.objects.filter(type=type_).count()


def test_every_point_is_on_the_way_of_something():
    assert {point for way in WAYS.values() for point in way} == POINTS.keys()


@pytest.mark.parametrize("point", WAYS["pay"])
def test_a_payment(provider, customer, point):
    booking = make_booking(customer, make_service(provider))

    killed(point, "pay", customer.pk, booking.pk, "mock_success")
    restarted()

    charged = [] if point == "writing" else ["succeeded"]
    assert [*Payment.objects.values_list("status", flat=True)] == charged
    assert [*MockCharge.objects.values_list("outcome", flat=True)] == charged
    assert told("payment.succeeded") == 2 * len(charged)


@pytest.mark.parametrize("point", WAYS["pay, pending"])
def test_a_payment_that_is_settled_later(provider, customer, point):
    booking = make_booking(customer, make_service(provider))

    killed(point, "pay", customer.pk, booking.pk, "mock_pending")
    restarted()
    restarted()  # where it had to be asked for first, it is told in the second round

    charged = [] if point == "writing" else ["succeeded"]
    assert [*Payment.objects.values_list("status", flat=True)] == charged
    assert MockCharge.objects.count() == len(charged)


@pytest.mark.parametrize("point", WAYS["refund"])
def test_a_refund(provider, customer, point):
    payment = make_payment(customer, make_service(provider))

    killed(point, "refund", provider.pk, payment.pk)
    restarted()

    given = [] if point == "writing" else [Decimal("20.00")]
    payment.refresh_from_db()
    assert [*Refund.objects.filter(status="succeeded").values_list("amount", flat=True)] == given
    assert [*MockRefund.objects.values_list("amount", flat=True)] == given
    assert payment.refunded_amount == payment.claimed_amount == sum(given)
    assert told("refund.succeeded") == len(given)


@pytest.mark.parametrize("point", WAYS["the refund of a cancelled booking"])
def test_the_refund_of_a_cancelled_booking(provider, customer, point):
    payment = make_payment(customer, make_service(provider))
    bookings.cancel_booking(customer, payment.booking)

    killed(point, "job", "marketplace_billing.send_refund")
    restarted()

    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
    assert MockRefund.objects.count() == told("refund.succeeded") == 1


@pytest.mark.parametrize("point", WAYS["webhook"])
def test_a_webhook(provider, customer, point):
    make_payment(customer, make_service(provider), method="mock_pending")

    killed(point, "job", "marketplace_billing_mock.tell")
    counted = GatewayEvent.objects.count()
    restarted()

    assert counted == (point == "recorded")  # with its effect, or not at all
    assert Payment.objects.get().status == MockCharge.objects.get().outcome == "succeeded"
    assert told("payment.succeeded") == 2


@pytest.mark.parametrize("point", WAYS["payout"])
def test_a_payout(provider, customer, point):
    payment = make_payment(customer, make_service(provider), a_start(timedelta(days=2)))
    bookings.confirm_booking(provider, payment.booking)
    with clock.frozen(payment.booking.scheduled_at):
        bookings.complete_booking(provider, payment.booking)

    killed(point, "payout", provider.pk)
    restarted()

    if point == "recorded":  # whoever asks again hears that it is done
        with pytest.raises(NothingToPayOut):
            payouts.pay_out(provider, "USD")
    else:
        payouts.pay_out(provider, "USD")
    assert Payout.objects.get().amount == Decimal("45.00")
    assert told("payout.paid") == 1


def test_control_a_process_that_is_not_killed_comes_through(provider, customer):
    booking = make_booking(customer, make_service(provider))

    assert run("nowhere", "pay", customer.pk, booking.pk, "mock_success") == 0
    assert Payment.objects.get().status == "succeeded"

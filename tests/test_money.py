"""The money of the composed system: what erasing pays out, and what is told."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from marketplace_accounts import personal_data
from marketplace_accounts.models import User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_user
from marketplace_billing import actions as billing
from marketplace_billing import payouts
from marketplace_billing.gateways.mock.models import MockRefund
from marketplace_billing.models import Payout
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.exceptions import OpenBookings
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_notifications.models import Notification

pytestmark = pytest.mark.django_db


def earn(provider, ahead=timedelta(days=2)):
    """Pay for a booking of the provider's, and complete it."""
    payment = make_payment(make_user(), make_service(provider), a_start(ahead))
    bookings.confirm_booking(provider, payment.booking)
    with clock.frozen(payment.booking.scheduled_at):
        bookings.complete_booking(provider, payment.booking)
    return payment


def test_a_payout_is_told_to_its_provider():
    provider = make_provider()
    earn(provider)
    payout = payouts.pay_out(provider, "USD")
    run_jobs()

    told = Notification.objects.get(user=provider, type="payout.paid")
    assert (told.title, told.data) == ("Paid out: 45.00 USD", {"payoutId": str(payout.pk)})
    assert "45.00 USD" in told.body


def test_a_positive_balance_is_paid_out_before_its_provider_goes():
    provider = make_provider(password=PASSWORD)
    earn(provider)

    answer = JsonClient(HTTP_AUTHORIZATION=bearer(provider)).delete("/api/v1/users/me", {"password": PASSWORD})
    run_jobs()

    assert answer.status_code == 204, answer.content
    payout = Payout.objects.get()
    assert (payout.provider_id, payout.amount) == (provider.pk, Decimal("45.00"))
    assert User.objects.get(pk=provider.pk).erased_at
    assert not Notification.objects.filter(user=provider).exists()


def test_who_can_not_go_is_not_paid_out():
    provider = make_provider(password=PASSWORD)
    earn(provider)
    make_payment(make_user(), make_service(provider), a_start(timedelta(days=9)))

    with pytest.raises(OpenBookings):
        personal_data.erase(provider.pk, PASSWORD)
    assert not Payout.objects.exists()


def test_what_was_paid_out_is_in_the_export():
    provider = make_provider()
    earn(provider)
    payouts.pay_out(provider, "USD")

    export = JsonClient(HTTP_AUTHORIZATION=bearer(provider)).get("/api/v1/users/me/export").json()

    assert [(p["amount"], p["currency"]) for p in export["payouts"]] == [(45.0, "USD")]


def test_who_counts_as_a_provider_is_the_projects_say():
    answers = {
        name: JsonClient(HTTP_AUTHORIZATION=bearer(user)).get("/api/v1/payments/balance").status_code
        for name, user in {"customer": make_user(), "provider": make_provider()}.items()
    }

    assert answers == {"customer": 403, "provider": 200}


# --- the proof ---


def reconciled():
    """The command's exit status, and what it printed."""
    out, err = StringIO(), StringIO()
    try:
        call_command("reconcile", stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_command_proves_that_all_books_agree():
    payment = earn(make_provider())
    billing.refund(payment.provider, payment, Decimal("20.00"), None)
    status, out, err = reconciled()
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["currency", "paid", "refunded", "ledger", "gateway"],
        ["USD", "50.00", "20.00", "30.00", "30.00"],
    ]

    MockRefund.objects.create(key="unknown", amount=5, currency="USD", outcome="succeeded")

    status, _, err = reconciled()
    assert status == 1
    assert "Refund unknown: nothing here, 5 USD at the gateway." in err


@pytest.mark.django_db
def test_there_is_no_proof_without_all_tables():
    MigrationRecorder(connection).record_unapplied("marketplace_billing", "0005_found_by_support")

    with pytest.raises(CommandError, match="Run `migrate` first"):
        reconciled()

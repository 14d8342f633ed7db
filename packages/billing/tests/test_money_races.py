"""Webhooks, reconciliation, cancelling, completing, refunds and payouts at one time: the books agree at the end."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from tests.races import at_once, together

from marketplace_billing import actions, events, ledger, payouts, tasks
from marketplace_billing.gateways.mock.models import MockCharge
from marketplace_billing.gateways.mock.tasks import tell
from marketplace_billing.models import GatewayEvent, Payment, Payout, Posting
from marketplace_billing.reconciliation import report
from marketplace_billing.signals import payment_succeeded
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
LATE = actions.patience() * 2


def earned(provider, customer, ahead=timedelta(days=2)):
    payment = make_payment(customer, make_service(provider), a_start(ahead))
    bookings.confirm_booking(provider, payment.booking)
    with clock.frozen(payment.booking.scheduled_at):
        bookings.complete_booking(provider, payment.booking)
    return payment


@pytest.fixture
def successes():
    heard = []

    def hear(payment, **_):
        heard.append(payment.pk)

    payment_succeeded.connect(hear)
    yield heard
    payment_succeeded.disconnect(hear)


@pytest.mark.parametrize("round_", range(3))
def test_webhook_against_reconciliation_against_cancelling(provider, customer, successes, round_):
    payment = make_payment(customer, make_service(provider), method="mock_pending")
    MockCharge.objects.settle(str(payment.pk))

    with clock.shifted(LATE):
        outcomes = together(
            *[lambda: tell(kind="charge", key=str(payment.pk))] * 3,
            *[lambda: tasks.reconcile(0)] * 3,
            lambda: bookings.cancel_booking(customer, payment.booking),
            lambda: actions.settle_payment(payment.pk),
        )
    run_jobs()

    assert not [o for o in outcomes if isinstance(o, Exception)]
    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
    assert successes == [payment.pk]
    assert Posting.objects.filter(kind="payment").count() == 1
    assert report().differences == []


def test_one_event_told_by_ten_at_once_counts_once(provider, customer, successes):
    payment = make_payment(customer, make_service(provider), method="mock_pending")
    MockCharge.objects.settle(str(payment.pk))
    event = actions.gateway().event({"type": "payment.succeeded", "data": {"reference": str(payment.pk)}})

    outcomes = at_once(10, lambda: events.receive_event("e-1", event))

    assert Counter(outcomes) == {True: 1, False: 9}
    assert (GatewayEvent.objects.count(), successes) == (1, [payment.pk])


def test_of_ten_payouts_at_once_one_is_made(provider, customer):
    earned(provider, customer)

    outcomes = at_once(10, lambda: payouts.pay_out(provider, "USD"))

    assert Counter(type(o).__name__ for o in outcomes) == {"Payout": 1, "NothingToPayOut": 9}
    assert Payout.objects.get().amount == 45
    assert report().differences == []


def test_control_without_the_lock_a_provider_is_paid_more_than_once(provider, customer, monkeypatch):
    earned(provider, customer)
    all_have_looked = Barrier(4)
    create = Payout.objects.create

    def slow(**values):
        all_have_looked.wait()
        return create(**values)

    monkeypatch.setattr(payouts, "_lock", lambda user_id: None)
    monkeypatch.setattr(Payout.objects, "create", slow)
    at_once(4, lambda: payouts.pay_out(provider, "USD"))

    assert Payout.objects.count() == 4


def test_payouts_refunds_and_completion_at_one_time(provider, customer):
    paid = earned(provider, customer)
    other = make_payment(customer, make_service(provider), a_start(timedelta(days=5)))
    bookings.confirm_booking(provider, other.booking)

    with clock.frozen(other.booking.scheduled_at):
        outcomes = together(
            *[lambda: payouts.pay_out(provider, "USD")] * 3,
            *[lambda: actions.refund(provider, paid, Decimal("7.00"), None)] * 3,
            *[lambda: actions.refund(provider, other, Decimal("9.00"), None)] * 3,
            *[lambda: bookings.complete_booking(provider, other.booking)] * 2,
        )

    assert all(isinstance(o, DomainError) for o in outcomes if isinstance(o, Exception)), outcomes
    assert report().differences == []
    [balance] = ledger.balances(provider.pk)
    sent = sum(Payout.objects.values_list("amount", flat=True))
    shares = sum(p.share_after(p.refunded_amount) for p in Payment.objects.all())
    assert (balance.available + sent, balance.pending) == (shares, 0)
    assert [p.refunded_amount for p in Payment.objects.order_by("created_at")] == [21, 27]


def test_a_pending_refund_that_fails_while_its_booking_is_completed(provider, customer):
    """Whichever is first: nothing stays pending, and all of the share is the provider's."""
    payment = make_payment(customer, make_service(provider))
    bookings.confirm_booking(provider, payment.booking)
    refund = actions.refund(provider, payment, Decimal("20.00"), "mock_pending_failure")
    event = actions.gateway().event({"type": "refund.failed", "data": {"reference": str(refund.pk)}})

    with clock.frozen(payment.booking.scheduled_at):
        together(
            lambda: events.receive_event("e-1", event),
            lambda: bookings.complete_booking(provider, payment.booking),
        )

    assert ledger.balances(provider.pk) == [ledger.Balance("USD", Decimal("45.00"), Decimal("0.00"))]

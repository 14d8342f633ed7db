"""The proof that all books agree, and that it sees where they do not."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from marketplace_billing import actions, payouts
from marketplace_billing.gateways.mock.gateway import MockGateway
from marketplace_billing.gateways.mock.models import MockCharge, MockRefund
from marketplace_billing.models import Payment, Refund
from marketplace_billing.reconciliation import report
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def business(provider, customer):
    """A payment with a refund in part, paid out; one in another currency; a failed and a pending one."""
    first = make_payment(customer, make_service(provider), a_start(timedelta(days=2)))
    bookings.confirm_booking(provider, first.booking)
    with clock.frozen(first.booking.scheduled_at):
        bookings.complete_booking(provider, first.booking)
    actions.refund(provider, first, Decimal("20.00"), None)
    payouts.pay_out(provider, "USD")
    yen = make_service(provider, currency="JPY", price=Decimal(3000))
    make_payment(customer, yen, a_start(timedelta(days=4)))
    make_payment(customer, make_service(provider), a_start(timedelta(days=6)), "mock_timeout")
    declined = make_booking(customer, make_service(provider), a_start(timedelta(days=8)))
    with pytest.raises(actions.CardDeclined):
        actions.pay(customer, declined, "mock_declined")
    return first


def test_all_is_well(business):
    found = report()

    assert found.differences == []
    assert [(t.currency, t.paid, t.refunded, t.ledger, t.gateway) for t in found.totals] == [
        ("JPY", 3000, 0, 3000, 3000),
        ("USD", 50, 20, 30, 30),
    ]
    assert found.unsettled == 1


def without_triggers(sql, *values):
    """What the database refuses, done all the same."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET session_replication_role = DEFAULT")


PAID = "(SELECT id FROM marketplace_billing_posting WHERE kind = 'payment' LIMIT 1)"
DAMAGES = {
    "money that we know nothing of": (
        lambda: MockCharge.objects.create(key="x", amount=5, currency="USD", outcome="succeeded"),
        ["Charge x: nothing here, 5 USD at the gateway."],
    ),
    "a second refund": (
        lambda: MockRefund.objects.create(key="y", amount=5, currency="USD", outcome="succeeded"),
        ["Refund y: nothing here, 5 USD at the gateway."],
    ),
    "money that is not there": (
        lambda: MockCharge.objects.filter(currency="JPY").delete(),
        [
            "3000 JPY here, nothing at the gateway.",
            "JPY: 3000 paid - 0 refunded, 3000 in the ledger, 0 at the gateway.",
        ],
    ),
    "another amount": (
        lambda: MockRefund.objects.update(amount=21),
        ["20.00 USD here, 21 USD at the gateway.", "USD: "],
    ),
    "a payment that is not posted": (
        lambda: Payment.objects.filter(payment_method="mock_timeout").update(status="succeeded"),
        ["is not in the ledger.", "USD: 100.00 paid - 20.00 refunded, 30.00 in the ledger, 80.00 at the gateway."],
    ),
    "a payment that is posted and was not taken": (
        lambda: Payment.objects.filter(currency="JPY").update(status="failed"),
        ["is not what its payment is.", "nothing here, 3000 JPY at the gateway.", "JPY: 0 paid"],
    ),
    "a refund that is not counted": (
        lambda: Payment.objects.filter(currency="USD", refunded_amount=20).update(refunded_amount=19),
        ["does not count its refunds: 19, 20.00."],
    ),
    "a refund that is not posted": (
        lambda: without_triggers("DELETE FROM marketplace_billing_posting WHERE kind = 'refund'"),
        ["Refund ", "is not in the ledger."],
    ),
    "a posting that is not balanced": (
        lambda: without_triggers(f"UPDATE marketplace_billing_entry SET amount = amount + 1 WHERE posting_id = {PAID}"),
        ["does not sum to zero in", "is not what its payment is."],
    ),
    "a payout that is not posted": (
        lambda: without_triggers("UPDATE marketplace_billing_payout SET amount = amount + 1"),
        ["is not what its payout is."],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_seen(business, damage):
    do, told = DAMAGES[damage]
    do()

    found = "\n".join(report().differences)
    assert found
    for line in told:
        assert line in found


def test_what_moved_while_it_was_looked_at_is_no_difference(business, provider, customer, monkeypatch):
    """A payment and a refund that are made between reading the gateway's books and reading ours."""
    statement = MockGateway.statement

    def slow(self):
        yield from [*statement(self)]
        payment = make_payment(customer, make_service(provider), a_start(timedelta(days=10)))
        actions.refund(provider, payment, Decimal("7.00"), None)

    monkeypatch.setattr(MockGateway, "statement", slow)

    found = report()
    assert found.differences == []
    assert [(t.paid, t.refunded) for t in found.totals if t.currency == "USD"] == [(100, 27)]


def test_what_is_on_its_way_is_no_difference(provider, customer):
    payment = make_payment(customer, make_service(provider))
    actions.refund(provider, payment, None, "mock_timeout")

    assert MockRefund.objects.get().outcome == "succeeded"
    found = report()
    assert (found.differences, found.unsettled) == ([], 1)
    assert Refund.objects.get().status == "pending"

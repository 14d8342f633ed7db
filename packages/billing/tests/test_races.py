"""Real threads on real connections, and gateways that fail: one charge or none, and never too much given back."""

from collections import Counter
from decimal import Decimal
from threading import Barrier

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.races import at_once

from marketplace_billing import actions
from marketplace_billing.gateways.mock import gateway as mock
from marketplace_billing.gateways.protocol import GatewayError
from marketplace_billing.models import Payment, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking.testing import make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs

transactional = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@transactional
def test_twenty_tries_to_pay_are_one_charge(provider, customer):
    booking = make_booking(customer, make_service(provider))

    outcomes = at_once(20, lambda: actions.pay(customer, booking, "mock_success"))

    assert sum(isinstance(o, Payment) for o in outcomes) == 1
    assert {o.code for o in outcomes if isinstance(o, DomainError)} == {"already_paid"}
    assert Payment.objects.count() == 1


def refund_together(provider, payment):
    return at_once(20, lambda: actions.refund(provider, payment, Decimal("12.00"), None))


@transactional
def test_twenty_refunds_never_exceed_the_payment(provider, customer):
    payment = make_payment(customer, make_service(provider))

    outcomes = refund_together(provider, payment)

    kinds = Counter("refund" if isinstance(o, Refund) else o.code for o in outcomes)
    assert kinds == {"refund": 4, "refund_exceeds_payment": 16}
    payment.refresh_from_db()
    assert payment.refunded_amount == payment.claimed_amount == Decimal("48.00")


@transactional
def test_control_without_the_lock_the_constraint_is_what_holds(provider, customer, monkeypatch):
    """Without the row's lock more than four claims are tried: the race is there, and the second guard catches it."""
    payment = make_payment(customer, make_service(provider))
    tried = []
    claim = actions._claim

    def counted(*args, **kwargs):
        tried.append(1)
        return claim(*args, **kwargs)

    looked = Barrier(20)

    def read_together(rows, key):
        row = rows.get(pk=key)
        looked.wait()
        return row

    monkeypatch.setattr(actions, "_claim", counted)
    monkeypatch.setattr(actions, "lock_row", read_together)
    at_once(20, lambda: actions.start_refund(provider, payment, Decimal("12.00"), None))

    assert len(tried) > 4
    assert Refund.objects.count() > 4  # what the lock prevents: each wrote its own sum over the others'


@pytest.mark.django_db
def test_a_gateway_that_does_not_answer_leaves_it_pending_and_the_job_settles_it(provider, customer, monkeypatch):
    booking = make_booking(customer, make_service(provider))

    def silence(self, **_):
        raise GatewayError

    with monkeypatch.context() as broken:
        broken.setattr(mock.MockGateway, "charge", silence)
        assert actions.pay(customer, booking, "mock_success").status == "pending"
    job = ProcrastinateJob.objects.get(task_name="marketplace_billing.settle_payment")
    assert job.scheduled_at is not None

    from marketplace_billing import tasks

    tasks.settle_payment(**job.args)

    assert Payment.objects.get().status == "succeeded"


@pytest.mark.django_db
def test_a_refund_that_was_not_sent_is_sent_by_its_job(provider, customer, monkeypatch):
    payment = make_payment(customer, make_service(provider))

    def silence(self, **_):
        raise GatewayError

    with monkeypatch.context() as broken:
        broken.setattr(mock.MockGateway, "refund", silence)
        assert actions.refund(provider, payment, None, None).status == "pending"
    payment.refresh_from_db()
    assert (payment.refunded_amount, payment.claimed_amount) == (0, payment.amount)

    ProcrastinateJob.objects.filter(task_name="marketplace_billing.send_refund").exists()
    from marketplace_billing import tasks

    tasks.send_refund(str(Refund.objects.get().pk))
    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
    assert run_jobs() == 0

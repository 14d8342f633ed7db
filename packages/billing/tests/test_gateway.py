"""The mock gateway plays its whole table, and what it plays comes about once: by its webhook, or by being asked."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from marketplace_billing import actions, tasks
from marketplace_billing.checks import check_mock_is_installed
from marketplace_billing.gateways.mock.gateway import MockGateway
from marketplace_billing.gateways.mock.models import MockCharge, MockRefund
from marketplace_billing.gateways.mock.outcomes import CHARGES, REFUNDS
from marketplace_billing.gateways.mock.tasks import tell
from marketplace_billing.gateways.protocol import GatewayError, Kind
from marketplace_billing.models import GatewayEvent, Payment, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_kit.webhooks import BadSignature, verified

pytestmark = pytest.mark.django_db
LATE = actions.patience() * 2

# method: the answer (status, and the payment's status or the problem's code), what the job or webhook makes of it
TABLE = {
    "mock_success": (201, "succeeded", "succeeded", None),
    "mock_declined": (402, "card_declined", "failed", "card_declined"),
    "mock_insufficient_funds": (402, "insufficient_funds", "failed", "insufficient_funds"),
    "mock_pending": (201, "pending", "succeeded", None),
    "mock_pending_failure": (201, "pending", "failed", "card_declined"),
    "mock_timeout": (201, "pending", "succeeded", None),
}
# reason: the answer's status, what becomes of it
REFUND_TABLE = {
    "Sorry.": ("succeeded", "succeeded"),
    "mock_failure": ("failed", "failed"),
    "mock_pending": ("pending", "succeeded"),
    "mock_pending_failure": ("pending", "failed"),
    "mock_timeout": ("pending", "succeeded"),
}


def told():
    """Run the mock's own jobs, which wait a moment; how many there were."""
    jobs = list(ProcrastinateJob.objects.filter(task_name="marketplace_billing_mock.tell"))
    for job in jobs:
        tell(**job.args)
    return len(jobs)


def reconcile():
    with clock.shifted(LATE):
        tasks.reconcile(0)


def test_the_tables_are_whole():
    assert TABLE.keys() == CHARGES.keys()
    assert REFUND_TABLE.keys() - {"Sorry."} == REFUNDS.keys()


@pytest.mark.parametrize("settle", [told, reconcile], ids=["webhook", "reconciliation"])
@pytest.mark.parametrize("method", TABLE)
def test_every_outcome(provider, customer, sign_in, method, settle):
    status, says, in_the_end, failure = TABLE[method]
    booking, mine = make_booking(customer, make_service(provider)), sign_in(customer)

    answer = mine.post("/api/payments", {"bookingId": str(booking.pk), "paymentMethod": method})
    if settle is reconcile:
        MockCharge.objects.filter(outcome="pending").update(outcome=in_the_end)
    settle()
    if method == "mock_timeout":  # nothing is told of it: it is asked for
        reconcile()

    body = answer.json()
    assert (answer.status_code, body["status"] if status == 201 else body["code"]) == (status, says)
    shown = mine.get(f"/api/payments/{body['id'] if status == 201 else body['paymentId']}").json()
    assert (shown["status"], shown["failureCode"]) == (in_the_end, failure)
    assert MockCharge.objects.get().key == shown["id"]


@pytest.mark.parametrize("settle", [told, reconcile], ids=["webhook", "reconciliation"])
@pytest.mark.parametrize("reason", REFUND_TABLE)
def test_every_outcome_of_refunds(provider, customer, sign_in, reason, settle):
    says, in_the_end = REFUND_TABLE[reason]
    payment, seller = make_payment(customer, make_service(provider)), sign_in(provider)

    answer = seller.post(f"/api/payments/{payment.pk}/refunds", {"amount": 20, "reason": reason})
    if settle is reconcile:
        MockRefund.objects.filter(outcome="pending").update(outcome=in_the_end)
    settle()
    if reason == "mock_timeout":
        reconcile()

    assert (answer.status_code, answer.json()["status"]) == (201, says)
    payment.refresh_from_db()
    assert Refund.objects.get().status == in_the_end
    given = 20 if in_the_end == "succeeded" else 0
    assert (payment.refunded_amount, payment.claimed_amount) == (given, given)
    # What failed can be tried again, in whole.
    assert seller.post(f"/api/payments/{payment.pk}/refunds", {}).json()["amount"] == 50 - given


def test_what_was_taken_and_not_answered_is_not_taken_again(provider, customer, sign_in):
    booking, mine = make_booking(customer, make_service(provider)), sign_in(customer)
    body = {"bookingId": str(booking.pk), "paymentMethod": "mock_timeout"}

    first = mine.post("/api/payments", body)
    assert MockCharge.objects.get().outcome == "succeeded"
    assert mine.post("/api/payments", body).json()["code"] == "already_paid"
    for _ in range(3):
        tasks.settle_payment(first.json()["id"])
        reconcile()

    assert mine.get(f"/api/payments/{first.json()['id']}").json()["status"] == "succeeded"
    assert MockCharge.objects.count() == 1


def test_what_never_reached_the_gateway_is_charged_soon_or_never(provider, customer):
    soon, never = (
        actions.start_payment(customer, make_booking(customer, make_service(who)), "mock_success")
        for who in (provider, type(customer).objects.create(login="other", sells=True))
    )

    Payment.objects.filter(pk=never.pk).update(created_at=clock.now() - actions.timedelta(days=2))
    reconcile()

    assert {p.pk: (p.status, p.failure_code) for p in Payment.objects.all()} == {
        soon.pk: ("succeeded", None),
        never.pk: ("failed", None),
    }
    assert MockCharge.objects.get().key == str(soon.pk)


def test_reconciliation_leaves_what_is_fresh_and_what_the_gateway_has_not_settled(provider, customer, monkeypatch):
    make_payment(customer, make_service(provider), method="mock_pending")
    asked = []
    monkeypatch.setattr(MockGateway, "find_charge", lambda self, key: asked.append(key))

    tasks.reconcile(0)
    assert asked == []
    monkeypatch.undo()
    reconcile()
    assert Payment.objects.get().status == "pending"


def test_a_pending_payment_of_a_cancelled_booking_is_given_back_whole(provider, customer):
    payment = make_payment(customer, make_service(provider), method="mock_pending")
    bookings.cancel_booking(customer, payment.booking)

    told()
    run_jobs()

    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)


def test_the_mock_is_called_outside_of_transactions_only(provider, customer, settings):
    booking = make_booking(customer, make_service(provider))

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        actions.pay(customer, booking, "mock_success")


def test_the_mock_gives_back_no_more_than_it_took(provider, customer):
    charge = make_payment(customer, make_service(provider)).reference
    ask = MockGateway().refund
    ends = [
        ask(key=f"k-{number}", charge=charge, amount=actions.Decimal("30.00"), currency="USD", reason="").outcome
        for number in range(2)
    ]

    assert ends == ["succeeded", "failed"]
    with pytest.raises(GatewayError):
        ask(key="k-0", charge=charge, amount=actions.Decimal("20.00"), currency="USD", reason="")
    with pytest.raises(GatewayError):
        MockGateway().charge(key="k", amount=actions.Decimal(1), currency="USD", method="gold")
    assert [(line.kind, line.amount) for line in MockGateway().statement()] == [("charge", 50), ("refund", 30)]


# --- its webhooks by HTTP ---


@pytest.fixture
def listener():
    """A server that takes webhooks, and answers with the statuses it is told, then with 204."""
    server = HTTPServer(("127.0.0.1", 0), Listener)
    server.taken, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Listener(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_its_webhook_is_a_real_request_signed_and_the_same_when_told_again(provider, customer, settings, listener):
    payment = make_payment(customer, make_service(provider), method="mock_pending_failure")
    settings.BILLING = settings.BILLING | {"MOCK_WEBHOOK_URL": f"http://127.0.0.1:{listener.server_port}/hook"}
    listener.statuses = [503, 307]

    for _ in range(2):
        with pytest.raises(OSError, match=r"503|307"):
            tell(kind="charge", key=str(payment.pk))
    tell(kind="charge", key=str(payment.pk))

    secret = settings.BILLING["MOCK_WEBHOOK_SECRET"]
    assert {verified(secret, headers, body) for headers, body in listener.taken} == {f"msg_mock_ch_{payment.pk}"}
    assert len(listener.taken) == 3
    body = json.loads(listener.taken[0][1])
    assert (body["type"], body["data"]) == ("payment.failed", {"reference": str(payment.pk)})
    assert not GatewayEvent.objects.exists()


def test_without_a_secret_nothing_is_believed():
    with pytest.raises(BadSignature):
        verified("", {"webhook-id": "a", "webhook-timestamp": "1"}, b"")


def test_kinds_are_those_of_the_books():
    assert {kind.value for kind in Kind} == {"charge", "refund"}


def test_a_host_that_forgets_the_mocks_app_is_told(settings):
    assert check_mock_is_installed() == []
    apps.set_available_apps([name for name in settings.INSTALLED_APPS if "mock" not in name])
    try:
        assert [problem.id for problem in check_mock_is_installed()] == ["marketplace_billing.E001"]
        settings.BILLING = settings.BILLING | {"GATEWAY": "host.Stripe"}
        assert check_mock_is_installed() == []
    finally:
        apps.unset_available_apps()


def test_reconciliation_ends_in_time_and_the_next_one_goes_on(provider, customer, monkeypatch):
    service, passed, look = make_service(provider), [0.0], MockGateway.find_charge
    for hours in range(5):
        booking = make_booking(customer, service, a_start(timedelta(hours=hours)))
        actions.start_payment(customer, booking, "mock_success")

    def hang(self, key):
        passed[0] += tasks.SECONDS * 0.6
        return look(self, key)

    monkeypatch.setattr(MockGateway, "find_charge", hang)
    monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    for settled in (2, 4, 5):
        reconcile()
        assert Payment.objects.filter(status="succeeded").count() == settled

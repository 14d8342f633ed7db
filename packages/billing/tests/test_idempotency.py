"""Whatever dies on the way, and whoever asks again under the same key: one payment, one charge, one answer."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, connections

from marketplace_billing import actions
from marketplace_billing.gateways.mock.gateway import MockGateway
from marketplace_billing.gateways.protocol import GatewayError
from marketplace_billing.models import Payment, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.models import IdempotencyKey
from marketplace_kit.testing import JsonClient, run_jobs

transactional = pytest.mark.django_db(transaction=True, serialized_rollback=True)
LEASE = actions.patience()


def send(client, path, body, key="k-1"):
    return client.post(path, body, headers={"Idempotency-Key": key})


def is_replayed(answer):
    return answer.get("Idempotent-Replayed") == "true"


def told(answer):
    return answer.status_code, answer.content, answer.get("Location")


@pytest.fixture
def asked(monkeypatch):
    """The keys that the gateway was asked with, in this process."""
    keys = []

    def noting(name):
        original = getattr(MockGateway, name)

        def ask(self, **arguments):
            keys.append(arguments["key"])
            return original(self, **arguments)

        monkeypatch.setattr(MockGateway, name, ask)

    noting("charge")
    noting("refund")
    return keys


@pytest.fixture
def booking(provider, customer):
    return make_booking(customer, make_service(provider))


@pytest.fixture
def to_pay(booking):
    return {"bookingId": str(booking.pk), "paymentMethod": "mock_success"}


# --- asked twice ---


@pytest.mark.parametrize(("method", "status"), [("mock_success", 201), ("mock_declined", 402)])
def test_paying_twice_is_one_charge(customer, sign_in, to_pay, asked, method, status):
    mine, body = sign_in(customer), to_pay | {"paymentMethod": method}

    first, second = send(mine, "/api/payments", body), send(mine, "/api/payments", body)

    assert (first.status_code, told(second)) == (status, told(first))
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert asked == [str(Payment.objects.get().pk)]


def test_refunding_twice_is_one_refund(provider, customer, sign_in, asked):
    payment = make_payment(customer, make_service(provider))
    path = f"/api/payments/{payment.pk}/refunds"
    asked.clear()

    first, second = (send(sign_in(provider), path, body) for body in ({"amount": 20}, {"amount": 20.00}))

    assert (first.status_code, told(second)) == (201, told(first))
    assert asked == [str(Refund.objects.get().pk)]
    assert send(sign_in(provider), path, {"amount": 20}, "k-2").status_code == 201
    assert Refund.objects.count() == 2


def test_what_is_kept_and_what_is_not(provider, customer, sign_in, to_pay, booking):
    mine, unknown = sign_in(customer), to_pay | {"bookingId": "01900000-0000-7000-8000-000000000000"}

    assert send(mine, "/api/payments", unknown).status_code == 404
    assert send(mine, "/api/payments", to_pay).status_code == 201
    assert send(mine, "/api/payments", unknown).json()["code"] == "idempotency_key_reused"
    assert send(sign_in(provider), "/api/payments", to_pay).status_code == 403
    conflicts = [send(mine, "/api/payments", to_pay, "k-2") for _ in range(2)]
    assert [(c.json()["code"], is_replayed(c)) for c in conflicts] == [("already_paid", False), ("already_paid", True)]


def test_a_gateway_that_did_not_answer_left_it_pending_and_so_says_the_replay(customer, sign_in, to_pay, monkeypatch):
    def silence(self, **_):
        raise GatewayError

    mine = sign_in(customer)
    with monkeypatch.context() as broken:
        broken.setattr(MockGateway, "charge", silence)
        first = send(mine, "/api/payments", to_pay)
    actions.settle_payment(Payment.objects.get().pk)
    second = send(mine, "/api/payments", to_pay)

    assert (first.status_code, first.json()["status"]) == (201, "pending")
    assert told(second) == told(first)


def test_without_a_key_the_second_is_already_paid(customer, sign_in, to_pay):
    answers = [sign_in(customer).post("/api/payments", to_pay) for _ in range(2)]

    assert [a.status_code for a in answers] == [201, 409]
    assert answers[1].json()["code"] == "already_paid"
    assert not IdempotencyKey.objects.exists()


@transactional
def test_of_twenty_at_once_one_pays(customer, sign_in, to_pay, asked):
    clients, barrier = [sign_in(customer) for _ in range(20)], Barrier(20)

    def run(client):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return send(client, "/api/payments", to_pay)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(run, clients))

    paid = [a for a in answers if a.status_code == 201]
    assert sum(not is_replayed(a) for a in paid) == 1
    assert len({a.content for a in paid}) == 1
    assert {a.json()["code"] for a in answers if a not in paid} <= {"idempotency_in_progress"}
    assert asked == [str(Payment.objects.get().pk)]


# --- killed on the way ---

# A process that sends one request, and is killed where it is told to be.
DOOMED = """
import json, os, sys
import django
django.setup()
from django.contrib.auth import get_user_model
from marketplace_billing import actions, signals
from marketplace_billing.gateways.mock.gateway import MockGateway
from marketplace_kit.testing import JsonClient

point, user, path, body, ledger = json.loads(sys.argv[1])
die = lambda *_, **__: os._exit(9)
recorded, asks = actions._recorded, {name: getattr(MockGateway, name) for name in ("charge", "refund")}

def ask(name):
    def note(self, **arguments):
        with open(ledger, "a") as file:
            print(arguments["key"], file=file)
        return die() if point == "asked" else asks[name](self, **arguments)
    return die if point == "begun" else note

def record(*arguments):
    recorded(*arguments)
    die()

for name in asks:
    setattr(MockGateway, name, ask(name))
if point == "claimed":
    actions.start_payment = actions.start_refund = die
if point == "recording":
    for signal in (signals.payment_succeeded, signals.payment_failed, signals.refund_succeeded):
        signal.connect(die, weak=False)
if point == "recorded":
    actions._recorded = record

client = JsonClient()
client.force_login(get_user_model().objects.get(pk=user))
client.post(path, body, headers={"Idempotency-Key": "k-1"})
os._exit(1)
"""
# The last moment: the key is stored; the row is stored; the gateway has done it; it is being, and is, written down.
POINTS = ["claimed", "begun", "asked", "recording", "recorded"]


@pytest.fixture
def killed(tmp_path):
    """Send a request from a process that dies at the point; the keys that its gateway was asked with."""
    ledger = tmp_path / "asked"

    def run(point, user, path, body):
        url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
        told = json.dumps([point, user.pk, path, body, str(ledger)])
        process = subprocess.run(
            [sys.executable, "-c", DOOMED, told],
            env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert process.returncode == 9, process.stderr
        return ledger.read_text().split() if ledger.exists() else []

    return run


def retried(client, path, body, point):
    """What a retry hears: at once, when the lease is over, and once more."""
    early = send(client, path, body)
    with clock.shifted(LEASE):
        late, again = send(client, path, body), send(client, path, body)
    if point == "recorded":
        assert told(early) == told(late)
        assert is_replayed(early)
    else:
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
        assert not is_replayed(late)
    assert told(again) == told(late)
    return late


@transactional
@pytest.mark.parametrize(
    ("method", "point"),
    [*(("mock_success", point) for point in POINTS), ("mock_declined", "asked"), ("mock_declined", "recorded")],
)
def test_a_killed_payment_is_gone_on_with(customer, sign_in, to_pay, asked, killed, method, point):
    body = to_pay | {"paymentMethod": method}

    charged = killed(point, customer, "/api/payments", body)
    begun = [str(p.pk) for p in Payment.objects.all()]
    answer = retried(sign_in(customer), "/api/payments", body, point)

    payment = Payment.objects.get()
    assert begun == ([] if point == "claimed" else [str(payment.pk)])
    assert set(charged + asked) == {str(payment.pk)}  # one key is one charge
    assert bool(charged) == (point in ("asked", "recording", "recorded"))
    if method == "mock_success":
        assert (answer.status_code, answer.json()["id"], payment.status) == (201, str(payment.pk), "succeeded")
    else:
        assert (answer.json()["code"], answer.json()["paymentId"]) == ("card_declined", str(payment.pk))


@transactional
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_refund_is_gone_on_with(provider, customer, sign_in, asked, killed, point):
    payment = make_payment(customer, make_service(provider))
    path, body = f"/api/payments/{payment.pk}/refunds", {"amount": 30}
    asked.clear()

    sent = killed(point, provider, path, body)
    answer = retried(sign_in(provider), path, body, point)

    refund = Refund.objects.get()
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (201, str(refund.pk), "succeeded")
    assert set(sent + asked) == {str(refund.pk)}
    payment.refresh_from_db()
    assert payment.refunded_amount == payment.claimed_amount == 30


@transactional
def test_control_without_the_chosen_id_a_retry_meets_its_own_payment(customer, sign_in, to_pay, killed, monkeypatch):
    """Were this to be a 201 as well, the tests above would prove nothing."""
    killed("begun", customer, "/api/payments", to_pay)
    start = actions.start_payment
    monkeypatch.setattr(
        actions, "start_payment", lambda user, booking, method, payment_id: start(user, booking, method)
    )

    with clock.shifted(LEASE):
        answer = send(sign_in(customer), "/api/payments", to_pay)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")


@transactional
def test_a_job_that_was_quicker_than_the_retry_settles_it_for_both(customer, sign_in, to_pay, killed):
    killed("asked", customer, "/api/payments", to_pay)
    actions.settle_payment(Payment.objects.get().pk)

    with clock.shifted(LEASE):
        answer = send(sign_in(customer), "/api/payments", to_pay)

    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
    assert Payment.objects.count() == 1


@transactional
def test_a_retry_after_the_booking_was_cancelled_still_tells_of_its_payment(
    provider, customer, sign_in, to_pay, booking, killed
):
    killed("asked", customer, "/api/payments", to_pay)
    bookings.cancel_booking(provider, booking)

    with clock.shifted(LEASE):
        answer = send(sign_in(customer), "/api/payments", to_pay)
    run_jobs()

    assert answer.status_code == 201, answer.content
    payment = Payment.objects.get()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)


def test_a_payment_that_is_known_is_not_sent_again(provider, customer, sign_in):
    payment = make_payment(customer, make_service(provider))
    path, mine = f"/api/payments/{payment.pk}", sign_in(customer)
    tag = mine.get(path)["ETag"]

    assert sign_in(provider).get(path, headers={"If-None-Match": tag}).status_code == 304
    actions.refund(provider, payment, None, None)
    assert mine.get(path, headers={"If-None-Match": tag}).status_code == 200
    assert JsonClient().get(path, headers={"If-None-Match": tag}).status_code == 401

"""`POST /payments/webhooks/mock`: only the gateway speaks, and everything that it says counts once."""

import base64
import hmac
import json
import time
from datetime import timedelta
from hashlib import sha256
from itertools import permutations

import pytest

from marketplace_billing import actions
from marketplace_billing.gateways.mock.models import MockCharge
from marketplace_billing.models import GatewayEvent, Payment, Refund
from marketplace_billing.signals import payment_succeeded
from marketplace_billing.testing import make_payment
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient

pytestmark = pytest.mark.django_db
PATH = "/api/payments/webhooks/mock"


@pytest.fixture
def secret(settings):
    return settings.BILLING["MOCK_WEBHOOK_SECRET"]


def signature(secret, event_id, at, body):
    """By the book, and not by our own code: HMAC-SHA256 of `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, f"{event_id}.{at}.".encode() + body, sha256).digest()).decode()


def event(type_, key):
    return {"type": type_, "timestamp": "2027-01-11T09:00:00Z", "data": {"reference": str(key)}}


def send(secret, body, event_id="msg_1", *, at=None, raw=None, **changed):
    at = int(time.time()) if at is None else at
    raw = json.dumps(body).encode() if raw is None else raw
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret, event_id, at, raw),
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    return JsonClient().generic("POST", PATH, raw, content_type="application/json", headers=headers)


@pytest.fixture
def pending(provider, customer):
    return make_payment(customer, make_service(provider), method="mock_pending")


@pytest.fixture
def successes():
    heard = []

    def hear(payment, **_):
        heard.append(payment.pk)

    payment_succeeded.connect(hear)
    yield heard
    payment_succeeded.disconnect(hear)


@pytest.mark.parametrize("reference", ["{}", "mock_ch_{}"])
def test_a_signed_event_settles_a_payment(pending, secret, reference):
    answer = send(secret, event("payment.succeeded", reference.format(pending.pk)))

    assert (answer.status_code, answer.content) == (204, b"")
    pending.refresh_from_db()
    assert (pending.status, pending.reference) == ("succeeded", f"mock_ch_{pending.pk}")
    assert MockCharge.objects.get().outcome == "succeeded"


def test_a_failed_one_says_why(pending, secret):
    send(secret, event("payment.failed", pending.pk))

    pending.refresh_from_db()
    assert (pending.status, pending.failure_code) == ("failed", "card_declined")


@pytest.mark.parametrize(("type_", "status"), [("refund.succeeded", "succeeded"), ("refund.failed", "failed")])
def test_refunds_are_settled_too(provider, customer, secret, type_, status):
    refund = actions.refund(provider, make_payment(customer, make_service(provider)), None, "mock_pending")

    assert send(secret, event(type_, refund.pk)).status_code == 204
    assert Refund.objects.get().status == status


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": "v1,AAAA"},
        {"webhook_signature": ""},
        {"webhook_signature": "v1,é"},
        {"webhook_id": "msg_2"},
        {"webhook_id": ""},
        {"webhook_timestamp": "0"},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "-1"},
    ],
)
def test_a_bad_signature_is_refused(pending, secret, changed):
    answer = send(secret, event("payment.succeeded", pending.pk), **changed)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert Payment.objects.get().status == "pending"
    assert not GatewayEvent.objects.exists()


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-290, 204), (290, 204), (310, 401)])
def test_an_old_signature_is_refused_and_one_from_the_future(pending, secret, seconds, status):
    answer = send(secret, event("payment.succeeded", pending.pk), at=int(time.time()) + seconds)

    assert answer.status_code == status


def test_a_signature_is_of_its_body_and_secret(pending, secret):
    body = event("payment.succeeded", pending.pk)
    of_another = signature(secret, "msg_1", int(time.time()), b"{}")
    other_secret = "whsec_" + base64.b64encode(b"another secret").decode()

    assert send(secret, body, webhook_signature=of_another).status_code == 401
    assert send(other_secret, body).status_code == 401
    right = signature(secret, "msg_1", at := int(time.time()), json.dumps(body).encode())
    assert send(secret, body, at=at, webhook_signature=f"v1,AAAA v1a,BBBB {right}").status_code == 204


def test_the_signature_is_looked_at_before_the_body(secret):
    assert send(secret, None, raw=b"{", webhook_signature="v1,x").status_code == 401
    assert send(secret, None, raw=b"{").json()["code"] == "malformed_json"
    assert send(secret, {"type": "payment.lost", "timestamp": "x", "data": {}}).status_code == 422


def test_nothing_of_authorization_is_looked_at(pending, secret):
    answer = send(secret, event("payment.succeeded", pending.pk), authorization="Bearer nonsense")

    assert answer.status_code == 204


def test_an_event_counts_once(pending, secret, successes):
    body = event("payment.succeeded", pending.pk)

    assert [send(secret, body).status_code for _ in range(3)] == [204] * 3
    with clock.shifted(timedelta(minutes=4)):
        assert send(secret, body).status_code == 204
    assert successes == [pending.pk]
    assert GatewayEvent.objects.get().event_id == "msg_1"


def test_an_id_that_counted_says_nothing_new(provider, customer, pending, secret):
    seller = type(customer).objects.create(login="x", sells=True)
    other = make_payment(customer, make_service(seller), method="mock_pending")

    send(secret, event("payment.succeeded", pending.pk))
    send(secret, event("payment.succeeded", other.pk))

    other.refresh_from_db()
    assert other.status == "pending"


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_the_order_does_not_matter(provider, customer, secret, successes, order):
    """The same fact under two ids, and the refund that followed: whatever comes first."""
    payment = make_payment(customer, make_service(provider), method="mock_pending")
    actions.record_charge(payment.pk, actions.gateway().event(event("payment.succeeded", payment.pk)).result)
    refund = actions.refund(provider, Payment.objects.get(), None, "mock_pending")
    events = [
        ("a", event("payment.succeeded", payment.pk)),
        ("b", event("payment.succeeded", payment.pk)),
        ("c", event("refund.succeeded", refund.pk)),
    ]

    for number in order:
        event_id, body = events[number]
        assert send(secret, body, event_id).status_code == 204

    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
    assert successes == [payment.pk]


def test_what_came_late_does_not_undo_what_is_known(provider, customer, secret):
    payment = make_payment(customer, make_service(provider))

    assert send(secret, event("payment.failed", payment.pk)).status_code == 204

    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert MockCharge.objects.get().outcome == "succeeded"


@pytest.mark.parametrize("spelling", ["urn:uuid:{}", "{{{}}}", "mock_ch_urn:uuid:{}"])
def test_a_payment_goes_by_its_own_spelling(pending, secret, spelling):
    """Under another one the mock's books would have another end for it, or none."""
    for reference in (spelling.format(pending.pk), str(pending.pk).upper(), pending.pk.hex):
        assert send(secret, event("payment.failed", reference)).status_code == 204

    pending.refresh_from_db()
    assert pending.status == "pending"


@pytest.mark.parametrize("reference", ["01900000-0000-7000-8000-000000000000", "mock_ch_7", "", "ü"])
def test_what_is_not_ours_is_passed_over(secret, reference):
    assert send(secret, event("payment.succeeded", reference)).status_code == 204


def test_with_another_gateway_the_mock_has_nothing_to_say(pending, secret, settings):
    settings.BILLING = settings.BILLING | {"GATEWAY": f"{__name__}.Other"}

    assert send(secret, event("payment.succeeded", pending.pk)).status_code == 404


class Other:
    name = "other"

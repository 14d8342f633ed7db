"""`/payments/balance`, `/payments/payouts` and `/payments/refund-quote`."""

from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest

from marketplace_billing import actions, payouts
from marketplace_billing.models import Payout, Refund
from marketplace_billing.signals import payout_paid
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs

pytestmark = pytest.mark.django_db
SIDES = ("customer", "provider")


@pytest.fixture
def earned(provider, customer):
    """Make a provider earn, through a completed booking."""

    def earn(price="50.00", currency="USD", ahead=timedelta(days=2)):
        payment = make_payment(
            customer, make_service(provider, price=Decimal(price), currency=currency), a_start(ahead)
        )
        bookings.confirm_booking(provider, payment.booking)
        with clock.frozen(payment.booking.scheduled_at):
            bookings.complete_booking(provider, payment.booking)
        return payment

    return earn


def test_a_provider_is_paid_out(provider, sign_in, earned):
    earned()
    earned("3000", "JPY", timedelta(days=4))
    seller, paid = sign_in(provider), []
    payout_paid.connect(lambda payout, **_: paid.append(payout), weak=False, dispatch_uid="heard")

    before = seller.get("/api/payments/balance").json()["items"]
    answer = seller.post("/api/payments/payouts", {"currency": "USD"})
    again = seller.post("/api/payments/payouts", {"currency": "USD"})
    payout_paid.disconnect(dispatch_uid="heard")

    assert before == [
        {"currency": "JPY", "available": 2700, "pending": 0},
        {"currency": "USD", "available": 45.0, "pending": 0.0},
    ]
    body = answer.json()
    assert (answer.status_code, body["amount"], body["currency"], body["status"]) == (201, 45.0, "USD", "paid")
    assert body.keys() == {"id", "amount", "currency", "status", "createdAt"}
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_pay_out")
    assert seller.get("/api/payments/payouts").json() == {"items": [body], "nextCursor": None}
    assert [str(p.pk) for p in paid] == [body["id"]]
    after = seller.get("/api/payments/balance").json()["items"]
    assert after == [before[0], {"currency": "USD", "available": 0.0, "pending": 0.0}]


def test_amounts_have_the_currencys_decimals(provider, sign_in, earned):
    earned()

    assert b'"available":45.00,"pending":0.00' in sign_in(provider).get("/api/payments/balance").content


def test_what_is_pending_is_not_paid_out(provider, customer, sign_in):
    make_payment(customer, make_service(provider))

    assert sign_in(provider).post("/api/payments/payouts", {"currency": "USD"}).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/api/payments/balance", None),
        ("get", "/api/payments/payouts", None),
        ("post", "/api/payments/payouts", {"currency": "USD"}),
    ],
)
def test_they_are_for_providers(customer, sign_in, method, path, body):
    args = [body] if body else []

    assert getattr(sign_in(None), method)(path, *args).status_code == 401
    answer = getattr(sign_in(customer), method)(path, *args)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("body", [{}, {"currency": "XXX"}, {"currency": "usd"}, {"currency": "USD", "amount": 1}])
def test_bad_bodies_are_told(provider, sign_in, body):
    assert sign_in(provider).post("/api/payments/payouts", body).status_code == 422


def test_each_sees_his_own(provider, customer, sign_in, earned, django_user_model):
    earned()
    payouts.pay_out(provider, "USD")
    other = django_user_model.objects.create(login="other", sells=True)

    assert sign_in(other).get("/api/payments/payouts").json()["items"] == []
    assert sign_in(other).get("/api/payments/balance").json()["items"] == []


def test_who_goes_is_paid_all_that_is_his(provider, customer, earned):
    earned()
    earned("3000", "JPY", timedelta(days=4))
    broke = earned("10.00", "EUR", timedelta(days=6))
    payouts.pay_out(provider, "EUR")
    actions.refund(provider, broke, None, None)

    assert {(p.currency, p.amount) for p in payouts.pay_out_all(provider.pk)} == {("JPY", 2700), ("USD", 45)}
    assert payouts.pay_out_all(provider.pk) == []
    assert len(actions.export(provider.pk)["payouts"]) == Payout.objects.count() == 3


def test_lists_take_as_many_queries_however_much_there_is(provider, sign_in, earned, django_assert_num_queries):
    for day in range(2, 5):
        earned(ahead=timedelta(days=day))
        payouts.pay_out(provider, "USD")
    seller = sign_in(provider)

    for path in ("balance", "payouts"):
        with django_assert_num_queries(3):  # session, user, rows
            seller.get(f"/api/payments/{path}")


# --- what cancelling would give back ---


def quoted(client, booking):
    return client.get(f"/api/payments/refund-quote?bookingId={booking.pk}")


@pytest.mark.parametrize(
    ("policy", "hours", "who", "refunded", "method"),
    [
        *product(
            ("flexible", "moderate", "strict"), (1, 30, 100, 200), ("customer", "provider"), (0,), ("mock_success",)
        ),
        *product(("flexible", "moderate"), (1, 100), ("customer", "staff"), (40,), ("mock_success",)),
        *product(("flexible",), (100,), SIDES, (0,), ("mock_declined", "mock_pending", None)),
        *product(("flexible",), (-1,), ("customer", "provider", "staff"), (0, 10), ("mock_success",)),
    ],
)
def test_the_quote_is_what_happens(
    provider, customer, sign_in, django_user_model, policy, hours, who, refunded, method
):
    staff = django_user_model.objects.create(login="staff", is_staff=True)
    person = {"customer": customer, "provider": provider, "staff": staff}[who]
    service = make_service(provider, price=Decimal("49.99"), cancellation_policy=policy, booking_window=60)
    booking = make_booking(customer, service, a_start(timedelta(days=20)))
    if method:
        payment = actions.settle_payment(actions.start_payment(customer, booking, method).pk)
    if refunded:
        actions.refund(provider, payment, Decimal(refunded), None)
    before = Refund.objects.count()

    with clock.frozen(booking.scheduled_at - timedelta(hours=hours)):
        answer = quoted(sign_in(person), booking)
        try:
            bookings.cancel_booking(person, booking)
        except DomainError as refusal:
            assert refusal.code == "too_late"  # noqa: PT017
    run_jobs()

    body = answer.json()
    assert (answer.status_code, body["currency"], body["policy"]) == (200, "USD", policy)
    given = [r.amount for r in Refund.objects.order_by("created_at", "id")[before:]]
    assert [Decimal(str(body["refundAmount"]))] == (given or [0])


def test_who_may_ask(provider, customer, sign_in, django_user_model):
    booking = make_booking(customer, make_service(provider))
    stranger = django_user_model.objects.create(login="stranger")

    assert quoted(sign_in(None), booking).status_code == 401
    assert quoted(sign_in(stranger), booking).status_code == 404
    assert sign_in(customer).get("/api/payments/refund-quote").status_code == 422
    assert quoted(sign_in(customer), booking).json() == {"refundAmount": 0, "currency": "USD", "policy": "flexible"}


@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_what_is_over_gives_nothing_back(provider, customer, sign_in, earned, end):
    if end == "complete":
        booking = earned().booking
    else:
        booking = make_payment(customer, make_service(provider)).booking
        bookings.cancel_booking(customer, booking)

    assert [quoted(sign_in(who), booking).json()["refundAmount"] for who in (customer, provider)] == [0, 0]

"""The endpoints of /payments, in a foreign project."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from marketplace_billing import actions
from marketplace_billing.models import Payment, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import run_jobs


def body_of(booking, method="mock_success"):
    return {"bookingId": str(booking.pk), "paymentMethod": method}


def test_a_customer_pays(provider, customer, sign_in):
    booking = make_booking(customer, make_service(provider))

    answer = sign_in(customer).post("/api/payments", body_of(booking))

    assert answer.status_code == 201, answer.content
    body = answer.json()
    expected = {
        "bookingId": str(booking.pk),
        "customerId": customer.pk,
        "providerId": provider.pk,
        "amount": 50.0,
        "currency": "USD",
        "status": "succeeded",
        "refundedAmount": 0,
        "feeAmount": 5.0,
        "paymentMethod": "mock_success",
        "failureCode": None,
    }
    assert {k: v for k, v in body.items() if k not in ("id", "createdAt", "updatedAt")} == expected
    assert b'"refundedAmount":0.00,' in answer.content
    assert sign_in(provider).get(f"/api/payments/{body['id']}").json() == body
    assert sign_in(None).get(f"/api/payments/{body['id']}").status_code == 401


@pytest.mark.parametrize(
    ("method", "code"), [("mock_declined", "card_declined"), ("mock_insufficient_funds", "insufficient_funds")]
)
def test_a_declined_one_is_kept_and_another_may_follow(provider, customer, sign_in, method, code):
    booking = make_booking(customer, make_service(provider))
    mine = sign_in(customer)

    answer = mine.post("/api/payments", body_of(booking, method))

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (402, code)
    kept = mine.get(f"/api/payments/{problem['paymentId']}").json()
    assert (kept["status"], kept["failureCode"]) == ("failed", code)
    assert mine.post("/api/payments", body_of(booking)).status_code == 201
    assert [p["status"] for p in mine.get("/api/payments").json()["items"]] == ["succeeded", "failed"]


def test_nothing_is_paid_twice(provider, customer, sign_in):
    booking = make_payment(customer, make_service(provider)).booking

    answer = sign_in(customer).post("/api/payments", body_of(booking))

    assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(
            booking=booking, customer=customer, provider=provider, amount=1, currency="USD", fee_amount=0
        )


def test_what_is_free_cancelled_or_lapsed_cant_be_paid(provider, customer, sign_in):
    free = make_booking(customer, make_service(provider, price=Decimal(0)), a_start(timedelta(days=3)))
    cancelled = bookings.cancel_booking(customer, make_booking(customer, make_service(provider)))
    lapsed = make_booking(customer, make_service(provider))

    for booking, at in ((free, clock.now()), (cancelled, clock.now()), (lapsed, lapsed.scheduled_at)):
        with clock.frozen(at):
            answer = sign_in(customer).post("/api/payments", body_of(booking))
        assert (answer.status_code, answer.json()["code"]) == (409, "booking_not_payable")


def test_nobody_is_paid_who_has_left(provider, customer, sign_in, monkeypatch):
    booking = make_booking(customer, make_service(provider))
    bookings.confirm_booking(provider, booking)
    with clock.frozen(booking.scheduled_at):
        bookings.complete_booking(provider, booking)
    monkeypatch.setattr(actions, "hold_users", lambda *user_ids: provider.pk not in user_ids)

    answer = sign_in(customer).post("/api/payments", body_of(booking))

    assert (answer.status_code, answer.json()["code"]) == (409, "booking_not_payable")


def test_only_the_customer_pays(provider, customer, sign_in, django_user_model):
    booking = make_booking(customer, make_service(provider))
    stranger = django_user_model.objects.create(login="x")

    statuses = [sign_in(who).post("/api/payments", body_of(booking)).status_code for who in (provider, stranger, None)]

    assert statuses == [403, 404, 401]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"paymentMethod": "gold"}, "/paymentMethod"), ({"bookingId": 1}, "/bookingId"), ({"amount": 1}, "/amount")],
)
def test_bad_bodies_are_told(provider, customer, sign_in, change, pointer):
    booking = make_booking(customer, make_service(provider))

    answer = sign_in(customer).post("/api/payments", body_of(booking) | change)

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("who", "ahead", "back"),
    [("customer", timedelta(days=2), "50.00"), ("customer", timedelta(hours=3), "25.00")]
    + [("provider", timedelta(hours=3), "50.00")],
)
def test_a_cancelled_booking_refunds_itself(provider, customer, sign_in, who, ahead, back):
    payment = make_payment(customer, make_service(provider), a_start(ahead))
    person = {"customer": customer, "provider": provider}[who]

    bookings.cancel_booking(person, payment.booking, "Rain.")
    run_jobs()

    refund = sign_in(customer).get(f"/api/payments/{payment.pk}/refunds").json()["items"]
    assert [(r["amount"], r["status"], r["reason"]) for r in refund] == [(float(back), "succeeded", "Rain.")]
    shown = sign_in(customer).get(f"/api/payments/{payment.pk}").json()
    whole = back == "50.00"
    assert (shown["status"], shown["refundedAmount"]) == (
        "refunded" if whole else "partially_refunded",
        float(back),
    )


def test_a_payment_that_settles_after_the_cancellation_is_given_back_whole(provider, customer):
    booking = make_booking(customer, make_service(provider), a_start(timedelta(hours=1)))
    payment = actions.start_payment(customer, booking, "mock_success")
    bookings.cancel_booking(customer, booking)

    assert actions.settle_payment(payment.pk).status == "succeeded"
    run_jobs()

    payment.refresh_from_db()
    assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)


def test_the_provider_gives_money_back_in_parts(provider, customer, sign_in):
    payment = make_payment(customer, make_service(provider))
    path = f"/api/payments/{payment.pk}/refunds"
    seller = sign_in(provider)

    first = seller.post(path, {"amount": 20.00, "reason": "Late."})
    too_much = seller.post(path, {"amount": 30.01})
    rest = seller.post(path, {})
    nothing_left = seller.post(path, {})

    assert (first.status_code, first.json()["status"], first.json()["amount"]) == (201, "succeeded", 20.0)
    assert (too_much.status_code, too_much.json()["code"]) == (409, "refund_exceeds_payment")
    assert rest.json()["amount"] == 30.0
    assert (nothing_left.status_code, nothing_left.json()["code"]) == (409, "refund_exceeds_payment")
    assert Payment.objects.get().status == "refunded"


@pytest.mark.parametrize("amount", [0, -1, 0.001, "5", True])
def test_an_amount_to_give_back_must_make_sense(provider, customer, sign_in, amount):
    payment = make_payment(customer, make_service(provider))

    answer = sign_in(provider).post(f"/api/payments/{payment.pk}/refunds", {"amount": amount})

    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == "/amount"
    assert not Refund.objects.exists()


def test_all_is_given_back_where_nothing_is_said(provider, customer, sign_in):
    payment = make_payment(customer, make_service(provider))

    answer = sign_in(provider).post(f"/api/payments/{payment.pk}/refunds")

    assert (answer.status_code, answer.json()["amount"], answer.json()["reason"]) == (201, 50.0, None)


def test_a_part_of_a_cent_is_told_before_what_conflicts(provider, customer, sign_in):
    payment = make_payment(customer, make_service(provider), method="mock_pending")
    path, seller = f"/api/payments/{payment.pk}/refunds", sign_in(provider)

    answers = [seller.post(path, {"amount": amount}) for amount in (0.001, 0.01)]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (422, "validation_error"),
        (409, "payment_not_refundable"),
    ]


def test_who_may_give_back_and_what(provider, customer, sign_in, django_user_model):
    service = make_service(provider)
    paid = make_payment(customer, service)
    failed_booking = make_booking(customer, service, a_start(timedelta(days=5)))
    failed = sign_in(customer).post("/api/payments", body_of(failed_booking, "mock_declined")).json()["paymentId"]
    staff = django_user_model.objects.create(login="staff", is_staff=True)

    assert sign_in(customer).post(f"/api/payments/{paid.pk}/refunds", {}).status_code == 403
    answer = sign_in(provider).post(f"/api/payments/{failed}/refunds", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_refundable")
    assert sign_in(staff).post(f"/api/payments/{paid.pk}/refunds", {}).status_code == 201


def test_lists_are_the_callers_and_filtered(provider, customer, sign_in, django_user_model):
    service = make_service(provider)
    one = make_payment(customer, service, a_start(timedelta(days=2)))
    two = make_payment(django_user_model.objects.create(login="x"), service, a_start(timedelta(days=3)))

    def ids(who, query=""):
        return [p["id"] for p in sign_in(who).get(f"/api/payments?{query}").json()["items"]]

    assert ids(customer) == [str(one.pk)]
    assert ids(provider) == [str(two.pk), str(one.pk)]
    assert ids(provider, "role=customer") == []
    assert ids(provider, f"bookingId={one.booking_id}") == [str(one.pk)]
    assert ids(provider, "status=failed") == []

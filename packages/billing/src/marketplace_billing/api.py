"""`/payments`: parse, fetch in scope, call an action, return the row."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_booking.models import Booking
from marketplace_kit.conditional import conditional
from marketplace_kit.exceptions import NotFound
from marketplace_kit.idempotency import attempt_of, idempotent_in_steps
from marketplace_kit.pagination import Page, Slice, Whole, paginate
from marketplace_kit.routing import Router, refuses
from marketplace_kit.users import user_of

from . import actions, schemas
from .exceptions import (
    AlreadyPaid,
    BookingNotPayable,
    CardDeclined,
    InsufficientFunds,
    NotYourBookingToPay,
    NotYourRefund,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from .models import Payment, Refund

router = Router(tags=["Payments"])


def visible(request: HttpRequest, payment_id: UUID) -> Payment:
    """The payment if the caller may see it. NotFound."""
    payment = Payment.objects.visible_to(user_of(request)).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound
    return payment


@router.post("", response={201: schemas.Payment})
@idempotent_in_steps(actions.patience)
@refuses(NotFound, NotYourBookingToPay, AlreadyPaid, BookingNotPayable, CardDeclined, InsufficientFunds)
def create_payment(request: HttpRequest, response: HttpResponse, body: schemas.CreatePayment) -> Status[Payment]:
    """Pay for a booking of yours, in whole. A declined payment is kept: its id is the problem's `paymentId`."""

    def answer(payment: Payment) -> Status[Payment]:
        response["Location"] = f"{request.path}/{payment.pk}"
        return Status(201, actions.accepted(payment))

    user, attempt = user_of(request), attempt_of(request)
    booking = Booking.objects.visible_to(user).filter(pk=body.booking_id).first()
    if booking is None:
        raise NotFound("There is no such booking.")
    then = attempt.keep(answer)
    return answer(actions.pay(user, booking, body.payment_method, payment_id=attempt.resource_id, then=then))


@router.get("", response=Page[schemas.Payment])
def list_payments(request: HttpRequest, params: Query[schemas.PaymentFilters]) -> Slice[Payment]:
    """The caller's payments, as customer and as provider, newest first."""
    rows = Payment.objects.of(user_of(request).pk, params.role).matching(params.status, params.booking_id)
    return paginate(rows, params, "-created_at", "-id")


@router.get("/{payment_id}", response=schemas.Payment)
@conditional
def get_payment(request: HttpRequest, payment_id: UUID) -> Payment:
    """One payment, for either side and for staff."""
    return visible(request, payment_id)


@router.post("/{payment_id}/refunds", response={201: schemas.Refund})
@idempotent_in_steps(actions.patience)
@refuses(NotYourRefund, PaymentNotRefundable, RefundExceedsPayment)
def create_refund(request: HttpRequest, payment_id: UUID, body: schemas.CreateRefund) -> Status[Refund]:
    """Give money back. For the provider and staff."""
    user, payment, attempt = user_of(request), visible(request, payment_id), attempt_of(request)
    answer: Callable[[Refund], Status[Refund]] = partial(Status, 201)
    then = attempt.keep(answer)
    return answer(actions.refund(user, payment, body.amount, body.reason, refund_id=attempt.resource_id, then=then))


@router.get("/{payment_id}/refunds", response=Whole[schemas.Refund])
def list_refunds(request: HttpRequest, payment_id: UUID) -> dict[str, Any]:
    """What was given back of a payment, oldest first."""
    return {"items": visible(request, payment_id).refunds.select_related("payment")}

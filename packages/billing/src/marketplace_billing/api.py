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
from marketplace_kit.pagination import Page, PageParams, Slice, Whole, paginate
from marketplace_kit.renderer import answered
from marketplace_kit.routing import Router, ignores_authorization, limited_as, refuses, tells_location
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of
from marketplace_kit.webhooks import BadSignature

from . import actions, events, ledger, payouts, schemas, shown
from .exceptions import (
    AlreadyPaid,
    BookingNotPayable,
    CardDeclined,
    InsufficientFunds,
    InvalidSignature,
    NothingToPayOut,
    NotYourBookingToPay,
    NotYourRefund,
    OnlyProviders,
    PaymentNotRefundable,
    RefundExceedsPayment,
)
from .gateways.protocol import gateway
from .models import Payment, Payout, Refund

router = Router(tags=["Payments"])


def visible(request: HttpRequest, payment_id: UUID) -> Payment:
    """The payment if the caller may see it. NotFound."""
    payment = Payment.objects.visible_to(user_of(request)).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound
    return payment


def visible_booking(request: HttpRequest, booking_id: UUID) -> Booking:
    """The booking if the caller may see it. NotFound."""
    booking = Booking.objects.visible_to(user_of(request)).filter(pk=booking_id).first()
    if booking is None:
        raise NotFound("There is no such booking.")
    return booking


@router.post("", response={201: schemas.Payment})
@idempotent_in_steps(actions.patience)
@tells_location
@refuses(NotFound, NotYourBookingToPay, AlreadyPaid, BookingNotPayable, CardDeclined, InsufficientFunds)
def create_payment(request: HttpRequest, response: HttpResponse, body: schemas.CreatePayment) -> Status[Payment]:
    """Pay for a booking in full. A declined payment is recorded; the problem's `paymentId` is its id."""

    def answer(payment: Payment) -> Status[Payment]:
        response["Location"] = f"{request.path}/{payment.pk}"
        return Status(201, actions.accepted(payment))

    user, attempt = user_of(request), attempt_of(request)
    booking = visible_booking(request, body.booking_id)
    then = attempt.keep(answer)
    return answer(actions.pay(user, booking, body.payment_method, payment_id=attempt.resource_id, then=then))


@router.get("", response=Page[schemas.Payment])
def list_payments(request: HttpRequest, params: Query[schemas.PaymentFilters]) -> HttpResponse:
    """List your payments, as a customer and as a provider, newest first."""
    return answered(shown.page_of(user_of(request).pk, params))


@router.get("/refund-quote", response=schemas.RefundQuote)
@refuses(NotFound)
def get_refund_quote(request: HttpRequest, params: Query[schemas.QuoteParams]) -> dict[str, Any]:
    """How much would be refunded if you cancelled a booking now."""
    booking = visible_booking(request, params.booking_id)
    amount = actions.quote(user_of(request), booking)
    return {"refund_amount": amount, "currency": booking.currency, "policy": booking.cancellation_policy}


# --- what is the provider's ---


@router.get("/balance", response=Whole[schemas.Balance])
@refuses(OnlyProviders)
def get_balance(request: HttpRequest) -> dict[str, Any]:
    """Your balance in each currency: available, and pending until the bookings end. For providers."""
    user = user_of(request)
    payouts.refuse_all_but_providers(user)
    return {"items": ledger.balances(user.pk)}


@router.post("/payouts", response={201: schemas.Payout})
@refuses(OnlyProviders, NothingToPayOut)
def create_payout(request: HttpRequest, body: schemas.PayOut) -> Status[Payout]:
    """Pay out your whole available balance in a currency. For providers."""
    return Status(201, payouts.pay_out(user_of(request), body.currency))


@router.get("/payouts", response=Page[schemas.Payout])
@refuses(OnlyProviders)
def list_payouts(request: HttpRequest, params: Query[PageParams]) -> Slice[Payout]:
    """List your payouts, newest first. For providers."""
    user = user_of(request)
    payouts.refuse_all_but_providers(user)
    return paginate(Payout.objects.filter(provider=user.pk), params, "-created_at", "-id")


# --- one payment ---


@router.get("/{payment_id}", response=schemas.Payment)
@conditional
def get_payment(request: HttpRequest, payment_id: Id) -> Payment:
    """Get a payment. For its customer, its provider and staff."""
    return visible(request, payment_id)


@router.post("/{payment_id}/refunds", response={201: schemas.Refund})
@idempotent_in_steps(actions.patience)
@refuses(NotYourRefund, PaymentNotRefundable, RefundExceedsPayment)
def create_refund(request: HttpRequest, payment_id: Id, body: schemas.CreateRefund | None = None) -> Status[Refund]:
    """Refund a payment, in full or in part. For its provider and staff."""
    body = body or schemas.CreateRefund()
    user, payment, attempt = user_of(request), visible(request, payment_id), attempt_of(request)
    answer: Callable[[Refund], Status[Refund]] = partial(Status, 201)
    then = attempt.keep(answer)
    return answer(actions.refund(user, payment, body.amount, body.reason, refund_id=attempt.resource_id, then=then))


@router.get("/{payment_id}/refunds", response=Whole[schemas.Refund])
def list_refunds(request: HttpRequest, payment_id: Id) -> dict[str, Any]:
    """List the refunds of a payment, oldest first."""
    return {"items": visible(request, payment_id).refunds.select_related("payment")}


# --- the gateway's own calls ---


def signed_by_the_gateway(request: HttpRequest) -> bool:
    """What stands for sign-in where the gateway calls. NotFound where it is another one; InvalidSignature."""
    if not request.path.endswith(f"/webhooks/{gateway().name}"):
        raise NotFound
    try:
        request.event_id = gateway().verify(request.headers, request.body)  # type: ignore[attr-defined]
    except BadSignature as error:
        raise InvalidSignature from error
    return True


SIGNED_HEADERS = [
    {"in": "header", "name": name, "description": description, "required": True, "schema": {"type": "string"}}
    for name, description in {
        "webhook-id": "The event's id. Each event is processed once.",
        "webhook-timestamp": "Unix time in seconds, at most five minutes off.",
        "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of id, timestamp and body; several, by spaces.",
    }.items()
]


@router.post(
    "/webhooks/mock",
    response={204: None},
    auth=signed_by_the_gateway,
    openapi_extra={"parameters": SIGNED_HEADERS},
)
@ignores_authorization
@limited_as(None)
@refuses(InvalidSignature, NotFound)
def receive_mock_webhook(request: HttpRequest, body: schemas.GatewayEvent) -> Status[None]:
    """Receive an event from the mock gateway, signed according to Standard Webhooks.

    Each `webhook-id` is processed once, in any order. Events about unknown payments are ignored.
    """
    event = gateway().event(body.model_dump(mode="json"))
    if event is not None:
        events.receive_event(request.event_id, event)  # type: ignore[attr-defined]
    return Status(204, None)

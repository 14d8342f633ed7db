"""Payments: giving money back as staff."""

from decimal import Decimal
from typing import Any, override
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path

from marketplace_billing import actions
from marketplace_billing.admin import PaymentAdmin
from marketplace_billing.lifecycle import RefundStatus
from marketplace_billing.models import Payment, Refund
from marketplace_kit import audit
from marketplace_kit.admin_pages import link_to
from marketplace_kit.ids import uuid7
from marketplace_kit.money import EXPONENTS, unit
from marketplace_kit.users import user_of

from .acting import Reasoned, address_of, asked, done, row_of
from .replacing import in_place_of_the_package
from .shown import moment, money

OUTCOMES = {
    RefundStatus.SUCCEEDED: (messages.SUCCESS, "has been refunded"),
    RefundStatus.PENDING: (messages.WARNING, "is on its way: the gateway has not settled it yet"),
    RefundStatus.FAILED: (messages.ERROR, "was not refunded: the gateway refused"),
}


class RefundForm(Reasoned):
    """How much; and the refund's key, so that a form that is sent twice gives back once."""

    refund_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)
    field_order = ("refund_id", "amount", "reason")

    def __init__(self, payment: Payment, *args: Any) -> None:
        super().__init__(*args)
        self.fields["amount"] = forms.DecimalField(
            label=f"Amount in {payment.currency}",
            required=False,
            min_value=unit(payment.currency),
            decimal_places=EXPONENTS[payment.currency],
            help_text=f"Empty: all that is left, {money(payment.left, payment.currency)}.",
        )
        self.order_fields(self.field_order)


@in_place_of_the_package(Payment)
class PaymentPages(PaymentAdmin):
    @override
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.refund)
        return [path("<uuid:key>/refund/", view, name="marketplace_billing_payment_refund"), *super().get_urls()]

    @override
    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        payment: Payment = context["original"]
        context["may_refund"] = payment.is_paid and payment.left and self.may_refund(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def may_refund(self, request: HttpRequest) -> bool:
        """Nobody adds a refund by hand: the right to add one is that to give money back."""
        return request.user.has_perm("marketplace_billing.add_refund")

    def refund(self, request: HttpRequest, key: UUID) -> HttpResponseBase:
        """Ask how much and why, then give it back."""
        payment = row_of(self, request, str(key))
        if not self.may_refund(request):
            raise PermissionDenied
        form = RefundForm(payment, request.POST if request.method == "POST" else None)
        if form.is_valid():
            self._refunded(request, payment, **form.cleaned_data)
            return HttpResponseRedirect(address_of(payment))
        return asked(self, request, payment, form, "Refund", _facts_of(payment))

    def _refunded(
        self, request: HttpRequest, payment: Payment, refund_id: UUID, amount: Decimal | None, reason: str
    ) -> None:
        user = user_of(request)
        refund = done(request, lambda: actions.refund(user, payment, amount, reason, refund_id=refund_id))
        if refund is not None:
            self._tell(request, refund)

    def _tell(self, request: HttpRequest, refund: Refund) -> None:
        given, payment = money(refund.amount, refund.currency), refund.payment
        level, outcome = OUTCOMES[RefundStatus(refund.status)]
        keys = {"refund_id": str(refund.pk), "payment_id": str(payment.pk), "by_user_id": str(request.user.pk)}
        audit.record("refunded_by_staff", **keys)
        self.log_change(request, payment, f"Refund of {given}, {refund.status}: {refund.reason}")
        self.message_user(request, f"{given} {outcome}.", level)


def _facts_of(payment: Payment) -> list[tuple[str, Any]]:
    return [
        ("Payment", payment.pk),
        ("Booking", link_to(payment.booking)),
        ("Status", payment.status),
        ("Paid", f"{money(payment.amount, payment.currency)}, {moment(payment.created_at)}"),
        ("Refunded", money(payment.refunded_amount, payment.currency)),
        ("Left", money(payment.left, payment.currency)),
        ("Customer", link_to(payment.customer)),
        ("Provider", link_to(payment.provider)),
    ]

"""Bookings: the list that support searches, the page that joins all that is known of one, and calling one off."""

from contextlib import suppress
from typing import Any, override
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path

from marketplace_billing import actions as billing
from marketplace_billing.models import Payment, Refund
from marketplace_booking import actions
from marketplace_booking.admin import BookingAdmin
from marketplace_booking.lifecycle import OPEN
from marketplace_booking.models import Booking
from marketplace_kit import audit
from marketplace_kit.users import user_of

from . import figures
from .acting import Reasoned, address_of, asked, done, row_of
from .replacing import in_place_of_the_package
from .shown import money
from .support import facts_of, tables_of


@in_place_of_the_package(Booking)
class BookingPages(BookingAdmin):
    """The page of a booking is the support's: whoever links to a booking links to it."""

    search_help_text = (
        "The key of a booking, payment, refund, service or user; the e-mail address of either side; "
        "the gateway's reference."
    )

    @override
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("figures/", view(self.figures), name="marketplace_figures"),
            path("<uuid:key>/cancel/", view(self.cancel), name="marketplace_booking_booking_cancel"),
            *super().get_urls(),
        ]

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        keys = _paid_by(search_term.strip()) if search_term else set()
        if keys:
            return queryset.filter(pk__in=keys), False
        return super().get_search_results(request, queryset, search_term)

    @override
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        booking = row_of(self, request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": booking,
            "title": f"Booking {booking.pk}",
            "facts": facts_of(booking),
            "tables": tables_of(booking, request),
            "may_cancel": self.may_cancel(request) and booking.status in OPEN,
        }
        return TemplateResponse(request, "admin/support/booking.html", context)

    def may_cancel(self, request: HttpRequest) -> bool:
        """Nothing of a booking can be changed by hand: the right to change it is that to call it off."""
        return request.user.has_perm("marketplace_booking.change_booking")

    def cancel(self, request: HttpRequest, key: UUID) -> HttpResponseBase:
        """Ask for a reason, then call the booking off."""
        booking = row_of(self, request, str(key))
        if not self.may_cancel(request):
            raise PermissionDenied
        form = Reasoned(request.POST if request.method == "POST" else None)
        if form.is_valid():
            self._cancelled(request, booking, form.cleaned_data["reason"])
            return HttpResponseRedirect(address_of(booking))
        gives_back = money(billing.quote(user_of(request), booking), booking.currency)
        facts = [*facts_of(booking)[:8], ("Refund to the customer", gives_back)]
        return asked(self, request, booking, form, "Cancel this booking", facts)

    def _cancelled(self, request: HttpRequest, booking: Booking, reason: str) -> None:
        user = user_of(request)
        if done(request, lambda: actions.cancel_booking(user, booking, reason)) is None:
            return
        audit.record("booking_cancelled_by_staff", booking_id=str(booking.pk), by_user_id=str(user.pk))
        self.log_change(request, booking, f"Cancelled: {reason}")
        self.message_user(request, "The booking is cancelled. Any refund is on its way.")

    def figures(self, request: HttpRequest) -> HttpResponseBase:
        """Bookings and money by day."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return figures.page(self, request)


def _paid_by(term: str) -> set[Any]:
    """The keys of the bookings whose payment or refund has this key, or this reference at the gateway."""
    named = Q(reference=term)
    with suppress(ValueError):
        named |= Q(pk=UUID(term))
    payments = Payment.objects.filter(named).values_list("booking", flat=True)
    refunds = Refund.objects.filter(named).values_list("payment__booking", flat=True)
    return {*payments[:50], *refunds[:50]}

"""What support sees of the money. All of it is read-only: money is moved by actions, and the ledger only grows."""

from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest

from .models import Entry, GatewayEvent, Payment, Payout, Posting, Refund


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at. Counting all of them on every page would cost more than showing some."""

    show_full_result_count = False
    ordering = ("-created_at", "-pk")

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False
    show_change_link = True

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RefundsInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = ("id", "amount", "status", "reason", "created_at")


class PostingsInline(ReadOnlyInline):
    model = Posting
    fields = readonly_fields = ("id", "kind", "created_at")


class EntriesInline(ReadOnlyInline):
    model = Entry
    fields = readonly_fields = ("account", "owner", "amount", "currency")


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ("id", "status", "amount", "currency", "refunded_amount", "customer", "provider", "created_at")
    list_filter = ("status", "currency", "payment_method")
    list_select_related = ("customer", "provider")
    search_fields = ("=id", "=booking__id", "=reference")
    inlines = (RefundsInline, PostingsInline)


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    list_display = ("id", "status", "amount", "currency", "payment", "created_at")
    list_filter = ("status",)
    list_select_related = ("payment",)
    search_fields = ("=id", "=payment__id", "=reference")


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    list_display = ("id", "status", "amount", "currency", "provider", "created_at")
    list_filter = ("currency",)
    list_select_related = ("provider",)
    search_fields = ("=id", "=provider__pk")


@admin.register(Posting)
class PostingAdmin(ReadOnly):
    list_display = ("id", "kind", "payment", "refund", "payout", "created_at")
    list_filter = ("kind",)
    list_select_related = ("payment", "refund__payment", "payout")
    search_fields = ("=id", "=payment__id", "=refund__id", "=payout__id")
    inlines = (EntriesInline,)


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnly):
    list_display = ("event_id", "gateway", "kind", "key", "outcome", "received_at")
    list_filter = ("gateway", "kind", "outcome")
    search_fields = ("=event_id", "=key")
    ordering = ("-received_at", "-pk")

"""What support sees of the money. All of it is read-only: money is moved by actions, and the ledger only grows."""

from django.contrib import admin

from marketplace_kit.admin_pages import ReadOnly, ReadOnlyInline, linked, one_of

from .gateways.protocol import Kind, Outcome, gateway
from .models import Entry, GatewayEvent, Payment, Payout, Posting, Refund


class RefundsInline(ReadOnlyInline):
    model = Refund
    fields = ("id", "amount", "status", "reason", "created_at")


class PostingsInline(ReadOnlyInline):
    model = Posting
    fields = ("id", "kind", "created_at")


class EntriesInline(ReadOnlyInline):
    model = Entry
    fields = ("account", "owner", "amount", "currency")
    related = ("owner",)


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = (
        "id",
        "status",
        "amount",
        "currency",
        "refunded_amount",
        "failure_code",
        linked("booking"),
        linked("customer"),
        linked("provider"),
        "created_at",
    )
    list_filter = ("status", one_of("payment_method", lambda: gateway().methods))
    list_select_related = ("booking", "customer", "provider")
    search_fields = (
        "id__exact",
        "booking__id__exact",
        "reference__exact",
        "customer__pk__exact",
        "provider__pk__exact",
    )
    search_help_text = (
        "The key of a payment, a booking, a customer or a provider; the sign-in name of either side; "
        "the gateway's reference."
    )
    people = ("customer", "provider")
    inlines = (RefundsInline, PostingsInline)


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    list_display = ("id", "status", "amount", "currency", linked("payment"), "reason", "created_at")
    list_filter = ("status",)
    list_select_related = ("payment",)
    search_fields = ("id__exact", "payment__id__exact", "reference__exact")
    search_help_text = "The key of a refund or of its payment; the gateway's reference."


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    list_display = ("id", "status", "amount", "currency", linked("provider"), "created_at")
    list_select_related = ("provider",)
    search_fields = ("id__exact", "provider__pk__exact")
    search_help_text = "The key of a payout; the key or the sign-in name of its provider."
    people = ("provider",)


@admin.register(Posting)
class PostingAdmin(ReadOnly):
    list_display = ("id", "kind", linked("payment"), linked("refund"), linked("payout"), "created_at")
    list_filter = ("kind",)
    list_select_related = ("payment", "refund__payment", "payout")
    search_fields = ("id__exact", "payment__id__exact", "refund__id__exact", "payout__id__exact")
    search_help_text = "The key of a posting, or of the payment, refund or payout that it tells of."
    inlines = (EntriesInline,)


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    list_display = ("id", "account", linked("owner"), "amount", "currency", linked("posting"))
    list_filter = ("account",)
    list_select_related = ("owner", "posting")
    search_fields = ("posting__id__exact", "owner__pk__exact")
    search_help_text = "The key of a posting; the key or the sign-in name of whose account it is."
    people = ("owner",)


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnly):
    list_display = ("event_id", "gateway", "kind", "key", "outcome", "received_at")
    list_filter = (one_of("kind", lambda: tuple(Kind)), one_of("outcome", lambda: tuple(Outcome)))
    search_fields = ("event_id__exact", "key__exact")
    search_help_text = "The event's id; the key of the payment or refund that it is about."

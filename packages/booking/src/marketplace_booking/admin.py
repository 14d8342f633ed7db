"""The admin's pages for bookings and their history: to look at. A booking is changed by its actions alone."""

from django.contrib import admin

from marketplace_kit.admin_pages import ReadOnly, ReadOnlyInline, linked

from .models import Booking, HistoryEntry


class HistoryInline(ReadOnlyInline):
    model = HistoryEntry
    fields = ("created_at", "action", "from_status", "to_status", "actor", "reason", "data")
    related = ("actor",)


@admin.register(Booking)
class BookingAdmin(ReadOnly):
    list_display = (
        "id",
        "status",
        linked("service"),
        linked("customer"),
        linked("provider"),
        "scheduled_at",
        "total_amount",
        "currency",
        "created_at",
    )
    list_filter = ("status", "cancelled_by")
    list_select_related = ("service", "customer", "provider", "reservation")
    search_fields = ("id__exact", "service__id__exact", "customer__pk__exact", "provider__pk__exact")
    search_help_text = "The key of a booking, a service, a customer or a provider; the sign-in name of either side."
    people = ("customer", "provider")
    ordering = ("-created_at", "-id")
    inlines = (HistoryInline,)


@admin.register(HistoryEntry)
class HistoryEntryAdmin(ReadOnly):
    list_display = ("created_at", "action", "from_status", "to_status", linked("booking"), linked("actor"), "reason")
    list_filter = ("action",)
    list_select_related = ("booking", "actor")
    search_fields = ("booking__id__exact", "actor__pk__exact")
    search_help_text = "The key of a booking; the key or the sign-in name of who did it."
    people = ("actor",)

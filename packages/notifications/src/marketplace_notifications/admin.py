"""What support sees: who was told what, who wants what, and how far the streams are. To look at, all of it."""

from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest

from marketplace_kit.admin_pages import ReadOnly, linked, one_of

from .conf import conf
from .models import Notification, Preference, StreamCounter, StreamTicket, WebhookDelivery, WebhookEndpoint

WHOSE = "The key or the sign-in name of a user."


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    list_display = ("id", "created_at", linked("user"), "type", "title", "in_app", "read_at", "mailed_at")
    list_filter = (one_of("type", lambda: tuple(conf.TYPES)), "in_app", ("read_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("id__exact", "user__pk__exact")
    search_help_text = f"The key of a notification. {WHOSE}"
    people = ("user",)


@admin.register(Preference)
class PreferenceAdmin(ReadOnly):
    """What users chose for themselves."""

    list_display = ("id", linked("user"), "type", "email", "in_app")
    list_filter = (one_of("type", lambda: tuple(conf.TYPES)), "email", "in_app")
    list_select_related = ("user",)
    search_fields = ("user__pk__exact",)
    search_help_text = WHOSE
    people = ("user",)


@admin.register(StreamCounter)
class StreamCounterAdmin(ReadOnly):
    list_display = ("user_id", linked("user"), "last")
    list_select_related = ("user",)
    search_fields = ("user__pk__exact",)
    search_help_text = WHOSE
    people = ("user",)


@admin.register(StreamTicket)
class StreamTicketAdmin(ReadOnly):
    """Tickets are listed and can't be opened: the address of such a page would hold the ticket's digest."""

    list_display = (linked("user"), "expires_at", "used_at")
    list_display_links = None
    list_select_related = ("user",)
    search_fields = ("user__pk__exact",)
    search_help_text = WHOSE
    people = ("user",)
    ordering = ("-expires_at",)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnly):
    """What they are signed with is in a table that has no page."""

    list_display = ("id", linked("user"), "url", "is_active", "disabled_reason", "failing_since", "created_at")
    list_filter = ("is_active", "disabled_reason")
    list_select_related = ("user",)
    search_fields = ("id__exact", "user__pk__exact")
    search_help_text = f"The key of an endpoint. {WHOSE}"
    people = ("user",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly):
    list_display = (
        *("id", linked("endpoint"), linked("notification"), "status", "attempts", "response_status", "fault"),
        *("next_attempt_at", "created_at"),
    )
    list_filter = ("status",)
    list_select_related = ("endpoint", "notification")
    search_fields = ("id__exact", "endpoint__id__exact", "notification__id__exact")
    search_help_text = f"The key of a delivery, an endpoint or a notification. {WHOSE}"
    people = ("endpoint__user",)

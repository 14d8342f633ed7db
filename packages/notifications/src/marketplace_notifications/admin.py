"""What support sees: who was told what, and who wants what."""

from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest

from .models import Notification, Preference


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["created_at", "user", "type", "title", "in_app", "read_at"]
    list_filter = ["type", "in_app"]
    list_select_related = ["user"]
    search_fields = ["id", "title"]
    show_full_result_count = False

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Preference)
class PreferenceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "type", "email", "in_app"]
    list_filter = ["type"]
    list_select_related = ["user"]
    raw_id_fields = ["user"]

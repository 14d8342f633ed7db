"""The admin's page for idempotency keys: whose request was done when. Neither the keys nor the answers are shown."""

from django.contrib import admin

from .admin_pages import ReadOnly, one_of
from .models import IdempotencyKey


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnly):
    list_display = ("created_at", "method", "path", "user", "status", "leased_until")
    list_filter = (one_of("method", lambda: ("POST", "PUT", "PATCH", "DELETE")),)
    search_fields = ("resource_id__exact", "user__exact")
    search_help_text = "The key of a user, or of what was made."
    hidden = ("key", "body_hash", "headers", "body")

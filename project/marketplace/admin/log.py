"""What was done in the admin, by whom."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.html import format_html

from marketplace_kit.admin_pages import ReadOnly, linked


@admin.register(LogEntry)
class LogEntryPages(ReadOnly):
    list_display = ("action_time", linked("user"), "content_type", "what", "change_message")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_id__exact", "user__pk__exact")
    search_help_text = "The key of what was changed; the key or the e-mail address of who did it."
    people = ("user",)

    def what(self, entry: LogEntry) -> str:
        address = entry.get_admin_url()
        return format_html('<a href="{}">{}</a>', address, entry.object_repr) if address else entry.object_repr

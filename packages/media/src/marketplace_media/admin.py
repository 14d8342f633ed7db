"""The admin's pages for files and uploads: to look at, and to open."""

from django.contrib import admin
from django.utils.html import format_html

from marketplace_kit.admin_pages import ReadOnly, linked

from .models import File, Upload


@admin.register(File)
class FileAdmin(ReadOnly):
    list_display = ("id", "filename", "kind", "size", linked("owner"), "created_at")
    list_filter = ("kind",)
    list_select_related = ("owner",)
    search_fields = ("id__exact", "key__exact", "owner__pk__exact")
    search_help_text = "The key of a file or of its object; the key or the sign-in name of its owner."
    people = ("owner",)
    fields = ("id", "owner", "kind", "filename", "content_type", "size", "width", "height", "key", "look", "created_at")

    def look(self, file: File) -> str:
        return format_html('<a href="{}" rel="noreferrer">Open it</a> (a signed address, good for two days)', file.url)


@admin.register(Upload)
class UploadAdmin(ReadOnly):
    list_display = ("id", "filename", "kind", "size", linked("owner"), linked("file"), "created_at", "expires_at")
    list_filter = ("kind", ("file", admin.EmptyFieldListFilter))
    list_select_related = ("owner", "file")
    search_fields = ("id__exact", "target__exact", "owner__pk__exact")
    search_help_text = "The key of an upload or of what it is for; the key or the sign-in name of its owner."
    people = ("owner",)

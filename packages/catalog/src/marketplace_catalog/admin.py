"""The admin's pages for the tree of categories, and for what is offered: the latter to look at."""

from typing import Any, override

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace_kit.admin_pages import ReadOnly, ReadOnlyInline, linked

from . import actions, search
from .models import Category, Service, ServiceFile, Word


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A category that services or others are filed under can't be deleted."""

    list_display = ("name", "slug", "parent", "position")
    search_fields = ("name", "slug")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).select_related("parent")

    @override
    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        actions.save_category(obj)


class FilesInline(ReadOnlyInline):
    model = ServiceFile
    fields = ("file", "position")
    related = ("file",)


@admin.register(Service)
class ServiceAdmin(ReadOnly):
    """Found by keys and people, else by the words that customers find it by."""

    list_display = ("id", "title", linked("provider"), linked("category"), "price", "currency", "is_active", "is_gone")
    list_filter = ("is_active", ("deleted_at", admin.EmptyFieldListFilter), "cancellation_policy", "category")
    list_select_related = ("provider", "category", "schedule")
    search_fields = ("id__exact", "provider__pk__exact")
    search_help_text = "The key of a service; the key or the sign-in name of its provider; or words, as in a search."
    people = ("provider",)
    inlines = (FilesInline,)

    @admin.display(boolean=True, description="deleted")
    def is_gone(self, service: Service) -> bool:
        return service.deleted_at is not None

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Service], search_term: str
    ) -> tuple[QuerySet[Service], bool]:
        found, _ = super().get_search_results(request, queryset, search_term)
        if not search_term or found.exists():
            return found, False
        return search.Wanted.of(search.as_asked(search_term)).found_in(queryset), False


@admin.register(ServiceFile)
class ServiceFileAdmin(ReadOnly):
    list_display = ("id", linked("service"), linked("file"), "position")
    list_select_related = ("service", "file")
    search_fields = ("service__id__exact", "file__id__exact")
    search_help_text = "The key of a service or of a file."


@admin.register(Word)
class WordAdmin(ReadOnly):
    """Where typing errors are looked up. Words are never forgotten."""

    list_display = ("word", "learned_at")
    search_fields = ("word__startswith",)
    search_help_text = "How a word begins, in small letters."

"""The admin's page for the tree of categories."""

from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest

from . import actions
from .models import Category


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A category that services or others are filed under can't be deleted."""

    list_display = ("name", "slug", "parent", "position")
    list_select_related = ("parent",)
    search_fields = ("name", "slug")

    @override
    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        actions.save_category(obj)

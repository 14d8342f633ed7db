"""Moderation: a review is hidden for a reason, and shown again. Nobody edits or deletes what others wrote."""

from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest

from marketplace_kit.admin_pages import ReadOnly, linked, one_of

from . import actions
from .models import HIGHEST, LOWEST, Review


@admin.register(Review)
class ReviewAdmin(ReadOnly):
    list_display = ("id", "rating", linked("service"), linked("author"), linked("booking"), "created_at", "hidden_at")
    list_filter = (
        ("hidden_at", admin.EmptyFieldListFilter),
        one_of("rating", lambda: [str(rating) for rating in range(LOWEST, HIGHEST + 1)]),
    )
    list_select_related = ("service", "author", "booking")
    search_fields = ("id__exact", "booking__id__exact", "service__id__exact", "author__pk__exact")
    search_help_text = "The key of a review, a booking or a service; the key or the sign-in name of its author."
    people = ("author",)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReadOnly, self).has_change_permission(request, obj)

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name != "hidden_reason"]

    @override
    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        if reason := form.cleaned_data["hidden_reason"]:
            actions.hide_review(obj, reason)
        else:
            actions.show_review(obj)

    @override
    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """The reason too: when the review is shown again nothing else remembers it."""
        if not form.has_changed():
            return super().construct_change_message(request, form, formsets, add)
        reason = form.cleaned_data["hidden_reason"]
        return f"Hidden because: {reason}" if reason else "Shown."

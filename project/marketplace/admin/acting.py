"""The few things that support does: asked for on a page of their own, done by the packages' actions, and told."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from marketplace_kit.exceptions import DomainError, InvalidField


class Reasoned(forms.Form):
    """Nothing is done by staff without a reason."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text="Both sides read it.")


def row_of[M: Model](pages: "ModelAdmin[M]", request: HttpRequest, key: str) -> M:
    """The row that a page is about. Http404, PermissionDenied."""
    row = pages.get_object(request, key)
    if row is None:
        raise Http404
    if not pages.has_view_permission(request, row):
        raise PermissionDenied
    return row


def asked[M: Model](
    pages: "ModelAdmin[M]", request: HttpRequest, row: M, form: forms.Form, verb: str, facts: Sequence[tuple[str, Any]]
) -> TemplateResponse:
    """The page that says what is about to be done and asks whether to."""
    context = {
        **pages.admin_site.each_context(request),
        "opts": row._meta,
        "original": row,
        "title": f"{verb}?",
        "verb": verb,
        "facts": facts,
        "form": form,
        "back": address_of(row),
    }
    return TemplateResponse(request, "admin/support/asked.html", context)


def done[R](request: HttpRequest, act: Callable[[], R]) -> R | None:
    """What the action returned; None where it refused, which whoever asked is told."""
    try:
        return act()
    except InvalidField as refusal:
        messages.error(request, " ".join(error["detail"] for error in refusal.errors))
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    return None


def address_of(row: Model) -> str:
    """The address of the row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])

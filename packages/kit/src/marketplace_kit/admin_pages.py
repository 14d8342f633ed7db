"""What the admin's pages of all packages share: rows to look at, found by what support has in hand, linked to each
other, and asking the database for little however many there are.

For `admin.py` modules alone: a host without Django's admin does without this one, too.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar, cast, override
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

COUNTED = 10_000  # rows of a list, at the most


# --- counting ---


class AtLeast(int):
    """Where counting stopped."""

    def __str__(self) -> str:
        return f"{int(self)} or more"


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages no further than COUNTED: counting a million rows takes longer than showing fifty."""

    @cached_property
    def count(self) -> int:
        counted = cast(QuerySet[Any], self.object_list).order_by()[:COUNTED].count()
        return counted if counted < COUNTED else AtLeast(counted)


# --- links ---


def link_to(row: Model) -> str:
    """The row's name, linked to its page; only the name where the admin has no page of it."""
    try:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', address, row)


def link_to_list(model: type[Model], text: str, **lookups: Any) -> str:
    """A text, linked to the list of those rows; only the text where the admin has no such list."""
    try:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    except NoReverseMatch:
        return text
    return format_html('<a href="{}?{}">{}</a>', address, urlencode(lookups), text)


def linked(name: str) -> Callable[[Any], str | bool]:
    """A column of what the foreign key `name` points to. Name it in `list_select_related`, too."""

    @admin.display(description=name.replace("_", " "))
    def column(row: Any) -> str:
        other = getattr(row, name)
        return "-" if other is None else link_to(other)

    column.__name__ = name
    return column


# --- finding ---


def one_of(field: str, values: Callable[[], Sequence[str]]) -> type[admin.SimpleListFilter]:
    """A filter by known values. Django's own reads the whole table to find those of a column without choices."""

    class OneOf(admin.SimpleListFilter):
        title = field.replace("_", " ")
        parameter_name = field

        @override
        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value.replace("_", " ")) for value in values()]

        @override
        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return OneOf


def key_of_user(name: str) -> Any:
    """The key of the user who signs in by this name; None if there is none."""
    users = get_user_model()._default_manager
    try:
        if hasattr(users, "get_by_natural_key"):
            return users.get_by_natural_key(name).pk
        return users.get(**{get_user_model().USERNAME_FIELD: name}).pk
    except ObjectDoesNotExist:
        return None


# --- the pages ---


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only rows, newest first. The search looks for exact values: keys, references, people.

    Columns can't be sorted by, nor are there counts beside filters: each would read the whole table.
    """

    people: Sequence[str] = ()  # foreign keys to users, who are searched for by the name that they sign in with
    hidden: Sequence[str] = ()  # fields that nobody is shown

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    sortable_by = ()

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # For the page of one row, too, which names what the row points to.
        related = cast(Sequence[str], self.list_select_related or ())
        return super().get_queryset(request).select_related(*related) if related else super().get_queryset(request)

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        person = key_of_user(search_term.strip()) if self.people and search_term else None
        if person is None:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(Q.create([(name, person) for name in self.people], connector=Q.OR)), False

    @override
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or [f.name for f in self.opts.concrete_fields if f.name not in self.hidden]

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """Read-only rows that belong to the page's object. `fields` are the columns; `related` what they point to."""

    related: Sequence[str] = ()

    extra = 0
    can_delete = False
    show_change_link = True

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related(*self.related) if self.related else rows

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

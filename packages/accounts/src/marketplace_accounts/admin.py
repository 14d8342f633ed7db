"""The admin's pages for users and their sessions. Nothing here shows a hash, and no user is deleted."""

from ipaddress import ip_address
from typing import Any, override
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from marketplace_kit import audit
from marketplace_kit.admin_pages import CappedPaginator, ReadOnly, linked
from marketplace_kit.clock import now
from marketplace_kit.transactions import action

from . import actions, signals
from .lifecycle import EndReason
from .models import OneTimeToken, Profile, Session, User, email_key

# What gives somebody more, or less, than others have.
RIGHTS = {"role", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"}


class SetPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Ends the user's sessions, too, and the links to set another password."""

    @action
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        actions.end_what_it_led_to(user.pk, EndReason.BY_STAFF)
        audit.record("password_set_by_staff", user_id=str(user.pk))
        return user


class CreateUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "role")

    def clean_email(self) -> str:
        """The address, unless somebody has it in another spelling."""
        email: str = self.cleaned_data["email"]
        if User.objects.with_email(email).exists():
            self.add_error("email", "This address is already registered.")
        return email


class ProfileInline(admin.StackedInline):  # type: ignore[type-arg]
    model = Profile
    can_delete = False
    exclude = ("avatar",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """Users. A member of staff who is no superuser makes nobody staff, and touches no other one of them."""

    add_form = CreateUserForm
    add_form_template = None
    change_password_form = SetPasswordForm
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    ordering = ("-pk",)
    sortable_by = ()
    list_display = ("email", "full_name", "role", "is_staff", "is_active", "created_at")
    list_filter = ("role", "is_staff", "is_active")
    list_select_related = ("profile",)
    search_fields = ("profile__first_name", "profile__last_name")
    search_help_text = "How an e-mail address begins, up to its @ at least; a key; or names, which takes longer."
    readonly_fields = ("email", "email_verified_at", "sign_in", "last_login", "created_at", "updated_at", "erased_at")
    fieldsets = (
        (None, {"fields": ("email", "email_verified_at", "sign_in", "role")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "created_at", "updated_at", "erased_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "role", "usable_password", "password1", "password2")}),)

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="password")
    def sign_in(self, user: User) -> SafeString | str:
        if not user.has_usable_password():
            return "none"
        return format_html('<a href="{}">Set another</a>', "../password/")

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        if "@" in search_term:
            return queryset.filter(email_key__startswith=email_key(search_term.strip())), False
        try:
            return queryset.filter(pk=UUID(search_term)), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return [ProfileInline] if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return ()
        if getattr(request.user, "is_superuser", False):
            return self.readonly_fields
        return (*self.readonly_fields, "is_superuser", "is_staff", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        is_above = obj is not None and (obj.is_staff or obj.is_superuser) and obj.pk != request.user.pk
        if is_above and not getattr(request.user, "is_superuser", False):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.updated_at = now()
        super().save_model(request, obj, form, change)
        if not change:
            Profile.objects.create(user=obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        changed = form.changed_data if change else ["created"]
        if not RIGHTS.union(["created"]).isdisjoint(changed):
            _record_rights(request, form.instance, changed)
        if "is_active" in changed and not form.instance.is_active:
            signals.user_deactivated.send(sender=User, user_id=form.instance.pk)
        signals.profile_changed.send(sender=User, user=User.objects.with_profile().get(pk=form.instance.pk))


def _record_rights(request: HttpRequest, user: User, changed: list[str]) -> None:
    audit.record(
        "rights_changed",
        user_id=str(user.pk),
        by_user_id=str(request.user.pk),
        changed=sorted(changed),
        role=user.role,
        is_active=user.is_active,
        is_staff=user.is_staff,
        is_superuser=user.is_superuser,
    )


@admin.register(Session)
class SessionAdmin(ReadOnly):
    """Sign-ins: to look at, and to end by whoever has the right to change them."""

    list_display = ("id", linked("user"), "created_at", "last_used_at", "ip", "user_agent", "ended_at", "end_reason")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "end_reason")
    list_select_related = ("user",)
    search_fields = ("id__exact", "user__pk__exact")
    search_help_text = "The key of a session; the key or the e-mail address of a user; an IP address."
    people = ("user",)
    hidden = ("refresh_hash",)
    actions = ("end",)

    @override
    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        try:
            return queryset.filter(ip=str(ip_address(search_term.strip()))), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        keys = list(queryset.values_list("pk", flat=True))
        count = Session.objects.filter(pk__in=keys).end(EndReason.BY_STAFF)
        audit.record("sessions_ended_by_staff", by_user_id=str(request.user.pk), session_ids=[str(key) for key in keys])
        self.message_user(request, f"{count} ended.")

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("marketplace_accounts.change_session")


@admin.register(OneTimeToken)
class OneTimeTokenAdmin(ReadOnly):
    """Links that were mailed: to whom and what for. What is in the link is stored nowhere."""

    list_display = ("id", linked("user"), "purpose", "created_at", "expires_at", "used_at")
    list_filter = ("purpose",)
    list_select_related = ("user",)
    search_fields = ("user__pk__exact",)
    search_help_text = "The key or the e-mail address of a user."
    people = ("user",)

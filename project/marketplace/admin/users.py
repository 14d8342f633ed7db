"""Users: with the way to all that is theirs elsewhere."""

from typing import Any, override

from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join

from marketplace_accounts.admin import UserAdmin
from marketplace_accounts.models import Session, User
from marketplace_billing.models import Entry, Payment, Payout
from marketplace_booking.models import Booking
from marketplace_catalog.models import Service
from marketplace_kit.admin_pages import link_to_list
from marketplace_media.models import File
from marketplace_notifications.models import Notification, Preference, WebhookEndpoint
from marketplace_reviews.models import Review

from .replacing import in_place_of_the_package
from .support import may_view

# What is a user's, and by which foreign key.
THEIRS: tuple[tuple[str, type[Model], str], ...] = (
    ("bookings as customer", Booking, "customer"),
    ("bookings as provider", Booking, "provider"),
    ("payments made", Payment, "customer"),
    ("payments received", Payment, "provider"),
    ("payouts", Payout, "provider"),
    ("ledger entries", Entry, "owner"),
    ("services", Service, "provider"),
    ("notifications", Notification, "user"),
    ("wishes", Preference, "user"),
    ("webhooks", WebhookEndpoint, "user"),
    ("reviews written", Review, "author"),
    ("sessions", Session, "user"),
    ("files", File, "owner"),
)


@in_place_of_the_package(User)
class UserPages(UserAdmin):
    @override
    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        return [*fieldsets, ("Elsewhere", {"fields": (), "description": _lists(request, obj)})]


def _lists(request: HttpRequest, user: User) -> str:
    """Links to the lists of what is the user's, as far as the one who asks may see them."""
    shown = ((text, model, {key: user.pk}) for text, model, key in THEIRS if may_view(request, model))
    return format_html_join(" · ", "{}", ((link_to_list(model, text, **whose),) for text, model, whose in shown))

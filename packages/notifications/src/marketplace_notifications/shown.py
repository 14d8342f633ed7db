"""The inbox from its rows straight to the answer; a test holds that the bytes are those of `schemas.Notification`."""

from typing import Any

from django.db.models import Count, QuerySet

from marketplace_kit.columns import Columns
from marketplace_kit.compiled import Compiled, Values
from marketplace_kit.pagination import Keyset, Pages

from . import schemas
from .models import Notification

NEWEST = Keyset("-created_at", "-id")
NOTIFICATION = Columns(schemas.Notification)


def _rows(unread: bool | None, values: Values) -> QuerySet[Notification]:
    return Notification.objects.inbox_of(values["user"]).matching(unread, values.get("type"))


# An inbox is read along the index of its user, whatever it is filtered by.
PAGES = Pages(Notification, _rows, NOTIFICATION.names, prepared=True)


def _unread(how: None, values: Values) -> QuerySet[Notification, Any]:
    rows = Notification.objects.inbox_of(values["user"]).unread().order_by()
    return rows.values("user").annotate(unread=Count("*")).values_list("unread")


UNREAD = Compiled(_unread, prepared=True)


def unread_of(user_id: Any) -> int:
    """How many of the user's inbox are unread."""
    return sum(count for (count,) in UNREAD.rows(None, {"user": user_id}))  # no row where there are none


def page_of(user_id: Any, params: schemas.Filters) -> dict[str, Any]:
    """The page of the user's inbox that `params` ask for, newest first. InvalidField at `query/cursor`."""
    values = {"user": user_id, "type": params.type}
    return NOTIFICATION.paged(PAGES.page(params.unread, values, params, NEWEST))

"""The inbox is, to the byte, what models and the schema say."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from marketplace_kit.pagination import Page, paginate
from marketplace_kit.renderer import to_json
from marketplace_notifications import shown
from marketplace_notifications.models import Notification
from marketplace_notifications.schemas import Filters
from marketplace_notifications.schemas import Notification as Shown
from marketplace_notifications.testing import make_notification

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def told(ann, bob):
    """Some of each type, read and not, two at a time at the same moment; and what is not in ann's inbox."""
    for n in range(24):
        make_notification(
            ann.pk,
            type=("parcel.sent", "parcel.lost")[n % 2],
            title=f"«{n}»\n",
            data={"n": n, "ü": [None, 1.5, True, {"é": "\u2028"}]} if n % 3 else {},
            context={"name": "secret"},
            read_at=NOON + timedelta(microseconds=n) if n % 4 > 1 else None,
            created_at=NOON + timedelta(minutes=n // 4),
        )
    make_notification(ann.pk, in_app=False, type="parcel.sent")
    make_notification(bob.pk, type="parcel.sent")


def by_the_schema(user, params):
    """The same page by models and the schema."""
    rows = Notification.objects.filter(user=user, in_app=True)
    if params.unread is not None:
        rows = rows.filter(read_at__isnull=params.unread)
    if params.type is not None:
        rows = rows.filter(type=params.type)
    page = paginate(rows, params, "-created_at", "-id")
    return to_json(Page[Shown].model_validate(page).model_dump(by_alias=True))


@pytest.mark.parametrize(("unread", "kind"), [*product((None, "true", "false"), (None, "parcel.sent", "parcel.lost"))])
def test_the_inbox_is_what_the_schema_says_whatever_its_filters(as_ann, ann, told, unread, kind):
    given = {"limit": "2", "unread": unread, "type": kind}
    asked = {name: value for name, value in given.items() if value is not None}
    pages = 0
    while "cursor" not in asked or asked["cursor"]:
        answer = as_ann.get("/api/notifications", query_params=asked)
        assert answer.content == by_the_schema(ann, Filters.model_validate(asked))
        asked["cursor"] = answer.json()["nextCursor"]
        pages += 1
    assert pages > 2
    assert None not in shown.PAGES.query.plans.values()

"""Bookings and money by day: one query for each, bars drawn here, the numbers beside them in a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.template.response import TemplateResponse

from marketplace_billing.lifecycle import Account, PostingKind
from marketplace_billing.models import Entry
from marketplace_booking.lifecycle import BookingStatus
from marketplace_booking.models import Booking
from marketplace_kit.clock import now
from marketplace_kit.money import rounded

from .shown import Table
from .support import may_view

SPANS = (30, 90)  # days, today included
HEIGHT = 100  # of a chart, of which the bars take as much as they need
STEP = 10  # from one bar to the next


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's bar: what it counts upwards from the line, and what of it was undone downwards."""

    x: int
    top: float
    up: float
    down: float
    told: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars above and below a line at `zero`, in the units of a drawing of `width` by HEIGHT."""

    bars: Sequence[Bar]
    zero: float
    width: int
    table: Table


def page(pages: "ModelAdmin[Booking]", request: HttpRequest) -> TemplateResponse:
    """For whoever may view bookings; the money for whoever may view the ledger."""
    span = next((days for days in SPANS if str(days) == request.GET.get("days")), SPANS[0])
    days = last_days(span)
    charts = [chart("Bookings", days, ("booked", "of these called off"), bookings_by_day(days[0]))]
    if may_view(request, Entry):
        columns = ("paid", "refunded", "fees")
        charts += [chart(f"Money in {code}", days, columns, found) for code, found in money_by_day(days[0]).items()]
    context = {
        **pages.admin_site.each_context(request),
        "opts": pages.opts,
        "title": f"Bookings and money, {span} days",
        "charts": charts,
        "spans": SPANS,
        "span": span,
    }
    return TemplateResponse(request, "admin/support/figures.html", context)


# --- what there is ---


def last_days(span: int) -> list[date]:
    """So many days in UTC, up to and with today."""
    today = now().date()
    return [today - timedelta(days=ago) for ago in range(span - 1, -1, -1)]


def bookings_by_day(first: date) -> dict[date, tuple[Any, ...]]:
    """How many were booked, and how many of these are cancelled by now."""
    made = Booking.objects.filter(created_at__gte=_midnight(first)).values(day=TruncDate("created_at", tzinfo=UTC))
    rows = made.annotate(booked=Count("pk"), gone=Count("pk", filter=Q(status=BookingStatus.CANCELLED))).order_by()
    return {row["day"]: (row["booked"], row["gone"]) for row in rows}


def money_by_day(first: date) -> dict[str, dict[date, tuple[Any, ...]]]:
    """By currency what the gateway took and gave back, and what of it was the platform's, less what it gave back."""
    moved = Entry.objects.filter(
        posting__created_at__gte=_midnight(first),
        posting__kind__in=(PostingKind.PAYMENT, PostingKind.REFUND),
        account__in=(Account.GATEWAY, Account.PLATFORM_FEE),
    )
    at_gateway = Q(account=Account.GATEWAY)
    rows = moved.values("currency", day=TruncDate("posting__created_at", tzinfo=UTC)).annotate(
        paid=Sum("amount", filter=at_gateway & Q(posting__kind=PostingKind.PAYMENT), default=Decimal(0)),
        back=Sum("amount", filter=at_gateway & Q(posting__kind=PostingKind.REFUND), default=Decimal(0)),
        fees=Sum("amount", filter=Q(account=Account.PLATFORM_FEE), default=Decimal(0)),
    )
    found: dict[str, dict[date, tuple[Any, ...]]] = defaultdict(dict)
    for row in rows.order_by("currency"):
        code = row["currency"]
        found[code][row["day"]] = tuple(rounded(x, code) for x in (row["paid"], -row["back"], -row["fees"]))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# --- how it is drawn ---


def chart(title: str, days: Sequence[date], columns: Sequence[str], found: dict[date, tuple[Any, ...]]) -> Chart:
    """The first column upwards, the second one downwards; all of them in the table, newest day first."""
    nothing = (0,) * len(columns)
    rows = [(day.isoformat(), *found.get(day, nothing)) for day in days]
    highest, lowest = max(row[1] for row in rows), max(row[2] for row in rows)
    scale = HEIGHT / float(highest + lowest or 1)
    zero = round(float(highest) * scale, 2)
    bars = [_bar(place, zero, scale, columns, row) for place, row in enumerate(rows)]
    total = ("all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True)))
    return Chart(bars, zero, STEP * len(rows), Table(title, ("day in UTC", *columns), [total, *rows[::-1]]))


def _bar(place: int, zero: float, scale: float, columns: Iterable[str], row: Sequence[Any]) -> Bar:
    day, *values = row
    up, down = (round(float(value) * scale, 2) for value in values[:2])
    told = ", ".join(f"{value} {column}" for column, value in zip(columns, values, strict=True))
    return Bar(STEP * place, round(zero - up, 2), up, down, f"{day}: {told}")

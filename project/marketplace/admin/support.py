"""What the support's page of a booking shows: all that the packages know of it, in one place, a few queries for each.

What another package knows of a booking is one more function, and one more line in PARTS.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.db.models import F, Model
from django.http import HttpRequest

from marketplace_billing.models import Entry, GatewayEvent, Payment, Refund
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_kit.admin_pages import link_to
from marketplace_notifications.models import Notification
from marketplace_reviews.models import Review

from .shown import Table, moment, money, wall_clock

MOST = 200  # notifications of one booking that are shown


def facts_of(booking: Booking) -> list[tuple[str, Any]]:
    """The parties and the terms, as they were agreed on."""
    zone, notice = booking.timezone, booking.moved_with_notice
    return [
        ("Status", booking.get_status_display()),
        ("Customer", link_to(booking.customer)),
        ("Provider", link_to(booking.provider)),
        ("Service", link_to(booking.service)),
        ("Starts", wall_clock(booking.scheduled_at, zone)),
        ("Ends", wall_clock(booking.ends_at, zone)),
        ("Duration", f"{booking.duration} minutes, {booking.buffer_before} before and {booking.buffer_after} after it"),
        ("Price", money(booking.total_amount, booking.currency)),
        ("Cancellation policy", booking.cancellation_policy),
        ("Notes", booking.notes),
        ("Cancelled by", booking.get_cancelled_by_display() if booking.cancelled_by else ""),
        ("Reason", booking.cancellation_reason),
        ("Booked", moment(booking.created_at)),
        ("Agreed on its time", moment(booking.agreed_at)),
        ("Moved by its customer", f"{notice} before its start: refunds are no better than then" if notice else ""),
        ("Reminded", moment(booking.reminded_at)),
        ("Last changed", moment(booking.updated_at)),
        ("Holds its provider's time", link_to(booking.reservation) if booking.reservation else "no"),
    ]


def history(booking: Booking) -> Iterator[Table]:
    entries = booking.history.select_related("actor")
    columns = ("When", "What", "From", "To", "Who", "Reason", "More")
    rows = [
        (
            moment(entry.created_at),
            entry.action,
            entry.from_status,
            entry.to_status,
            link_to(entry.actor) if entry.actor else "the system",
            entry.reason,
            ", ".join(f"{name} {value}" for name, value in entry.data.items()),
        )
        for entry in entries
    ]
    yield Table("History", columns, rows)


# --- notifications ---


def told(booking: Booking) -> Iterator[Table]:
    about = Notification.objects.filter(
        # By the inboxes' index: what a notification is about has none.
        user__in=(booking.customer_id, booking.provider_id),
        created_at__gte=booking.created_at,
        data__bookingId=str(booking.pk),
    )
    found = list(about.select_related("user").order_by("created_at", "id")[:MOST])
    columns = ("When", "Who", "Type", "Title", "Inbox", "Read", "Mailed")
    rows = [
        (
            moment(one.created_at),
            link_to(one.user),
            one.type,
            one.title,
            "yes" if one.in_app else "not wanted",
            moment(one.read_at),
            moment(one.mailed_at),
        )
        for one in found
    ]
    notes = [f"There may be more: these are the first {MOST}."] if len(found) == MOST else []
    yield Table("Notifications", columns, rows, notes)


# --- money ---


def payments(booking: Booking) -> Iterator[Table]:
    paid, given_back = payments_and_refunds(booking)
    yield _payments(paid)
    yield _refunds(given_back)
    yield _events([str(row.pk) for row in (*paid, *given_back)])


REFUND = ("id", "amount", "status", "reason", "reference", "created_at")


def payments_and_refunds(booking: Booking) -> tuple[list[Payment], list[Refund]]:
    """Both, in one query."""
    of_refund = {f"of_{name}": F(f"refunds__{name}") for name in REFUND}
    joined = Payment.objects.filter(booking=booking).annotate(**of_refund)
    paid: dict[Any, Payment] = {}
    given_back = []
    for row in joined.order_by("created_at", "id", "refunds__created_at", "refunds__id"):
        payment = paid.setdefault(row.pk, row)
        given = {name: getattr(row, f"of_{name}") for name in REFUND}
        if given["id"]:
            given_back.append(Refund(payment=payment, **given))
    return list(paid.values()), given_back


def _payments(paid: list[Payment]) -> Table:
    columns = ("When", "Payment", "Method", "Failure", "Fee", "Refunded", "Promised back", "Reference", "Last changed")
    rows = [
        (
            moment(one.created_at),
            link_to(one),
            one.payment_method,
            one.failure_code,
            money(one.fee_amount, one.currency),
            money(one.refunded_amount, one.currency),
            money(one.claimed_amount - one.refunded_amount, one.currency),
            one.reference,
            moment(one.updated_at),
        )
        for one in paid
    ]
    return Table("Payments", columns, rows)


def _refunds(given_back: list[Refund]) -> Table:
    columns = ("When", "Refund", "Of payment", "Reason", "Reference")
    rows = [(moment(one.created_at), link_to(one), one.payment_id, one.reason, one.reference) for one in given_back]
    return Table("Refunds", columns, rows)


def _events(keys: list[str]) -> Table:
    events = GatewayEvent.objects.filter(key__in=keys).order_by("received_at", "id")
    rows = [(moment(one.received_at), link_to(one), one.gateway, one.kind, one.outcome, one.key) for one in events]
    return Table("Told by the gateway", ("When", "Event", "Gateway", "Kind", "Outcome", "About"), rows)


def ledger(booking: Booking) -> Iterator[Table]:
    of_booking = Entry.objects.filter(posting__payment__booking=booking).select_related("posting", "owner")
    entries = list(of_booking.order_by("posting__created_at", "posting_id", "id"))
    rows = [
        (
            moment(one.posting.created_at),
            link_to(one.posting),
            one.account,
            link_to(one.owner) if one.owner else "",
            money(one.amount, one.currency),
        )
        for one in entries
    ]
    yield Table("Ledger", ("When", "Posting", "Account", "Whose", "Amount"), rows, (_proof(entries),))
    yield _balances(entries)


def _proof(entries: list[Entry]) -> str:
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for one in entries:
        sums[one.posting_id] += one.amount
    wrong = [str(key) for key, total in sums.items() if total]
    return f"These postings do not sum to zero: {', '.join(wrong)}" if wrong else "Each posting sums to zero."


def _balances(entries: list[Entry]) -> Table:
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for one in entries:
        owner = link_to(one.owner) if one.owner else ""
        sums[(one.currency, one.account, owner)] += one.amount
        sums[(one.currency, "all of them", "")] += one.amount
    rows = [(account, owner, money(total, currency)) for (currency, account, owner), total in sorted(sums.items())]
    notes = ("Of this booking alone, debits positive: what is owed is below zero. Payouts are of many bookings.",)
    return Table("Balances", ("Account", "Whose", "Amount"), rows, notes)


# --- what the customer thought of it ---


def review(booking: Booking) -> Iterator[Table]:
    written = Review.objects.filter(booking=booking)
    rows = [
        (moment(one.created_at), link_to(one), one.rating, one.comment, one.reply, one.hidden_reason) for one in written
    ]
    yield Table("Review", ("When", "Review", "Rating", "Comment", "Reply", "Hidden because"), rows)


# --- the page ---

# Which part is shown to whoever may view which rows. A package that comes in addition adds its line here.
PARTS: tuple[tuple[type[Model], Callable[[Booking], Iterator[Table]]], ...] = (
    (HistoryEntry, history),
    (Notification, told),
    (Payment, payments),
    (Entry, ledger),
    (Review, review),
)


def tables_of(booking: Booking, request: HttpRequest) -> list[Table]:
    """All that the one who asks may see."""
    return [table for model, part in PARTS if may_view(request, model) for table in part(booking)]


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    return request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")

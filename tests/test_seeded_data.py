"""What `marketplace seed` makes: as the actions would have made it, and as clients see it."""

import re
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import transaction
from django.utils.dateparse import parse_datetime

from marketplace.api import api
from marketplace.seeding import PASSWORD, seed_demo
from marketplace.seeding.bulk import FILLED, seed
from marketplace.seeding.kinds import KINDS
from marketplace.seeding.plan import PERIOD, Plan
from marketplace.seeding.words import names, words_of
from marketplace_accounts.models import Profile, User
from marketplace_accounts.testing import bearer
from marketplace_billing import ledger
from marketplace_billing.lifecycle import PAID, PaymentStatus, PostingKind, refundable
from marketplace_billing.models import Entry, Payment, Posting, Refund
from marketplace_billing.reconciliation import report
from marketplace_booking.lifecycle import MOVES, BookingStatus, Event, Party
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_catalog.models import Category, Service
from marketplace_kit import clock
from marketplace_kit.money import is_exact, rounded
from marketplace_kit.testing import JsonClient
from marketplace_reviews.actions import recount
from marketplace_reviews.models import Review
from marketplace_scheduling.models import Reservation, ScheduleException

SMALL = {"services": 120, "providers": 9, "customers": 25, "bookings": 260, "seed": 1, "today": date(2026, 3, 4)}

pytestmark = pytest.mark.django_db


def seeded(**changes):
    plan = Plan.of(**SMALL | changes)
    seed(plan, PASSWORD, lambda name, size, done: list(done))
    return plan


@contextmanager
def undone():
    """What is done in the block is rolled back; no `atomic`, in which a gateway may not be called."""
    before = transaction.savepoint_create()
    yield
    transaction.savepoint_rollback(before)


# --- as the actions would have made it ---


def test_every_booking_was_a_free_slot_when_it_was_made():
    """By the engine that answers `slots/explain`; only the diary is full of what came meanwhile."""
    seeded()
    reasons = Counter()
    for booking in Booking.objects.select_related("service__schedule"):
        found = booking.service.schedule.explain(booking.provider_id, booking.scheduled_at, now=booking.created_at)
        reasons.update(found)

    assert set(reasons) <= {"reserved", "buffer"}


def test_bookings_carry_the_terms_of_their_service():
    seeded()
    for it in Booking.objects.select_related("service__schedule"):
        schedule = it.service.schedule
        agreed = (it.provider_id, it.total_amount, it.currency, it.duration, it.buffer_after, it.timezone)
        offered = it.service.provider_id, it.service.price, it.service.currency, schedule.duration
        assert agreed == (*offered, schedule.buffer_after, schedule.timezone)
        assert it.ends_at - it.scheduled_at == timedelta(minutes=it.duration)


def test_reservations_hold_the_time_of_what_was_not_cancelled():
    seeded()
    for it in Booking.objects.exclude(status=BookingStatus.CANCELLED).select_related("reservation"):
        during, blocked = it.reservation.spans()
        assert (during.start, during.end) == (it.scheduled_at, it.ends_at)
        assert during.start - blocked.start == timedelta(minutes=it.buffer_before)
        assert blocked.end - during.end == timedelta(minutes=it.buffer_after)
        assert it.reservation.expires_at == (it.scheduled_at if it.status == BookingStatus.PENDING else None)
    assert Reservation.objects.count() == Booking.objects.exclude(status=BookingStatus.CANCELLED).count()


def test_history_is_a_chain_of_allowed_moves():
    seeded()
    allowed = {(move.event, source, move.target) for move in MOVES for source in move.sources}
    for booking in Booking.objects.prefetch_related("history"):
        first, *others = entries = list(booking.history.all())
        assert (first.action, first.from_status, first.created_at) == (Event.CREATED, None, booking.created_at)
        assert [e.from_status for e in others] == [e.to_status for e in entries[:-1]]
        assert {(e.action, e.from_status, e.to_status) for e in others} <= allowed
        assert (entries[-1].to_status, entries[-1].created_at) == (booking.status, booking.updated_at)
        for entry in others:
            moment = parse_datetime(entry.data["from"]) if entry.data else booking.scheduled_at
            assert entry.created_at <= max(moment, booking.updated_at)


def test_all_statuses_and_parties_and_events_occur():
    seeded(bookings=600)

    assert set(Booking.objects.values_list("status", flat=True)) == set(BookingStatus.values)
    assert set(HistoryEntry.objects.values_list("action", flat=True)) == set(Event.values)
    assert set(Booking.objects.values_list("cancelled_by", flat=True)) == {None, *Party.values} - {Party.STAFF}
    assert set(Payment.objects.values_list("status", flat=True)) == set(PaymentStatus.values) - {"pending"}
    assert Service.objects.filter(is_active=False).exists()
    assert Service.objects.exclude(deleted_at=None).exists()
    assert ScheduleException.objects.exists()


def test_nothing_happened_before_it_could():
    plan = seeded()
    joined = dict(User.objects.values_list("pk", "created_at"))
    for it in Booking.objects.select_related("service"):
        assert joined[it.service.provider_id] <= it.service.created_at <= it.created_at <= it.updated_at
        assert joined[it.customer_id] <= it.created_at <= plan.end
        assert it.status == BookingStatus.CANCELLED or it.updated_at <= plan.end
        assert it.status != BookingStatus.PENDING or it.scheduled_at > plan.end
        assert it.status != BookingStatus.COMPLETED or it.ends_at <= plan.end
        assert it.created_at <= it.agreed_at < it.scheduled_at
        assert it.reminded_at is None or it.reminded_at == it.scheduled_at - timedelta(hours=24) <= plan.end
    days = {at.date() for at in Service.objects.values_list("created_at", flat=True)}
    assert plan.end - PERIOD <= min(joined.values()) + timedelta(days=3)
    assert max(days) - min(days) > PERIOD * 0.9


def test_money_is_paid_and_given_back_by_the_policies():
    seeded(bookings=600)
    refunds = defaultdict(Decimal)
    for refund in Refund.objects.all():
        refunds[refund.payment_id] += refund.amount
    for it in Payment.objects.select_related("booking"):
        booking = it.booking
        assert (it.amount, it.customer_id, it.provider_id) == (
            booking.total_amount,
            booking.customer_id,
            booking.provider_id,
        )
        assert it.refunded_amount == it.claimed_amount == refunds[it.pk]
        assert (it.failure_code is not None) == (it.status == "failed")
        assert booking.created_at <= it.created_at <= max(booking.updated_at, booking.scheduled_at)
        if booking.status == BookingStatus.CANCELLED and it.status != "failed":
            left = booking.scheduled_at - booking.updated_at
            by_policy = refundable(booking.cancellation_policy, left, it.amount, it.currency)
            assert it.refunded_amount == (by_policy if booking.cancelled_by == Party.CUSTOMER else it.amount)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_all_books_say_the_same():
    """Payments, refunds and payouts, the ledger, and the gateway's own statement; with all of it committed."""
    seed_demo()
    seeded(bookings=600)
    found = report()

    assert found.differences == []
    assert len(found.totals) > 3
    assert set(PostingKind) == set(Posting.objects.values_list("kind", flat=True))


def test_a_providers_share_is_his_once_the_booking_is_over():
    seeded(bookings=600)
    for it in Payment.objects.filter(status__in=PAID).select_related("booking"):
        pending = Entry.objects.pending_of(it).credit()
        is_over = it.booking.status in (BookingStatus.COMPLETED, BookingStatus.CANCELLED)
        assert pending == (0 if is_over else it.share_after(Decimal(0)))
    balances = [row for provider in User.objects.filter(role="provider") for row in ledger.balances(provider.pk)]
    assert all(row.available >= 0 for row in balances)
    assert any(row.available for row in balances)


def test_services_are_rated_by_the_reviews_of_completed_bookings():
    plan = seeded(bookings=600)

    assert recount() == 0
    rated = Service.objects.exclude(rating_count=0)
    assert sum(rated.values_list("rating_count", flat=True)) == Review.objects.count() > 50
    assert set(Review.objects.values_list("rating", flat=True)) == {1, 2, 3, 4, 5}
    for review in Review.objects.select_related("booking"):
        booking = review.booking
        assert (review.service_id, review.author_id) == (booking.service_id, booking.customer_id)
        assert booking.status == BookingStatus.COMPLETED
        assert booking.updated_at <= review.created_at <= review.updated_at <= plan.end
        assert (review.updated_at > review.created_at) <= (review.reply is not None)


def test_amounts_have_the_decimals_of_their_currency():
    seeded()
    amounts = [
        *Service.objects.values_list("price", "currency"),
        *Payment.objects.values_list("fee_amount", "currency"),
    ]
    amounts += [*Payment.objects.values_list("refunded_amount", "currency")]

    for amount, currency in amounts:
        assert is_exact(amount, currency)
        assert str(amount) == str(rounded(amount, currency))
    assert len({currency for _, currency in amounts}) > 3


def test_texts_are_people_and_services():
    seeded()
    for title, text, slug in Service.objects.values_list("title", "description", "category__slug"):
        assert slug in KINDS
        assert len(title) >= 4
        assert 40 <= len(text) < 700
        assert not re.search(r"[{}]|  ", title + text)
    assert Service.objects.values("title").distinct().count() > 60
    assert not Profile.objects.filter(first_name="").exists()
    assert all(
        re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@[0-9a-f]{8}\.example\.com", user.email) for user in User.objects.all()
    )


def test_everybody_signs_in_with_the_one_password():
    seeded()
    hashes = set(User.objects.values_list("password", flat=True))

    assert len(hashes) == 1
    assert User.objects.first().check_password(PASSWORD)


def test_every_language_has_words_for_every_category():
    leaves = set(Category.objects.filter(children=None).values_list("slug", flat=True))

    assert set(KINDS) == leaves
    for language in ("en", "de", "es", "fr"):
        words = words_of(language)
        assert set(words.titles) == set(words.details) == leaves
        assert all(len(texts) >= 2 for table in (words.titles, words.details) for texts in table.values())
    assert all(len(pool.first) == len(pool.last) == 20 for pool in names().values())


def filled(model):
    """The columns that hold something else than their default in some row."""
    fields = [f for f in model._meta.concrete_fields if not f.generated and not callable(f.default)]
    return {f.name for f in fields if model.objects.exclude(**{f.name: f.get_default()}).exists()}


def test_copy_fills_what_the_actions_fill():
    """A column that an action learns to fill must be learnt here too."""
    with undone():
        seed_demo()
        by_actions = {model: filled(model) for model in FILLED}
    seeded(bookings=600)

    by_staff = {"is_staff", "is_superuser"}
    assert {model: columns - by_staff - filled(model) for model, columns in by_actions.items()} == {
        model: set() for model in FILLED
    }


# What the actions write that is not made in bulk: who was told of what, and jobs.
LEFT_OUT = ("marketplace_notifications", "procrastinate")


def test_every_table_that_the_actions_fill_is_filled():
    with undone():
        seed_demo()
        by_actions = {model for model in apps.get_models() if model._default_manager.exists()}
    seeded()
    in_bulk = {model for model in apps.get_models() if model._default_manager.exists()}

    assert {model._meta.label for model in by_actions - in_bulk if model._meta.app_label not in LEFT_OUT} == set()


# --- what clients see of it ---


def pages(client, path, **query):
    cursor, found = None, []
    while cursor or not found:
        answer = client.get(path, {"limit": 100, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.content
        found += answer.json()["items"]
        cursor = answer.json()["nextCursor"]
        if not cursor:
            break
    return found


def signed_in(user):
    return JsonClient(headers={"Authorization": bearer(user)})


def test_lists_show_all_of_it():
    seeded()
    listed = Service.objects.listed()
    provider = User.objects.get(pk=Booking.objects.values_list("provider", flat=True)[0])
    mine = Booking.objects.of(provider.pk)

    for sort in sorts():
        assert len(pages(JsonClient(), "/api/v1/services", sort=sort)) == listed.count()
    assert len(pages(signed_in(provider), "/api/v1/bookings", role="provider")) == mine.count() > 5
    assert len(pages(signed_in(provider), "/api/v1/payments")) == Payment.objects.of(provider.pk).count()


def sorts():
    parameters = api.get_openapi_schema()["paths"]["/api/v1/services"]["get"]["parameters"]
    schema = next(p["schema"] for p in parameters if p["name"] == "sort")
    return next(kind["enum"] for kind in schema.get("anyOf", [schema]) if "enum" in kind)


NEEDS = {
    "/api/v1/services/{serviceId}/slots": {"from": "2026-03-05T00:00:00Z", "to": "2026-03-20T00:00:00Z"},
    "/api/v1/services/{serviceId}/slots/explain": {"start": "2026-03-05T00:00:00Z"},
}


def test_every_read_of_the_interface_answers_on_it():
    seeded()
    reviewed = Review.objects.filter(service__in=Service.objects.listed()).values("booking")
    payment = Payment.objects.filter(booking__in=reviewed).first()
    booking = payment.booking
    keys = {"serviceId": booking.service_id, "bookingId": booking.pk, "paymentId": payment.pk}
    keys["userId"] = booking.provider_id
    customer, provider = User.objects.get(pk=booking.customer_id), User.objects.get(pk=booking.provider_id)
    looked_at = 0
    for path, item in api.get_openapi_schema()["paths"].items():
        unknown = set(re.findall(r"{(\w+)}", path)) - set(keys)
        if "get" in item and not unknown and not path.endswith("/stream"):
            query = NEEDS.get(path, {"bookingId": booking.pk})
            answers = [signed_in(user).get(path.format(**keys), query) for user in (customer, provider)]
            assert 200 in {answer.status_code for answer in answers} <= {200, 403}, (path, answers[0].content)
            looked_at += 1
    assert looked_at > 10


def test_services_are_found_by_their_words_and_by_their_category():
    seeded()
    for it in Service.objects.listed().select_related("category").order_by("pk")[:5]:
        for words in (it.title, it.category.name):
            assert str(it.pk) in {found["id"] for found in pages(JsonClient(), "/api/v1/services", q=words)}


def test_free_slots_leave_out_what_is_booked():
    plan = seeded()
    with clock.frozen(plan.end):
        booking = Booking.objects.filter(status=BookingStatus.CONFIRMED, scheduled_at__gt=plan.end).first()
        span = {"from": plan.end.isoformat(), "to": (plan.end + timedelta(days=31)).isoformat()}
        slots = JsonClient().get(f"/api/v1/services/{booking.service_id}/slots", span).json()["items"]

    starts = [parse_datetime(slot["start"]) for slot in slots]
    assert starts == sorted(starts)
    assert len(starts) > 10
    assert booking.scheduled_at not in starts

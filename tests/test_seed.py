"""`marketplace seed`: the same rows for the same numbers, as the actions would have made them, at any size."""

import re
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from itertools import islice

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import IntegrityError, connection, transaction
from django.utils.dateparse import parse_datetime
from rich.console import Console

from marketplace.api import api
from marketplace.seeding import ADMIN, CUSTOMER, PASSWORD, PROVIDER, seed_demo
from marketplace.seeding.bulk import FILLED, seed, stages
from marketplace.seeding.kinds import KINDS
from marketplace.seeding.loading import load, parts, store
from marketplace.seeding.plan import PERIOD, Plan, PlanRefused
from marketplace.seeding.progress import bars, shown
from marketplace.seeding.words import names, words_of
from marketplace_accounts.models import Profile, User
from marketplace_accounts.testing import bearer
from marketplace_billing.lifecycle import PaymentStatus, refundable
from marketplace_billing.models import Payment, Refund
from marketplace_booking.lifecycle import MOVES, Event, Party, Status
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_catalog.models import Category, Service
from marketplace_kit import clock
from marketplace_kit.money import is_exact, rounded
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_notifications.models import Notification
from marketplace_scheduling.models import Reservation, Schedule, ScheduleException

TODAY = date(2026, 3, 4)
SMALL = {"services": 120, "providers": 9, "customers": 25, "bookings": 260}

pytestmark = pytest.mark.django_db


def a_plan(**changes):
    return Plan.of(**SMALL | {"seed": 1, "today": TODAY} | changes)


def quietly(name, size, done):
    for _ in done:
        pass


def seeded(**changes):
    plan = a_plan(**changes)
    seed(plan, PASSWORD, quietly)
    return plan


def content(model):
    """Every column that COPY fills, in the order of the keys; numbers that the database gives are its own."""
    fields = [f.attname for f in model._meta.concrete_fields if not f.get_internal_type().endswith("AutoField")]
    return list(model.objects.order_by(*fields[:2]).values_list(*fields))


@contextmanager
def undone():
    """What is done in the block is rolled back; no `atomic`, in which a gateway may not be called."""
    before = transaction.savepoint_create()
    yield
    transaction.savepoint_rollback(before)


def everything():
    return {model.__name__: content(model) for model in FILLED}


# --- the same, once ---


def test_the_same_numbers_make_the_same_rows_whatever_the_clock_says():
    with undone():
        seeded()
        first = everything()
    with clock.shifted(timedelta(days=3)):
        seeded()

    assert everything() == first
    assert {name: len(rows) for name, rows in first.items()}.items() >= {"Service": 120, "Booking": 260}.items()
    assert len(first["User"]) == 34 == len(first["Profile"])


def test_what_is_there_is_left_alone_and_another_seed_adds():
    seeded()
    first = everything()
    seeded()
    assert everything() == first

    seeded(seed=2)

    assert (Service.objects.count(), Booking.objects.count(), User.objects.count()) == (240, 520, 68)
    assert set(first["Booking"]) < set(content(Booking))


def test_other_sizes_are_other_data():
    assert a_plan().tag != a_plan(services=121).tag
    seeded()
    seeded(services=121)

    assert Service.objects.count() == 241


def test_another_day_moves_all_moments_and_no_key():
    with undone():
        seeded()
        first = dict(Service.objects.values_list("pk", "created_at"))
    seeded(today=TODAY + timedelta(days=10))

    assert dict(Service.objects.values_list("pk", "created_at")) == {
        key: at + timedelta(days=10) for key, at in first.items()
    }


def test_a_run_that_was_broken_off_goes_on():
    plan = a_plan()
    with undone():
        seed(plan, PASSWORD, quietly)
        whole = everything()
    for stage in stages(plan, "x")[:2]:
        list(load(stage))
    services = replace(stages(plan, "x")[2], parts=parts(plan.services, 25))
    assert list(islice(load(services), 3)) == [0, 25, 50]
    assert Service.objects.count() == 50

    assert list(load(services)) == [50, 75, 100, 120]
    assert everything()["Service"] == whole["Service"]


def test_keys_are_uuids_of_version_7_in_the_order_of_their_rows():
    seeded()
    keys = list(Service.objects.order_by("created_at").values_list("pk", flat=True))

    assert {key.version for key in keys} == {7}
    assert keys == sorted(keys)


# --- constraints ---


def test_what_breaks_a_constraint_is_refused_as_a_whole():
    """The control: COPY looks at every constraint, foreign keys and overlaps included, before it returns."""
    plan = seeded()
    taken = Reservation.objects.order_by("pk").values("provider_id", "during", "blocked").first()
    row = {"id": plan.row_id("test", 1), **taken, "expires_at": None}
    schedule = {"id": plan.row_id("test", 2), "timezone": "UTC", "duration": 60}
    orphan = {"id": plan.row_id("test", 3), "user_id": plan.row_id("test", 4)}

    for batch in ({Schedule: [schedule], Reservation: [row]}, {Schedule: [schedule], Profile: [orphan]}):
        with pytest.raises(IntegrityError), transaction.atomic():
            store(batch)
        assert not Schedule.objects.filter(pk=schedule["id"]).exists()


def test_constraints_are_valid_after_it():
    seeded()

    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
        assert cursor.fetchone() == (0,)


def test_a_full_diary_turns_people_down():
    """More than one provider can do: the number is kept, the rest was cancelled and holds no time."""
    seeded(services=1, providers=1, customers=1, bookings=3000)
    statuses = Counter(Booking.objects.values_list("status", flat=True))

    assert statuses.total() == 3000
    assert statuses["cancelled"] > 1000
    assert Reservation.objects.count() == 3000 - statuses["cancelled"]


@pytest.mark.parametrize(
    "sizes",
    [
        {"services": 3, "providers": 10, "customers": 1, "bookings": 5},
        {"services": 0, "providers": 4, "customers": 0, "bookings": 0},
        {"services": 1, "providers": 1, "customers": 3, "bookings": 0},
        {"services": 0, "providers": 0, "customers": 0, "bookings": 0},
    ],
)
def test_small_sizes_come_out_exactly(sizes):
    seeded(**sizes)

    stored = {
        "services": Service.objects.count(),
        "providers": User.objects.filter(role="provider").count(),
        "customers": User.objects.filter(role="customer").count(),
        "bookings": Booking.objects.count(),
    }
    assert stored == sizes


def test_sizes_that_are_not_given_fit_those_that_are():
    def sizes(**given):
        plan = Plan.of(today=TODAY, **given)
        return plan.services, plan.providers, plan.customers, plan.bookings

    assert sizes(services=1000) == (1000, 50, 20, 100)
    assert sizes(bookings=1000) == (200, 10, 200, 1000)
    assert sizes(customers=7) == (0, 0, 7, 0)


@pytest.mark.parametrize(
    "sizes", [{"services": 5, "providers": 0}, {"bookings": 5, "customers": 0}, {"bookings": 5, "services": 0}]
)
def test_sizes_that_make_no_sense_are_refused(sizes):
    with pytest.raises(PlanRefused, match="need at least one"):
        Plan.of(today=TODAY, **sizes)


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
    for it in Booking.objects.exclude(status=Status.CANCELLED).select_related("reservation"):
        during, blocked = it.reservation.spans()
        assert (during.start, during.end) == (it.scheduled_at, it.ends_at)
        assert during.start - blocked.start == timedelta(minutes=it.buffer_before)
        assert blocked.end - during.end == timedelta(minutes=it.buffer_after)
        assert it.reservation.expires_at == (it.scheduled_at if it.status == Status.PENDING else None)
    assert Reservation.objects.count() == Booking.objects.exclude(status=Status.CANCELLED).count()


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

    assert set(Booking.objects.values_list("status", flat=True)) == set(Status.values)
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
        assert it.status == Status.CANCELLED or it.updated_at <= plan.end
        assert it.status != Status.PENDING or it.scheduled_at > plan.end
        assert it.status != Status.COMPLETED or it.ends_at <= plan.end
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
        if booking.status == Status.CANCELLED and it.status != "failed":
            left = booking.scheduled_at - booking.updated_at
            by_policy = refundable(booking.cancellation_policy, left, it.amount, it.currency)
            assert it.refunded_amount == (by_policy if booking.cancelled_by == Party.CUSTOMER else it.amount)


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


# What the actions write that is not made in bulk: who was told of what, jobs, and the books of the mock gateway,
# which is a company elsewhere.
LEFT_OUT = ("marketplace_notifications", "procrastinate", "marketplace_billing_mock")


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
    payment = Payment.objects.filter(booking__service__in=Service.objects.listed()).first()
    booking = payment.booking
    keys = {"serviceId": booking.service_id, "bookingId": booking.pk, "paymentId": payment.pk}
    keys["userId"] = booking.provider_id
    client = signed_in(User.objects.get(pk=booking.customer_id))
    looked_at = 0
    for path, item in api.get_openapi_schema()["paths"].items():
        unknown = set(re.findall(r"{(\w+)}", path)) - set(keys)
        if "get" in item and not unknown and not path.endswith("/stream"):
            query = NEEDS.get(path, {"bookingId": booking.pk})
            answer = client.get(path.format(**keys), query)
            assert answer.status_code == 200, (path, answer.content)
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
        booking = Booking.objects.filter(status=Status.CONFIRMED, scheduled_at__gt=plan.end).first()
        span = {"from": plan.end.isoformat(), "to": (plan.end + timedelta(days=31)).isoformat()}
        slots = JsonClient().get(f"/api/v1/services/{booking.service_id}/slots", span).json()["items"]

    starts = [parse_datetime(slot["start"]) for slot in slots]
    assert starts == sorted(starts)
    assert len(starts) > 10
    assert booking.scheduled_at not in starts


# --- the command ---


def run(*arguments):
    out = StringIO()
    call_command("seed", *arguments, stdout=out)
    return out.getvalue()


def test_progress_is_plain_lines_where_it_is_piped():
    told = run("--services", "40", "--bookings", "30", "--today", "2026-03-04")

    *lines, last = told.splitlines()
    assert "\x1b" not in told
    assert all(
        re.fullmatch(r"(providers|customers|services|bookings) +[\d,]+ of [\d,]+( [\d,]+/s)?", row) for row in lines
    )
    assert [row.split()[:4] for row in lines if row.startswith("services")][-1] == ["services", "40", "of", "40"]
    assert PASSWORD in last
    assert Service.objects.count() == 40


def test_progress_is_a_bar_on_a_terminal():
    out = StringIO()
    with bars(Console(file=out, force_terminal=True, width=100)) as show:
        show("services", 30, iter([0, 10, 30]))

    assert "30/30" in out.getvalue()
    assert "\x1b[" in out.getvalue()


def test_a_terminal_gets_the_bars(capsys):
    class Terminal(StringIO):
        def isatty(self):
            return True

    with shown(OutputWrapper(Terminal())) as show:
        show("services", 30, iter([0, 30]))

    assert "30/30" in capsys.readouterr().out


def test_lines_come_at_each_tenth_only():
    out = StringIO()
    with shown(OutputWrapper(out)) as show:
        show("services", 1000, iter(range(1001)))
        show("bookings", 0, iter([0]))

    assert len(out.getvalue().splitlines()) == 11 + 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--services", "-1"),
        ("--services", "many"),
        ("--services", "5", "--providers", "0"),
        ("--services", "5", "--today", "tomorrow"),
    ],
)
def test_what_the_command_refuses(arguments):
    with pytest.raises(CommandError):
        run(*arguments)

    assert not User.objects.exists()


def test_sizes_may_have_separators():
    run("--customers", "1,2_0")

    assert User.objects.count() == 120


# --- the demo data ---


def told_of_the_demo():
    bookings = Booking.objects.order_by("created_at")
    told = Notification.objects.order_by("created_at", "type", "title")
    return (
        [(it.service.title, it.status, it.total_amount, it.scheduled_at) for it in bookings.select_related("service")],
        [(it.status, it.amount, it.refunded_amount) for it in Payment.objects.order_by("created_at", "status")],
        [(it.user.email, it.type, it.title, it.created_at) for it in told.select_related("user")],
    )


def test_without_a_size_it_is_the_demo_data_once():
    assert run() == run() == "The demo data is in place.\n"

    statuses = list(Booking.objects.order_by("created_at").values_list("status", flat=True))
    assert statuses == ["completed", "cancelled", "confirmed", "pending"]
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded", "refunded", "failed"}
    assert not Refund.objects.exclude(status="succeeded").exists()


@pytest.mark.parametrize("days", range(7))
def test_the_demo_data_is_the_same_each_time(days):
    day = clock.now() + timedelta(days=days)
    made = []
    for _ in range(2):
        with undone(), clock.frozen(day):
            seed_demo()
            made.append(told_of_the_demo())

    assert made[0] == made[1]
    assert [status for _, status, _, _ in made[0][0]] == ["completed", "cancelled", "confirmed", "pending"]


def test_everybody_of_the_demo_signs_in():
    seed_demo()

    for email in (CUSTOMER, PROVIDER, ADMIN):
        answer = JsonClient().post("/api/v1/auth/login", {"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.content


def test_the_demo_data_tells_its_people_and_their_clients():
    seed_demo()
    run_jobs()
    for email, path, count in (
        (CUSTOMER, "/api/v1/notifications", 8),
        (PROVIDER, "/api/v1/notifications", 8),
        (CUSTOMER, "/api/v1/bookings", 4),
        (PROVIDER, "/api/v1/payments", 4),
    ):
        client = signed_in(User.objects.with_email(email).get())
        assert len(pages(client, path)) == count, (email, path)
    assert all(at <= clock.now() for at in Notification.objects.values_list("created_at", flat=True))

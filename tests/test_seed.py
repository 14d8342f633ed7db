"""`marketplace seed`: the same rows for the same numbers, as the actions would have made them, at any size."""

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from itertools import islice

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import IntegrityError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from rich.console import Console

from marketplace.seeding import ADMIN, CUSTOMER, PASSWORD, PROVIDER, seed_demo
from marketplace.seeding.bulk import FILLED, seed, stages
from marketplace.seeding.loading import load, parts, store
from marketplace.seeding.plan import Plan, PlanRefused
from marketplace.seeding.progress import bars, shown
from marketplace_accounts.models import Profile, User
from marketplace_accounts.testing import bearer
from marketplace_billing.models import Payment, Refund
from marketplace_booking.models import Booking
from marketplace_catalog.models import Service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_notifications.models import Notification
from marketplace_scheduling.models import Reservation, Schedule

TODAY = date(2026, 3, 4)
SMALL = {"services": 120, "providers": 9, "customers": 25, "bookings": 260}

pytestmark = pytest.mark.django_db


def a_plan(**changes):
    return Plan.of(**SMALL | {"seed": 1, "today": TODAY} | changes)


def seeded(**changes):
    plan = a_plan(**changes)
    seed(plan, PASSWORD, quietly)
    return plan


def quietly(name, size, done):
    list(done)


def content(model):
    """Every column that COPY fills, in some order that is always the same; the database's own numbers are left out."""
    fields = [f.attname for f in model._meta.concrete_fields if not f.get_internal_type().endswith("AutoField")]
    return sorted(model.objects.values_list(*fields), key=repr)


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
    seed(plan, PASSWORD, quietly)
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


@pytest.mark.parametrize("name", SMALL)
def test_a_size_has_an_end(name):
    with pytest.raises(PlanRefused, match="above 100,000,000"):
        a_plan(**{name: 100_000_001})

    assert a_plan(**{name: 100_000_000})


@pytest.mark.parametrize(("today", "beyond"), [(date(2000, 1, 1), -1), (date(2100, 1, 1), 1)])
def test_today_is_no_day_of_another_age(today, beyond):
    with pytest.raises(PlanRefused, match="from 2000-01-01 to 2100-01-01"):
        a_plan(today=today + timedelta(days=beyond))

    seeded(today=today)


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
        ("--services", "5", "--today", "0001-01-01"),
        ("--services", "5", "--today", "9999-12-31"),
        ("--services", "99999999999999999999"),
    ],
)
def test_what_the_command_refuses(arguments):
    with pytest.raises(CommandError):
        run(*arguments)

    assert not User.objects.exists()


def test_a_database_without_all_tables_is_refused():
    MigrationRecorder(connection).record_unapplied("marketplace_reviews", "0001_initial")

    with pytest.raises(CommandError, match="Run `migrate` first"):
        call_command("seed", services=1)


def test_sizes_may_have_separators():
    run("--customers", "1,2_0")

    assert User.objects.count() == 120


# --- the demo data ---


def told_of_the_demo():
    bookings = Booking.objects.order_by("created_at")
    told = Notification.objects.order_by("created_at", "type", "user__email")
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


@pytest.mark.parametrize(
    ("email", "path", "count"),
    [
        (CUSTOMER, "/api/v1/notifications", 8),
        (PROVIDER, "/api/v1/notifications", 9),
        (CUSTOMER, "/api/v1/bookings", 4),
        (PROVIDER, "/api/v1/payments", 4),
    ],
)
def test_the_demo_data_is_told_and_shown(email, path, count):
    seed_demo()
    run_jobs()
    client = JsonClient(headers={"Authorization": bearer(User.objects.with_email(email).get())})

    assert len(client.get(path).json()["items"]) == count
    assert all(at <= clock.now() for at in Notification.objects.values_list("created_at", flat=True))

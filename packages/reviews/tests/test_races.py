"""Real threads on real connections: what must hold however requests interleave. Each has a control."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Barrier, Event

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection, connections, transaction

from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.transactions import sqlstate
from marketplace_reviews import actions
from marketplace_reviews.exceptions import AlreadyReviewed
from marketplace_reviews.models import Review
from marketplace_reviews.signals import review_created
from marketplace_reviews.testing import make_completed_booking, make_review

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def together(*calls):
    """Make these calls at the same moment; what each returned or raised."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


@pytest.fixture
def service(provider):
    return make_service(provider, auto_confirm=True)


@pytest.fixture
def reviewing(service, customer):
    """Calls that review so many bookings of the service, with ratings from 1 to 5 by turns."""

    def calls(count):
        starts = [a_start(timedelta(hours=2 + number)) for number in range(count)]
        made = [make_booking(customer, service, start) for start in starts]
        with clock.frozen(starts[-1]):
            done = [bookings.complete_booking(service.provider, booking) for booking in made]
        return [partial(actions.create_review, customer, booking, 1 + n % 5) for n, booking in enumerate(done)]

    return calls


# --- ratings ---


def test_of_fifty_reviews_at_once_each_counts(service, reviewing):
    outcomes = together(*reviewing(50))

    assert kinds(outcomes) == {"Review": 50}
    service.refresh_from_db()
    assert (service.rating.count, service.rating.average) == (50, 3)
    assert actions.recount() == 0


def test_control_a_rating_that_is_read_and_then_written_loses_some(service, reviewing, monkeypatch):
    calls = reviewing(6)
    read = Barrier(len(calls))

    def rate(service_id, rating):
        found = Service.objects.get(pk=service_id)
        read.wait()
        found.rating_sum, found.rating_count = found.rating_sum + rating, found.rating_count + 1
        found.save(update_fields=["rating_sum", "rating_count"])

    monkeypatch.setattr(catalog, "rate", rate)
    together(*calls)

    service.refresh_from_db()
    assert Review.objects.count() == 6 > service.rating.count
    assert actions.recount() == 1


def test_reviews_hiding_and_edits_of_the_service_at_once_leave_the_rating_right(service, customer, reviewing):
    provider, kept = service.provider, [make_review(customer, service, rating) for rating in (1, 5)]
    calls = reviewing(6)
    calls += [partial(catalog.change_service, provider, service, {"title": f"Title {n}"}) for n in range(4)]
    calls += [partial(actions.hide_review, kept[0], "Spam."), partial(actions.show_review, kept[0])] * 3
    calls += [partial(actions.reply_to_review, provider, kept[1], f"Reply {n}.") for n in range(4)]
    calls += [actions.recount] * 2

    outcomes = together(*calls)

    assert kinds(outcomes) == {"Review": 10, "Service": 4, "NoneType": 6, "int": 2}
    assert outcomes[-2:] == [0, 0]
    assert actions.recount() == 0
    service.refresh_from_db()
    assert service.title.startswith("Title")


def test_control_an_edit_that_locks_nothing_undoes_a_rating(service, reviewing, monkeypatch):
    review = reviewing(1)[0]

    def read_and_let_others_write(rows, key):
        row = rows.get(pk=key)
        together(review)
        return row

    monkeypatch.setattr(catalog, "lock_row", read_and_let_others_write)
    catalog.change_service(service.provider, service, {"title": "Other"})

    assert actions.recount() == 1


def hide_at_once(review, count):
    together(*[partial(actions.hide_review, review, f"Reason {n}.") for n in range(count)])
    return Service.objects.get().rating.count


def test_a_review_that_is_hidden_by_several_is_counted_out_once(service, customer):
    review, *_ = [make_review(customer, service) for _ in range(6)]

    assert hide_at_once(review, 4) == 5


def test_control_without_its_lock_it_is_counted_out_by_each(service, customer, monkeypatch):
    review, *_ = [make_review(customer, service) for _ in range(6)]
    looked = Barrier(4)

    def all_look_before_anyone_writes(rows, key):
        row = rows.get(pk=key)
        looked.wait()
        return row

    monkeypatch.setattr(actions, "lock_row", all_look_before_anyone_writes)

    assert hide_at_once(review, 4) == 2


# --- one review of a booking ---


@pytest.fixture
def all_look_before_anyone_writes(monkeypatch):
    """Hold so many who review back until each has seen that there is no review yet."""

    def hold_back(count):
        looked, said = Barrier(count), actions._said

        def waits(*args):
            return said(*args) | {"comment": lambda: looked.wait() and None}

        monkeypatch.setattr(actions, "_said", waits)

    return hold_back


def review_at_once(booking, count):
    return kinds(together(*[partial(actions.create_review, booking.customer, booking, 5)] * count))


def test_of_many_reviews_of_a_booking_there_is_one(service, customer, all_look_before_anyone_writes):
    booking = make_completed_booking(customer, service)
    all_look_before_anyone_writes(8)

    assert review_at_once(booking, 8) == {"Review": 1, AlreadyReviewed.__name__: 7}
    assert Review.objects.count() == 1 == Service.objects.get().rating.count


@contextmanager
def without_constraint(table, *columns):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
        name = next(n for n, c in found.items() if c["unique"] and c["columns"] == [*columns])
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE ({', '.join(columns)})")


def test_control_without_the_constraint_there_are_many(service, customer, all_look_before_anyone_writes):
    booking = make_completed_booking(customer, service)
    all_look_before_anyone_writes(4)

    with without_constraint(Review._meta.db_table, "booking_id"):
        assert review_at_once(booking, 4) == {"Review": 4}


# --- somebody leaves meanwhile ---


def wait_until(met):
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


@pytest.fixture
def leaving_meanwhile(monkeypatch, django_user_model):
    """Review a booking while a user leaves, who begins to when the rating is counted; what both came to."""

    def run(booking, user):
        rated, gone, rate = Event(), Event(), catalog.rate

        def rate_and_let_him_leave(*args):
            rate(*args)
            rated.set()
            wait_until(lambda: gone.is_set() or somebody_waits())

        def leave():  # as accounts and the project's wiring do it
            rated.wait(20)
            with transaction.atomic():
                person = django_user_model.objects.select_for_update().get(pk=user.pk)
                person.is_active = False
                person.save()
                catalog.withdraw_services(user.pk)
                actions.forget(user.pk)
            gone.set()

        def review():
            with transaction.atomic():  # without the second try that an action has
                return actions.create_review(booking.customer, booking, 5, "On time.")

        monkeypatch.setattr(catalog, "rate", rate_and_let_him_leave)
        return together(review, leave)

    return run


@pytest.fixture
def provider_is_told():
    """A row that points to the provider, as the notification of the composed system does."""

    def tell(review, **_):
        provider = review.booking.provider_id
        LogEntry.objects.create(user_id=provider, action_flag=1, object_repr="Told.")

    review_created.connect(tell)
    yield
    review_created.disconnect(tell)


def leave_nobody_waiting(*_):
    pass


def test_a_review_and_its_provider_who_leaves_do_not_wait_in_a_circle(
    service, customer, provider_is_told, leaving_meanwhile
):
    booking = make_completed_booking(customer, service)

    assert kinds(leaving_meanwhile(booking, service.provider)) == {"Review": 1, "NoneType": 1}
    service.refresh_from_db()
    assert (service.rating.count, service.deleted_at is None) == (1, False)


def test_control_without_holding_him_they_do(service, customer, provider_is_told, leaving_meanwhile, monkeypatch):
    booking = make_completed_booking(customer, service)
    monkeypatch.setattr(actions, "_hold", leave_nobody_waiting)

    failed = [error for error in leaving_meanwhile(booking, service.provider) if isinstance(error, OperationalError)]

    assert [sqlstate(error) for error in failed] == ["40P01"]


def test_of_an_author_who_leaves_meanwhile_no_word_stays(service, customer, leaving_meanwhile):
    leaving_meanwhile(make_completed_booking(customer, service), customer)

    assert list(Review.objects.values_list("rating", "comment")) == [(5, None)]


def test_control_without_holding_him_his_words_do(service, customer, leaving_meanwhile, monkeypatch):
    monkeypatch.setattr(actions, "_hold", leave_nobody_waiting)
    leaving_meanwhile(make_completed_booking(customer, service), customer)

    assert list(Review.objects.values_list("rating", "comment")) == [(5, "On time.")]

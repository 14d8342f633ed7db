"""Real threads on real connections: what must hold however requests interleave."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import OperationalError, connection, connections, transaction

from marketplace_booking import actions
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit.exceptions import DomainError, NotFound
from marketplace_scheduling import actions as scheduling
from marketplace_scheduling.models import Reservation, Schedule

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def at_once(*calls):
    """Run the calls at the same moment, each on its own connection; what each returned or raised."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return call()
        except DomainError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def book_together(people, service, start):
    return at_once(*[lambda who=who: actions.create_booking(who, service, start) for who in people])


def test_fifty_want_one_slot_and_one_gets_it(provider, django_user_model):
    service, start = make_service(provider), a_start()
    people = [django_user_model.objects.create(login=f"c{n}") for n in range(50)]

    outcomes = book_together(people, service, start)

    assert sum(isinstance(o, Booking) for o in outcomes) == 1
    assert {o.code for o in outcomes if isinstance(o, DomainError)} == {"slot_unavailable"}
    assert Booking.objects.count() == Reservation.objects.count() == 1


def test_control_without_lock_and_constraint_several_get_it(provider, django_user_model, monkeypatch):
    """Were this to pass with one booking, the test above would prove nothing."""
    service, start = make_service(provider), a_start()
    people = [django_user_model.objects.create(login=f"c{n}") for n in range(8)]
    looked = Barrier(len(people))
    look = Schedule.hindrances

    def all_look_before_anyone_writes(self, *args):
        found = look(self, *args)
        looked.wait()
        return found

    monkeypatch.setattr(Schedule, "hindrances", all_look_before_anyone_writes)
    monkeypatch.setattr(scheduling, "lock_provider", lambda provider_id: None)
    constraint = next(c for c in Reservation._meta.constraints if c.name.endswith("no_overlap"))
    with connection.schema_editor() as editor:
        editor.remove_constraint(Reservation, constraint)
    try:
        outcomes = book_together(people, service, start)
    finally:
        with connection.cursor() as cursor:  # rows would not go: the history is append-only
            cursor.execute("TRUNCATE marketplace_scheduling_reservation CASCADE")
        with connection.schema_editor() as editor:
            editor.add_constraint(Reservation, constraint)

    assert sum(isinstance(o, Booking) for o in outcomes) > 1


def erasable(person):
    """Whether somebody on another connection could erase him now, without waiting."""

    def look():
        try:
            with transaction.atomic():
                type(person).objects.select_for_update(nowait=True).get(pk=person.pk)
        except OperationalError:
            return False
        return True

    return at_once(look)[0]


def test_nobody_is_erased_while_he_is_booked(provider, customer):
    """Who erases locks the row FOR UPDATE, waits, and then finds the booking."""
    service = make_service(provider)
    with transaction.atomic():
        make_booking(customer, service)
        assert [erasable(person) for person in (provider, customer)] == [False, False]
    assert erasable(provider)


def test_control_the_foreign_keys_would_let_it_happen(provider, customer, monkeypatch):
    monkeypatch.setattr(actions, "hold_users", lambda *user_ids: True)
    service = make_service(provider)
    with transaction.atomic():
        make_booking(customer, service)
        assert erasable(provider)


def test_who_has_left_is_not_booked(provider, customer, monkeypatch):
    service = make_service(provider)
    monkeypatch.setattr(type(provider), "is_active", False)

    with pytest.raises(NotFound):
        make_booking(customer, service)
    assert not Reservation.objects.exists()


def test_confirm_and_cancel_exclude_each_other(provider, customer):
    service = make_service(provider)
    for _ in range(10):
        booking = make_booking(customer, service)
        outcomes = at_once(
            partial(actions.confirm_booking, provider, booking),
            partial(actions.cancel_booking, customer, booking),
            partial(actions.cancel_booking, provider, booking),
        )
        history = [h.action for h in booking.history.all()]
        assert history.count("cancelled") == 1
        assert Booking.objects.get(pk=booking.pk).status == "cancelled"
        assert len(history) == 1 + sum(isinstance(o, Booking) for o in outcomes)

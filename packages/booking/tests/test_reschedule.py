"""Moving a booking to another slot, in one step."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import connection, connections

from marketplace_booking import actions
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog import actions as catalog
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import DomainError
from marketplace_scheduling.models import Reservation


def written(at):
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def move(client, booking, start):
    return client.post(f"/api/bookings/{booking.pk}/reschedule", {"scheduledAt": written(start)})


def test_its_old_time_is_free_and_its_new_one_taken(provider, customer, sign_in):
    service = make_service(provider, slot_interval=60)
    booking = make_booking(customer, service)
    old, new = booking.scheduled_at, booking.scheduled_at + timedelta(days=1)

    answer = move(sign_in(customer), booking, new)

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["id"], body["scheduledAt"], body["endsAt"]) == (
        str(booking.pk),
        written(new),
        written(new + timedelta(hours=1)),
    )
    starts = [slot.start for slot in service.schedule.free_slots(provider.pk, old, new + timedelta(hours=1))]
    assert old in starts
    assert new not in starts
    last = sign_in(provider).get(f"/api/bookings/{booking.pk}/history").json()["items"][-1]
    assert (last["action"], last["data"]) == ("rescheduled", {"from": written(old), "to": written(new)})


def test_its_own_time_counts_as_free(provider, customer, sign_in):
    booking = make_booking(customer, make_service(provider, slot_interval=30))

    half_an_hour_later = move(sign_in(customer), booking, booking.scheduled_at + timedelta(minutes=30))

    assert half_an_hour_later.status_code == 200, half_an_hour_later.content


@pytest.mark.parametrize("who", ["customer", "provider"])
def test_to_where_it_is_already_nothing_happens(provider, customer, sign_in, who):
    booking = actions.confirm_booking(provider, make_booking(customer, make_service(provider)))
    before = Booking.objects.values().get()
    person = {"customer": customer, "provider": provider}[who]

    answer = move(sign_in(person), booking, booking.scheduled_at)

    assert (answer.status_code, answer.json()["status"]) == (200, "confirmed"), answer.content
    assert Booking.objects.values().get() == before  # nor is its customer's notice counted as that of a move
    assert booking.history.count() == 2


def test_hours_are_those_of_now_and_terms_those_of_then(provider, customer, sign_in):
    service = make_service(provider, slot_interval=60)
    booking = make_booking(customer, service)
    catalog.change_service(
        provider, service, {"duration": 120, "price": booking.total_amount * 2, "slot_interval": 240}
    )

    for hours in range(1, 5):
        at = booking.scheduled_at.replace(hour=0) + timedelta(days=1, hours=hours)
        answer = move(sign_in(customer), booking, at)
        assert answer.status_code == (200 if hours == 4 else 409), answer.content

    body = answer.json()
    assert (body["duration"], body["totalAmount"]) == (60, 50.0)


def test_errors_are_those_of_booking(provider, customer, sign_in):
    service = make_service(provider)
    booking, other = make_booking(customer, service), make_booking(customer, service, a_start(timedelta(days=5)))
    mine = sign_in(customer)

    assert move(mine, booking, other.scheduled_at).json()["code"] == "slot_unavailable"
    for at, code in ((clock.now() - timedelta(days=1), "in_the_past"), (clock.now() + timedelta(days=100), "too_far")):
        answer = move(mine, booking, at)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert mine.post(f"/api/bookings/{booking.pk}/reschedule", {}).status_code == 422


def test_a_refused_move_leaves_all_as_it_was(provider, customer):
    service = make_service(provider)
    booking, other = make_booking(customer, service), make_booking(customer, service, a_start(timedelta(days=5)))
    before = Booking.objects.values().get(pk=booking.pk), Reservation.objects.values().get(pk=booking.reservation_id)

    with pytest.raises(DomainError):
        actions.reschedule_booking(customer, booking, other.scheduled_at)

    after = Booking.objects.values().get(pk=booking.pk), Reservation.objects.values().get(pk=booking.reservation_id)
    assert after == before
    assert booking.history.count() == 1


def test_it_is_remembered_how_late_its_customer_moved_it(provider, customer):
    booking = make_booking(customer, make_service(provider), a_start(timedelta(days=10)))
    start = booking.scheduled_at

    with clock.frozen(start - timedelta(hours=30)):
        booking = actions.reschedule_booking(provider, booking, start + timedelta(days=1))
        assert booking.moved_with_notice is None
    with clock.frozen(start - timedelta(hours=20)):
        booking = actions.reschedule_booking(customer, booking, start + timedelta(days=9))
        assert booking.moved_with_notice == timedelta(hours=44)
    with clock.frozen(start):
        booking = actions.reschedule_booking(customer, booking, start + timedelta(days=12))
        assert booking.moved_with_notice == booking.notice == timedelta(hours=44)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_a_move_and_a_booking_for_one_slot_one_wins(provider, customer, django_user_model):
    service, target = make_service(provider), a_start(timedelta(days=6))
    booking = make_booking(customer, service)
    people = [django_user_model.objects.create(login=f"c{n}") for n in range(5)]
    calls = [partial(actions.create_booking, who, service, target) for who in people]
    calls.append(partial(actions.reschedule_booking, customer, booking, target))
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
        outcomes = [*pool.map(run, calls)]

    assert sum(isinstance(o, Booking) for o in outcomes) == 1
    assert Booking.objects.filter(scheduled_at=target).count() == 1

"""A booking that is asked for twice under one key is one booking; one that is read twice is sent once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from marketplace_booking import actions
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service


def body_of(service, start=None, **more):
    return {"serviceId": str(service.pk), "scheduledAt": f"{start or a_start():%Y-%m-%dT%H:%M:%SZ}"} | more


def book(client, body, key="k-1"):
    return client.post("/api/bookings", body, headers={"Idempotency-Key": key})


def is_replayed(answer):
    return answer.get("Idempotent-Replayed") == "true"


def test_a_booking_asked_for_twice_is_one(provider, customer, sign_in):
    mine, body = sign_in(customer), body_of(make_service(provider))

    first, second = book(mine, body), book(mine, body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert (second.content, second["Location"]) == (first.content, first["Location"])
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert Booking.objects.count() == HistoryEntry.objects.count() == 1


def test_a_new_one_takes_few_statements(provider, customer, sign_in, django_assert_num_queries):
    mine, service = sign_in(customer), make_service(provider)
    # The session and its user; the key, twice; what is booked before the lock, the lock, what is booked, by and from
    # whom; what is in its way; the reservation, the booking and its history.
    with django_assert_num_queries(10 + 2) as asked:  # and the savepoint in the test's own transaction
        assert book(mine, body_of(service)).status_code == 201

    verbs = [one["sql"].split(" ")[0] for one in asked]
    assert (verbs.count("SAVEPOINT"), verbs.count("INSERT"), verbs.count("WITH")) == (1, 1, 1)


def test_the_answer_stays_the_first_whatever_became_of_the_booking(provider, customer, sign_in):
    mine, body = sign_in(customer), body_of(make_service(provider))
    first = book(mine, body)
    actions.cancel_booking(provider, Booking.objects.get())

    assert book(mine, body).content == first.content


def test_a_conflict_is_told_again_even_when_the_slot_is_free_meanwhile(provider, customer, sign_in, django_user_model):
    service, mine = make_service(provider), sign_in(customer)
    taken = make_booking(django_user_model.objects.create(login="x"), service)
    body = body_of(service, taken.scheduled_at)

    first = book(mine, body)
    actions.cancel_booking(provider, taken)

    assert (first.status_code, first.json()["code"]) == (409, "slot_unavailable")
    assert (again := book(mine, body)).content == first.content
    assert is_replayed(again)
    assert book(mine, body, "k-2").status_code == 201


def test_what_was_not_done_leaves_the_key_usable(provider, customer, sign_in):
    service, mine = make_service(provider), sign_in(customer)
    missing = body_of(service) | {"serviceId": "01900000-0000-7000-8000-000000000000"}

    statuses = [book(mine, b).status_code for b in (missing, body_of(service, notes="x"), body_of(service, notes="y"))]

    assert statuses == [404, 201, 422]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("keyed", [True, False])
def test_of_twenty_at_once_one_books(provider, customer, sign_in, keyed):
    """Under one key all hear of the same booking; without one the others hear that it is taken."""
    body, barrier = body_of(make_service(provider)), Barrier(20)
    clients = [sign_in(customer) for _ in range(20)]

    def run(client):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return book(client, body) if keyed else client.post("/api/bookings", body)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(run, clients))

    booked = [a for a in answers if a.status_code == 201]
    refused = {a.json()["code"] for a in answers if a.status_code != 201}
    assert len({a.json()["id"] for a in booked}) == 1
    assert sum(not is_replayed(a) for a in booked) == 1
    assert refused <= ({"idempotency_in_progress"} if keyed else {"slot_unavailable"})
    assert Booking.objects.count() == 1


def test_a_booking_that_is_known_is_not_sent_again(provider, customer, sign_in):
    booking = make_booking(customer, make_service(provider))
    path, mine = f"/api/bookings/{booking.pk}", sign_in(customer)
    tag = mine.get(path)["ETag"]

    assert sign_in(provider).get(path, headers={"If-None-Match": tag}).status_code == 304
    actions.confirm_booking(provider, booking)
    changed = mine.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed["ETag"] != tag) == (200, True)
    assert sign_in(None).get(path, headers={"If-None-Match": "*"}).status_code == 401

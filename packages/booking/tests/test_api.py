"""The endpoints of /bookings, in a foreign project."""

from datetime import timedelta

import pytest

from marketplace_booking import actions
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_scheduling.models import Reservation


def body_of(service, start=None, **more):
    return {"serviceId": str(service.pk), "scheduledAt": f"{start or a_start():%Y-%m-%dT%H:%M:%SZ}"} | more


def test_a_customer_books_a_slot(provider, customer, sign_in):
    service = make_service(provider, buffer_after=15)
    start = a_start()

    answer = sign_in(customer).post("/api/bookings", body_of(service, start, notes="Ring twice.\n"))

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert answer["Location"] == f"/api/bookings/{body['id']}"
    expected = {
        "customerId": customer.pk,
        "providerId": provider.pk,
        "serviceId": str(service.pk),
        "service": {"id": str(service.pk), "title": service.title},
        "status": "pending",
        "scheduledAt": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "endsAt": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "duration": 60,
        "timezone": "UTC",
        "totalAmount": 50.0,
        "currency": "USD",
        "notes": "Ring twice.",
        "cancellationPolicy": "flexible",
        "cancelledBy": None,
        "cancellationReason": None,
    }
    assert {k: v for k, v in body.items() if k not in ("id", "createdAt", "updatedAt")} == expected
    assert sign_in(provider).get(f"/api/bookings/{body['id']}").json() == body


def test_it_is_confirmed_at_once_where_the_service_says_so(provider, customer, sign_in):
    service = make_service(provider, auto_confirm=True)

    assert sign_in(customer).post("/api/bookings", body_of(service)).json()["status"] == "confirmed"
    assert Reservation.objects.get().expires_at is None


def test_the_terms_stay_as_they_were_agreed(provider, customer, sign_in):
    service = make_service(provider)
    booking = make_booking(customer, service)
    changed = {"price": 99, "currency": "EUR", "duration": 30, "timezone": "Asia/Tokyo", "cancellationPolicy": "strict"}

    catalog.change_service(provider, service, {"price": booking.total_amount * 2, "currency": "EUR", "duration": 30})
    catalog.delete_service(provider, service)

    body = sign_in(customer).get(f"/api/bookings/{booking.pk}").json()

    assert changed["price"] != body["totalAmount"] == 50.0
    assert (body["currency"], body["duration"], body["service"]["title"]) == ("USD", 60, service.title)


@pytest.mark.parametrize(
    ("ahead", "code"),
    [(timedelta(days=-1), "in_the_past"), (timedelta(0), "too_soon"), (timedelta(days=61), "too_far")],
)
def test_a_start_out_of_reach_is_told_at_its_place(provider, customer, sign_in, ahead, code):
    service = make_service(provider, minimum_notice=600)

    answer = sign_in(customer).post("/api/bookings", body_of(service, a_start(ahead)))

    assert answer.status_code == 422, answer.content
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("/scheduledAt", code)]


def test_what_is_taken_closed_or_off_the_grid_is_a_conflict(provider, customer, sign_in):
    service = make_service(provider, slot_interval=60)
    start = a_start()
    make_booking(customer, service, start)

    for at in (start, start + timedelta(minutes=30)):
        answer = sign_in(customer).post("/api/bookings", body_of(service, at))
        assert (answer.status_code, answer.json()["code"]) == (409, "slot_unavailable")


def test_nobody_books_his_own(provider, sign_in):
    answer = sign_in(provider).post("/api/bookings", body_of(make_service(provider)))

    assert (answer.status_code, answer.json()["code"]) == (409, "own_service")


def test_what_could_never_be_booked_is_told_before_what_conflicts(provider, customer, sign_in):
    service = make_service(provider)
    cancelled = actions.cancel_booking(customer, make_booking(customer, service))
    yesterday = {"scheduledAt": f"{clock.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}

    own = sign_in(provider).post("/api/bookings", body_of(service) | yesterday)
    moved = sign_in(customer).post(f"/api/bookings/{cancelled.pk}/reschedule", yesterday)

    for answer in (own, moved):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "in_the_past"), answer.content


def test_what_is_not_there_cant_be_booked(provider, customer, sign_in):
    hidden = make_service(provider, is_active=False)
    deleted = make_service(provider)
    Service.objects.filter(pk=deleted.pk).update(deleted_at=clock.now())

    for service in (hidden, deleted):
        assert sign_in(customer).post("/api/bookings", body_of(service)).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"serviceId": "x"}, "/serviceId"),
        ({"scheduledAt": "2027-01-01T10:00:00"}, "/scheduledAt"),
        ({"scheduledAt": 1_800_000_000}, "/scheduledAt"),
        ({"notes": "x" * 2001}, "/notes"),
        ({"notes": None}, "/notes"),
        ({"totalAmount": 0}, "/totalAmount"),
        ({"status": "confirmed"}, "/status"),
    ],
)
def test_bad_bodies_are_told(provider, customer, sign_in, change, pointer):
    answer = sign_in(customer).post("/api/bookings", body_of(make_service(provider)) | change)

    assert answer.status_code == 422, answer.content
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert not Booking.objects.exists()


def test_a_stranger_does_not_know_that_it_is_there(provider, customer, sign_in, django_user_model):
    booking = make_booking(customer, make_service(provider))
    stranger = sign_in(django_user_model.objects.create(login="stranger"))
    path = f"/api/bookings/{booking.pk}"

    assert [stranger.get(path + end).status_code for end in ("", "/history")] == [404, 404]
    assert [stranger.post(f"{path}/{v}").status_code for v in ("confirm", "complete", "cancel")] == [404] * 3
    assert stranger.get("/api/bookings").json()["items"] == []
    assert sign_in(None).get(path).status_code == 401


def test_a_cancelled_booking_frees_its_time_and_tells_why(provider, customer, sign_in):
    service = make_service(provider)
    booking = make_booking(customer, service)

    answer = sign_in(customer).post(f"/api/bookings/{booking.pk}/cancel", {"reason": "Ill."})

    body = answer.json()
    assert (body["status"], body["cancelledBy"], body["cancellationReason"]) == ("cancelled", "customer", "Ill.")
    assert sign_in(customer).post("/api/bookings", body_of(service, booking.scheduled_at)).status_code == 201
    history = sign_in(provider).get(f"/api/bookings/{booking.pk}/history").json()["items"]
    assert [(h["action"], h["fromStatus"], h["toStatus"], h["reason"], h["actorId"]) for h in history] == [
        ("created", None, "pending", None, customer.pk),
        ("cancelled", "pending", "cancelled", "Ill.", customer.pk),
    ]


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}])
def test_a_reason_need_not_be_given(provider, customer, sign_in, body):
    booking = make_booking(customer, make_service(provider))

    answer = sign_in(provider).post(f"/api/bookings/{booking.pk}/cancel", body)

    assert (answer.status_code, answer.json()["cancellationReason"]) == (200, None), answer.content


def test_lists_are_the_callers_filtered_and_ordered(provider, customer, sign_in, django_user_model):
    service, other = make_service(provider), make_service(provider, title="Other")
    first = make_booking(customer, service, a_start(timedelta(days=5)))
    second = make_booking(customer, other, a_start(timedelta(days=3)))
    third = make_booking(django_user_model.objects.create(login="x"), service, a_start(timedelta(days=4)))

    def ids(who, query=""):
        return [b["id"] for b in sign_in(who).get(f"/api/bookings?{query}").json()["items"]]

    a, b, c = str(first.pk), str(second.pk), str(third.pk)
    assert ids(customer) == [b, a]
    assert ids(provider) == [c, b, a]
    assert ids(provider, "sort=scheduledAt") == [b, c, a]
    assert ids(provider, "sort=-scheduledAt") == [a, c, b]
    assert ids(provider, "role=customer") == []
    assert ids(provider, f"serviceId={service.pk}") == [c, a]
    assert ids(provider, "status=confirmed&status=pending") == [c, b, a]
    assert ids(provider, "status=confirmed") == []
    span = f"from={second.scheduled_at:%Y-%m-%dT%H:%M:%SZ}&to={first.scheduled_at:%Y-%m-%dT%H:%M:%SZ}"
    assert ids(provider, f"{span}&sort=scheduledAt") == [b, c]


@pytest.mark.parametrize("end", ["2027-01-31T00:00:00Z", "2027-02-01T00:00:00Z", "2027-02-01T01:00:00%2B01:00"])
def test_a_span_without_a_moment_is_refused(customer, sign_in, end):
    answer = sign_in(customer).get(f"/api/bookings?from=2027-02-01T00:00:00Z&to={end}")

    assert answer.status_code == 422, answer.content
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("query/to", "empty_span")]


# The session, the user, the bookings: those of either side are asked for by themselves.
@pytest.mark.parametrize(("role", "queries"), [({"role": "customer"}, 3), ({}, 4)])
@pytest.mark.parametrize("count", [1, 8])
def test_a_list_takes_so_many_queries_however_long(
    provider, customer, sign_in, count, role, queries, django_assert_num_queries
):
    service = make_service(provider)
    for n in range(count):
        make_booking(customer, service, a_start(timedelta(days=2, hours=n)))
    mine = sign_in(customer)

    with django_assert_num_queries(queries):
        assert len(mine.get("/api/bookings", query_params=role).json()["items"]) == count

"""Real processes at one moment: what excludes each other is done once, and all that is stored agrees with it.

What threads can show is shown in the packages' own tests. Each race has a control, in which the lock is off.
"""

import os
from collections import Counter
from datetime import timedelta
from functools import partial
from itertools import chain, combinations
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

import pytest
from cachalot.api import cachalot_disabled
from django.db import connection
from tests.agreements import rows
from tests.racing import Racers, crowd, request, task

from marketplace_accounts.models import User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_user
from marketplace_billing import actions as billing
from marketplace_billing.gateways.mock.models import MockCharge
from marketplace_billing.models import Payment, Posting, Refund
from marketplace_billing.reconciliation import report
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.lifecycle import MOVES
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_media.models import Upload
from marketplace_notifications.models import Notification, WebhookEndpoint
from marketplace_scheduling.models import Reservation

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
COUNT, TRIES = 5, 4
HOUR = timedelta(hours=1)
LATE = billing.patience() * 2


@pytest.fixture(scope="module")
def racers(django_db_setup):
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    found = Racers(COUNT, url)
    yield found
    found.go_home()


@pytest.fixture
def people(transactional_db):
    made = {"customer": make_user(), "provider": make_provider()}
    made["staff"] = User.objects.create_user("staff@example.com", is_staff=True)
    with cachalot_disabled(all_queries=True):  # not what this is about
        yield SimpleNamespace(**made, **{f"{name}_token": bearer(user) for name, user in made.items()})
    rows.wipe()


def codes(answers):
    """How often each status, or the code of a refusal, was answered."""
    return Counter(body["code"] if isinstance(body, dict) and "code" in body else status for status, body in answers)


def told(kind):
    return Notification.objects.filter(type=kind).count()


def written(at):
    return {"scheduledAt": clock.instant(at)}


# --- the life of a booking ---


def life_of(people, booking):
    """Everybody does something else to a booking: confirm it, cancel it (both sides), move it (both sides)."""
    path = f"/bookings/{booking.pk}"
    for token, verb, body in (
        (people.provider_token, "confirm", None),
        (people.provider_token, "cancel", None),
        (people.customer_token, "cancel", None),
        (people.provider_token, "reschedule", written(booking.scheduled_at + 2 * HOUR)),
        (people.customer_token, "reschedule", written(booking.scheduled_at + 4 * HOUR)),
    ):
        yield request, token, f"{path}/{verb}", body


def is_a_life(history):
    """Whether each move begins where the one before has ended, and is one of the table's."""
    allowed = {(move.event, source, move.target) for move in MOVES for source in move.sources}
    status = history[0].to_status
    for entry in history[1:]:
        if entry.from_status != status or (entry.action, entry.from_status, entry.to_status) not in allowed:
            return False
        status = entry.to_status
    return True


def test_confirming_cancelling_and_rescheduling(people, racers):
    service = make_service(people.provider)
    for number in range(TRIES):
        booking = make_booking(people.customer, service, a_start(timedelta(days=2 + number)))
        before = told_of(booking)

        answers = racers.race(*life_of(people, booking))

        history = [*booking.history.all()]
        done = [entry.action for entry in history]
        assert codes(answers) == {200: len(history) - 1, "invalid_transition": 6 - len(history)} or len(history) == 6
        assert done.count("cancelled") == 1  # whatever else was first, it could still be cancelled, once
        assert done[-1] == "cancelled"
        assert is_a_life(history)
        booking.refresh_from_db()
        assert (booking.status, booking.reservation_id) == ("cancelled", None)
        assert told_of(booking) - before == Counter(f"booking.{action}" for action in done[1:])
    assert not Reservation.objects.exists()


def told_of(booking):
    kinds = Notification.objects.filter(data__bookingId=str(booking.pk)).values_list("type", flat=True)
    return Counter(kinds)


def test_control_without_the_row_s_lock_a_booking_is_cancelled_more_than_once(people, racers):
    booking = make_booking(people.customer, make_service(people.provider))
    path = f"/bookings/{booking.pk}"
    confirm = request, people.provider_token, f"{path}/confirm"
    cancel = [(request, token, f"{path}/cancel") for token in (people.provider_token, people.customer_token)]

    racers.race(confirm, *cancel, *cancel, without="a booking's row")

    history = [*booking.history.all()]
    assert not is_a_life(history)
    assert [entry.action for entry in history].count("cancelled") > 1


def test_confirmed_twice_it_is_confirmed_once(people, racers):
    service = make_service(people.provider)
    for number in range(TRIES):
        booking = make_booking(people.customer, service, a_start(timedelta(days=2 + number)))

        confirm = request, people.provider_token, f"/bookings/{booking.pk}/confirm"
        answers = racers.race(*[confirm] * COUNT)

        assert codes(answers) == {200: 1, "invalid_transition": COUNT - 1}
        assert [entry.action for entry in booking.history.all()] == ["created", "confirmed"]
        assert Reservation.objects.get(during__startswith=booking.scheduled_at).expires_at is None
    assert told("booking.confirmed") == TRIES


# --- the time of a provider ---


def overlaps():
    """The pairs of reservations that a provider can't keep."""
    blocks = [(row.blocked.lower, row.blocked.upper) for row in Reservation.objects.all()]
    return [(a, b) for a, b in combinations(blocks, 2) if a[0] < b[1] and b[0] < a[1]]


def book(token, service, start):
    return request, token, "/bookings", {"serviceId": str(service.pk), **written(start)}


def test_fifty_customers_want_one_slot(people, racers):
    service, start = make_service(people.provider), a_start()
    wishes = [book(bearer(make_user()), service, start)[1:] for _ in range(50)]

    answers = racers.race(*[(crowd, wishes[n::COUNT]) for n in range(COUNT)])

    assert codes(chain.from_iterable(answers)) == {201: 1, "slot_unavailable": 49}
    assert Booking.objects.count() == Reservation.objects.count() == told("booking.created") == 1


def overlapping(people):
    """Services of one provider, and starts that stand in each other's way, some by their buffers alone."""
    start = a_start().replace(hour=10)
    for minutes, before, after, at in ((60, 30, 0, 0), (30, 0, 30, 1), (120, 0, 0, 1), (60, 60, 60, 3), (30, 0, 0, 2)):
        terms = {"duration": minutes, "buffer_before": before, "buffer_after": after}
        yield make_service(people.provider, **terms), start + at * timedelta(minutes=30)


def test_services_that_overlap(people, racers):
    wishes = [*overlapping(people)]
    for number in range(TRIES):
        later = number * timedelta(days=1)

        answers = racers.race(*[book(people.customer_token, service, start + later) for service, start in wishes])

        assert codes(answers).keys() <= {201, "slot_unavailable"}
        assert overlaps() == []
        for service, start in wishes:  # who was refused was refused for somebody
            assert not service.schedule.free_slots(people.provider.pk, start + later, start + later + HOUR / 60)
    assert Booking.objects.count() == Reservation.objects.count() == told("booking.created") >= TRIES


def test_control_without_lock_and_constraint_they_overlap(people, racers):
    wishes = [*overlapping(people)]
    constraint = next(c for c in Reservation._meta.constraints if c.name.endswith("no_overlap"))
    with connection.schema_editor() as editor:
        editor.remove_constraint(Reservation, constraint)
    try:
        answers = racers.race(*[book(people.customer_token, *wish) for wish in wishes], without="a provider's time")
        assert codes(answers) == {201: COUNT}
        assert overlaps()
    finally:
        rows.wipe()
        with connection.schema_editor() as editor:
            editor.add_constraint(Reservation, constraint)


# --- a payment that is settled ---


def pending(people, *, ahead=timedelta(days=2)):
    """A payment that the gateway has settled, and has not told of."""
    payment = make_payment(people.customer, make_service(people.provider), a_start(ahead), "mock_pending")
    MockCharge.objects.settle(str(payment.pk))
    return payment


def heard_of(payment):
    """All ways on which it is heard that a payment was settled."""
    return [
        (task, "marketplace_billing_mock.tell", "charge", str(payment.pk)),
        (task, "marketplace_billing.reconcile", 0),
        (task, "marketplace_billing.settle_payment", str(payment.pk)),
    ]


def test_webhook_reconciliation_poll_and_cancelling(people, racers):
    for number in range(TRIES):
        payment = pending(people, ahead=timedelta(days=2 + number))
        cancel = request, people.customer_token, f"/bookings/{payment.booking_id}/cancel"

        answers = racers.race(cancel, *heard_of(payment), later=LATE)
        run_jobs()

        assert codes(answers) == {200: 4}
        payment.refresh_from_db()
        assert (payment.status, payment.refunded_amount) == ("refunded", payment.amount)
        assert Posting.objects.filter(payment=payment, kind="payment").count() == 1
        assert payment.refunds.get().status == "succeeded"
    assert (told("payment.succeeded"), told("refund.succeeded")) == (2 * TRIES, TRIES)
    assert report().differences == []


def test_control_without_the_row_s_lock_it_is_settled_again(people, racers):
    ways = heard_of(pending(people))

    answers = racers.race(*ways, ways[1], ways[2], without="a payment's row", later=LATE)

    assert codes(answers)[500] > 0  # that a payment is posted once is a constraint: it is what holds here


# --- paying twice ---


def pay(people, booking, key=None):
    body = {"bookingId": str(booking.pk), "paymentMethod": "mock_success"}
    headers = {"idempotency_key": key} if key else {}
    return partial(request, people.customer_token, "/payments", body, **headers)


@pytest.mark.parametrize("keys", [[None] * COUNT, [f"k-{n}" for n in range(COUNT)]], ids=["no keys", "keys"])
def test_a_booking_is_paid_once(people, racers, keys):
    service = make_service(people.provider)
    for number in range(TRIES):
        booking = make_booking(people.customer, service, a_start(timedelta(days=2 + number)))

        answers = racers.race(*[(pay(people, booking, key and f"{key}-{number}"),) for key in keys])

        assert codes(answers) == {201: 1, "already_paid": COUNT - 1}
    assert Payment.objects.count() == MockCharge.objects.count() == TRIES
    assert told("payment.succeeded") == 2 * TRIES


def test_one_key_is_one_payment_and_one_answer(people, racers):
    service = make_service(people.provider)
    for number in range(TRIES):
        booking = make_booking(people.customer, service, a_start(timedelta(days=2 + number)))

        answers = racers.race(*[(pay(people, booking, f"k-{number}"),)] * COUNT)

        assert codes(answers).keys() <= {201, "idempotency_in_progress"}
        assert {body["id"] for status, body in answers if status == 201} == {
            str(Payment.objects.get(booking=booking).pk)
        }
    assert MockCharge.objects.count() == TRIES


@pytest.mark.parametrize(("lock", "key"), [("the row of a booking that is paid", None), ("a key", "k-1")])
def test_control_without_the_lock_they_collide(people, racers, lock, key):
    service, collided = make_service(people.provider), 0
    for number in range(5 * TRIES):
        booking = make_booking(people.customer, service, a_start(timedelta(days=2 + number)))

        answers = racers.race(*[(pay(people, booking, key and f"{key}-{number}"),)] * COUNT, without=lock)

        assert Payment.objects.filter(booking=booking).count() == 1
        collided = codes(answers)["internal_error"]  # a unique constraint is what holds
        if collided:
            break
    assert collided


# --- refunds ---


def give_back(people, payment, amount):
    """By the provider and by staff."""
    path, body = f"/payments/{payment.pk}/refunds", {"amount": amount}
    return [(request, token, path, body) for token in (people.provider_token, people.staff_token)]


def test_refunds_never_exceed_the_payment(people, racers):
    payment = make_payment(people.customer, make_service(people.provider))

    answers = racers.race(*(give_back(people, payment, 12) * 3)[:COUNT])

    assert codes(answers) == {201: 4, "refund_exceeds_payment": 1}
    payment.refresh_from_db()
    assert (payment.refunded_amount, payment.claimed_amount, told("refund.succeeded")) == (48, 48, 4)
    assert report().differences == []


def test_refunds_while_the_booking_is_cancelled_and_completed(people, racers):
    """Of cancelling (by staff) and completing, one; and never more is given back than was paid."""
    service = make_service(people.provider)
    for number in range(TRIES):
        payment = make_payment(people.customer, service, a_start(3 * HOUR * number))
        bookings.confirm_booking(people.provider, payment.booking)
        path, over = f"/bookings/{payment.booking_id}", payment.booking.scheduled_at - clock.now()
        with clock.shifted(over):
            provider, staff = bearer(people.provider), bearer(people.staff)
        refund = request, provider, f"/payments/{payment.pk}/refunds", {"amount": 20}
        cancel, complete = (request, staff, f"{path}/cancel"), (request, provider, f"{path}/complete")

        answers = racers.race(refund, refund, refund, cancel, complete, later=over)
        run_jobs()

        found = codes(answers)
        assert found.keys() <= {200, 201, "refund_exceeds_payment", "invalid_transition"}
        assert found[200] == 1
        payment.refresh_from_db()
        cancelled = Booking.objects.get(pk=payment.booking_id).status == "cancelled"
        assert payment.refunded_amount == (payment.amount if cancelled else 20 * found[201])
        assert payment.claimed_amount == payment.refunded_amount
    assert report().differences == []


def test_control_without_the_row_s_lock_too_much_is_given_back(people, racers):
    payment = make_payment(people.customer, make_service(people.provider))

    racers.race(*(give_back(people, payment, 15) * 3)[:COUNT], without="a payment's row")

    assert sum(Refund.objects.values_list("amount", flat=True)) > payment.amount


# --- who leaves ---


def test_nobody_leaves_a_booking_or_a_payment_behind(people, racers):
    """Whoever is erased has neither an open booking nor a pending payment: they were refused, or he was."""
    for number in range(TRIES):
        provider = make_provider(password=PASSWORD)
        service = make_service(provider)
        owing = make_booking(people.customer, service, a_start(HOUR * number))
        bookings.confirm_booking(provider, owing)
        with clock.frozen(owing.scheduled_at):
            bookings.complete_booking(provider, owing)
        erase = partial(request, bearer(provider), "/users/me", {"password": PASSWORD}, "delete")
        token, start = people.customer_token, a_start(timedelta(days=2))
        to_pay = {"bookingId": str(owing.pk), "paymentMethod": "mock_pending"}

        erased, paid, *booked = racers.race(
            (erase,), (request, token, "/payments", to_pay), *[book(token, service, start + n * HOUR) for n in range(3)]
        )

        assert codes([erased]).keys() <= {204, "open_bookings", "open_payments"}
        assert codes([paid]).keys() <= {201, "booking_not_payable"}
        assert codes(booked).keys() <= {201, "not_found"}
        if erased[0] == 204:
            assert codes([paid, *booked]) == {"booking_not_payable": 1, "not_found": 3}


def leave(provider):
    """One erases themselves while they are writing what is theirs alone."""
    service, token = make_service(provider), bearer(provider)
    new = {
        "title": "Yoga",
        "description": "On the mat.",
        "category": service.category.slug,
        "price": 10,
        "currency": "USD",
        "duration": 60,
        "timezone": "UTC",
        "availability": {"monday": ["09:00", "17:00"]},
    }
    file = {"kind": "image", "filename": "a.png", "contentType": "image/png", "size": 1000}
    return (
        (request, token, "/users/me", {"password": PASSWORD}, "delete"),
        (request, token, "/services", new),
        (request, token, "/services", new),
        (request, token, f"/services/{service.pk}/uploads", file),
        (request, token, "/notifications/webhooks", {"url": "https://1.1.1.1/"}),
    )


def left_by(provider):
    return (
        Service.objects.live().offered_by(provider.pk).count(),
        Upload.objects.filter(owner=provider.pk).count(),
        WebhookEndpoint.objects.of(provider.pk).count(),
    )


def test_who_leaves_leaves_nothing_behind_that_is_written_meanwhile(people, racers):
    written = 0
    for _ in range(2):
        provider = make_provider(password=PASSWORD)

        erased, *others = racers.race(*leave(provider))

        assert erased[0] == 204
        assert codes(others).keys() <= {201, "unauthenticated", "not_found"}
        written += codes(others)[201]
        assert left_by(provider) == (0, 0, 0)
    assert written  # some were in time, and are deleted with all the rest


def test_control_without_the_users_lock_it_stays(people, racers):
    provider = make_provider(password=PASSWORD)

    answers = racers.race(*leave(provider), without="a user's row")

    assert codes(answers) == {204: 1, 201: 4}
    assert left_by(provider) == (2, 1, 1)

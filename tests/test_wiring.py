"""Who is told of what: the whole table, through the actions that make the facts."""

from datetime import timedelta

import pytest

from marketplace.wiring import REACTIONS
from marketplace_accounts import signals as accounts
from marketplace_accounts.models import User
from marketplace_billing import actions as billing
from marketplace_billing.exceptions import CardDeclined
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import NotFound
from marketplace_kit.testing import run_jobs
from marketplace_notifications.models import Notification
from marketplace_reviews import actions as reviews
from marketplace_reviews.models import Review
from marketplace_reviews.testing import make_completed_booking, make_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    make = User.objects.create_user
    return {
        "customer": make("customer@example.com", role="customer"),
        "provider": make("provider@example.com", role="provider"),
        "staff": make("staff@example.com", is_staff=True),
        "stranger": make("stranger@example.com", role="provider"),
    }


@pytest.fixture
def booking(people):
    booking = make_booking(people["customer"], make_service(people["provider"]))
    run_jobs()
    return booking


def told_by(people, happen):
    """Who is told what, in order, when this happens."""
    before = set(Notification.objects.values_list("pk", flat=True))
    names = {person.pk: name for name, person in people.items()}
    happen()
    run_jobs()
    new = Notification.objects.exclude(pk__in=before).order_by("created_at", "pk")
    return [(names[n.user_id], n.type) for n in new]


def test_a_new_booking_is_told_to_its_provider(people):
    service = make_service(people["provider"])

    assert told_by(people, lambda: make_booking(people["customer"], service)) == [("provider", "booking.created")]


def test_a_confirmed_and_a_completed_one_to_its_customer(people, booking):
    confirm = told_by(people, lambda: bookings.confirm_booking(people["provider"], booking))
    with clock.frozen(booking.scheduled_at):
        complete = told_by(people, lambda: bookings.complete_booking(people["provider"], booking))

    assert (confirm, complete) == ([("customer", "booking.confirmed")], [("customer", "booking.completed")])


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("customer", [("provider", "booking.cancelled")]),
        ("provider", [("customer", "booking.cancelled")]),
        ("staff", [("customer", "booking.cancelled"), ("provider", "booking.cancelled")]),
    ],
)
def test_a_cancelled_one_to_the_other_side(people, booking, who, told):
    assert told_by(people, lambda: bookings.cancel_booking(people[who], booking)) == told


@pytest.mark.parametrize(("who", "told"), [("customer", "provider"), ("provider", "customer")])
def test_a_moved_one_to_the_other_side(people, booking, who, told):
    new = booking.scheduled_at + timedelta(days=1)

    assert told_by(people, lambda: bookings.reschedule_booking(people[who], booking, new)) == [
        (told, "booking.rescheduled")
    ]


def test_one_that_is_due_to_its_customer(people, booking):
    bookings.confirm_booking(people["provider"], booking)
    run_jobs()

    with clock.frozen(booking.scheduled_at - timedelta(hours=1)):
        assert told_by(people, lambda: bookings.remind(booking.pk)) == [("customer", "booking.reminder")]


def test_one_that_lapsed_to_both(people, booking):
    with clock.frozen(booking.scheduled_at):
        assert told_by(people, lambda: bookings.cancel_lapsed(booking.pk)) == [
            ("customer", "booking.cancelled"),
            ("provider", "booking.cancelled"),
        ]


def test_a_payment_to_both_and_a_failed_one_to_its_customer(people, booking):
    def declined():
        with pytest.raises(CardDeclined):
            billing.pay(people["customer"], booking, "mock_declined")

    assert told_by(people, declined) == [("customer", "payment.failed")]
    assert told_by(people, lambda: billing.pay(people["customer"], booking, "mock_success")) == [
        ("customer", "payment.succeeded"),
        ("provider", "payment.succeeded"),
    ]


def test_a_refund_to_its_customer(people, booking):
    billing.pay(people["customer"], booking, "mock_success")
    run_jobs()

    told = told_by(people, lambda: bookings.cancel_booking(people["customer"], booking))

    assert told == [("provider", "booking.cancelled"), ("customer", "refund.succeeded")]


def test_who_has_left_is_told_of_no_refund(people):
    booking = make_completed_booking(people["customer"], make_service(people["provider"]))
    payment = billing.pay(people["customer"], booking, "mock_success")
    User.objects.filter(pk=people["customer"].pk).update(is_active=False, erased_at=clock.now())

    told = told_by(people, lambda: billing.refund(people["provider"], payment, None, None))

    assert told == []
    payment.refresh_from_db()
    assert payment.status == "refunded"


def test_a_review_to_its_provider(people):
    done = make_completed_booking(people["customer"], make_service(people["provider"]))
    run_jobs()

    def review():
        reviews.create_review(people["customer"], done, 4, "A secret of hers.")

    assert told_by(people, review) == [("provider", "review.created")]
    told = Notification.objects.get(type="review.created")
    about = {"bookingId": str(done.pk), "serviceId": str(done.service_id)}
    assert told.data == {"reviewId": str(Review.objects.get().pk), **about}
    assert "4 out of 5" in told.body
    assert "secret" not in f"{told.title} {told.body} {told.context}"


def test_who_has_left_is_told_of_no_review(people):
    done = make_completed_booking(people["customer"], make_service(people["provider"]))
    User.objects.filter(pk=people["provider"].pk).update(is_active=False, erased_at=clock.now())

    assert told_by(people, lambda: reviews.create_review(people["customer"], done, 4)) == []
    assert Review.objects.count() == 1


def test_of_who_leaves_the_words_go_and_the_ratings_stay(people):
    from marketplace_accounts.signals import user_erased

    service = make_service(people["provider"])
    review = make_review(people["customer"], service, 4, "A secret of hers.")
    reviews.reply_to_review(people["provider"], review, "A secret of his.")
    for side in ("customer", "provider"):
        user_erased.send(sender=User, user_id=people[side].pk)

    review.refresh_from_db()
    assert (review.comment, review.reply, review.rating) == (None, None, 4)
    assert Service.objects.get().rating.average == 4


def test_what_is_told_names_what_it_is_about(people, booking):
    payment = billing.pay(people["customer"], booking, "mock_success")
    told = Notification.objects.get(user=people["provider"], type="payment.succeeded")

    assert told.data == {"paymentId": str(payment.pk), "bookingId": str(booking.pk)}
    assert "50.00 USD" in told.title
    assert "Deep cleaning" in told.body


def test_what_is_rolled_back_is_told_to_nobody(people):
    from django.db import transaction

    service = make_service(people["provider"])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_booking(people["customer"], service)
        raise ZeroDivisionError

    assert not Notification.objects.exists()


def test_every_reaction_is_connected():
    for fact, reaction in REACTIONS:
        assert fact.has_listeners(), reaction


def test_nobody_leaves_with_open_bookings_and_services_go_with_their_provider(people, booking):
    from marketplace_accounts.signals import user_erased, user_erasing
    from marketplace_booking.exceptions import OpenBookings

    for side in ("customer", "provider"):
        with pytest.raises(OpenBookings):
            user_erasing.send(sender=User, user=people[side])
    user_erasing.send(sender=User, user=people["stranger"])
    with clock.frozen(booking.scheduled_at - timedelta(days=1)):
        bookings.cancel_booking(people["customer"], booking)
    user_erased.send(sender=User, user_id=people["provider"].pk)

    assert not Service.objects.live().exists()


def test_whom_staff_has_shut_out_nobody_can_book(people):
    service = make_service(people["provider"])
    accounts.user_deactivated.send(sender=User, user_id=people["provider"].pk)

    service.refresh_from_db()
    assert not service.is_active
    assert service.explain(a_start()) == ["inactive"]
    assert not Service.objects.listed().exists()
    with pytest.raises(NotFound):
        make_booking(people["customer"], service)


def test_what_a_client_was_told_under_its_keys_goes_with_its_user(people):
    from marketplace_accounts.signals import user_erased
    from marketplace_kit.models import IdempotencyKey

    for side in ("customer", "provider"):
        IdempotencyKey.objects.create(user=str(people[side].pk), key="k", status=201, body=b"his notes")
    user_erased.send(sender=User, user_id=people["customer"].pk)

    assert IdempotencyKey.objects.get().user == str(people["provider"].pk)


def test_times_are_told_in_the_zone_of_the_service(people):
    service = make_service(people["provider"], timezone="Asia/Tokyo")
    booking = make_booking(people["customer"], service, a_start(timedelta(days=2)))

    body = Notification.objects.get(user=people["provider"]).body

    assert f"{booking.scheduled_at + timedelta(hours=9):%d %B %Y, %H:%M} (Asia/Tokyo)" in body


def test_money_on_its_way_keeps_both_sides(people, booking):
    from marketplace_accounts.signals import user_erasing
    from marketplace_billing.exceptions import OpenPayments

    billing.start_payment(people["customer"], booking, "mock_success")
    bookings.cancel_booking(people["customer"], booking)

    for side in ("customer", "provider"):
        with pytest.raises(OpenPayments):
            user_erasing.send(sender=User, user=people[side])


def test_who_was_erased_meanwhile_is_not_booked(people):
    service = make_service(people["provider"])
    User.objects.filter(pk=people["customer"].pk).update(is_active=False)

    with pytest.raises(NotFound):
        make_booking(people["customer"], service)


def test_an_export_holds_all_that_is_held(people, booking):
    from marketplace_accounts.personal_data import export

    billing.pay(people["customer"], booking, "mock_success")
    bookings.cancel_booking(people["customer"], booking, "Ill.")
    run_jobs()

    for side in ("customer", "provider"):
        held = export(people[side].pk)
        assert [b["id"] for b in held["bookings"]] == [booking.pk]
        assert [p["amount"] for p in held["payments"]] == [booking.total_amount]
        assert [r["reason"] for r in held["refunds"]] == ["Ill."]
        assert len(held["notifications"]) == Notification.objects.filter(user=people[side]).count() > 0
        assert len(held["services"]) == (side == "provider")
    assert [h["action"] for h in export(people["customer"].pk)["bookingHistory"]] == ["created", "cancelled"]
    assert export(people["stranger"].pk)["bookings"] == []


def test_an_export_holds_reviews_and_replies(people):
    from marketplace_accounts.personal_data import export

    review = make_review(people["customer"], make_service(people["provider"]), 4, "Good.")
    reviews.reply_to_review(people["provider"], review, "Thank you.")

    held = {side: export(person.pk) for side, person in people.items()}
    assert [r["comment"] for r in held["customer"]["reviews"]] == ["Good."]
    assert [r["reply"] for r in held["provider"]["reviewReplies"]] == ["Thank you."]
    assert held["provider"]["reviews"] == held["stranger"]["reviews"] == held["customer"]["reviewReplies"] == []

"""What its owner can do about a delivery, what finds one that died, and how long it is kept."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.telling import FACTS, come_due, fail, jobs, tell

from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_notifications import actions, deliveries, tasks, webhooks
from marketplace_notifications.actions import notify
from marketplace_notifications.exceptions import TooManyWebhooks, WebhookInactive
from marketplace_notifications.models import WebhookDelivery, WebhookEndpoint
from marketplace_notifications.posting import Answer

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


# --- sent again by its owner ---


def test_what_was_given_up_can_be_sent_again_under_its_id(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    receiver.status = 200
    webhooks.retry_webhook_delivery(WebhookDelivery.objects.get())
    run_jobs()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("succeeded", 9)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


def test_so_can_what_arrived(ann, endpoint, receiver):
    tell(ann)
    assert webhooks.retry_webhook_delivery(WebhookDelivery.objects.get()).status == "pending"
    run_jobs()
    assert (len(receiver.received), WebhookDelivery.objects.get().attempts) == (2, 2)


def test_one_more_attempt_that_fails_is_one(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    webhooks.retry_webhook_delivery(WebhookDelivery.objects.get())
    run_jobs()
    assert (WebhookDelivery.objects.get().status, jobs()) == ("failed", [])


def test_what_waits_need_not_wait(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    [later] = jobs()
    receiver.status = 200
    webhooks.retry_webhook_delivery(WebhookDelivery.objects.get())
    run_jobs()
    tasks.deliver(**later.args)  # comes for nothing
    assert len(receiver.received) == 2


def test_of_two_wishes_at_once_one_attempt_comes(ann, endpoint, receiver):
    tell(ann)
    for _ in range(2):
        webhooks.retry_webhook_delivery(WebhookDelivery.objects.get())
    run_jobs()
    assert len(receiver.received) == 2


def test_what_is_under_way_is_not_sent_beside_itself(ann, endpoint, receiver):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    delivery = deliveries.claim(WebhookDelivery.objects.get().pk, 1)
    webhooks.retry_webhook_delivery(delivery)
    run_jobs()
    assert receiver.received == []
    deliveries.record(delivery.pk, 1, Answer(200))
    assert WebhookDelivery.objects.get().status == "succeeded"


def test_an_endpoint_that_is_off_is_sent_nothing_again(ann, endpoint, receiver):
    receiver.status = 410
    tell(ann)
    with pytest.raises(WebhookInactive):
        webhooks.retry_webhook_delivery(WebhookDelivery.objects.get())


# --- one at a time, and what died on the way ---


def test_an_endpoint_is_sent_one_at_a_time_and_the_next_is_woken(ann, bob, endpoint, receiver):
    webhooks.create_webhook(bob.pk, receiver.url(path="/bob"), None)
    first, second, third = (notify(who.pk, "parcel.lost", {}, FACTS) for who in (ann, ann, bob))
    busy = deliveries.claim(WebhookDelivery.objects.get(notification=first).pk, 1)
    run_jobs()
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(third.pk)]
    deliveries.record(busy.pk, 1, Answer(200))
    run_jobs()
    assert [request.headers["webhook-id"] for request in receiver.received[1:]] == [str(second.pk)]


def test_they_are_woken_in_the_order_in_which_they_wait(ann, endpoint, receiver):
    told = [notify(ann.pk, "parcel.lost", {}, FACTS) for _ in range(4)]
    busy = deliveries.claim(WebhookDelivery.objects.get(notification=told[0]).pk, 1)
    run_jobs()  # each of them finds it busy
    deliveries.record(busy.pk, 1, Answer(500))
    run_jobs()
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(row.pk) for row in told[1:]]


def test_an_attempt_whose_worker_died_is_made_again(ann, endpoint, receiver):
    with clock.frozen(NOON):
        told = [notify(ann.pk, "parcel.lost", {}, FACTS) for _ in range(2)]
        died = deliveries.claim(WebhookDelivery.objects.get(notification=told[0]).pk, 1)
        run_jobs()
        deliveries.recover()
    assert receiver.received == []  # it may be alive yet
    with clock.frozen(died.leased_until):
        deliveries.recover()
        run_jobs()
    delivery = WebhookDelivery.objects.get(pk=died.pk)
    assert (delivery.status, delivery.attempts, delivery.fault) == ("pending", 1, "abandoned")
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(told[1].pk)]
    come_due()
    assert receiver.received[1].headers["webhook-id"] == str(told[0].pk)


def test_who_comes_back_after_he_was_given_up_changes_nothing(ann, endpoint, receiver):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    with clock.frozen(NOON):
        slow = deliveries.claim(WebhookDelivery.objects.get().pk, 1)
    deliveries.recover()
    deliveries.record(slow.pk, 1, Answer(200))
    assert WebhookDelivery.objects.get().status == "pending"


def test_an_attempt_that_kills_its_worker_each_time_ends(ann, endpoint):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    for attempt in range(1, 9):
        with clock.frozen(NOON):
            assert deliveries.claim(WebhookDelivery.objects.get().pk, attempt) is not None
        deliveries.recover()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("failed", 8)


def test_what_nobody_comes_for_is_found(ann, endpoint, receiver):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    ProcrastinateJob.objects.all()._raw_delete(using="default")
    with clock.shifted(timedelta(minutes=4)):
        tasks.recover(0)
        run_jobs()
    assert receiver.received == []
    with clock.shifted(timedelta(minutes=6)):
        tasks.recover(0)
        run_jobs()
    assert len(receiver.received) == 1


def test_of_many_that_nobody_comes_for_one_job_an_endpoint_is_made(ann, endpoint):
    for _ in range(5):
        notify(ann.pk, "parcel.lost", {}, FACTS)
    ProcrastinateJob.objects.all()._raw_delete(using="default")
    with clock.shifted(timedelta(minutes=6)):
        tasks.recover(0)
    assert len(jobs()) == 1


# --- limits, the log, leaving ---


def test_one_may_have_so_many(ann, bob, knobs):
    knobs(WEBHOOK_ENDPOINTS=2)
    for _ in range(2):
        webhooks.create_webhook(ann.pk, "https://hooks.example.com/", None)
    with pytest.raises(TooManyWebhooks):
        webhooks.create_webhook(ann.pk, "https://hooks.example.com/", None)
    webhooks.create_webhook(bob.pk, "https://hooks.example.com/", None)


def test_the_log_is_kept_for_some_time(ann, endpoint, receiver):
    with clock.frozen(NOON):
        tell(ann)
        receiver.status = 500
        tell(ann)
    with clock.frozen(NOON + timedelta(days=29)):
        tasks.forget_deliveries(0)
    assert WebhookDelivery.objects.count() == 2
    with clock.frozen(NOON + timedelta(days=31)):
        tasks.forget_deliveries(0)
    assert WebhookDelivery.objects.get().status == "pending"


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "lost"},
        {"status": "pending", "next_attempt_at": None},
        {"status": "succeeded"},
        {"status": "failed", "next_attempt_at": None, "leased_until": NOON},
    ],
)
def test_what_a_delivery_never_is(ann, endpoint, changed):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookDelivery.objects.update(**changed)


def test_what_an_endpoint_never_is(endpoint):
    for changed in ({"disabled_reason": "failing"}, {"is_active": False, "disabled_reason": "boredom"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            WebhookEndpoint.objects.update(**changed)


def test_what_is_kept_on_somebody_can_be_told_and_deleted(ann, bob, endpoint, receiver):
    webhooks.create_webhook(bob.pk, "https://hooks.example.com/", None)
    tell(ann)
    told = actions.export(ann.pk)
    assert [row["url"] for row in told["webhooks"]] == [receiver.url()]
    assert [row["status"] for row in told["webhookDeliveries"]] == ["succeeded"]
    assert "secret" not in str(told).lower()
    actions.forget(ann.pk)
    assert actions.export(ann.pk)["webhooks"] == actions.export(ann.pk)["webhookDeliveries"] == []
    assert WebhookEndpoint.objects.get().user_id == bob.pk

"""What becomes of a webhook: sent, tried again, given up; and its endpoint switched off."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from tests.telling import FACTS, come_due, fail, jobs, tell

from marketplace_kit import clock
from marketplace_notifications import actions, deliveries, tasks, webhooks
from marketplace_notifications.actions import Choice, notify
from marketplace_notifications.conf import conf
from marketplace_notifications.models import (
    WAYS,
    Notification,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
    ways_of,
)
from marketplace_notifications.posting import Answer
from marketplace_notifications.testing import make_webhook

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
OFF = {"email": False, "in_app": False}


# --- what is sent ---


def test_it_is_sent_signed_and_once(ann, endpoint, receiver):
    with clock.frozen(NOON):
        told = tell(ann)
        [request] = receiver.received
        assert request.is_signed_with(endpoint.secret)
    assert request.headers["webhook-id"] == str(told.pk)
    assert request.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "parcel.lost",
        "timestamp": "2026-05-04T12:00:00Z",
        "data": {
            "id": str(told.pk),
            "type": "parcel.lost",
            "title": "Parcel 7 is lost",
            "body": told.body,
            "data": {"parcelId": "7"},
            "readAt": None,
            "createdAt": "2026-05-04T12:00:00Z",
        },
    }
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("succeeded", 1, 204)
    assert (delivery.next_attempt_at, delivery.leased_until, delivery.fault) == (None, None, "")
    assert jobs() == []


def test_what_is_sent_again_is_the_same_whether_or_not_it_was_read(ann, endpoint, receiver):
    receiver.status = 500
    told = tell(ann)
    actions.mark_read(told)
    come_due()
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_the_notification_is_as_the_inbox_shows_it(ann, client, endpoint, receiver):
    tell(ann, "parcel.sent")
    client.force_login(ann)
    [item] = client.get("/api/notifications").json()["items"]
    body = json.loads(receiver.received[0].body)
    assert body == {"type": item["type"], "timestamp": item["createdAt"], "data": item}


def test_each_attempt_is_signed_anew(ann, endpoint, receiver):
    receiver.status = 500
    with clock.frozen(NOON):
        tell(ann)
    with clock.frozen(come_due()):
        assert receiver.received[1].is_signed_with(endpoint.secret)
        assert receiver.received[1].headers["webhook-timestamp"] != receiver.received[0].headers["webhook-timestamp"]


@pytest.mark.parametrize("kind", ["parcel.sent", "parcel.lost", "parcel.billed"])
def test_webhooks_follow_their_own_types_and_no_preferences(ann, endpoint, receiver, kind):
    actions.set_preferences(ann.pk, [Choice(kind, **OFF)])
    told = tell(ann, kind)
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(told.pk)]
    assert not Notification.objects.inbox_of(ann.pk).exists()


def test_an_endpoint_is_told_of_its_types(ann, bob, receiver):
    webhooks.create_webhook(ann.pk, receiver.url(path="/sent"), ["parcel.sent"])
    webhooks.create_webhook(ann.pk, receiver.url(path="/both"), ["parcel.lost", "parcel.sent"])
    webhooks.create_webhook(bob.pk, receiver.url(path="/bob"), None)
    tell(ann, "parcel.lost")
    assert [request.path for request in receiver.received] == ["/both"]
    tell(ann, "parcel.sent")
    assert sorted(request.path for request in receiver.received[1:]) == ["/both", "/sent"]


def test_without_types_it_is_told_of_those_to_come(ann, endpoint, receiver, knobs):
    knobs(TYPES={"parcel.lost": OFF})
    assert endpoint.shown_types == ["parcel.lost"]
    tell(ann)
    assert len(receiver.received) == 1


def test_it_is_rolled_back_with_what_caused_it(ann, endpoint):
    with pytest.raises(RuntimeError), transaction.atomic():
        notify(ann.pk, "parcel.lost", {}, FACTS)
        raise RuntimeError("the action failed after all")
    assert not WebhookDelivery.objects.exists()
    assert jobs() == []


@pytest.mark.parametrize("of", [int, str])
def test_those_listen_who_are_sent_the_type_and_are_active(ann, bob, of):
    everything, lost, both = [make_webhook(ann.pk, types=types) for types in (None, ["parcel.lost"], [*conf.TYPES])]
    make_webhook(ann.pk, types=["parcel.sent"])
    make_webhook(ann.pk, types=[])
    make_webhook(bob.pk)
    webhooks.change_webhook(make_webhook(ann.pk), {"is_active": False})

    assert ways_of(of(ann.pk), "parcel.lost").endpoints == [everything.pk, lost.pk, both.pk]
    assert all(WAYS.plans.values())


def test_how_he_is_told_is_one_question(ann, django_assert_num_queries):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    # That, the notification and its jobs; and the savepoint in the test's own transaction.
    with django_assert_num_queries(2 + 2):
        notify(ann.pk, "parcel.lost", {}, FACTS)


# --- secrets ---


def test_for_a_day_both_secrets_sign(ann, endpoint, receiver):
    old = endpoint.secret
    with clock.frozen(NOON):
        new = webhooks.rotate_webhook_secret(endpoint).secret
        assert new != old
    with clock.frozen(NOON + timedelta(hours=23, minutes=59)):
        tell(ann)
        assert receiver.received[0].is_signed_with(old)
        assert receiver.received[0].is_signed_with(new)
        assert len(receiver.received[0].headers["webhook-signature"].split(" ")) == 2
    with clock.frozen(NOON + timedelta(hours=24)):
        tell(ann)
        assert receiver.received[1].is_signed_with(new)
        assert len(receiver.received[1].headers["webhook-signature"].split(" ")) == 1


def test_of_many_secrets_the_newest_sign(ann, endpoint, receiver):
    made = [endpoint.secret] + [webhooks.rotate_webhook_secret(endpoint).secret for _ in range(6)]
    tell(ann)
    [request] = receiver.received
    assert len(request.headers["webhook-signature"].split(" ")) == webhooks.MOST_SECRETS
    assert all(request.is_signed_with(secret) for secret in made[-webhooks.MOST_SECRETS :])
    assert WebhookSecret.objects.count() == webhooks.MOST_SECRETS


def test_an_endpoint_has_one_current_secret(endpoint):
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookSecret.objects.create(endpoint=endpoint, secret="whsec_another")


# --- tried again ---


def test_pauses_grow_with_a_little_chance_and_then_it_is_given_up(ann, endpoint, receiver):
    receiver.status = 500
    with clock.frozen(NOON):
        tell(ann)
    last, waits = NOON, []
    while WebhookDelivery.objects.get().status == "pending":
        at = come_due()
        waits.append((at - last).total_seconds())
        last = at
    assert [low <= wait <= low * 1.25 for low, wait in zip(conf.WEBHOOK_PAUSES, waits, strict=True)] == [True] * 7
    assert waits[:4] == sorted(waits[:4])
    assert [round(wait) for wait in waits] != [*conf.WEBHOOK_PAUSES]  # by chance
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("failed", 8, 500)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert (len(receiver.received), jobs()) == (8, [])


def test_the_job_of_the_next_attempt_is_there_when_it_is_due(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    [job], delivery = jobs(), WebhookDelivery.objects.get()
    assert job.args == {"delivery_id": str(delivery.pk), "attempt": 2}
    assert abs(job.scheduled_at - delivery.next_attempt_at) < timedelta(seconds=2)


def test_a_success_ends_it(ann, endpoint, receiver):
    receiver.status = 503
    with clock.frozen(NOON):
        tell(ann)
    assert WebhookEndpoint.objects.get().failing_since == NOON
    receiver.status = 200
    come_due()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("succeeded", 2, 200)
    assert WebhookEndpoint.objects.get().failing_since is None


def test_a_receiver_that_nobody_reaches(ann, endpoint, receiver):
    receiver.close()
    tell(ann)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.response_status, delivery.fault) == ("pending", None, "unreachable")


@pytest.mark.parametrize(
    ("asked", "lowest"),
    [
        (timedelta(0), timedelta(seconds=5)),
        (timedelta(seconds=4), timedelta(seconds=5)),
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(days=1), timedelta(days=1)),
        (timedelta(days=900), timedelta(days=1)),
    ],
)
def test_a_receiver_may_ask_for_a_longer_pause_within_bounds(asked, lowest):
    pause = deliveries.pause_after(1, Answer(429, retry_after=asked))
    assert lowest <= pause <= lowest * 1.25


def test_an_attempt_is_made_once_however_often_its_job_runs(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    delivery = WebhookDelivery.objects.get()
    for _ in range(3):
        deliveries.deliver(delivery.pk, 1)
    deliveries.deliver(delivery.pk, 3)
    assert len(receiver.received) == 1
    receiver.status = 200
    deliveries.deliver(delivery.pk, 2)
    deliveries.deliver(delivery.pk, 3)
    assert len(receiver.received) == 2


# --- switched off ---


def test_410_switches_it_off_at_once(ann, endpoint, receiver):
    receiver.status = 410
    tell(ann)
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "gone")
    assert WebhookDelivery.objects.get().status == "failed"
    assert (jobs(), len(receiver.received)) == ([], 1)


def test_days_without_a_success_switch_it_off_and_its_owner_is_told(ann, endpoint, receiver, mails):
    other = webhooks.create_webhook(ann.pk, receiver.url(path="/other"), ["webhook.disabled"])
    fail(NOON, ann, receiver)
    fail(NOON + timedelta(days=2), ann, receiver)
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failing_since) == (True, NOON)
    fail(NOON + timedelta(days=5), ann, receiver)
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "failing")
    assert endpoint.updated_at > NOON + timedelta(days=5)
    told = Notification.objects.get(type="webhook.disabled")
    assert (told.user_id, told.data) == (ann.pk, {"webhookId": str(endpoint.pk)})
    assert told.body == f"{receiver.url()} is sent nothing any more: failing."
    assert len(mails()) == 1
    assert WebhookDelivery.objects.get(notification=told).endpoint_id == other.pk


def test_one_bad_attempt_after_quiet_days_is_not_the_end(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    with clock.frozen(NOON + timedelta(days=30)):
        tell(ann)
    assert WebhookEndpoint.objects.get().is_active
    receiver.status = 200
    come_due()
    assert WebhookEndpoint.objects.get().failing_since is None


def test_a_success_in_between_begins_the_days_anew(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    receiver.status = 200
    with clock.frozen(NOON + timedelta(days=4)):
        tell(ann)
    fail(NOON + timedelta(days=6), ann, receiver)
    assert WebhookEndpoint.objects.get().is_active


def test_switched_on_again_it_starts_with_a_clean_record(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    fail(NOON + timedelta(days=6), ann, receiver)
    endpoint.refresh_from_db()
    webhooks.change_webhook(endpoint, {"is_active": True})
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason, endpoint.failing_since) == (True, None, None)
    fail(NOON + timedelta(days=7), ann, receiver)
    assert WebhookEndpoint.objects.get().is_active


def test_at_another_url_too(ann, endpoint, receiver):
    fail(NOON, ann, receiver)
    webhooks.change_webhook(endpoint, {"url": receiver.url()})
    assert WebhookEndpoint.objects.get().failing_since == NOON
    webhooks.change_webhook(endpoint, {"url": receiver.url(path="/elsewhere")})
    assert WebhookEndpoint.objects.get().failing_since is None


def test_a_project_without_the_type_is_told_nothing(ann, endpoint, receiver, knobs):
    knobs(TYPES={"parcel.lost": OFF})
    receiver.status = 410
    tell(ann)
    assert not WebhookEndpoint.objects.get().is_active
    assert Notification.objects.count() == 1


def test_while_it_is_paused_it_misses_what_happens(ann, endpoint, receiver):
    webhooks.change_webhook(endpoint, {"is_active": False})
    tell(ann)
    assert not WebhookDelivery.objects.exists()
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason is None


def test_what_is_due_while_it_is_paused_is_given_up_unsent(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    webhooks.change_webhook(endpoint, {"is_active": False})
    come_due()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 1, None)
    assert len(receiver.received) == 1


def test_what_is_due_when_it_is_on_again_is_sent(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    webhooks.change_webhook(endpoint, {"is_active": False})
    webhooks.change_webhook(endpoint, {"is_active": True})
    receiver.status = 200
    come_due()
    assert WebhookDelivery.objects.get().status == "succeeded"


def test_what_waits_for_a_deleted_endpoint_is_not_sent(ann, endpoint, receiver):
    receiver.status = 500
    tell(ann)
    [job] = jobs()
    webhooks.delete_webhook(endpoint)
    tasks.deliver(**job.args)
    assert len(receiver.received) == 1
    assert not WebhookSecret.objects.exists()


def test_it_may_be_deleted_while_it_is_sent_something(ann, endpoint, receiver):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    delivery = deliveries.claim(WebhookDelivery.objects.get().pk, 1)
    webhooks.delete_webhook(endpoint)
    deliveries.record(delivery.pk, 1, deliveries.send(delivery))
    assert not WebhookDelivery.objects.exists()
    assert receiver.received == []  # there is nothing left to sign it with

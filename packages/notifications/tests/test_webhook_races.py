"""What holds when several do it at once. Each of these has a control: the same without the lock, which fails."""

import threading
from contextlib import suppress
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.races import PATIENCE, somebody_waits, together, until

from marketplace_notifications import actions, deliveries, webhooks
from marketplace_notifications.actions import notify
from marketplace_notifications.exceptions import TooManyWebhooks
from marketplace_notifications.models import (
    Notification,
    Ways,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointQuerySet,
    usual,
)
from marketplace_notifications.posting import Answer
from marketplace_notifications.testing import make_webhook, make_webhook_delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_jobs")]


def meet_before(monkeypatch, where, name, count, patience):
    """Have `count` threads meet before they call it; where a lock keeps them apart, they go on without each other."""
    barrier, call = threading.Barrier(count), getattr(where, name)

    def meet(*args, **kwargs):
        with suppress(threading.BrokenBarrierError):
            barrier.wait(patience)
        return call(*args, **kwargs)

    monkeypatch.setattr(where, name, meet)


def unlocked(monkeypatch):
    def find(self, delivery_id):
        return self.filter(deliveries=delivery_id).first()

    monkeypatch.setattr(WebhookEndpointQuerySet, "locked_for", find)


# --- the same attempt by several workers, and two deliveries to one endpoint ---


def claims(ann, monkeypatch, patience, deliveries_of_it=1):
    """How many of three workers get hold of one delivery, or of as many to one endpoint."""
    endpoint = make_webhook(ann.pk)
    rows = [make_webhook_delivery(endpoint) for _ in range(deliveries_of_it)] * (3 // deliveries_of_it)
    meet_before(monkeypatch, WebhookDelivery, "save", 3, patience)
    found = together(*[partial(deliveries.claim, row.pk, 1) for row in rows])
    return sum(isinstance(one, WebhookDelivery) for one in found)


@pytest.mark.parametrize("deliveries_of_it", [1, 3])
def test_one_attempt_is_made_at_a_time(ann, monkeypatch, deliveries_of_it):
    assert claims(ann, monkeypatch, 0.3, deliveries_of_it) == 1


@pytest.mark.parametrize("deliveries_of_it", [1, 3])
def test_control_without_the_lock_all_are(ann, monkeypatch, deliveries_of_it):
    unlocked(monkeypatch)
    assert claims(ann, monkeypatch, PATIENCE, deliveries_of_it) == 3


# --- one that comes while the one before is being recorded ---


def come_while_recorded(ann, monkeypatch):
    """The record has looked for who waits, and is not committed; another is written, and its job comes."""
    endpoint = make_webhook(ann.pk)
    before = make_webhook_delivery(endpoint)
    deliveries.claim(before.pk, 1)
    looked, came, look = threading.Event(), threading.Event(), deliveries._wake_next

    def look_and_wait(endpoint):
        look(endpoint)
        looked.set()
        until(lambda: came.is_set() or somebody_waits())

    def come():
        looked.wait(PATIENCE)
        try:
            return deliveries.claim(make_webhook_delivery(endpoint).pk, 1)
        finally:
            came.set()

    monkeypatch.setattr(deliveries, "_wake_next", look_and_wait)
    _, claimed = together(lambda: deliveries.record(before.pk, 1, Answer(204)), come)
    return claimed


def test_whoever_comes_meanwhile_is_not_left_waiting(ann, monkeypatch):
    assert come_while_recorded(ann, monkeypatch) is not None


def test_control_without_the_lock_he_finds_it_busy_and_nobody_wakes_him(ann, monkeypatch):
    unlocked(monkeypatch)
    assert come_while_recorded(ann, monkeypatch) is None
    assert not ProcrastinateJob.objects.exists()


# --- an endpoint is deleted while an action tells its owner ---


def told_while_deleted(ann):
    """What the action, and what the deletion came to."""
    endpoint = make_webhook(ann.pk)
    has_told, deleted = threading.Event(), threading.Event()

    def act():
        with transaction.atomic():
            notify(ann.pk, "parcel.lost", {}, {"number": 1})
            has_told.set()
            until(lambda: deleted.is_set() or somebody_waits())

    def delete():
        has_told.wait(PATIENCE)
        try:
            webhooks.delete_webhook(endpoint)
        finally:
            deleted.set()

    return together(act, delete)


def look_without(monkeypatch, listening):
    """Without the KEY SHARE lock."""

    def look(user_id, kind):
        return Ways(usual(kind), [*listening(user_id, kind).values_list("pk", flat=True)])

    monkeypatch.setattr(actions, "ways_of", look)


def test_a_deletion_waits_for_the_action_that_tells(ann):
    assert told_while_deleted(ann) == [None, None]
    assert (Notification.objects.count(), WebhookEndpoint.objects.count()) == (1, 0)


def test_control_without_the_lock_the_action_is_undone(ann, monkeypatch):
    look_without(monkeypatch, WebhookEndpoint.objects.listening)
    acted, _ = told_while_deleted(ann)
    assert isinstance(acted, IntegrityError)
    assert Notification.objects.count() == 0


def crosswise(ann, bob):
    """Two actions that tell the same two people, each in the other order."""
    barrier = threading.Barrier(2)

    def act(first, second):
        with transaction.atomic():
            notify(first.pk, "parcel.lost", {}, {"number": 1})
            barrier.wait(PATIENCE)
            notify(second.pk, "parcel.lost", {}, {"number": 1})

    return together(lambda: act(ann, bob), lambda: act(bob, ann))


def test_two_that_tell_the_same_two_do_not_wait_for_each_other(ann, bob):
    for person in (ann, bob):
        make_webhook(person.pk)
    assert crosswise(ann, bob) == [None, None]
    assert WebhookDelivery.objects.count() == 4


def test_control_with_djangos_own_lock_they_deadlock(ann, bob, monkeypatch):
    look_without(monkeypatch, WebhookEndpoint.objects.select_for_update(no_key=True).listening)
    for person in (ann, bob):
        make_webhook(person.pk)
    assert "deadlock" in str(crosswise(ann, bob))


# --- how many one may have ---


def created(ann, settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ENDPOINTS": 1}
    return together(*[lambda: webhooks.create_webhook(ann.pk, "https://hooks.example.com/", None)] * 3)


def test_the_limit_holds_for_many_at_once(ann, settings, monkeypatch):
    meet_before(monkeypatch, WebhookEndpoint, "save", 3, 0.3)
    refused = [one for one in created(ann, settings) if isinstance(one, TooManyWebhooks)]
    assert (len(refused), WebhookEndpoint.objects.count()) == (2, 1)


def test_control_without_the_lock_it_does_not(ann, settings, monkeypatch):
    manager = type(get_user_model()._base_manager)
    monkeypatch.setattr(manager, "select_for_update", lambda self, **_: self.all())
    meet_before(monkeypatch, WebhookEndpoint, "save", 3, PATIENCE)
    created(ann, settings)
    assert WebhookEndpoint.objects.count() == 3

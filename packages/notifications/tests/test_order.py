"""What holds when several do it at once. Each of these has a control: the same without the lock, which fails."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from psycopg.errors import DeadlockDetected
from tests.races import PATIENCE, somebody_waits, together, until

from marketplace_kit.testing import run_jobs
from marketplace_kit.transactions import sqlstate
from marketplace_notifications import actions
from marketplace_notifications.exceptions import InvalidTicket
from marketplace_notifications.models import Notification, StreamCounter, StreamTicket
from marketplace_notifications.testing import make_notification

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_jobs")]

# --- two actions that tell the same two people, each in the other order ---


def crosswise(tell: Callable[[Any], None], ann, bob) -> list[Any]:
    barrier = threading.Barrier(2)

    def act(first, second):
        with transaction.atomic():
            tell(first.pk)
            barrier.wait(PATIENCE)
            tell(second.pk)

    return together(lambda: act(ann, bob), lambda: act(bob, ann))


def test_two_actions_that_tell_the_same_two_do_not_wait_for_each_other(ann, bob):
    assert crosswise(lambda who: actions.notify(who, "parcel.lost", {}, {"number": 1}), ann, bob) == [None, None]
    run_jobs()
    for person in (ann, bob):
        assert [row.position for row in Notification.objects.published_to(person.pk, after=0)] == [1, 2]


def test_control_a_number_taken_in_the_action_deadlocks(ann, bob):
    def tell(user_id):
        make_notification(user_id)
        actions.publish(user_id)

    assert deadlocked(crosswise(tell, ann, bob)) == 1


def test_control_a_lock_on_the_queue_deadlocks(ann, bob):
    [outcome] = [o for o in crosswise(defer_once, ann, bob) if o is not None]
    assert isinstance(outcome, ConnectorException)
    assert isinstance(outcome.__cause__, DeadlockDetected)


def deadlocked(outcomes: list[Any]) -> int:
    return sum(isinstance(o, OperationalError) and sqlstate(o) == "40P01" for o in outcomes)


def defer_once(user_id: Any) -> None:
    """What `kit.jobs.defer` does not offer: a job only where none of its name waits."""
    job = app.configure_task("marketplace_notifications.publish", queueing_lock=f"publish-{user_id}")
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(user_id=str(user_id))


# --- a job that starts before the action commits ---


def tell_while_a_job_runs(tell: Callable[[], None], ann) -> None:
    """A job waits; it starts, and is done, between what the action does and its commit."""
    defer_once(ann.pk)
    told, done = threading.Event(), threading.Event()

    def act():
        with transaction.atomic():
            tell()
            told.set()
            done.wait(PATIENCE)

    def work():
        told.wait(PATIENCE)
        assert run_jobs() == 1
        done.set()

    assert together(act, work) == [None, None]
    run_jobs()


def test_what_commits_behind_a_running_job_has_a_job_of_its_own(ann):
    tell_while_a_job_runs(lambda: actions.notify(ann.pk, "parcel.lost", {}, {"number": 1}), ann)
    assert Notification.objects.get().position == 1


def test_control_with_one_job_for_all_it_is_left_behind(ann):
    def tell():
        make_notification(ann.pk)
        defer_once(ann.pk)

    tell_while_a_job_runs(tell, ann)
    assert Notification.objects.get().position is None


# --- two publishers of one user ---


def publish_twice(ann, *, publish: Callable[[Any], None]) -> tuple[list[int], list[Any]]:
    """One publishes and does not commit, another one publishes meanwhile: what a reader saw then, the outcomes."""
    make_notification(ann.pk)
    first_published, second_published, looked = threading.Event(), threading.Event(), threading.Event()

    def first():
        with transaction.atomic():
            publish(ann.pk)
            first_published.set()
            looked.wait(PATIENCE)

    def second():
        first_published.wait(PATIENCE)
        make_notification(ann.pk)
        publish(ann.pk)
        second_published.set()

    def reader():
        first_published.wait(PATIENCE)
        until(lambda: second_published.is_set() or somebody_waits())
        rows = list(Notification.objects.published_to(ann.pk, after=0))
        looked.set()
        return [row.position for row in rows]

    *outcomes, seen = together(first, second, reader)
    return seen, outcomes


def test_a_reader_never_sees_the_second_before_the_first(ann):
    seen, outcomes = publish_twice(ann, publish=actions.publish)
    assert outcomes == [None, None]
    assert seen == []
    assert [row.position for row in Notification.objects.published_to(ann.pk, after=0)] == [1, 2]


def test_control_without_the_counters_lock_the_second_comes_first(ann):
    numbers = iter((1, 2))  # as a sequence gives them: outside of every transaction

    def publish(user_id):
        row = Notification.objects.unnumbered_of(user_id).last()
        Notification.objects.filter(pk=row.pk).update(position=next(numbers))

    seen, outcomes = publish_twice(ann, publish=publish)
    assert outcomes == [None, None]
    assert seen == [2]


def test_control_without_the_counters_lock_two_take_the_same_number(ann):
    make_notification(ann.pk)
    make_notification(ann.pk)
    StreamCounter.objects.create(user=ann)
    read = threading.Barrier(2)

    def publish(index):
        last = StreamCounter.objects.last_of(ann.pk)
        row = Notification.objects.unnumbered_of(ann.pk)[index]
        read.wait(PATIENCE)
        Notification.objects.filter(pk=row.pk).update(position=last + 1)

    outcomes = together(lambda: publish(0), lambda: publish(1))
    assert sorted(map(type, outcomes), key=str) == sorted([type(None), IntegrityError], key=str)


def test_a_stream_under_fire_is_dense_and_only_grows(ann):
    writers, each = 4, 25
    done = threading.Event()

    def write():
        for _ in range(each):
            actions.notify(ann.pk, "parcel.lost", {}, {"number": 1})
            actions.publish(ann.pk)

    def read():
        seen: list[int] = []
        while len(seen) < writers * each and not done.is_set():
            rows = Notification.objects.published_to(ann.pk, after=seen[-1] if seen else 0)
            seen += [row.position for row in rows]
        return seen

    def stop():
        until(lambda: StreamCounter.objects.last_of(ann.pk) == writers * each)

    *outcomes, seen, _ = together(*[write] * writers, read, stop)
    assert outcomes == [None] * writers
    assert seen == list(range(1, writers * each + 1))


# --- tickets ---


def test_a_ticket_opens_for_one_of_many(ann):
    ticket = actions.issue_ticket(ann.pk, "session")
    barrier = threading.Barrier(8)

    def spend():
        barrier.wait(PATIENCE)
        return actions.spend_ticket(ticket)

    outcomes = together(*[spend] * 8)
    assert [type(outcome) for outcome in outcomes].count(StreamTicket) == 1
    assert [type(outcome) for outcome in outcomes].count(InvalidTicket) == 7


def test_control_looking_first_and_marking_then_opens_for_all(ann):
    actions.issue_ticket(ann.pk, "session")
    looked = threading.Barrier(8)

    def spend():
        ticket = StreamTicket.objects.get(used_at=None)
        looked.wait(PATIENCE)
        ticket.used_at = ticket.expires_at
        ticket.save()
        return ticket

    assert [type(outcome) for outcome in together(*[spend] * 8)] == [StreamTicket] * 8

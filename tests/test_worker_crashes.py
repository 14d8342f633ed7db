"""The worker is killed at every point of telling somebody, and started again: he is told once, on every channel."""

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued
from tests.dying_worker import NOWHERE, POINTS

from marketplace_accounts.testing import make_user
from marketplace_kit import clock
from marketplace_kit.mail import message_id
from marketplace_notifications import webhooks
from marketplace_notifications.actions import notify
from marketplace_notifications.models import Notification, WebhookDelivery
from marketplace_notifications.storage import NotificationStorage, channel_of
from marketplace_notifications.testing import Receiver

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

JOBS = [f"marketplace_notifications.{name}" for name in ("publish", "send_email", "deliver")]
SENT = {"sent"}  # the points after which a receiver is sent it again: that it was, nobody knows


@pytest.fixture
def mails(tmp_path):
    return tmp_path / "mails"


@pytest.fixture
def worker(transactional_db, mails):
    """Workers on the tests' database, killed at the point that is named: how they ended."""
    execute("TRUNCATE procrastinate_jobs CASCADE")  # Django flushes the tables of its own, and not these
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    known = {"DATABASE_URL": url, "EMAIL_FILE_PATH": str(mails), "WEBHOOK_ALLOW_PRIVATE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.dying_worker"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | known | {"PYTHONPATH": os.pathsep.join(("project", "."))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def work(point=NOWHERE):
        process.stdin.write(f"{point}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield work
    process.communicate(timeout=30)
    execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def start_again(worker):
    """What a new worker does at once, and what it does in the minutes that follow."""
    execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")
    WebhookDelivery.objects.filter(leased_until__isnull=False).update(leased_until=clock.now())
    for task in ("marketplace.retry_stalled_jobs", "marketplace_notifications.recover"):
        with suppress(AlreadyEnqueued):  # by the worker that died, whose minute it was
            app.configure_task(task).defer(timestamp=0)
    assert worker() == 0
    if states()["todo"]:
        execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
        assert worker() == 0


def told_on_every_channel(told, mails, receiver):
    """How often he was told in the inbox, on the stream, by mail, and by webhook."""
    events = NotificationStorage().get_events(channel_of(told.user_id), 0)
    assert [event.id for event in events] == [1]
    named = f"Message-ID: {message_id(str(told.pk))}".encode()
    return {
        "inbox": Notification.objects.inbox_of(told.user_id).count(),
        "stream": len(events),
        "mail": sum(named in file.read_bytes() for file in mails.glob("*.eml")),
        "webhook": sum(sent.headers["webhook-id"] == str(told.pk) for sent in receiver.received),
    }


@pytest.fixture
def tell(receiver):
    """Tell somebody new, who has a webhook."""

    def tell():
        user = make_user()
        webhooks.create_webhook(user.pk, receiver.url(), None)
        return notify(user.pk, "payout.paid", {}, {"amount": "1 USD", "when": "now"})

    return tell


def states():
    """Of the jobs that tell somebody, whatever else a worker finds to do."""
    return Counter(ProcrastinateJob.objects.filter(task_name__in=JOBS).values_list("status", flat=True))


def test_killed_anywhere_and_started_again(worker, tell, mails, receiver, subtests):
    for name, point in POINTS.items():
        with subtests.test(point.what):
            told = tell()

            assert worker(name) == -signal.SIGKILL, "It never came there."
            assert states()["doing"] == 1
            start_again(worker)

            found = told_on_every_channel(told, mails, receiver)
            assert found == {"inbox": 1, "stream": 1, "mail": 1, "webhook": 2 if name in SENT else 1}
            assert states().keys() == {"succeeded"}
            assert not WebhookDelivery.objects.exclude(status="succeeded").exists()


def test_control_a_worker_that_lives_tells_once(worker, tell, mails, receiver):
    told = tell()

    assert worker() == 0

    assert set(told_on_every_channel(told, mails, receiver).values()) == {1}
    assert states() == {"succeeded": 3}


def test_control_nobody_takes_up_what_the_dead_one_was_doing_but_the_jobs_for_that(worker, tell, mails, receiver):
    told = tell()

    assert worker("mailed") == -signal.SIGKILL
    assert worker() == 0

    assert states() == {"succeeded": 2, "doing": 1}
    assert told_on_every_channel(told, mails, receiver)["mail"] == 1

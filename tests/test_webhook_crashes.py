"""A worker that is killed while it sends a webhook: another one sends it, under the same id."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from tests.dying_webhooks import POINTS, make_attempts

from marketplace_accounts.testing import make_user
from marketplace_kit import clock
from marketplace_notifications import deliveries, webhooks
from marketplace_notifications.actions import notify
from marketplace_notifications.testing import Receiver

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture(autouse=True)
def _no_other_jobs(transactional_db):
    forget_jobs()
    yield
    forget_jobs()


def forget_jobs():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture
def receiver(monkeypatch, settings):
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "1")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ALLOW_PRIVATE": True}
    server = Receiver()
    yield server
    server.close()


def work_and_die(point):
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    process = subprocess.run(
        [sys.executable, "-m", "tests.dying_webhooks", point],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(("project", "."))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize("point", POINTS)
def test_it_arrives_under_one_id_whatever_dies(receiver, point):
    user = make_user()
    endpoint = webhooks.create_webhook(user.pk, receiver.url(), None)
    told = notify(user.pk, "payout.paid", {}, {"amount": "1 USD"})

    work_and_die(point)
    before = len(receiver.received)
    make_attempts()
    assert len(receiver.received) == before, "the one that died may be alive yet"
    with clock.shifted(timedelta(minutes=1)):
        deliveries.recover()
    make_attempts()

    assert before == (point != "claimed")
    assert len(receiver.received) == before + 1
    assert {request.headers["webhook-id"] for request in receiver.received} == {str(told.pk)}
    assert len({request.body for request in receiver.received}) == 1
    delivery = endpoint.deliveries.get()
    assert (delivery.status, delivery.attempts, delivery.leased_until) == ("succeeded", 2, None)

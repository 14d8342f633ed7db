"""One worker with a full queue, and an idle one: how many facts a second it tells, and how soon it tells a single one.

The process that production runs, `marketplace worker`. Each fact is a booking that was confirmed, with all that its
notification says; it is told by one channel at a time, and then by all. Mails are files, webhooks come to this process.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from time import monotonic, perf_counter, sleep
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import now
from redis import Redis
from tests.load import databases
from tests.load.tables import machine, markdown, percentile, say, shown, write

from marketplace import facts
from marketplace_booking.models import Booking
from marketplace_embedded import ports
from marketplace_embedded.process import Child, tail
from marketplace_kit.mail import message_id
from marketplace_kit.webhooks import new_secret
from marketplace_notifications.actions import notify
from marketplace_notifications.models import (
    Notification,
    Preference,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)
from marketplace_notifications.testing import Receiver

TYPE = "booking.confirmed"
COPY = "at_work"
PATIENCE = 240.0  # seconds
LOOK_EVERY = 0.1  # at a full queue
STREAM, MAIL, WEBHOOK = "stream", "e-mail", "webhook"
CHANNELS = {STREAM: {STREAM}, MAIL: {MAIL}, WEBHOOK: {WEBHOOK}, "all three": {STREAM, MAIL, WEBHOOK}}


@dataclass
class Figures:
    """Of one channel, or all of them."""

    facts: int = 0
    jobs: int = 0
    seconds: float = 0  # from the first start to the last end
    cpu: float = 0  # of the worker's, meanwhile
    alone: list[float] = field(default_factory=list)  # milliseconds from a commit to its effect, one at a time


class Place(NamedTuple):
    """Where the effects are to be seen."""

    mails: Path
    receiver: Receiver


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked."""
    databases.use(300, bookings=asked.facts)
    with databases.copied(COPY), closing(Receiver()) as receiver:
        place = Place(asked.data_dir / "load" / "mail", receiver)
        rmtree(place.mails, ignore_errors=True)
        place.mails.mkdir(parents=True)
        Booking.objects.update(reminded_at=now())  # else the worker finds by itself whom to remind, and tells him, too
        told = [*Booking.objects.select_related("service").order_by("pk")]
        open_webhooks({booking.customer_id for booking in told}, receiver.url())
        figures = {name: measured(name, told, place, asked) for name in CHANNELS}
    text = report(figures, asked)
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(asked.document, "worker", text)
    return 0


def measured(name: str, told: Sequence[Booking], place: Place, asked: Namespace) -> Figures:
    choose(CHANNELS[name], told)
    its = Figures(facts=len(told))
    execute("TRUNCATE procrastinate_jobs CASCADE")
    before = effects(place)
    with transaction.atomic():
        for booking in told:
            tell(booking)
    with working(place) as worker:
        empty_the_queue(its, worker)
        arrived = {kind: count - before[kind] for kind, count in effects(place).items()}
        assert arrived == {kind: len(told) * (kind in CHANNELS[name]) for kind in arrived}, (name, arrived)
        if len(CHANNELS[name]) == 1:
            alone = told[: asked.alone]
            its.alone = [soon(name, booking, place) for booking in alone]
    say(f"{name}: {its.facts / its.seconds:.0f} a second")
    return its


# --- what is told ---


def open_webhooks(customers: Iterable[Any], url: str) -> None:
    """One for each of them."""
    made = WebhookEndpoint.objects.bulk_create(WebhookEndpoint(user_id=customer, url=url) for customer in customers)
    WebhookSecret.objects.bulk_create(WebhookSecret(endpoint=endpoint, secret=new_secret()) for endpoint in made)


def choose(channels: set[str], told: Sequence[Booking]) -> None:
    """Have everybody told by these channels, and no others."""
    customers = {booking.customer_id for booking in told}
    wish = {"email": MAIL in channels, "in_app": STREAM in channels}
    Preference.objects.filter(type=TYPE).delete()
    Preference.objects.bulk_create(Preference(user_id=customer, type=TYPE, **wish) for customer in customers)
    WebhookEndpoint.objects.update(is_active=WEBHOOK in channels)


def tell(booking: Booking) -> Notification:
    """As `marketplace.wiring` does."""
    about = {"bookingId": str(booking.pk), "serviceId": str(booking.service_id)}
    return notify(booking.customer_id, TYPE, about, facts.of_booking(booking) | facts.for_calendars(booking))


def effects(place: Place) -> dict[str, int]:
    """How much came about by each channel up to now."""
    return {
        STREAM: Notification.objects.exclude(position=None).count(),
        MAIL: len([*place.mails.glob("*.eml")]),
        WEBHOOK: WebhookDelivery.objects.filter(status="succeeded").count(),
    }


# --- the worker ---


@contextmanager
def working(place: Place) -> Iterator[psutil.Process]:
    """One worker, as production starts it."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{COPY}").geturl()
    [metrics] = ports.pick(1)
    folder = place.mails.parent
    more = {
        "DATABASE_URL": url,
        "EMAIL_FILE_PATH": str(place.mails),
        "WEBHOOK_ALLOW_PRIVATE": "1",
        "METRICS_PORT": str(metrics),
        "METRICS_FOLDER": str(folder / "metrics"),
        "LOG_LEVEL": "INFO",
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
    }
    child = Child(
        [sys.executable, "-P", "-m", "marketplace.cli", "worker"], folder / "worker.log", {**os.environ, **more}
    )
    child.start()
    try:
        until(lambda: running() or not child.alive)
        assert child.pid is not None, tail(child.log, 20)
        yield psutil.Process(child.pid)
    finally:
        child.stop()


OURS = "task_name LIKE 'marketplace\\_notifications.%%' AND queueing_lock IS NULL"  # periodic ones have that


def running() -> bool:
    """Whether a job was begun."""
    return bool(execute(f"SELECT FROM procrastinate_jobs WHERE {OURS} AND status <> 'todo' LIMIT 1"))


def empty_the_queue(its: Figures, worker: psutil.Process) -> None:
    """Wait until nothing is left, and note what it took. AssertionError where a job failed."""
    began = sum(worker.cpu_times()[:2])
    left = f"SELECT FROM procrastinate_jobs WHERE {OURS} AND status IN ('todo', 'doing') LIMIT 1"
    until(lambda: not execute(left), LOOK_EVERY)
    its.cpu = sum(worker.cpu_times()[:2]) - began
    [(its.jobs, failed, its.seconds)] = execute(
        "SELECT count(DISTINCT job.id), count(*) FILTER (WHERE job.status <> 'succeeded'), extract("
        "epoch FROM max(at) FILTER (WHERE type = 'succeeded') - min(at) FILTER (WHERE type = 'started'))::float"
        f" FROM procrastinate_jobs job JOIN procrastinate_events ON job_id = job.id WHERE {OURS}"
    )
    assert not failed, "A job failed: the log of the worker says why."


def soon(name: str, booking: Booking, place: Place) -> float:
    """Milliseconds from a commit to its effect, while the worker has nothing else to do."""
    sleep(0.05)  # the last one's job comes to its end
    with listening() as hints:
        sent, told = len(place.receiver.received), tell(booking)
        began = perf_counter()
        mail = place.mails / f"{sha256(message_id(str(told.pk)).encode()).hexdigest()[:40]}.eml"
        effect = {
            STREAM: lambda: hints.get_message(ignore_subscribe_messages=True) is not None,
            MAIL: mail.exists,
            WEBHOOK: lambda: len(place.receiver.received) > sent,
        }[name]
        until(effect, 0.0005)
        return (perf_counter() - began) * 1000


@contextmanager
def listening() -> Iterator[Any]:
    """Hear the hints that wake streams."""
    with Redis.from_url(str(settings.NOTIFICATIONS["HINTS_URL"])) as client, client.pubsub() as hints:
        hints.subscribe("notifications")
        until(lambda: hints.get_message() is not None)
        yield hints


def until(condition: Callable[[], bool], every: float = 0.005) -> None:
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "The worker did not come to its end."
        sleep(every)


def execute(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description is not None else []


# --- the table ---

HEAD = ("", "facts/s", "jobs/s", "CPU ms a fact", "jobs", "idle: commit to effect, p50 ms", "p99 ms")


def report(figures: dict[str, Figures], asked: Namespace) -> str:
    command = f"python -m tests.load worker --facts {asked.facts} --alone {asked.alone}"
    rows = [[name, *numbers(its)] for name, its in figures.items()]
    return "\n\n".join([f"`python3 -m uv run {command}`, on {machine()}.", markdown(HEAD, rows)])


def numbers(its: Figures) -> list[str]:
    alone = [shown(percentile(its.alone, share)) if its.alone else "" for share in (0.5, 0.99)]
    cpu = shown(its.cpu * 1000 / its.facts)
    return [shown(its.facts / its.seconds), shown(its.jobs / its.seconds), cpu, f"{its.jobs:,}", *alone]

"""The stream while what it runs on comes and goes."""

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import RequestAborted
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateEvent
from redis import Redis

from marketplace_embedded.valkey import Valkey
from marketplace_kit.testing import run_jobs
from marketplace_notifications import actions, asgi
from marketplace_notifications.models import Notification

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 1_000_000  # seconds
EVENTS = 300
WRITERS = 3


def test_none_is_lost_and_none_comes_twice(start_stream, session_of, ann):
    """Writers at full speed, a reader who goes from process to process, and processes that are killed under him."""
    servers, session, seen = [start_stream(), start_stream()], session_of(ann), []
    with servers[0].open(session) as stream:
        last_id = stream.last_id
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, ann, EVENTS // WRITERS) for _ in range(WRITERS)]
        for turn in range(EVENTS):
            server = servers[turn % 2]
            with server.open(session, last_id=last_id) as stream:
                seen += read(stream, 40, kill=server if turn % 3 == 2 else None)
            last_id = stream.last_id
            if len(seen) >= EVENTS:
                break
    assert [task.result() for task in writing] == [None] * WRITERS
    published = Notification.objects.published_to(ann.pk, after=0).values_list("pk", flat=True)
    assert seen == [str(key) for key in published]
    assert len(seen) == EVENTS


def write(person, count: int) -> None:
    try:
        for number in range(count):
            actions.notify(person.pk, "parcel.lost", {}, {"number": number})
            actions.publish(person.pk)
    finally:
        connection.close()


def read(stream, count: int, kill=None) -> list[str]:
    """At most `count` events, or those that come until the process, killed half-way, is gone."""
    seen: list[str] = []
    end = threading.Timer(10, stream.answer.close)
    end.start()
    while len(seen) < count and (event := stream.next()) is not None:
        seen.append(json.loads(event["data"])["id"])
        if kill is not None and len(seen) == count // 2:
            kill.kill()
    end.cancel()
    if kill is not None:
        kill.start()
    return seen


def test_hints_come_again_after_a_restart_of_valkey(start_stream, session_of, ann, settings, tmp_path):
    with Valkey(tmp_path / "valkey") as valkey:
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "HINTS_URL": valkey.url}
        server = start_stream(SESSION_CHECK_SECONDS=NEVER, HINTS_URL=valkey.url)
        with server.open(session_of(ann)) as stream:
            server.until(lambda: listeners(valkey) == 1)
            tell_and_hear(ann, stream, 5)
            valkey.stop()
            tell_and_hear(ann, stream, 1)  # by a look at the database
            valkey.start()
            server.until(lambda: listeners(valkey) == 1)
            tell_and_hear(ann, stream, 5)


def listeners(valkey: Valkey) -> int:
    with Redis.from_url(valkey.url) as client:
        [(_, count)] = client.pubsub_numsub("notifications")
        return count


def tell_and_hear(person, stream, count: int) -> None:
    for number in range(count):
        actions.notify(person.pk, "parcel.lost", {}, {"number": number})
        run_jobs()
        assert stream.titles(1) == [f"Parcel {number} is lost"]


def test_a_client_that_reads_nothing_is_left(monkeypatch):
    monkeypatch.setattr(asgi, "SEND_SECONDS", 0.01)

    async def full(message):
        await asyncio.Event().wait()

    with pytest.raises(RequestAborted):
        asyncio.run(asgi._send(full, {"type": "http.response.body"}))


def test_a_real_worker_publishes_before_it_mails(server, session_of, ann, tmp_path):
    with server.open(session_of(ann)) as stream:
        for number in range(3):
            actions.notify(ann.pk, "parcel.sent", {}, {"number": number, "sender": "Zoë"})
        command = [sys.executable, "-m", "django", "procrastinate", "worker", "--one-shot"]
        env = server.env | {"MAIL_FOLDER": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        subprocess.run(command, cwd=Path(__file__).parent.parent, env=env, check=True, timeout=60, capture_output=True)
        assert stream.titles(3) == [f"Parcel {number} is on its way" for number in range(3)]
    mails = [path.read_bytes() for path in tmp_path.glob("*.eml")]
    assert [b"To: ann@example.org" in mail for mail in mails] == [True] * 3
    started = ProcrastinateEvent.objects.filter(type="started", job__queue_name__in=("stream", "mail")).order_by("id")
    assert [*started.values_list("job__queue_name", flat=True)] == ["stream"] * 3 + ["mail"] * 3

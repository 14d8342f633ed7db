"""People, a client that speaks JSON, and the stream in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from marketplace_kit.testing import JsonClient
from marketplace_notifications import webhooks
from marketplace_notifications.testing import Receiver


def make_person(name: str):
    return get_user_model().objects.create(name=name, post=f"{name}@example.org")


@pytest.fixture
def ann(db):
    return make_person("ann")


@pytest.fixture
def bob(db):
    return make_person("bob")


@pytest.fixture
def no_jobs(transactional_db):
    """pytest-django's flush leaves procrastinate's tables alone: Django does not manage them."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


@pytest.fixture
def client():
    return JsonClient()


@pytest.fixture
def as_ann(client, ann):
    client.force_login(ann)
    return client


@pytest.fixture
def mails(settings, tmp_path):
    """The messages that have been sent, by the real backend in place of pytest-django's."""
    backend = {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": {"file_path": str(tmp_path)}}
    settings.MAILERS = {"default": backend}
    return lambda: sorted(tmp_path.glob("*.eml"))


# --- webhooks ---


@pytest.fixture
def knobs(settings):
    """This project tells of webhooks that it switches off, and lets them go to this machine."""

    def change(**values):
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, **values}

    types = {**settings.NOTIFICATIONS["TYPES"], "webhook.disabled": {"email": True, "in_app": True}}
    change(TYPES=types, WEBHOOK_ALLOW_PRIVATE=True)
    return change


@pytest.fixture
def receiver(knobs):
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def endpoint(ann, receiver):
    return webhooks.create_webhook(ann.pk, receiver.url(), None)


# --- the stream ---

PATIENCE = 30  # seconds; a test that waits longer has failed


class Server:
    """uvicorn with the stream, on a port that it keeps from start to start."""

    def __init__(self, folder: Path, **notifications) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
        self.env = {
            **os.environ,
            "DATABASE_URL": url,
            "NOTIFICATIONS": json.dumps(notifications),
            "PGAPPNAME": f"stream-{self.port}",
        }
        self.log = folder / f"stream-{self.port}.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "tests.asgi:application", "--port", str(self.port)]
        options = ["--timeout-graceful-shutdown", "1", "--log-level", "warning"]
        with self.log.open("ab") as log:
            folder = Path(__file__).parent.parent
            self.process = subprocess.Popen([*command, *options], cwd=folder, env=self.env, stderr=log)
        self.until(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @staticmethod
    def until(condition) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def threads(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("Threads:")))

    def connections(self) -> int:
        return self._backends("count(*)")

    def break_connections(self) -> int:
        """As a restart of the database does."""
        return self._backends("count(pg_terminate_backend(pid))")

    def _backends(self, what: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {what} FROM pg_stat_activity WHERE application_name = %s", [self.env["PGAPPNAME"]])
            return cursor.fetchone()[0]

    def get(self, path: str = "/api/notifications/stream", method: str = "GET", **options) -> httpx.Response:
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE, **options)

    def open(self, session: str | None = None, *, last_id: str | None = None, **params) -> "Stream":
        headers = {"Cookie": f"sessionid={session}"} if session else {}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        return Stream(f"http://127.0.0.1:{self.port}/api/notifications/stream", headers, params)


class Stream:
    """What a browser's EventSource makes of a stream: `next()` is an event, and None is the end."""

    def __init__(self, url: str, headers: dict[str, str], params: dict[str, str]) -> None:
        self.client = httpx.Client(timeout=PATIENCE)
        self.answer = self.client.send(
            self.client.build_request("GET", url, headers=headers, params=params), stream=True
        )
        self.last_id = headers.get("Last-Event-ID")
        self.lines = self.answer.iter_lines()

    def __enter__(self) -> "Stream":
        assert self.answer.status_code == 200, self.answer.read()
        self.opened = self.next_block()  # said at once, so that what comes now is behind it
        return self

    def __exit__(self, *_) -> None:
        self.answer.close()
        self.client.close()

    def next_block(self) -> dict[str, str] | None:
        """What stands before the next empty line: an event, or a sign of life."""
        block: dict[str, str] = {}
        try:
            for line in self.lines:
                if not line:
                    return block
                name, _, value = line.partition(": ")
                block[name] = value
                if name == "id":
                    self.last_id = value
        except httpx.TimeoutException:
            pytest.fail("the stream says nothing")
        except httpx.TransportError:
            pass  # it was cut off: that is an end too
        return None

    def next(self) -> dict[str, str] | None:
        block: dict[str, str] | None = self.opened
        self.opened = {}
        end = time.monotonic() + PATIENCE
        while block is not None and "data" not in block:
            assert time.monotonic() < end, "there is no event"
            block = self.next_block()
        return block

    def titles(self, count: int) -> list[str]:
        return [json.loads(self.next()["data"])["title"] for _ in range(count)]


@pytest.fixture(scope="session")
def usual_server(django_db_setup, tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("stream"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(usual_server, no_jobs) -> Server:
    """A stream's process that nobody ends or breaks."""
    return usual_server


@pytest.fixture
def start_stream(no_jobs, tmp_path) -> Iterator:
    """Starts a process for this test; the settings are those of NOTIFICATIONS."""
    servers = []

    def start(**notifications) -> Server:
        servers.append(Server(tmp_path, **notifications))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def session_of():
    """A new session of a user: its key."""

    def make(person) -> str:
        client = JsonClient()
        client.force_login(person)
        return client.session.session_key

    return make

"""What commands say where they can't do what they are asked: one line that tells why, and no traceback."""

import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from tests.test_security import start

from marketplace.management.turns import one_at_a_time
from marketplace.running.datadir import DataDir
from marketplace.running.servers import own
from marketplace.watching import metrics
from marketplace_embedded.process import until


def told(*command: str, **changes: str) -> tuple[int, str]:
    """Its exit status, and the one line that it says."""
    done = start("-m", "marketplace.cli", *command, **changes)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_a_database_that_cannot_be_reached():
    status, line = told("reconcile")
    whole = start("-m", "marketplace.cli", "reconcile", "--traceback")

    assert status == 2
    assert line.startswith("PostgreSQL: connection failed:")
    assert "Traceback" in whole.stderr


def test_whoever_interrupts_it():
    status, line = told("shell", "-v", "0", "-c", "raise KeyboardInterrupt")

    assert line == "Interrupted."
    assert status in (130, -signal.SIGINT)  # Python itself ends by the signal where it was raised in an `exec`


def test_a_database_without_a_queue():
    elsewhere = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres").geturl()

    status, line = told("worker", "--one-shot", DATABASE_URL=elsewhere)

    assert status == 1
    assert line.startswith("CommandError: The queue can't be reached. ")
    assert line.endswith(" does not exist")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(("what", "option"), [("migrate", "--check"), ("seed", "--services=1")])
def test_of_two_that_do_it_at_once_one_waits(what, option):
    ours = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = ("
    waiting += "SELECT oid FROM pg_database WHERE datname = current_database())"
    with ThreadPoolExecutor(1) as other, connection.cursor() as cursor:
        with one_at_a_time(what):
            done = other.submit(start, "-m", "marketplace.cli", what, option, DATABASE_URL=ours)
            assert until(lambda: cursor.execute(waiting) and cursor.fetchone() == (1,), 60)
            assert not done.done()
        assert done.result(60).returncode == 0, done.result().stderr
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("10s",)


@pytest.mark.parametrize("option", ["--concurrency=0", "--mails=0", "--webhooks=-1", "--webhooks=x"])
def test_a_worker_that_would_do_nothing(option):
    with pytest.raises(CommandError, match="is not a number of at least 1"):
        call_command("worker", option)


def test_an_address_at_which_nothing_can_listen():
    with pytest.raises(CommandError, match=r"Can't listen on port 8001 of 300\.1\.1\.1: "):
        call_command("api", host="300.1.1.1")


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Can't listen on port {port} of localhost: Address already in"):
            call_command("api", host="localhost", port=port)


def test_a_folder_for_metrics_that_cannot_be():
    with pytest.raises(ImproperlyConfigured, match="METRICS_FOLDER /dev/null/x cannot be made: Not a directory"):
        metrics.prepare(Path("/dev/null/x"))


# --- where not everything is there ---


def test_a_storage_of_ones_own_needs_no_keys_of_ours(tmp_path, monkeypatch):
    for name in ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    assert [server.name for server in own(DataDir(tmp_path), ["CACHE_URL"])] == ["valkey"]


def test_an_image_without_servers_finds_none_running(tmp_path, monkeypatch):
    (tmp_path / "run.json").write_text('{"pid": 1, "identity": "x"}')
    monkeypatch.setitem(sys.modules, "marketplace_embedded.process", None)

    assert DataDir(tmp_path).run() is None

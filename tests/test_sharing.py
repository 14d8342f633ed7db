"""The caches between processes: who reads after a write was answered reads what was written, whatever happens."""

import os
import signal
import subprocess
import sys
from bisect import bisect_right
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
from django.db import connection
from redis import Redis

from marketplace_accounts.testing import bearer, make_provider
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_embedded.process import until
from marketplace_embedded.valkey import Valkey

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

PATIENCE = 60.0  # seconds
LIST = "/api/v1/services"
READERS = 2


class Durable(Valkey):
    """It comes back with all that it knew."""

    def command(self):
        return [*super().command(), "--appendonly", "yes", "--appendfsync", "always"]


class Process:
    """One of tests/sharing.py."""

    def __init__(self, environment):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.sharing"],
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, do, **arguments):
        self.popen.stdin.write(orjson.dumps({"do": do, **arguments}).decode() + "\n")
        self.popen.stdin.flush()

    def answer(self):
        return orjson.loads(self.popen.stdout.readline())

    def ask(self, do, **arguments):
        self.order(do, **arguments)
        return self.answer()

    def stop(self):
        """End what goes on and on; what came of it."""
        self.order("stop")
        answer = self.answer()
        self.answer()
        return answer

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(PATIENCE)
        self.popen.stdout.close()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    """Not that of the other tests, which would not like what happens to it."""
    with Durable(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def environment(django_db_setup, valkey):
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    many = dict.fromkeys(("RATELIMIT_READ", "RATELIMIT_WRITE"), "1000000/m")
    api = {"MARKETPLACE_PROCESS": "api", "PYTHONPATH": os.pathsep.join(("project", "."))}
    return os.environ | valkey.env() | many | api | {"DATABASE_URL": url, "RATELIMIT_ENABLE": "1"}


@pytest.fixture(scope="module")
def processes(environment):
    made = [Process(environment) for _ in range(READERS + 1)]
    yield made if all(process.answer() == "ready" for process in made) else None
    for process in made:
        process.end()


@pytest.fixture
def readers(processes):
    return processes[1:]


@pytest.fixture
def writer(processes):
    return processes[0]


@pytest.fixture
def wrong(writer):
    """Let the writer go about it wrongly, for this test."""
    yield lambda what: writer.ask("forget_to", what=what)
    writer.ask("forget_to", what="nothing")


@pytest.fixture(autouse=True)
def empty(valkey):
    if not valkey.alive:
        valkey.restart()
    with Redis.from_url(valkey.url) as cache:
        cache.flushall()


@pytest.fixture
def provider():
    return make_provider()


@pytest.fixture
def path(provider):
    return f"{LIST}/{make_service(provider, title='Title 0').pk}"


def keep(processes, seconds):
    for process in processes:
        process.ask("keep", seconds=seconds)


def number(title):
    return int(title.removeprefix("Title "))


def stored():
    """The number in the title that is committed."""
    return number(Service.objects.get().title)


def stale(reads, writes):
    """The reads that show less than what had been answered when they began."""
    answered = sorted(one["answered"] for one in writes)
    assert all(one["status"] == 200 for one in [*reads, *writes])
    return [one for one in reads if number(one["shown"][0]) < bisect_right(answered, one["began"])]


def kill(valkey):
    os.kill(valkey.pid, signal.SIGKILL)
    assert until(lambda: not valkey.alive, PATIENCE)


# --- writers and readers ---


def go_on(writer, readers, provider, path, *, until_number, meanwhile=lambda: None):
    """Read all the time what is written all the time: the reads of each reader, and the writes."""
    for reader in readers:
        reader.order("read", paths=[path, LIST, f"{LIST}?q=title", f"{LIST}?sort=price&x=1"])
    writer.order("write", path=path, authorization=bearer(provider), first=1, last=10_000)
    meanwhile()
    assert until(lambda: stored() >= until_number, PATIENCE)
    writes = writer.stop()
    return [reader.stop() for reader in readers], writes


def test_who_reads_after_a_write_was_answered_reads_what_was_written(writer, readers, provider, path):
    keep([writer, *readers], 60)

    reads, writes = go_on(writer, readers, provider, path, until_number=20)

    for of_one in reads:
        assert stale(of_one, writes) == []
        assert any(one["kept"] for one in of_one)


def test_the_cache_may_die_and_come_back_meanwhile(writer, readers, provider, path, valkey):
    keep([writer, *readers], 1)

    def outage():
        assert until(lambda: stored() >= 5, PATIENCE)
        kill(valkey)
        dead_at = stored()
        assert until(lambda: stored() >= dead_at + 2, PATIENCE)
        valkey.restart()

    reads, writes = go_on(writer, readers, provider, path, until_number=20, meanwhile=outage)

    assert [stale(of_one, writes) for of_one in reads] == [[], []]


def test_control_without_moving_on_they_read_what_was_before(writer, wrong, readers, provider, path):
    wrong("move on")
    keep([writer, *readers], 60)

    reads, writes = go_on(writer, readers, provider, path, until_number=5)

    assert all(stale(of_one, writes) for of_one in reads)


# --- step by step ---


def warm(reader, path):
    """The reader finds a kept answer there."""
    assert until(lambda: reader.ask("look", path=path)["kept"], PATIENCE)


@pytest.mark.parametrize("memory", ["lost", "kept"])
def test_a_cache_that_comes_back_is_not_believed(writer, readers, provider, path, valkey, memory):
    keep([writer, *readers], 60)
    warm(readers[0], path)

    shown = written_while_dead(writer, readers[0], provider, path, valkey, memory)

    assert shown["shown"] == ["Title 1"]


def test_control_a_writer_that_does_not_wait_leaves_what_was_before(writer, wrong, readers, provider, path, valkey):
    wrong("wait")
    keep([writer, *readers], 60)
    warm(readers[0], path)

    shown = written_while_dead(writer, readers[0], provider, path, valkey, "kept")

    assert shown["shown"] == ["Title 0"]


def written_while_dead(writer, reader, provider, path, valkey, memory):
    """What the reader finds kept after a write that could tell nobody."""
    kill(valkey)
    writer.order("write", path=path, authorization=bearer(provider), first=1, last=2)
    assert until(lambda: stored() == 1, PATIENCE)
    if memory == "lost":
        for file in valkey.folder.glob("appendonlydir/*"):
            file.unlink()
    valkey.restart()
    assert [one["status"] for one in writer.answer()] == [200]
    assert until(lambda: reader.ask("look", path=path)["kept"], PATIENCE)
    return reader.ask("look", path=path)


def test_a_write_is_answered_when_what_was_kept_is_dead(writer, readers, provider, path, valkey):
    keep([writer, *readers], 1)
    warm(readers[0], path)
    kill(valkey)

    [done] = writer.ask("write", path=path, authorization=bearer(provider), first=1, last=2)
    valkey.restart()

    assert done["status"] == 200
    assert readers[0].ask("look", path=path)["shown"] == ["Title 1"]
    warm(readers[0], path)
    assert readers[0].ask("look", path=path)["shown"] == ["Title 1"]


def test_a_writer_that_is_killed_leaves_old_answers_for_their_seconds_and_no_longer(environment, readers, path, valkey):
    mortal, (reader, other) = Process(environment), readers
    assert mortal.answer() == "ready"
    keep([mortal, *readers], 2)
    mortal.order("die", path=path, title="Title 1")
    assert mortal.answer() == "about to commit"
    for one in readers:
        warm(one, path)  # kept anew, under the version that stays
    assert reader.ask("look", path=path)["shown"] == ["Title 0"]
    mortal.order("go on")
    assert mortal.popen.wait(PATIENCE) == -signal.SIGKILL
    mortal.popen.stdout.close()
    assert stored() == 1

    with Redis.from_url(valkey.url) as cache:
        lives = {key: cache.pttl(key) for key in cache.keys("*public:catalog:*") if not key.endswith(b"version")}
    assert all(life <= 2000 for life in lives.values()), lives
    assert until(lambda: other.ask("look", path=path)["shown"] == ["Title 1"], PATIENCE)
    assert reader.ask("look", path=path)["shown"] == ["Title 1"]


def test_what_a_signed_in_caller_sees_is_nobody_elses(readers, provider, path):
    keep(readers, 60)
    Service.objects.update(is_active=False)
    one, other = readers

    for _ in range(2):
        assert one.ask("look", path=path, authorization=bearer(provider))["status"] == 200
        assert other.ask("look", path=path)["status"] == 404
    Service.objects.update(is_active=True)
    warm(other, path)
    assert one.ask("look", path=path, authorization=bearer(provider))["kept"] is False


# --- categories, by django-cachalot ---


def test_a_category_that_was_renamed_is_read_so_by_all(writer, readers, path):
    categories = f"{LIST}/categories"
    for reader in readers:
        warm(reader, categories)

    for name in ("One", "Two"):
        writer.ask("rename", slug="yoga", name=name)

        for reader in readers:
            assert name in reader.ask("look", path=categories)["shown"]
            warm(reader, categories)
            assert name in reader.ask("look", path=categories)["shown"]

"""How the API speaks with Valkey: over connections of its own, not lost for good and not waited on for ever."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
from django.conf import settings
from redis import Redis
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004  (the client's own)

from marketplace.valkey import OwnConnection, TimedByKernel

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0  # seconds
NAME = "own"
# The class of the client, and that of its connections, without connecting.
ASK = """
from django.core.cache import caches
for name in ("default", "limits"):
    client = caches[name].client
    factory = client.connection_factory
    pool = factory.get_or_create_connection_pool(factory.make_connection_params(client._server[0]))
    print(factory.redis_client_cls.__name__, pool.connection_class.__name__)
"""


@pytest.fixture
def client():
    pool = ConnectionPool.from_url(
        settings.CACHE_URL, socket_timeout=0.5, connection_class=TimedByKernel, client_name=NAME
    )
    with OwnConnection(connection_pool=pool, single_connection_client=True) as made:
        yield made


@pytest.fixture
def other():
    with Redis.from_url(settings.CACHE_URL, decode_responses=True) as made:
        yield made
        made.delete("counted")


def ours(other):
    [one] = [one for one in other.client_list() if one["name"] == NAME]
    return one


def test_a_connection_that_was_closed_is_made_anew_and_asked_once_more(client, other):
    assert client.incr("counted") == 1
    before = ours(other)
    other.client_kill_filter(_id=before["id"])

    assert client.incr("counted") == 2
    assert ours(other)["id"] != before["id"]


def test_what_is_refused_is_not_asked_again(client, other):
    def asked():
        return other.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"]

    before = asked()
    other.set("counted", "a word")

    with pytest.raises(ResponseError):
        client.lpush("counted", "another")

    assert asked() == before + 1


def test_who_does_not_answer_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        end = Timer(PATIENCE, lambda: silent.shutdown(socket.SHUT_RDWR))  # should it be waited for nevertheless
        end.start()
        connection = TimedByKernel(port=silent.getsockname()[1], socket_timeout=0.1)

        with pytest.raises(ConnectionError, match=str(errno.EAGAIN)):
            connection.connect()

        end.cancel()


@pytest.mark.parametrize(
    ("process", "scheme", "expected"),
    [
        ("api", "redis", "OwnConnection TimedByKernel"),
        ("api", "rediss", "OwnConnection SSLConnection"),
        ("worker", "redis", "Redis Connection"),
    ],
)
def test_the_api_alone_keeps_them_and_tls_stays(process, scheme, expected):
    chosen = {"MARKETPLACE_PROCESS": process, "CACHE_URL": f"{scheme}://127.0.0.1:1/0", "PYTHONPATH": "project"}
    environment = os.environ | chosen | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    told = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == [expected, expected]

"""Rate limits over the real Valkey: what the contract says of them, and that they are exact across processes."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.cache import caches
from redis import Redis
from redis.connection import Connection

from marketplace.api import api
from marketplace_accounts.testing import PASSWORD, bearer, make_user
from marketplace_kit import ratelimits
from marketplace_kit.testing import JsonClient

ROOT = Path(__file__).parent.parent
TELLS = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')
LOGIN, REGISTER = "/api/v1/auth/login", "/api/v1/auth/register"
FORGOT, RESET = "/api/v1/auth/password/forgot", "/api/v1/auth/password/reset"
# What the contract exempts, as far as it is there.
EXEMPT = {"/api/health/live", "/api/health/ready", "/api/v1/payments/webhooks/mock"}


@pytest.fixture
def limited(settings):
    settings.RATELIMIT_ENABLE = True
    yield
    ratelimits.outage.over_at, ratelimits.outage.told_at = 0.0, float("-inf")


@pytest.fixture
def client() -> JsonClient:
    """Somebody from an address of its own."""
    return JsonClient(REMOTE_ADDR=f"10.{'.'.join(str(random.randrange(256)) for _ in range(3))}")


def told(answer) -> tuple[str, int, int]:
    kind, left, seconds = TELLS.fullmatch(answer["RateLimit"]).groups()
    return kind, int(left), int(seconds)


def beginning(send):
    """What `send(i)` answers for the first i whose window lasts for a while yet: a minute may end at any moment."""
    for number in range(100):
        answer = send(number)
        if told(answer)[2] > 20:
            return number, answer
    raise AssertionError("every window is about to end")


def sign_in(client, email, password="wrong"):
    return client.post(LOGIN, {"email": email, "password": password})


# --- what the contract says ---


def test_the_rates_are_those_of_the_contract(settings):
    assert settings.KIT["RATE_LIMITS"] == {
        "sign_in": {"email": "5/m", "address": "20/m"},
        "register": {"address": "10/h"},
        "password_reset": {"address": "10/h"},
        "password_check": {"user": "10/m"},
        "email_resend": {"user": "10/h"},
        "write": {"user": "120/m"},
        "read": {"user": "600/m"},
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_sign_ins_of_one_e_mail_address(client):
    name = uuid4().hex
    number, first = beginning(lambda i: sign_in(JsonClient(), f"{name}{i}@example.com"))
    email = f"{name}{number}@example.com"

    assert first["RateLimit-Policy"] == '"email";q=5;w=60, "address";q=20;w=60'
    assert told(first)[:2] == ("email", 4)
    # However it is written, and from wherever.
    spelt = [email.upper(), email.title(), email.replace("e", "\uff45", 1), email]
    answers = [sign_in(JsonClient(REMOTE_ADDR=f"192.0.2.{i}"), one) for i, one in enumerate(spelt)]
    assert [(a.status_code, told(a)[1]) for a in answers] == [(401, 3), (401, 2), (401, 1), (401, 0)]
    refused = sign_in(client, email)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert sign_in(client, f"other{email}").status_code == 401


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_sign_ins_that_succeed_count_too(client):
    users = []

    def somebody(_):
        users.append(make_user(password=PASSWORD))
        return sign_in(client, users[-1].email, PASSWORD)

    beginning(somebody)
    statuses = [sign_in(client, users[-1].email, PASSWORD).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 200, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_sign_ins_of_one_address():
    def shapeless(address):
        return JsonClient(REMOTE_ADDR=address).post(LOGIN, {})

    number, first = beginning(lambda i: shapeless(f"198.51.100.{i}"))
    client = JsonClient(REMOTE_ADDR=f"198.51.100.{number}")

    assert (first.status_code, told(first)[:2]) == (422, ("address", 19))
    statuses = [sign_in(client, f"{uuid4().hex}@example.com").status_code for _ in range(20)]
    assert statuses == [401] * 19 + [429]


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("paths", [(REGISTER,), (FORGOT, RESET)])
def test_registrations_and_resets_of_one_address(client, paths):
    answers = [client.post(paths[i % len(paths)], {}) for i in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert answers[0]["RateLimit-Policy"] == '"address";q=10;w=3600'


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("method", "path", "body", "rate"),
    [
        ("post", "/api/v1/auth/password/change", {"currentPassword": "guessed", "newPassword": PASSWORD}, (10, 60)),
        ("delete", "/api/v1/users/me", {"password": "guessed"}, (10, 60)),
        ("post", "/api/v1/auth/email/resend", None, (10, 3600)),
    ],
)
def test_who_has_a_token_neither_guesses_passwords_nor_floods_mailboxes(client, method, path, body, rate):
    quota, seconds = rate
    users = []

    def ask(_=None):
        return getattr(client, method)(path, body, headers={"Authorization": users[-1]})

    def somebody(_):
        users.append(bearer(make_user(password=PASSWORD)))
        return ask()

    _, first = beginning(somebody)
    answers = [first, *(ask() for _ in range(quota))]

    assert first["RateLimit-Policy"] == f'"user";q={quota};w={seconds}'
    assert {answer.status_code for answer in answers[:-1]} < {202, 422}
    assert answers[-1].status_code == 429


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_reads_and_other_writes(client):
    signed_in = {"Authorization": bearer(make_user())}
    policies = {
        client.get("/api/v1/services")["RateLimit-Policy"],
        client.get("/api/v1/services", headers=signed_in)["RateLimit-Policy"],
        client.post("/api/v1/bookings", {}, headers=signed_in)["RateLimit-Policy"],
        client.post("/api/v1/bookings", {})["RateLimit-Policy"],
        client.post("/api/v1/auth/logout", {}, headers=signed_in)["RateLimit-Policy"],
    }

    assert policies == {'"user";q=600;w=60', '"address";q=600;w=60', '"user";q=120;w=60', '"address";q=120;w=60'}


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_a_bad_token_counts_against_its_address_and_is_refused_behind_the_limit(client, settings):
    settings.KIT = {**settings.KIT, "RATE_LIMITS": {"write": {"user": "2/h"}}}
    forged = {"Authorization": "Bearer not.a.token"}

    answers = [client.post("/api/v1/bookings", {}, headers=forged) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert told(answers[0])[:2] == ("address", 1)


@pytest.mark.django_db
@pytest.mark.usefixtures("limited")
def test_the_order_in_which_a_sign_in_is_looked_at(client, settings):
    settings.KIT = {**settings.KIT, "RATE_LIMITS": {"sign_in": {"email": "1/h", "address": "5/h"}}}
    email = f"{uuid4().hex}@example.com"

    def post(body, content_type="application/json"):
        return client.generic("POST", LOGIN, body, content_type=content_type).status_code

    assert sign_in(client, email).status_code == 401
    assert sign_in(client, email).status_code == 429  # by e-mail
    assert post(b"{") == 400  # the shape comes before the e-mail
    assert client.post(LOGIN, {"email": email}).status_code == 422
    assert sign_in(client, email).status_code == 429
    assert post(b"{") == 429  # by address, which comes before the shape
    assert post(b"{}", "text/plain") == 415  # and type, size and method before all
    assert post(b" " * 1_000_001) == 413
    assert client.get(LOGIN).status_code == 405


def test_nothing_but_health_and_the_gateways_webhooks_is_exempt():
    paths = api.get_openapi_schema()["paths"]
    unlimited = {
        path for path, item in paths.items() for operation in item.values() if 429 not in operation["responses"]
    }

    assert unlimited == EXEMPT & paths.keys()


# --- with Valkey down ---


@pytest.fixture
def dead(settings, limited):
    caches_now = settings.CACHES
    address = {"LOCATION": "redis://127.0.0.1:1/1"}
    settings.CACHES = {**caches_now, "limits": caches_now["limits"] | address}


@pytest.mark.django_db
@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize("path", [LOGIN, REGISTER, FORGOT, RESET])
def test_whatever_guesses_or_makes_accounts_waits(client, path):
    answer = client.post(path, {})

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "service_unavailable", "5")


@pytest.mark.django_db
@pytest.mark.usefixtures("dead")
def test_everything_else_goes_on(client):
    user = make_user()

    assert client.get("/api/v1/services").status_code == 200
    assert client.patch("/api/v1/users/me", {}, headers={"Authorization": bearer(user)}).status_code == 200
    assert client.post("/api/v1/auth/logout", {"refresh": "unknown"}).status_code == 204


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("keeps", [False, True], ids=["taken from the pool", "kept by the thread"])
def test_a_connection_that_the_server_ended_is_replaced(rf, settings, keeps):
    limits = settings.CACHES["limits"]
    options = limits["OPTIONS"] | {"REDIS_CLIENT_KWARGS": {"single_connection_client": keeps}}
    settings.CACHES = {**settings.CACHES, "limits": limits | {"OPTIONS": options}}
    request = rf.get("/", REMOTE_ADDR="203.0.113.97")

    for _ in range(3):
        meter = ratelimits.Meter(request, "sign_in")  # which is refused where it can't be counted
        meter.by_address()
        assert meter.usages
        Redis.from_url(os.environ["CACHE_URL"]).client_kill_filter(_type="normal", skipme=True)


# --- exact across processes ---

PROCESSES, TRIES, QUOTA = 4, 30, 5
# Each waits for the others, then tries as fast as it can, and says how often it came through.
TOGETHER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.test import RequestFactory
from redis import Redis
from marketplace_kit.ratelimits import Meter, RateLimited

key, processes, tries, quota = sys.argv[1], *map(int, sys.argv[2:])
server = Redis.from_url(os.environ["CACHE_URL"], socket_timeout=60)

def together(what):
    if server.incr(f"{key}:{what}") == processes:
        server.rpush(f"{key}:{what}:go", *range(processes))
    assert server.blpop(f"{key}:{what}:go", 60)
"""
COUNTED = """
request = RequestFactory().post("/")

def admitted(number):
    try:
        Meter(request, "sign_in").by("email", key)
    except RateLimited:
        return False
    return True
"""
# What one would write without thinking: all read before any of them writes.
READ_THEN_WRITTEN = """
def admitted(number):
    before = int(server.get(f"{key}:count") or 0)
    together(f"round {number}")
    if before >= quota:
        return False
    server.set(f"{key}:count", before + 1)
    return True
"""
MAIN = """
together("start")
print(sum(admitted(number) for number in range(tries)))
"""


def admitted_by(counter: str) -> int:
    """How many of all tries of all processes come through."""
    env = os.environ | {"RATELIMIT_ENABLE": "1", "RATELIMIT_SIGN_IN_EMAIL": f"{QUOTA}/h"}
    arguments = [uuid4().hex, str(PROCESSES), str(TRIES), str(QUOTA)]
    command = [sys.executable, "-c", TOGETHER + counter + MAIN, *arguments]
    running = [subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert {process.returncode for process in running} == {0}
    return sum(int(number) for number in said)


def test_of_all_tries_of_four_processes_as_many_come_through_as_the_limit_says():
    assert admitted_by(COUNTED) == QUOTA


def test_control_a_counter_that_is_read_and_then_written_lets_more_through():
    assert admitted_by(READ_THEN_WRITTEN) > QUOTA


@pytest.mark.usefixtures("limited")
def test_each_count_is_one_look_at_valkey(rf, monkeypatch):
    """The first of a window too."""
    caches["limits"].client.get_client().ping()  # connects
    sent, send = [], Connection.send_packed_command
    monkeypatch.setattr(Connection, "send_packed_command", lambda *a, **options: [sent.append(a), send(*a, **options)])
    meters = [ratelimits.Meter(rf.get("/", REMOTE_ADDR="203.0.113.98"), "read") for _ in range(3)]

    for meter in meters:
        meter.by_user(None)

    assert [len(meter.usages) for meter in meters] == [1, 1, 1]
    assert len(sent) == 3


@pytest.mark.usefixtures("limited")
def test_what_is_counted_ends_by_itself(rf, settings):
    """Nothing stays in Valkey for longer than its window."""
    settings.KIT = {**settings.KIT, "RATE_LIMITS": {"read": {"user": "5/m"}}}
    server = caches["limits"].client.get_client()
    before = set(server.keys("*rl:*"))

    ratelimits.Meter(rf.get("/", REMOTE_ADDR="203.0.113.99"), "read").by_user(None)

    (key,) = set(server.keys("*rl:*")) - before
    assert 0 < server.ttl(key) <= 65
    assert b"203.0.113.99" not in key

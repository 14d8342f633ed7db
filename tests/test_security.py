"""What keeps strangers out of the composed system: headers, origins, hosts, secrets, and logs that hold none."""

import asyncio
import base64
import io
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import structlog
from django.core import checks
from django.db import connection
from django.test import Client

from marketplace.checks import KNOWN_PASSWORDS
from marketplace_accounts.models import User
from marketplace_accounts.testing import PASSWORD, bearer, make_session, make_user
from marketplace_kit import ratelimits
from marketplace_kit.logs import logging_config
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_media.testing import make_upload

ROOT = Path(__file__).parent.parent
APP = "https://app.example.com"
STREAM = "/api/v1/notifications/stream"


@pytest.fixture
def client() -> JsonClient:
    return JsonClient()


# --- headers ---

PAGES = ["/api/docs", "/api/openapi.json", "/api/v1/services", "/api/v1/users/me", "/api/nothing", "/admin/login/"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGES, "/password/reset", "/nothing"])
def test_every_answer_is_safe_to_have(client, path):
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    if "/v1/" not in path:
        assert policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["form-action"] == "'self'"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs", "/admin/login/", "/password/reset", "/email/verify"])
def test_no_page_needs_what_its_policy_forbids(client, path):
    page = client.get(path).content.decode()

    for attributes, script in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes, script
    assert not re.search(r"\son\w+=|javascript:", page)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)


@pytest.mark.django_db
def test_what_is_for_one_person_is_kept_by_nobody(client):
    signed_in = {"Authorization": bearer(make_user(password=PASSWORD))}
    private = [
        client.get("/api/v1/auth/sessions", headers=signed_in),
        client.get("/api/v1/bookings", headers=signed_in),
        client.get("/api/v1/bookings"),
        client.post("/api/v1/auth/login", {"email": User.objects.get().email, "password": PASSWORD}),
        client.post("/api/v1/auth/refresh", {"refresh": "unknown"}),
    ]

    assert {answer["Cache-Control"] for answer in private} == {"no-store"}
    # What has an ETag may be kept by its reader, and is asked after each time.
    for path in ("/api/v1/users/me", "/api/v1/services"):
        assert client.get(path, headers=signed_in)["Cache-Control"] == "private, no-cache"
    assert client.get("/api/v1/services").get("Cache-Control") != "no-store"


# --- hosts ---


@pytest.mark.parametrize("path", ["/api/v1/services", "/api/nothing", "/api/health/live"])
@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "a b", "testserver@evil.example"])
def test_another_host_is_a_problem(client, path, host):
    answer = client.get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert "evil" not in answer.content.decode()


def test_another_host_gets_no_page_either(client):
    assert client.get("/admin/login/", headers={"Host": "evil.example"}).status_code == 400


# --- other origins ---


@pytest.fixture
def app(settings):
    settings.CORS_ALLOWED_ORIGINS = [APP]


def preflight(client, origin=APP, path="/api/v1/bookings"):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(path, headers=asked | {"Access-Control-Request-Headers": "authorization,idempotency-key"})


@pytest.mark.usefixtures("app")
def test_an_application_that_is_named_may_call(client):
    answer = preflight(client)

    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in answer["Access-Control-Allow-Methods"]
    allowed = {name.strip() for name in answer["Access-Control-Allow-Headers"].split(",")}
    assert allowed == {
        *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
        *("last-event-id", "x-request-id"),
    }
    assert "Access-Control-Allow-Credentials" not in answer
    assert "X-Request-ID" in answer


@pytest.mark.django_db
@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("path", "status"), [("/api/v1/services", 200), ("/api/v1/bookings", 401), ("/api/no", 404)])
def test_it_may_read_answers_and_errors(client, path, status):
    answer = client.get(path, headers={"Origin": APP})

    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (status, APP)
    shown = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
    assert shown == {
        *("ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
        *("Idempotent-Replayed", "Deprecation", "Sunset"),
    }
    assert "origin" in answer["Vary"].lower()


@pytest.mark.django_db
@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("origin", ["https://evil.example", f"{APP}.evil.example", "null", "http://app.example.com"])
def test_others_may_not(client, origin):
    for answer in (preflight(client, origin), client.get("/api/v1/services", headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.django_db
@pytest.mark.usefixtures("app")
def test_the_admin_is_for_no_other_origin(client):
    assert "Access-Control-Allow-Origin" not in client.get("/admin/login/", headers={"Origin": APP})


def test_a_wildcard_never_goes_with_credentials(settings):
    settings.CORS_ALLOW_ALL_ORIGINS = settings.CORS_ALLOW_CREDENTIALS = True
    assert "marketplace.E001" in {found.id for found in checks.run_checks()}
    settings.CORS_ALLOW_CREDENTIALS = False
    assert "marketplace.E001" not in {found.id for found in checks.run_checks()}


# --- the stream's process ---


def ask_stream(**options) -> httpx.Response:
    """What the ASGI application answers."""
    from marketplace.asgi import application

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=application, client=("203.0.113.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(options.pop("method", "GET"), STREAM, **options)

    return asyncio.run(ask())


@pytest.mark.usefixtures("app")
def test_the_stream_may_be_opened_by_the_same_applications():
    allowed = ask_stream(headers={"Origin": APP})
    other = ask_stream(headers={"Origin": "https://evil.example"})
    asked = {"Origin": APP, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    before = ask_stream(method="OPTIONS", headers=asked)

    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (401, APP)
    assert "Access-Control-Allow-Origin" not in other.headers
    assert (before.status_code, before.headers["Access-Control-Allow-Origin"]) == (200, APP)
    assert "last-event-id" in before.headers["Access-Control-Allow-Headers"]


def test_the_stream_has_its_safe_headers_and_hosts():
    refused = ask_stream(headers={"Host": "evil.example"})

    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert ask_stream().headers["X-Content-Type-Options"] == "nosniff"


def test_more_parameters_than_are_counted_open_no_stream(caplog):
    refused = ask_stream(params={f"a{n}": "1" for n in range(1001)})

    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert not [record for record in caplog.records if record.exc_info]


def test_opening_streams_is_limited(settings):
    settings.RATELIMIT_ENABLE = True
    settings.KIT = {**settings.KIT, "RATE_LIMITS": {"read": {"user": "2/h"}}}
    settings.RATELIMIT_CACHE_PREFIX = uuid4().hex

    answers = [ask_stream() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2].headers["RateLimit-Policy"] == '"address";q=2;w=3600'


# --- the admin ---


@pytest.mark.django_db
def test_the_admins_forms_need_their_token():
    browser = Client(enforce_csrf_checks=True)

    assert browser.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403


@pytest.mark.django_db
def test_guessing_at_the_admin_is_limited_as_at_the_api(settings):
    settings.RATELIMIT_ENABLE = True
    settings.KIT = {**settings.KIT, "RATE_LIMITS": {"sign_in": {"email": "2/h", "address": "9/h"}}}
    settings.RATELIMIT_CACHE_PREFIX = uuid4().hex
    make_user("boss@example.com", PASSWORD, is_staff=True)
    guesses = [("boss@example.com", "a"), (" BOSS@example.com", "b"), ("boss@example.com", PASSWORD)]

    answers = [Client().post("/admin/login/", {"username": who, "password": word}) for who, word in guesses]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Retry-After" in answers[2]
    assert JsonClient().post("/api/v1/auth/login", {"email": "boss@example.com", "password": "c"}).status_code == 429
    ratelimits.outage.over_at = 0.0


# --- the start ---

LONG = "0123456789abcdefghijklmnopqrstuvwxyz" * 2
WEAK = ["SECRET_KEY", "JWT_SIGNING_KEY", "MOCK_GATEWAY_WEBHOOK_SECRET", "DATABASE_URL", "CACHE_URL", "S3_ENDPOINT_URL"]


def start(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Load the application as a server does, or run a command."""
    good = {
        "SECRET_KEY": LONG,
        "JWT_SIGNING_KEY": LONG[::-1],
        "MOCK_GATEWAY_WEBHOOK_SECRET": "whsec_" + base64.b64encode(bytes(range(32))).decode(),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "CACHE_URL": "redis://127.0.0.1:1/0",
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "S3_ACCESS_KEY_ID": "nobody",
        "S3_SECRET_ACCESS_KEY": "nothing",
    }
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ}
    env = {**kept, **good, **changes}
    arguments = command or ("-c", "import marketplace.wsgi")
    return subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True)


def test_it_starts_with_good_secrets():
    done = start()

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "because"),
    [
        *((name, "", "is not set") for name in WEAK),
        ("SECRET_KEY", "hunter2", "too short"),
        ("JWT_SIGNING_KEY", "hunter2", "too short"),
        ("SECRET_KEY", f"django-insecure-{LONG}", "an example"),
        ("JWT_SIGNING_KEY", f"change-me-{LONG}", "an example"),
        ("JWT_SIGNING_KEY", LONG, "something else is signed with"),
        ("MOCK_GATEWAY_WEBHOOK_SECRET", "whsec_c2hvcnQ=", "24 to 64 bytes"),
        ("MOCK_GATEWAY_WEBHOOK_SECRET", LONG, "24 to 64 bytes"),
        ("RATELIMIT_READ", "often", "is not a rate"),
        ("LOG_LEVEL", "loud", "may be INFO, DEBUG"),
        ("LOG_FORMAT", "xml", "may be json, console"),
        ("PLATFORM_FEE_PERCENT", "abc", "valid decimal"),
        ("METRICS_PORT", "abc", "valid integer"),
        ("PUBLIC_CACHE_SECONDS", "-1", "greater than or equal to 0"),
        ("RATELIMIT_ENABLE", "maybe", "valid boolean"),
        ("TRUSTED_PROXIES", "10.0.0.1, the front", "IPv4 or IPv6"),
        ("PUBLIC_URL", "marketplace.example.com", "valid URL"),
        ("S3_ENDPOINT_URL", "s3://bucket", "'http' or 'https'"),
        ("CACHE_URL", "redis://:hunter2@host:port", "URL of a Valkey"),
        ("CACHE_URL", "memcached://hunter2", "URL of a Valkey"),
        ("EMAIL_URL", "smtp://host:hunter2", "smtp+tls://"),
        ("EMAIL_URL", "mail://hunter2:25", "smtp+tls://"),
        ("EMAIL_URL", "smtp://[hunter2", "smtp+tls://"),
        ("EMAIL_URL", "smtp://", "smtp+tls://"),
        ("DATABASE_URL", "a-password", "is not a PostgreSQL URL"),
    ],
)
def test_it_does_not_with_bad_ones_and_says_which(name, value, because):
    done = start("-c", "import marketplace.settings", **{name: value})

    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert f"ImproperlyConfigured: The environment variable {name}" in last
    assert because in last
    assert LONG not in last
    assert "hunter2" not in last


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
def test_no_part_of_a_database_url_is_told(name):
    done = start("-m", "marketplace.cli", "check", "--traceback", **{name: "a-password"})

    assert f"{name} is not a PostgreSQL URL" in done.stderr
    assert "a-password" not in done.stderr


def test_a_command_says_it_in_one_line():
    done = start("-m", "marketplace.cli", "check", RATELIMIT_READ="often")
    whole = start("-m", "marketplace.cli", "check", "--traceback", RATELIMIT_READ="often")

    assert done.returncode == 2
    assert done.stderr.startswith("The environment variable RATELIMIT_READ: 'often' is not a rate")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" in whole.stderr


def test_while_developing_any_secret_will_do():
    assert start(DEBUG="1", SECRET_KEY="x", JWT_SIGNING_KEY="x").returncode == 0


def test_the_example_starts_nothing():
    """Whoever copies `.env.example` and forgets to fill it in is told so."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    done = start(**dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line)))

    assert "SECRET_KEY is not set" in done.stderr


def test_a_deployment_has_nothing_to_warn_of():
    done = start(
        "-m", "marketplace.cli", "check", "--deploy", "--fail-level", "WARNING", PUBLIC_URL="https://a.example"
    )

    assert done.returncode == 0, done.stderr


def test_passwords_that_everybody_knows_are_warned_of(settings):
    settings.MEDIA = {**settings.MEDIA, "SECRET_ACCESS_KEY": KNOWN_PASSWORDS[0]}
    settings.RATELIMIT_ENABLE = False

    found = {found.id for found in checks.run_checks(include_deployment_checks=True)}

    assert {"marketplace.W001", "marketplace.W002"} <= found


# --- what is never written down ---


@pytest.fixture
def written():
    """All output of all loggers, at the most talkative level."""
    before = structlog.get_config()
    stream = io.StringIO()
    config = logging_config("DEBUG", "json")
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield stream.getvalue
    structlog.configure(**before)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_no_secret_is_in_any_line(client, written, tmp_path, settings, monkeypatch):
    # The stream's threads keep no connection beyond the test.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    settings.MAILERS = {
        "default": {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": {"file_path": str(tmp_path)}}
    }
    secrets, wrong, new = [], "hunter2-hunter2", "staple correct horse"
    email = f"{uuid4().hex}@example.com"

    # To come in, to fail to, to stay, and to be mailed a link.
    profile = {"firstName": "Ada", "lastName": "Lovelace", "phone": "+4930901820", "address": "Unter den Linden 6"}
    body = {"email": email, "password": PASSWORD, "role": "provider", "profile": profile}
    registered = client.post("/api/v1/auth/register", body).json()
    client.post("/api/v1/auth/register", body)
    client.post("/api/v1/auth/login", {"email": email, "password": wrong})
    signed_in = client.post("/api/v1/auth/login", {"email": email, "password": PASSWORD}).json()
    refreshed = client.post("/api/v1/auth/refresh", {"refresh": signed_in["refresh"]}).json()
    client.post("/api/v1/auth/refresh", {"refresh": signed_in["refresh"]})
    client.post("/api/v1/auth/password/forgot", {"email": email})
    run_jobs()
    mails = "".join(file.read_text() for file in tmp_path.glob("*.eml"))
    links = re.findall(r"token=([\w.:%-]+)", mails)
    assert len(links) >= 2
    client.get(f"/password/reset?token={links[-1]}")
    for link in links:
        client.post("/api/v1/auth/password/reset", {"token": link, "password": new})
        client.post("/api/v1/auth/email/verify", {"token": link})
    secrets += [*links, PASSWORD, wrong, new, profile["phone"], profile["address"], email]
    secrets += [pair[name] for pair in (registered, signed_in, refreshed) for name in ("access", "refresh")]

    # To do something: files, a ticket, a webhook, defects.
    user = User.objects.with_email(email).get()
    token = make_session(user)[1].access
    caller = JsonClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert caller.upload("/api/v1/users/me/avatar", make_upload(), method="PUT").status_code == 200
    ticket = caller.post(f"{STREAM}/ticket").json()["ticket"]
    ask_stream(params={"ticket": f"{ticket}x"})
    client.post("/api/v1/notifications/unsubscribe?token=not-a-token-at-all")
    client.get("/api/v1/users/me", headers={"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.bad"})
    client.get("/api/v1/users/me", headers={"Authorization": "Basic aHVudGVyMjpodW50ZXIy"})
    client.generic("POST", "/api/v1/auth/login", b'{"password": "hunter2-hunter2', content_type="application/json")
    caller.patch("/api/v1/users/me", {"profile": {"phone": "\x00", "bio": wrong}})
    run_jobs()
    secrets += [token, ticket, "not-a-token-at-all", "eyJhbGciOiJIUzI1NiJ9", "aHVudGVyMjpodW50ZXIy"]

    text = written()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert events.count("request") > 15
    assert "audit" in events
    assert [secret for secret in secrets if secret in text] == []
    assert not re.search(r"X-Amz-Signature|AWS4-HMAC|argon2", text)
    assert all(json.loads(line) for line in text.splitlines())

"""What is written down, and what never is."""

import io
import json
import logging
import logging.config
from decimal import Decimal
from uuid import UUID

import pytest
import structlog
from django.db import connection, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from marketplace_kit import audit, logs
from marketplace_kit.logs import STRUCK_OUT, logging_config, without_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def written():
    """The lines of log, as a deployment writes them at the most talkative level."""
    before = structlog.get_config()
    stream = io.StringIO()
    config = logging_config("DEBUG", "json")
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.configure(**before)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})


# --- one line per request ---


def test_a_request_is_one_line(written, member):
    member.get("/api/things?limit=2", headers={"X-Request-ID": "mine"})

    (line,) = [line for line in written() if line["event"] == "request"]
    assert line["sql"] >= 1
    assert line.pop("ms") >= 0
    assert {key: line[key] for key in ("method", "route", "status", "request_id", "level")} == {
        "method": "GET",
        "route": "/api/things",
        "status": 200,
        "request_id": "mine",
        "level": "info",
    }


def test_queries_are_counted_request_by_request(written, db):
    for _ in range(2):
        Client().get("/api/things")

    assert [line["sql"] for line in written() if line["event"] == "request"] == [1, 1]


def test_the_route_has_no_values_and_the_line_no_query(written, anybody):
    anybody.get("/api/raise/forbidden?token=abc")

    (line,) = [line for line in written() if line["event"] == "request"]
    assert line["route"] == "/api/raise/<kind>"
    assert "abc" not in json.dumps(line)


def test_a_path_that_is_none_is_not_quoted(written, anybody):
    anybody.get("/api/hunter2")

    assert "hunter2" not in json.dumps(written())


def test_whoever_asks_for_another_host_gets_one_line_too(written, anybody, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "marketplace_kit.middleware.known_host"]
    assert anybody.get("/api/things", headers={"Host": "evil.example"}).status_code == 400

    (line,) = written()
    assert (line["event"], line["status"], line["level"]) == ("request", 400, "info")


def test_a_defect_is_told_as_an_error_with_its_traceback(written, anybody):
    anybody.get("/api/raise/defect")

    lines = written()
    assert [line["level"] for line in lines if line["event"] == "request"] == ["warning"]
    (error,) = [line for line in lines if line["event"] == "unexpected_error"]
    assert "ZeroDivisionError" in error["exception"]
    assert error["request_id"] == lines[-1]["request_id"]


def test_what_a_view_outside_of_the_api_met_is_told_too(written):
    assert Client(raise_request_exception=False).get("/broken/").status_code == 500

    lines = written()
    (error,) = [line for line in lines if line["level"] == "error"]
    assert "ZeroDivisionError" in error["exception"]
    assert error["request_id"] == lines[-1]["request_id"]
    assert [line["event"] for line in lines] == [error["event"], "request"]


# --- what is never written ---


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {JWT}",
        f"token {JWT}.",
        "GET /stream?ticket=hunter2&lastEventId=1",
        "POST /unsubscribe?token=hunter2 HTTP/1.1",
        "https://house.example/password/reset?token=hunter2",
        '{"email": "ada@example.com", "password": "hunter2"}',
        "{'currentPassword': 'hunter2', 'newPassword': 'hunter2'}",
        r"{\"refresh\": \"hunter2\"}",
        "Authorization: Basic aHVudGVyMjpodW50ZXIy",
        "postgresql://marketplace:hunter2@10.0.0.1:5432/marketplace",
        "redis://:hunter2@cache:6379/0",
        "signed with whsec_aHVudGVyMmh1bnRlcjJodW50ZXIy",
        "GET /file?signature=hunter2",
        '{"access": "hunter2"}',
        '{"Token": "hunter2"}',
        '{"ticket": "hunter2"}',
        '{"SECRET": "hunter2"}',
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text):
    said = without_secrets(text)

    assert STRUCK_OUT in said
    assert not any(secret in said for secret in ("hunter2", "aHVudGVy", JWT, JWT.split(".")[2]))


@given(st.from_regex(logs._SECRETS))
def test_whatever_the_pattern_finds_is_found(text):
    """The quick look before it leaves nothing out."""
    assert STRUCK_OUT in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "The token is not valid.",
        "password_changed user_id=0198c0de-0000-7000-8000-000000000001",
        "http://127.0.0.1:8000/api/v1/auth/password/reset",
        '{"event": "request", "route": "/api/v1/auth/password/reset", "status": 204}',
        "connecting to 10.0.0.1:6379",
        "mailto: ada@example.com",
    ],
)
def test_what_is_none_stays(text):
    assert without_secrets(text) == text


def test_whoever_logs_it_the_line_stays_json(written):
    structlog.get_logger("ours").warning("met", body=f'{{"password": "hunter2", "note": "{JWT}"}}')
    logging.getLogger("theirs").warning("GET /x?ticket=%s", "hunter2")
    try:
        raise ValueError(f"no good: Bearer {JWT}")
    except ValueError:
        logging.getLogger("theirs").exception("failed")

    lines = json.dumps(written())
    assert len(written()) == 3
    assert "hunter2" not in lines
    assert JWT not in lines


@pytest.mark.parametrize("value", [UUID(int=1), 2**70, "\ud800", {1: object()}, Decimal("0.1"), b"\xff"])
def test_whatever_is_told_there_is_a_line(written, value):
    structlog.get_logger("ours").info("met", value=value)
    logging.getLogger("theirs").info("met %r", value)

    assert [line["event"] for line in written()] == ["met", f"met {value!r}"]


@pytest.mark.parametrize(
    "name", ["botocore.auth", "urllib3.connectionpool", "httpx", "django.db.backends", "procrastinate.worker"]
)
def test_what_tells_headers_and_parameters_stays_silent_at_every_level(written, name):
    logging.getLogger(name).debug("all that there is")
    logging.getLogger(name).info("a little less")

    assert written() == []


def test_console_lines_are_cleaned_too():
    stream = io.StringIO()
    config = logging_config("INFO", "console")
    before = structlog.get_config()
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    try:
        logging.getLogger("theirs").warning("GET /x?ticket=hunter2")
    finally:
        structlog.configure(**before)
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})

    assert "theirs" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


# --- the audit ---


@pytest.mark.django_db(transaction=True)
def test_what_was_done_is_told_once_it_is_committed(written):
    with transaction.atomic():
        audit.record("given", user_id="1")
        assert written() == []

    assert [(line["event"], line["action"], line["user_id"]) for line in written()] == [("audit", "given", "1")]


@pytest.mark.django_db(transaction=True)
def test_what_was_undone_was_not_done_but_a_refusal_is_a_fact(written):
    with transaction.atomic():
        audit.record("given", user_id="1")
        audit.record_refusal("refused", user_id="1")
        transaction.set_rollback(True)

    assert [line["action"] for line in written()] == ["refused"]
    assert not connection.in_atomic_block


def test_a_fingerprint_is_known_again_and_not_read():
    assert audit.fingerprint("ada@example.com") == audit.fingerprint("ada@example.com")
    assert audit.fingerprint("ada@example.com") != audit.fingerprint("bob@example.com")
    assert "ada" not in audit.fingerprint("ada@example.com")


def test_it_is_under_the_secret_key(settings):
    before = audit.fingerprint("ada@example.com")
    settings.SECRET_KEY = "another one"

    assert audit.fingerprint("ada@example.com") != before


def test_the_audit_is_written_at_every_level():
    stream = io.StringIO()
    config = logging_config("ERROR", "json")
    before = structlog.get_config()
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    try:
        logging.getLogger("marketplace.audit").info("kept")
        logging.getLogger("marketplace.request").info("not kept")
    finally:
        structlog.configure(**before)
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["kept"]

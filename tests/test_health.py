"""`/api/health`: what an orchestrator asks."""

import pytest
from django.db import OperationalError

from marketplace import health
from marketplace_kit.testing import JsonClient
from marketplace_media.exceptions import StorageUnavailable


@pytest.mark.django_db
def test_all_parts_answer():
    answer = JsonClient().get("/api/health/ready")

    assert answer.json() == {"status": "ok", "parts": dict.fromkeys(("database", "cache", "storage"), "ok")}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("part", "error"),
    [("database", OperationalError()), ("cache", ConnectionError()), ("storage", StorageUnavailable())],
)
def test_it_says_which_part_is_down(monkeypatch, part, error):
    def down():
        raise error

    monkeypatch.setitem(health.PARTS, part, down)

    answer = JsonClient().get("/api/health/ready")

    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer["Retry-After"]
    assert (answer.json()["code"], answer.json()["parts"]) == (
        "service_unavailable",
        dict.fromkeys(("database", "cache", "storage"), "ok") | {part: "unavailable"},
    )
    assert JsonClient().get("/api/health/live").json() == {"status": "ok"}

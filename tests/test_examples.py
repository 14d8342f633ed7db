"""The examples of the OpenAPI document are what was sent and answered."""

import json
import os

import pytest
from tests.examples import FILE, NOW, OPERATIONS, WITHOUT, recorded

from marketplace.api import api
from marketplace_kit import clock

EXAMPLES = json.loads(FILE.read_text())
NAMES = sorted(OPERATIONS.keys() - WITHOUT)
DOCUMENT = api.get_openapi_schema()
ANSWERS = {o["operationId"]: o["responses"] for item in DOCUMENT["paths"].values() for o in item.values()}
SOMETIMES = {"Idempotent-Replayed", "RateLimit", "RateLimit-Policy"}


@pytest.mark.django_db
@pytest.mark.parametrize("operation", NAMES)
def test_it_is_what_is_answered(operation, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # only quicker
    with clock.frozen(NOW):
        found, headers = recorded(operation)

    if os.environ.get("UPDATE_EXAMPLES"):
        EXAMPLES[operation] = found
        FILE.write_text(json.dumps(dict(sorted(EXAMPLES.items())), indent=1, ensure_ascii=False) + "\n")
    assert EXAMPLES.get(operation) == found, "UPDATE_EXAMPLES=1 pytest tests/test_examples.py writes it anew."
    declared = ANSWERS[operation][found["status"]]["headers"].keys()
    assert headers & DOCUMENT["components"]["headers"].keys() == declared - SOMETIMES


def test_there_is_none_of_what_is_gone():
    assert sorted(EXAMPLES) == NAMES


def test_the_document_shows_them():
    """A file that is sent has none: it is no JSON."""
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            contents = operation.get("requestBody", {}).get("content", {})
            good = next(answer for status, answer in operation["responses"].items() if status < 300)
            shown = {kind: content for kind, content in contents.items() if kind != "multipart/form-data"}
            for content in [*shown.values(), *good.get("content", {}).values()]:
                assert "example" in content or operation["operationId"] == "completeUpload", operation["operationId"]

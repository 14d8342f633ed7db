"""The OpenAPI document is one, and its examples fit what it declares."""

import json
from pathlib import Path

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

DOCUMENT = json.loads(Path("docs/openapi.json").read_text())
OPERATIONS = {o["operationId"]: o for item in DOCUMENT["paths"].values() for o in item.values()}
TOLD = DOCUMENT["webhooks"]["notification"]["post"]


def fits(value, schema):
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_it_is_valid():
    assert [*OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def contents(operation):
    answers = [answer for status, answer in operation["responses"].items() if status < "300"]
    for place in (operation.get("requestBody", {}), *answers):
        yield from place.get("content", {}).values()


@pytest.mark.parametrize("operation", [*OPERATIONS.values(), TOLD], ids=lambda operation: operation["operationId"])
def test_its_examples_fit(operation):
    for place in (*contents(operation), *operation["parameters"]):
        if "example" in place:
            fits(place["example"], place["schema"])


def test_an_example_that_does_not_fit_is_found():
    schema = OPERATIONS["createBooking"]["requestBody"]["content"]["application/json"]["schema"]

    with pytest.raises(Exception, match="is a required property"):
        fits({"serviceId": "019b8d3c-6a00-7000-8000-000000000003"}, schema)

"""The OpenAPI document of the composed system."""

import re

import pytest
from django.test import Client
from django.urls import resolve

from marketplace.api import api

DOCUMENT = api.get_openapi_schema()
OPERATIONS = [
    (method, path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
SAMPLES = {"date": "2027-01-01"}


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_each_operation_resolves_to_itself(method, path, operation):
    """Two routers on one path would let the second answer 405, while the document lists it."""
    concrete = re.sub(r"{(\w+)}", lambda m: SAMPLES.get(m[1], "01900000-0000-7000-8000-000000000000"), path)

    view = resolve(concrete).func
    cells = {name: cell.cell_contents for name, cell in zip(view.__code__.co_freevars, view.__closure__, strict=True)}
    served = {m: o.view_func.__name__ for o in cells["self"].operations for m in o.methods}

    name = re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), operation["operationId"])
    assert served[method.upper()] == name


def test_operation_ids_are_unique_and_lower_camel_case():
    names = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-zA-Z]+", name) for name in names)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_each_operation_says_what_it_does_and_what_can_go_wrong(method, path, operation):
    assert operation["description"]
    assert operation["tags"]
    problems = {s: r for s, r in operation["responses"].items() if s >= 400}
    assert 500 in problems
    if "requestBody" in operation:
        assert {400, 413, 415, 422} <= set(problems)
    if "security" in operation:
        assert 401 in problems


def test_what_the_wiring_refuses_is_declared():
    erasing = DOCUMENT["paths"]["/api/v1/users/me"]["delete"]["responses"][409]

    assert "`open_bookings`" in erasing["description"]
    assert "`open_payments`" in erasing["description"]
    assert api.also_refused.keys() <= {operation["operationId"] for _, _, operation in OPERATIONS}


def properties(schema):
    yield from schema.get("properties", {}).items()
    for part in schema.get("allOf", []) + schema.get("anyOf", []):
        yield from properties(part)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_each_field_is_typed_described_and_camel_case(name):
    for field, schema in properties(DOCUMENT["components"]["schemas"][name]):
        assert re.fullmatch(r"[a-z][a-zA-Z0-9]*", field), field
        assert {"type", "$ref", "anyOf", "allOf", "enum", "const"} & schema.keys(), field
        assert "description" in schema or "$ref" in schema, field


def test_the_docs_page_needs_nobody_else():
    page = Client().get("/api/docs").content.decode()

    assert "swagger" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)

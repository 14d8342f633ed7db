"""The OpenAPI document of the composed system."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import resolve
from pydantic import ValidationError

from marketplace.api import api

DOCUMENT = api.get_openapi_schema()
OPERATIONS = [
    (method, path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
SAMPLES = {"date": "2027-01-01"}
COMMITTED = Path(__file__).parents[1] / "docs" / "openapi.json"


def concrete(path):
    return re.sub(r"{(\w+)}", lambda m: SAMPLES.get(m[1], "01900000-0000-7000-8000-000000000000"), path)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_each_operation_resolves_to_itself(method, path, operation):
    """Two routers on one path would let the second answer 405, while the document lists it."""
    view = resolve(concrete(path)).func
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
    assert re.fullmatch(r"[A-Z].+[^.]", operation["summary"])
    assert " ".join(operation["description"].split()).startswith(operation["summary"])
    assert len(operation["tags"]) == 1
    assert all(parameter["description"] for parameter in operation["parameters"])
    problems = {s: r for s, r in operation["responses"].items() if s >= 400}
    assert 500 in problems
    if "requestBody" in operation:
        assert {400, 413, 415, 422} <= set(problems)
    if "security" in operation:
        assert 401 in problems


def test_the_groups_are_described_in_the_order_to_read_them():
    groups = [tag["name"] for tag in DOCUMENT["tags"] if tag["description"]]
    used = [operation["tags"][0] for _, _, operation in OPERATIONS]

    assert groups == list(dict.fromkeys(groups))
    assert set(groups) == set(used)


OPTIONAL = [(method, path) for method, path, operation in OPERATIONS if {} in operation.get("security", [])]


@pytest.mark.parametrize(("method", "path"), OPTIONAL)
def test_where_signing_in_is_optional_a_bad_token_is_refused(method, path):
    answer = getattr(Client(), method)(concrete(path), headers={"Authorization": "Bearer nonsense"})

    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_signing_in_is_explained():
    assert OPTIONAL
    assert all(scheme["description"] for scheme in DOCUMENT["components"]["securitySchemes"].values())
    assert DOCUMENT["info"]["contact"]
    assert DOCUMENT["info"]["license"]
    assert DOCUMENT["servers"]


def test_the_committed_document_is_what_is_printed(tmp_path):
    """As a deployment prints it, with none of these tests' environment."""
    command = Path(sys.executable).with_name("marketplace")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    printed = subprocess.run([command, "openapi"], cwd=tmp_path, env=environment, capture_output=True, check=True)

    assert COMMITTED.read_bytes() == printed.stdout, "`uv run marketplace openapi > docs/openapi.json` writes it anew."


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


def test_what_a_problem_tells_beyond_its_code_is_declared():
    said = {
        (path, status): DOCUMENT["paths"][f"/api{path}"][method]["responses"][status]["content"]
        for path, method, status in (("/v1/payments", "post", 402), ("/health/ready", "get", 503))
    }

    assert "PaymentProblem" in str(said["/v1/payments", 402])
    assert "ReadinessProblem" in str(said["/health/ready", 503])
    assert "paymentId" in DOCUMENT["components"]["schemas"]["PaymentProblem"]["required"]
    assert "parts" in DOCUMENT["components"]["schemas"]["ReadinessProblem"]["required"]


@pytest.mark.parametrize("name", ["Tokens", "Session"])
def test_a_tokens_type_is_always_the_same(name):
    schema = DOCUMENT["components"]["schemas"][name]

    assert schema["properties"]["tokenType"]["const"] == "Bearer"
    assert "tokenType" in schema["required"]


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs"])
def test_the_document_and_its_page_are_read_and_nothing_else(path):
    answers = {method: Client().generic(method, path) for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS")}
    refused = [answer for answer in answers.values() if answer.status_code == 405]

    assert [method for method, answer in answers.items() if answer.status_code == 200] == ["GET", "HEAD"]
    assert {answer["Content-Type"] for answer in refused} == {"application/problem+json"}
    assert {answer["Allow"] for answer in refused} == {"GET, HEAD"}
    assert len(refused) == 3


@pytest.mark.parametrize("form", ["urn:uuid:{}", "{{{}}}"])
def test_an_id_in_a_path_is_written_plainly(form):
    """As pydantic would have it, one thing had several addresses."""
    plain = "019b8d3c-6a00-7000-8000-00000000000a"
    views = [view for router in api._get_bound_routers() for view in router.path_operations.values()]
    taken = [m for v in views for o in v.operations for m in o.models if m.__ninja_param_source__ == "path"]
    for model in taken:
        names = [name for name in model.__ninja_flatten_map__ if name != "date"]
        model.resolve(None, api, dict.fromkeys(names, plain) | SAMPLES)
        with pytest.raises(ValidationError) as refused:
            model.resolve(None, api, dict.fromkeys(names, form.format(plain)) | SAMPLES)
        assert refused.value.error_count() == len(names)
    assert taken

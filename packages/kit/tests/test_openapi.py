"""The document says what the API does."""

import pytest
from tests.urls import api


@pytest.fixture(scope="module")
def document():
    return api.get_openapi_schema(path_prefix="/api/")


def test_operation_ids_are_the_verbs(document):
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]

    assert "createOrder" in ids
    assert len(ids) == len(set(ids))


def test_errors_are_declared(document):
    responses = document["paths"]["/api/orders"]["post"]["responses"]

    assert set(responses) == {200, 400, 401, 409, 413, 415, 422, 500, 503}
    assert responses[409]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert "- `teapot`: This is a teapot." in responses[409]["description"]


def test_path_parameters_are_camel_case(document):
    operation = document["paths"]["/api/orders/{orderId}"]["patch"]

    assert [p["name"] for p in operation["parameters"]] == ["orderId"]
    assert 404 in operation["responses"]


def test_money_is_a_number_and_names_are_camel_case(document):
    schemas = document["components"]["schemas"]

    assert schemas["ThingOut"]["properties"]["unitPrice"]["type"] == "number"
    assert schemas["Order"]["properties"]["price"]["type"] == "number"
    assert schemas["Order"]["properties"]["isGift"]["type"] == "boolean"
    assert schemas["Order"]["required"] == ["name"]
    assert schemas["Order"]["additionalProperties"] is False
    assert "required" not in schemas["ChangeOrder"]
    assert {"items", "nextCursor"} == set(schemas["ThingOutPage"]["properties"])
    assert schemas["Order"]["properties"]["name"]["maxLength"] == 100


def test_an_upload_is_described(document):
    body = document["paths"]["/api/file"]["put"]["requestBody"]

    assert body["content"]["multipart/form-data"]["schema"]["required"] == ["file"]

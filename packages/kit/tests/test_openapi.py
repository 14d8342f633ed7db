"""The document says what the API does."""

import pytest
from ninja.security import django_auth
from tests.urls import api

from marketplace_kit.api import Api
from marketplace_kit.exceptions import DomainError
from marketplace_kit.openapi import _add_examples, _first_sentence, _parameter
from marketplace_kit.routing import refuses, tells_location
from marketplace_kit.schemas import In, Out, Problem


class SpillProblem(Problem):
    """An error that says how much was spilt."""

    spilt_drops: int


class Spilt(DomainError):
    """It was spilt."""

    status = 402
    code = "spilt"
    headers = {"Retry-After": "7", "Refill": "now"}
    problem = SpillProblem


class Dry(DomainError):
    """There is nothing in it."""

    status = 402
    code = "spilt"


def described(*refusals):
    """The document of an operation that is refused like this."""
    api = Api(title="refusing", urls_namespace="refusing")
    api.post("/pour")(refuses(*refusals)(lambda request: None))
    return api.get_openapi_schema(path_prefix="/")


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

    schema = body["content"]["multipart/form-data"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["file"], False)


def test_a_summary_is_the_first_sentence():
    assert _first_sentence("Erase it: all of it,\nat once. Really.") == "Erase it"
    assert _first_sentence("Named `a.b`, twice\nover") == "Named `a.b`, twice over"


def test_parameters_are_never_null_and_those_of_paths_are_described(document):
    parameters = [p for path in document["paths"].values() for op in path.values() for p in op["parameters"]]

    assert {p["in"] for p in parameters} >= {"path", "query"}
    assert not any("anyOf" in p["schema"] for p in parameters)
    assert all(p["description"] for p in parameters if p["in"] == "path")


def test_examples_stand_where_they_belong():
    example = {"path": {"thingId": "1"}, "request": {"name": "a"}, "status": 200, "response": {"id": 1}}
    details = {
        "parameters": [{"in": "path", "name": "thingId"}, {"in": "query", "name": "thingId"}],
        "requestBody": {"content": {"application/json": {}}},
        "responses": {200: {"content": {"application/json": {}}}, 404: {"content": {"application/problem+json": {}}}},
    }

    _add_examples(details, example)

    assert details == {
        "parameters": [{"in": "path", "name": "thingId", "example": "1"}, {"in": "query", "name": "thingId"}],
        "requestBody": {"content": {"application/json": {"example": {"name": "a"}}}},
        "responses": {
            200: {"content": {"application/json": {"example": {"id": 1}}}},
            404: {"content": {"application/problem+json": {}}},
        },
    }


def test_what_a_cookie_signs_in_is_held_against_forgery_and_says_so():
    api = Api(title="cookies", auth=django_auth, urls_namespace="cookies")
    for method in ("get", "post", "patch", "delete"):
        getattr(api, method)("/thing")(lambda request: None)
    api.post("/anybody", auth=None)(lambda request: None)

    said = api.get_openapi_schema(path_prefix="/")["paths"]

    assert {method: 403 in operation["responses"] for method, operation in said["/thing"].items()} == {
        "get": False,
        "post": True,
        "patch": True,
        "delete": True,
    }
    assert 403 not in said["/anybody"]["post"]["responses"]


def test_a_refusal_with_members_of_its_own_is_declared_with_them():
    document = described(Spilt)
    responses, schemas = document["paths"]["/pour"]["post"]["responses"], document["components"]["schemas"]

    assert responses[402]["content"]["application/problem+json"]["schema"] == {
        "$ref": "#/components/schemas/SpillProblem"
    }
    assert schemas["SpillProblem"]["properties"].keys() - schemas["Problem"]["properties"].keys() == {"spiltDrops"}
    assert {"code", "spiltDrops"} <= {*schemas["SpillProblem"]["required"]}


def test_refusals_that_share_a_status_or_a_code_are_all_told():
    refused = described(Dry, Spilt, Dry)["paths"]["/pour"]["post"]["responses"][402]

    assert refused["description"].splitlines()[2:] == [
        "- `spilt`: There is nothing in it.",
        "- `spilt`: It was spilt.",
    ]
    assert [
        one["$ref"].rpartition("/")[2] for one in refused["content"]["application/problem+json"]["schema"]["anyOf"]
    ] == [
        "SpillProblem",
        "Problem",
    ]


def test_a_body_is_malformed_by_its_kind(document):
    json, file = document["paths"]["/api/orders"]["post"], document["paths"]["/api/file"]["put"]

    assert "`malformed_json`" in json["responses"][400]["description"]
    assert "`malformed_multipart`" in file["responses"][400]["description"]
    assert "`malformed_json`" not in file["responses"][400]["description"]


def test_the_headers_of_answers_are_declared(document):
    operation = document["paths"]["/api/orders"]["post"]["responses"]
    said = {status: {*response["headers"]} for status, response in operation.items()}

    assert said[200] == said[422] == {"X-Request-ID"}
    assert said[401] == {"X-Request-ID", "WWW-Authenticate"}
    assert said[503] == {"X-Request-ID", "Retry-After"}
    assert {"X-Request-ID", "WWW-Authenticate", "Retry-After"} <= document["components"]["headers"].keys()
    assert "Location" not in document["components"]["headers"]


def test_a_refusals_own_headers_are_declared():
    headers = described(Spilt)["paths"]["/pour"]["post"]["responses"][402]["headers"]

    assert headers["Retry-After"] == {"$ref": "#/components/headers/Retry-After"}
    assert headers["Refill"] == {"schema": {"type": "string"}}


def test_where_the_new_thing_is_is_declared():
    api = Api(title="making", urls_namespace="making")
    api.post("/thing", response={201: None})(tells_location(lambda request: None))
    made = api.get_openapi_schema(path_prefix="/")["paths"]["/thing"]["post"]["responses"][201]

    assert "Location" in made["headers"]


def test_a_parameter_that_is_written_in_several_ways_says_all_of_them():
    ways = [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": "^[0-9]+$"}]
    given = {"in": "query", "name": "start", "schema": {"anyOf": [*ways, {"type": "null"}], "title": "Start"}}

    assert _parameter(given)["schema"] == {"anyOf": ways}


class Asked(In):
    cups: int = 1


class Poured(Out):
    cups: int = 1


def pour(request, body: Asked):
    return Poured()


def test_what_an_answer_always_has_is_required_though_it_has_a_default():
    api = Api(title="pouring", urls_namespace="pouring")
    api.post("/pour", response=Poured)(pour)
    schemas = api.get_openapi_schema(path_prefix="/")["components"]["schemas"]

    assert schemas["Poured"]["required"] == ["cups"]
    assert "required" not in schemas["Asked"]
    assert "errors" not in schemas["Problem"]["required"]

"""The OpenAPI document: Ninja's, with what follows from how kit answers."""

import re
from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic import Field
from pydantic.alias_generators import to_camel

from . import exceptions
from .conf import conf
from .idempotency import is_kept
from .problems import MEDIA_TYPE
from .ratelimits import RateLimited, name_of
from .schemas import Out


class ProblemError(Out):
    """One wrong value."""

    pointer: str = Field(description="A JSON Pointer into the body, or `query/…`, `path/…`, `header/…`.")
    code: str = Field(description="What is wrong with it, stable.")
    detail: str = Field(description="The same as a sentence.")


class Problem(Out):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="A URI that names the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time.")
    code: str = Field(description="The kind of problem, stable: what a program should look at.")
    request_id: str | None = Field(description="Names this request in our logs.")
    errors: list[ProblemError] | None = Field(None, description="With a 422: every wrong value.")


# What an operation answers because of what it takes: status, code, sentence.
ALWAYS = {500: ("internal_error", "A defect of ours."), 503: ("service_unavailable", "A part it needs is down.")}
WITH_AUTH = {401: ("not_authenticated", "No token, or a bad one.")}
WITH_BODY = {
    400: ("malformed_json", "The body is not JSON."),
    413: ("too_large", "The body is too large."),
    415: ("unsupported_media_type", "The body is of another type."),
}
WITH_INPUT = {422: ("validation_error", "A value is not acceptable.")}
WITH_PATH = {404: ("not_found", "There is nothing here that you may see.")}

ETAG = {"ETag": {"description": "Names this version, strongly.", "schema": {"type": "string"}}}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of what you have: where it is still that, 304 and no body.",
    "required": False,
    "schema": {"type": "string"},
}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "There where it is the first answer to this Idempotency-Key, told again.",
        "schema": {"type": "string", "const": "true"},
    }
}

# Of limited operations: in every answer, and with a 429.
LIMITS = {
    "RateLimit-Policy": {
        "description": "What is counted, how many requests, in how many seconds.",
        "schema": {"type": "string"},
        "example": '"email";q=5;w=60, "address";q=20;w=60',
    },
    "RateLimit": {
        "description": "Of the limit that is nearest: the requests left, and in how many seconds they are anew.",
        "schema": {"type": "string"},
        "example": '"email";r=4;t=57',
    },
}
RETRY_AFTER = {"description": "In how many seconds to try again.", "schema": {"type": "integer"}, "example": 57}


class Document(OpenAPISchema):
    """Ninja's document with every error declared, path parameters in camelCase, and schemas named for people."""

    def __init__(self, api: NinjaAPI, path_prefix: str) -> None:
        super().__init__(api, path_prefix)
        self["paths"] = _tidied(self["paths"])
        schemas = {_schema_name(name): _tidied(schema) for name, schema in self.schemas.items()}
        self["components"]["schemas"] = _used(schemas, self["paths"])

    def get_paths(self) -> dict[str, Any]:
        for model in (Problem, ProblemError):
            schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
            self.add_schema_definitions({**schema.pop("$defs", {}), model.__name__: schema})
        return {_camel_path(path): item for path, item in super().get_paths().items()}

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details: dict[str, Any] = super().operation_details(operation)
        for parameter in details["parameters"]:
            if parameter["in"] == "path":
                parameter["name"] = to_camel(parameter["name"])
        upload = getattr(operation.view_func, "upload_limit", None)
        if upload is not None:
            details["requestBody"] = _upload_body(upload)
        responses = details["responses"]
        for status, lines in sorted(_errors(operation, "requestBody" in details).items()):
            responses.setdefault(status, _response(status, lines))
        _declare_marks(operation, details)
        if _is_limited(operation):
            _declare_limits(details["responses"])
        return details


def _errors(operation: Operation, has_body: bool) -> dict[int, dict[str, str]]:
    sources = {m.__ninja_param_source__ for m in operation.models}
    found: dict[int, dict[str, str]] = {}
    for applies, table in (
        (True, ALWAYS),
        (bool(operation.auth_callbacks), WITH_AUTH),
        (has_body, WITH_BODY),
        (has_body or bool(sources), WITH_INPUT),
        ("path" in sources, WITH_PATH),
    ):
        for status, (code, sentence) in table.items() if applies else ():
            found.setdefault(status, {})[code] = sentence
    also_refused = getattr(operation.api, "also_refused", {})
    declared = [
        *getattr(operation.view_func, "refusals", ()),
        *also_refused.get(operation.api.get_openapi_operation_id(operation), ()),
    ]
    for auth in operation.auth_callbacks:
        declared += getattr(auth, "refusals", ())
    if _is_limited(operation):
        declared.append(RateLimited)
    for error in declared:
        found.setdefault(error.status, {})[error.code] = _sentence(error)
    return found


def _declare_marks(operation: Operation, details: dict[str, Any]) -> None:
    """What conditional.py and idempotency.py add to an operation that carries their marks."""
    responses = details["responses"]
    if getattr(operation.view_func, "is_conditional", False):
        responses[200].setdefault("headers", {}).update(ETAG)
        if "GET" in operation.methods:
            details["parameters"].append(IF_NONE_MATCH)
            responses[304] = {"description": "It is what `If-None-Match` names: no body.", "headers": dict(ETAG)}
    if getattr(operation.view_func, "is_idempotent", False):
        for status in [s for s in responses if is_kept(s)]:
            responses[status].setdefault("headers", {}).update(REPLAYED)


def _is_limited(operation: Operation) -> bool:
    return bool(conf.RATE_LIMITS.get(name_of(operation) or ""))


def _declare_limits(responses: dict[int, Any]) -> None:
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | LIMITS
    responses[RateLimited.status]["headers"]["Retry-After"] = RETRY_AFTER


def _sentence(error: type[exceptions.DomainError]) -> str:
    return " ".join((error.__doc__ or "").split())


def _response(status: int, lines: dict[str, str]) -> dict[str, Any]:
    return {
        "description": "\n".join(
            [HTTPStatus(status).phrase, "", *(f"- `{code}`: {text}" for code, text in lines.items())]
        ),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _upload_body(limit: int) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": f"At most {limit} bytes."}
    schema = {"type": "object", "properties": {"file": file}, "required": ["file"]}
    return {"content": {"multipart/form-data": {"schema": schema}}, "required": True}


# --- schemas ---

_REF = "#/components/schemas/"


def _schema_name(name: str) -> str:
    """`Page_Booking_`, as pydantic names a generic model, as `BookingPage`."""
    return re.sub(r"Page_(\w+)_", r"\1Page", re.sub(r"Whole_(\w+)_", r"\1List", name))


def _tidied(value: Any) -> Any:
    """The same with references to the schemas' names, and without the titles made up from fields' names."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _tidied(item) for key, item in value.items()}
    if isinstance(ref := found.get("$ref"), str):
        found["$ref"] = _REF + _schema_name(ref.removeprefix(_REF))
    if isinstance(properties := found.get("properties"), dict):
        for schema in properties.values():
            schema.pop("title", None)
    return found


def _used(schemas: dict[str, Any], paths: Any) -> dict[str, Any]:
    """Those of the schemas that something refers to."""
    found: dict[str, Any] = {}
    waiting = _references(paths)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting |= _references(schemas[name])
    return dict(sorted(found.items()))


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in _references(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].removeprefix(_REF)} if isinstance(value.get("$ref"), str) else set()
    return own | {name for item in value.values() for name in _references(item)}


def _camel_path(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: "{" + to_camel(match[1]) + "}", path)

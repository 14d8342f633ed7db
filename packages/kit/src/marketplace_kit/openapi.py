"""The OpenAPI document: Ninja's, with what follows from how kit answers."""

import json
import re
from collections.abc import Container, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from ninja import NinjaAPI
from ninja.constants import NOT_SET
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic.alias_generators import to_camel

from . import exceptions
from .conf import conf
from .idempotency import is_kept
from .problems import MEDIA_TYPE
from .ratelimits import SAFE, RateLimited, name_of
from .schemas import Problem
from .uploads import MalformedUpload

_REF, _HEADER = "#/components/schemas/", "#/components/headers/"


class Refused(NamedTuple):
    """One way to be refused: its code and sentence, what it is told as, and the names of headers that go with it."""

    code: str
    sentence: str
    problem: type[Problem] = Problem
    headers: tuple[str, ...] = ()


def _refused(error: type[exceptions.DomainError]) -> Refused:
    return Refused(error.code, " ".join((error.__doc__ or "").split()), error.problem, tuple(error.headers))


ACCEPTED = ("Accept", "Accept-Encoding")

# What an operation answers because of what it takes, by status.
ALWAYS = {500: Refused("internal_error", "An unexpected error."), 503: _refused(exceptions.ServiceUnavailable)}
WITH_AUTH = {401: _refused(exceptions.Unauthenticated)}
WITH_COOKIES = {403: Refused("forbidden", "The CSRF token is missing or invalid.")}
WITH_JSON = {400: Refused("malformed_json", "The body is not valid JSON.")}
WITH_UPLOAD = {400: _refused(MalformedUpload)}
WITH_BODY = {
    413: Refused("too_large", "The body is too large."),
    415: Refused("unsupported_media_type", "The body's media type or encoding isn't supported.", headers=ACCEPTED),
}
WITH_INPUT = {422: _refused(exceptions.InvalidField)}
WITH_PATH = {404: _refused(exceptions.NotFound)}

IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of the version you have. If it is still current, the answer is 304 without a body.",
    "required": False,
    "schema": {"type": "string"},
}

# What answers carry. Told once, and referred to.
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Identifies this request in our logs: the one that was sent, or a new one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "ETag": {"description": "A strong entity tag of this version.", "schema": {"type": "string"}},
    "Location": {
        "description": "The path of what was created.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "Present if this repeats the first answer to this Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Accept": {
        "description": "If the body's media type isn't supported: the one to send.",
        "schema": {"type": "string"},
    },
    "Accept-Encoding": {
        "description": "If the body is encoded: the only encoding that is supported, none.",
        "schema": {"type": "string", "const": "identity"},
    },
    "WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}, "example": "Bearer"},
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer"},
        "example": 57,
    },
    "RateLimit-Policy": {
        "description": "The limits: what is counted, the quota, and the window in seconds.",
        "schema": {"type": "string"},
        "example": '"email";q=5;w=60, "address";q=20;w=60',
    },
    "RateLimit": {
        "description": "For the nearest limit: the requests left, and the seconds until it resets.",
        "schema": {"type": "string"},
        "example": '"email";r=4;t=57',
    },
}
LIMITS = ("RateLimit-Policy", "RateLimit")


class Document(OpenAPISchema):
    """Ninja's document with every error declared, examples, and names for people.

    An example of an operation is `{path?, query?, headers?, request?, status, response?}`: see `Api(examples=…)`.
    """

    def __init__(self, api: NinjaAPI, path_prefix: str) -> None:
        path = getattr(api, "examples", None)
        self.examples: dict[str, Any] = json.loads(path.read_text()) if path else {}
        super().__init__(api, path_prefix)
        self["paths"] = _tidied(self["paths"])
        named = ((_schema_name(name), schema) for name, schema in self.schemas.items())
        schemas = {name: _tidied(schema) | {"title": name} for name, schema in named}
        self["components"]["schemas"] = _used(schemas, [self["paths"], self.get("webhooks")])
        used = _references(self["paths"], _HEADER)
        self["components"]["headers"] = {name: header for name, header in HEADERS.items() if name in used}

    def get_paths(self) -> dict[str, Any]:
        return {_camel_path(path): item for path, item in super().get_paths().items()}

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details: dict[str, Any] = super().operation_details(operation)
        details["summary"] = _first_sentence(details.get("description", details["summary"]))
        details["tags"] = details.get("tags", [])[-1:]  # that of the innermost router
        details["parameters"] = [_parameter(given) for given in details["parameters"]]
        upload = getattr(operation.view_func, "upload_limit", None)
        if upload is not None:
            details["requestBody"] = _upload_body(upload)
        responses = details["responses"]
        for status, refusals in _errors(operation, details.get("requestBody", {}).get("content", {})).items():
            responses.setdefault(status, self._response(status, refusals))
        _declare_marks(operation, details)
        if _is_limited(operation):
            _declare_limits(responses)
        for response in responses.values():
            _add_headers(response, "X-Request-ID")
        details["responses"] = dict(sorted(responses.items()))
        _add_examples(details, self.examples.get(details["operationId"], {}))
        return details

    def _response(self, status: int, refusals: Iterable[Refused]) -> dict[str, Any]:
        lines = (f"- `{one.code}`: {one.sentence}" for one in refusals)
        # That of all kinds last: who reads the first that fits loses nothing.
        shapes = sorted({one.problem for one in refusals}, key=lambda shape: (shape is Problem, shape.__name__))
        for shape in shapes:
            schema = shape.model_json_schema(mode="serialization", ref_template=_REF + "{model}")
            self.add_schema_definitions({**schema.pop("$defs", {}), shape.__name__: schema})
        refs = [{"$ref": _REF + shape.__name__} for shape in shapes]
        response = {
            "description": "\n".join([HTTPStatus(status).phrase, "", *lines]),
            "content": {MEDIA_TYPE: {"schema": {"anyOf": refs} if refs[1:] else refs[0]}},
        }
        _add_headers(response, *(name for one in refusals for name in one.headers))
        return response

    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        required: list[dict[str, Any]] | None = super().operation_security(operation)
        optional = _optional_auth(operation)
        for auth in optional:
            self.securitySchemes[type(auth).__name__] = auth.openapi_security_schema
        return [{}, *({type(auth).__name__: []} for auth in optional)] if optional else required


def _optional_auth(operation: Operation) -> list[Any]:
    """How one may sign in where nobody must: a bad token is refused even there."""
    auth = operation.api.auth
    if operation.auth_callbacks or getattr(operation.view_func, "ignores_authorization", False):
        return []
    if auth is NOT_SET or auth is None:
        return []
    callbacks = auth if isinstance(auth, list | tuple) else [auth]
    return [one for one in callbacks if hasattr(one, "openapi_security_schema")]


def _errors(operation: Operation, media_types: Container[str]) -> dict[int, list[Refused]]:
    """How an operation that takes bodies of these types refuses, by status: each way once."""
    sources = {m.__ninja_param_source__ for m in operation.models}
    takes_json, takes_upload = "application/json" in media_types, "multipart/form-data" in media_types
    found: dict[int, list[Refused]] = {}
    for applies, table in (
        (True, ALWAYS),
        (bool(operation.auth_callbacks), WITH_AUTH),
        (_minds_forgery(operation), WITH_COOKIES),
        (takes_json, WITH_JSON),
        (takes_upload, WITH_UPLOAD),
        (takes_json or takes_upload, WITH_BODY),
        (takes_upload or bool(sources), WITH_INPUT),
        ("path" in sources, WITH_PATH),
    ):
        for status, refused in table.items() if applies else ():
            found.setdefault(status, []).append(refused)
    also_refused = getattr(operation.api, "also_refused", {})
    declared = [
        *getattr(operation.view_func, "refusals", ()),
        *also_refused.get(operation.api.get_openapi_operation_id(operation), ()),
    ]
    for auth in [*operation.auth_callbacks, *_optional_auth(operation)]:
        declared += getattr(auth, "refusals", ())
    if _is_limited(operation):
        declared.append(RateLimited)
    for error in declared:
        found.setdefault(error.status, []).append(_refused(error))
    return {status: [*dict.fromkeys(refusals)] for status, refusals in found.items()}


def _minds_forgery(operation: Operation) -> bool:
    """Whether Ninja holds a cookie's request against Django's CSRF token."""
    return not SAFE.issuperset(operation.methods) and any(getattr(one, "csrf", 0) for one in operation.auth_callbacks)


def _declare_marks(operation: Operation, details: dict[str, Any]) -> None:
    """What the marks of an operation add to it."""
    responses = details["responses"]
    if getattr(operation.view_func, "is_conditional", False):
        _add_headers(responses[200], "ETag")
        if "GET" in operation.methods:
            details["parameters"].append(IF_NONE_MATCH)
            responses[304] = {"description": "It is what `If-None-Match` names: no body."}
            _add_headers(responses[304], "ETag")
    if getattr(operation.view_func, "is_idempotent", False):
        for status in [s for s in responses if is_kept(s)]:
            _add_headers(responses[status], "Idempotent-Replayed")
    if getattr(operation.view_func, "tells_location", False):
        _add_headers(responses[201], "Location")


def _is_limited(operation: Operation) -> bool:
    return bool(conf.RATE_LIMITS.get(name_of(operation) or ""))


def _declare_limits(responses: dict[int, Any]) -> None:
    for response in responses.values():
        _add_headers(response, *LIMITS)
    _add_headers(responses[RateLimited.status], "Retry-After")


def _add_headers(response: dict[str, Any], *names: str) -> None:
    for name in names:
        told = {"$ref": _HEADER + name} if name in HEADERS else {"schema": {"type": "string"}}
        response.setdefault("headers", {})[name] = told


def _upload_body(limit: int) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": f"At most {limit} bytes."}
    schema = {"type": "object", "properties": {"file": file}, "required": ["file"], "additionalProperties": False}
    return {"content": {"multipart/form-data": {"schema": schema}}, "required": True}


# --- what people read ---


def _first_sentence(text: str) -> str:
    """Up to its full stop or colon, on one line."""
    return re.split(r"[.:](?=\s|$)", " ".join(text.split()), maxsplit=1)[0]


def _parameter(given: dict[str, Any]) -> dict[str, Any]:
    """A parameter with a description, never null (that is: left out), and without a title made up from its name."""
    schema = {key: value for key, value in given["schema"].items() if key not in ("title", "description", "examples")}
    found = {key: value for key, value in given.items() if key != "examples"}
    choices = schema.pop("anyOf", [])
    # Of a number that may be sent as a string as well, the first: in an address there is no difference.
    same = [choice for choice in choices if choice.get("type") == choices[0].get("type")]
    if len(same) > 1:
        return found | {"schema": {"anyOf": same} | schema}
    for choice in same:
        found = {key: value for key, value in choice.items() if key == "description"} | found
        schema = {key: value for key, value in choice.items() if key not in ("description", "examples")} | schema
    if found["in"] == "path":
        words = found["name"].removesuffix("_id").replace("_", " ")
        found["name"] = to_camel(found["name"])
        found.setdefault("description", f"The {words}'s id." if found["name"].endswith("Id") else f"The {words}.")
    return found | {"schema": schema}


def _add_examples(details: dict[str, Any], example: dict[str, Any]) -> None:
    for parameter in details["parameters"]:
        told = example.get({"path": "path", "query": "query"}.get(parameter["in"], "headers"), {})
        if parameter["name"] in told:
            parameter["example"] = told[parameter["name"]]
    answer = details["responses"].get(example.get("status"), {})
    for name, place in (("request", details.get("requestBody", {})), ("response", answer)):
        for content in place.get("content", {}).values() if name in example else ():
            content["example"] = example[name]


# --- schemas ---


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
    if isinstance(ref := found.get("$ref"), str) and ref.startswith(_REF):
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


def _references(value: Any, kind: str = _REF) -> set[str]:
    """The names of what something refers to, of one kind of components."""
    if isinstance(value, list):
        return {name for item in value for name in _references(item, kind)}
    if not isinstance(value, dict):
        return set()
    ref = value.get("$ref")
    own = {ref.removeprefix(kind)} if isinstance(ref, str) and ref.startswith(kind) else set()
    return own | {name for item in value.values() for name in _references(item, kind)}


def _camel_path(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: "{" + to_camel(match[1]) + "}", path)

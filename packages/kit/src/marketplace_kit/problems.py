"""Errors as the client reads them: RFC 9457 problem documents, made in one place."""

import re
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import DataError, InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic.alias_generators import to_camel

from . import exceptions
from .parsing import MalformedJson
from .renderer import to_json
from .transactions import sqlstate
from .uploads import MalformedUpload

MEDIA_TYPE = "application/problem+json"
READ_ONLY = "25006"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
log = structlog.get_logger(__name__)

# What an error is called where nothing more is known than its status.
CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "rate_limited",
    500: "internal_error",
    503: "service_unavailable",
}
DETAILS = {
    404: "Not found, or you don't have access to it.",
    405: "This method isn't supported here.",
    500: "Something went wrong on our side. Include the request ID when you contact support.",
}


def problem(
    request: HttpRequest,
    status: int,
    *,
    code: str | None = None,
    detail: str | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> HttpResponse:
    """A problem document; `extra` members are written in camelCase."""
    code = code or CODES.get(status, HTTPStatus(status).name.lower())
    body = {
        "type": f"urn:marketplace:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail or DETAILS.get(status, HTTPStatus(status).phrase),
        "code": code,
        "requestId": getattr(request, "id", None),
        **{to_camel(name): value for name, value in extra.items() if value is not None},
    }
    return HttpResponse(to_json(body), status=status, content_type=MEDIA_TYPE, headers=headers)


def install_error_handlers(api: NinjaAPI) -> None:
    """Let `api` answer every refusal and every bad request with a problem document."""
    api.add_exception_handler(exceptions.DomainError, _domain_error)
    api.add_exception_handler(ValidationError, _validation_error)
    api.add_exception_handler(AuthenticationError, _not_authenticated)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(Http404, _not_found)
    api.add_exception_handler(RequestDataTooBig, _too_large)
    api.add_exception_handler(TooManyFieldsSent, _too_many)
    api.add_exception_handler(MultiPartParserError, _malformed_upload)
    api.add_exception_handler(DataError, _data_error)
    api.add_exception_handler(OperationalError, _unavailable)
    api.add_exception_handler(InterfaceError, _unavailable)
    api.add_exception_handler(InternalError, _internal)
    api.add_exception_handler(Exception, _unexpected)


def refusal(request: HttpRequest, error: exceptions.DomainError) -> HttpResponse:
    """The problem document of a refusal, wherever it was raised."""
    return problem(
        request,
        error.status,
        code=error.code,
        detail=error.detail,
        headers=error.headers,
        errors=getattr(error, "errors", None),
        **error.extra,
    )


def _domain_error(request: HttpRequest, error: Any) -> HttpResponse:
    return refusal(request, error)


def _not_authenticated(request: HttpRequest, error: Any) -> HttpResponse:
    return refusal(request, exceptions.Unauthenticated())


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    cause = error.__cause__
    if isinstance(cause, MalformedJson):
        return problem(request, 400, code="malformed_json", detail=str(cause))
    return problem(request, error.status_code, detail=str(error))


def _not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 404)


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 413, detail="The body is too large.")


def _too_many(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(request, 400, detail="There are too many parameters.")


def _malformed_upload(request: HttpRequest, error: Any) -> HttpResponse:
    # Read before an endpoint's own `read_one`: by Django's protection of sessions against forged requests.
    return refusal(request, MalformedUpload())


def _data_error(request: HttpRequest, error: Any) -> HttpResponse:
    # A value that fits the schema and not the column: the schema's fault, so it is logged, but not a 500.
    log.warning("value_refused_by_database", error=str(error))
    return problem(request, 422, detail="A value is outside the range that can be stored.", errors=[])


def _unavailable(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("database_unavailable", error=str(error))
    return refusal(request, exceptions.ServiceUnavailable())


def _internal(request: HttpRequest, error: Any) -> HttpResponse:
    # Between two primaries there are only standbys, which read and do not write.
    return (_unavailable if sqlstate(error) == READ_ONLY else _unexpected)(request, error)


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("unexpected_error", exc_info=error)
    return problem(request, 500)


def _validation_error(request: HttpRequest, error: Any) -> HttpResponse:
    errors = [
        {"pointer": pointer(e["loc"]), "code": e["type"].replace(".", "_"), "detail": e["msg"]} for e in error.errors
    ]
    return problem(request, 422, detail="Some values are invalid.", errors=errors)


def pointer(location: tuple[str | int, ...]) -> str:
    """Where an error is: a JSON Pointer into the body, or `query/limit`, `path/serviceId`, `header/If-Match`."""
    source, *path = location
    if source in ("body", "form", "file"):
        # path[0] is the name of the endpoint's argument, which the client does not see
        return "".join(exceptions.step(str(name)) for name in path[1:] if not _is_internal(name))
    # Within a model of parameters: the argument's name, the parameter, and where in it.
    name = str(path[1 if len(path) > 1 else 0]) if path else ""
    return f"{source}/{to_camel(name) if source == 'path' else name}"


def _is_internal(step: str | int) -> bool:
    # pydantic names the branch of a union or the validator function within the location
    return isinstance(step, str) and bool(
        re.fullmatch(r"(function-\w+|lax-or-strict|json-or-python|union)\[.*\]", step)
    )

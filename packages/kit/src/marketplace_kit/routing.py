"""Marks that an endpoint carries, and what is looked at before its body is read."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import ninja
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.operation import Operation

from .conf import conf
from .exceptions import DomainError
from .problems import problem
from .ratelimits import SAFE, Meter, name_of
from .users import viewer_of

NOTHING = "default-src 'none'; frame-ancestors 'none'"  # what a browser may load for an answer that is data


class Router(ninja.Router):
    """Ninja's router, answering in camelCase."""

    def __init__(self, *, tags: list[str]) -> None:
        super().__init__(tags=tags, by_alias=True)


def refuses[F: Callable[..., Any]](*errors: type[DomainError]) -> Callable[[F], F]:
    """Declare the refusals of an endpoint, so that OpenAPI knows them. Stands below the route."""

    def mark(endpoint: F) -> F:
        endpoint.refusals = (*getattr(endpoint, "refusals", ()), *errors)  # type: ignore[attr-defined]
        return endpoint

    return mark


def ignores_authorization[F: Callable[..., Any]](endpoint: F) -> F:
    """Mark an endpoint that never looks at `Authorization`; elsewhere a bad token is a 401. Stands below the route."""
    endpoint.ignores_authorization = True  # type: ignore[attr-defined]
    return endpoint


def takes_upload[F: Callable[..., Any]](limit: int) -> Callable[[F], F]:
    """Mark an endpoint whose body is multipart with one `file` of at most `limit` bytes. Stands below the route."""

    def mark(endpoint: F) -> F:
        endpoint.upload_limit = limit  # type: ignore[attr-defined]
        return endpoint

    return mark


def tells_location[F: Callable[..., Any]](endpoint: F) -> F:
    """Mark an endpoint whose 201 says in `Location`, which it sets, where the new thing is. Stands below the route."""
    endpoint.tells_location = True  # type: ignore[attr-defined]
    return endpoint


def limited_as[F: Callable[..., Any]](name: str | None) -> Callable[[F], F]:
    """Mark an endpoint that KIT["RATE_LIMITS"] has a name for; None exempts it from all limits. Below the route."""

    def mark(endpoint: F) -> F:
        endpoint.limited_as = name  # type: ignore[attr-defined]
        return endpoint

    return mark


class Gate:
    """What is looked at before an operation: size and type of the body, then 429 by address, 401, 429 by user."""

    def __init__(self, operation: Operation) -> None:
        endpoint = operation.view_func
        self.operation = operation
        self.limit_name = name_of(operation)
        self.is_write = not SAFE.issuperset(operation.methods)
        self.upload_limit: int | None = getattr(endpoint, "upload_limit", None)
        self.takes_json = any(m.__ninja_param_source__ == "body" for m in operation.models)
        self.looks_at_token = not getattr(endpoint, "ignores_authorization", False)

    def refusal(self, request: HttpRequest, meter: Meter) -> HttpResponse | None:
        """The answer to a request that does not come through."""
        if self.upload_limit is not None:
            limit, media_type = self.upload_limit + conf.MAX_MULTIPART_OVERHEAD, "multipart/form-data"
        else:
            limit, media_type = conf.MAX_JSON_BYTES, "application/json" if self.takes_json else ""
        refused = _body_refused(request, limit, media_type)
        if refused is not None:
            return refused
        try:
            _ = request.GET  # where it is first looked at, Django counts: TooManyFieldsSent
            self.admit(request, meter)
        except Exception as error:  # Ninja's handlers, which know all of them, come behind this
            return self.operation.api.on_exception(request, error)
        return None

    def admit(self, request: HttpRequest, meter: Meter) -> None:
        """Count the request. RateLimited, ServiceUnavailable, and what resolving a bad token raises."""
        meter.by_address()
        looks = self.looks_at_token and ("HTTP_AUTHORIZATION" in request.META or "user" in meter.rates)
        try:
            user = viewer_of(request) if looks else None
        except DomainError:
            meter.by_user(None)
            raise
        meter.by_user(user)

    def is_private(self, request: HttpRequest) -> bool:
        """Whether nobody but the caller may keep the answer."""
        return self.is_write or bool(self.operation.auth_callbacks) or "HTTP_AUTHORIZATION" in request.META


def guard(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let an operation run behind its gate. A decorator for `api.add_decorator(guard, mode="view")`."""
    gate = Gate(inspect.unwrap(run).__self__)

    @wraps(run)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        meter = request.meter = Meter(request, gate.limit_name)  # type: ignore[attr-defined]
        response = gate.refusal(request, meter) or run(request, **kwargs)
        meter.tell(response)
        response.setdefault("Content-Security-Policy", NOTHING)
        if gate.is_private(request):
            response.setdefault("Cache-Control", "no-store")
        return response

    return guarded


def _body_refused(request: HttpRequest, limit: int, media_type: str) -> HttpResponse | None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit():
        return problem(request, 400, detail="Content-Length is not a number.")
    if int(length) > limit:
        return problem(request, 413, detail=f"The body can be at most {limit} bytes.")
    if not media_type or not int(length):
        return None
    if request.content_type != media_type:
        return problem(request, 415, detail=f"Send the body as {media_type}.", headers={"Accept": media_type})
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in ("", "identity"):
        return problem(request, 415, detail="Send the body as it is.", headers={"Accept-Encoding": "identity"})
    return None

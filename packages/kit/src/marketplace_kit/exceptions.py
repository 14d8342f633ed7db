"""Refusals. Each is a class named as a fact; its docstring is the sentence that the client reads."""

import inspect
from typing import Any, ClassVar

from .schemas import Problem


class DomainError(Exception):
    """The request conflicts with the current state."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"
    # Response headers that belong to the refusal, such as Retry-After.
    headers: ClassVar[dict[str, str]] = {}
    # What it is told as. Further members, which `extra` fills, make a class of their own of it: so OpenAPI knows them.
    problem: ClassVar[type[Problem]] = Problem

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        """`extra` becomes further members of the problem document, in camelCase (`payment_id` -> `paymentId`)."""
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or "")
        self.extra = extra
        super().__init__(self.detail)


class NotFound(DomainError):
    """Not found, or you don't have access to it."""

    status = 404
    code = "not_found"


class Forbidden(DomainError):
    """Your role does not allow this."""

    status = 403
    code = "forbidden"


class Unauthenticated(DomainError):
    """Sign in and send the access token as a bearer token."""

    status = 401
    code = "not_authenticated"
    headers = {"WWW-Authenticate": "Bearer"}


class ServiceUnavailable(DomainError):
    """Part of the system is temporarily unavailable. Try again shortly."""

    status = 503
    code = "service_unavailable"
    headers = {"Retry-After": "5"}


def step(name: str) -> str:
    """One step of a JSON Pointer (RFC 6901): `/name`."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


class InvalidField(DomainError):
    """A value is invalid."""

    status = 422
    code = "validation_error"

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        """`pointer`: a JSON Pointer into the body, or `query/limit`, `path/id`, `header/If-Match`."""
        super().__init__()
        self.errors = [{"pointer": pointer, "code": code, "detail": detail}]

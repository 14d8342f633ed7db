"""A call of an endpoint taken apart, for marks that stand between the request and the endpoint.

What such a mark sees was let in: who asks and the shape of what he sends were looked at. Whether the thing is there,
and his to touch, was not.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.params.models import Header
from ninja.utils import contribute_operation_args

from .exceptions import DomainError
from .schemas import Out

type React = Callable[[Call, str | None], HttpResponse]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the request, and the endpoint with the validated values that it is called with."""

    request: HttpRequest
    endpoint: Callable[..., Any]
    values: dict[str, Any]

    def run(self) -> Any:
        """What the endpoint returns. Raises what it raises."""
        return self.endpoint(self.request, **self.values)

    def answer(self) -> HttpResponse:
        """The answer that becomes of the call. Raises what the endpoint raises."""
        return self.shown(self.run())

    def shown(self, result: Any) -> HttpResponse:
        """The answer, bytes and all, that becomes of what the endpoint returned."""
        operation = _operation(self.request)
        blank = self.values.get(operation.signature.response_arg or "")
        blank = operation.api.create_temporal_response(self.request) if blank is None else blank
        return cast(HttpResponse, operation._result_to_response(self.request, result, blank))

    def shown_as(self, schema: type[Out], row: Any) -> HttpResponse:
        """The answer of another endpoint of this API, which shows a row by a schema."""
        operation = _operation(self.request)
        data = schema.model_validate(row).model_dump(by_alias=operation.by_alias)
        return operation.api.create_response(self.request, data, status=200)

    def refused(self, error: DomainError) -> HttpResponse:
        """The answer that becomes of a refusal."""
        return _operation(self.request).api.on_exception(self.request, error)


def surrounded(endpoint: Callable[..., Any], header: Header, react: React, *refusals: type[DomainError]) -> Any:
    """The endpoint with `react` around it, which gets the call and the value of a request header, and answers.

    The header is one more parameter: a bad value is told together with all else that is wrong, and OpenAPI knows it.
    """
    name = str(header.alias).lower().replace("-", "_")

    @wraps(endpoint)
    def called(request: HttpRequest, **values: Any) -> HttpResponse:
        given = values.pop(name)
        return react(Call(request, endpoint, values), given)

    contribute_operation_args(called, name, str, header)
    called.refusals = (*getattr(endpoint, "refusals", ()), *refusals)  # type: ignore[attr-defined]
    return decorate_view(_with_operation)(called)


def _with_operation(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let the request know its operation: the endpoint does not, and there is one for each place it is mounted at."""
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def told(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        request.operation = operation  # type: ignore[attr-defined]
        return run(request, **kwargs)

    return told


def _operation(request: HttpRequest) -> Operation:
    return cast(Operation, request.operation)  # type: ignore[attr-defined]

"""An endpoint call as an object, for marks that stand between the request and the endpoint.

At this point the caller is authenticated and the input is validated. Whether the resource exists, and whether the
caller may touch it, has not been checked yet.
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
        """The response to the call. Raises what the endpoint raises."""
        return self.shown(self.run())

    def shown(self, result: Any) -> HttpResponse:
        """The rendered response for what the endpoint returned."""
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
        """The response for a refusal."""
        return _operation(self.request).api.on_exception(self.request, error)


def surrounded(endpoint: Callable[..., Any], header: Header, react: React, *refusals: type[DomainError]) -> Any:
    """The endpoint wrapped in `react`, which gets the call and the value of a request header, and returns the response.

    The header becomes a parameter: an invalid value is reported with all other errors, and OpenAPI lists it.
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
    """Attach the operation to the request: an endpoint has one for each place where it is mounted."""
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def told(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        request.operation = operation  # type: ignore[attr-defined]
        return run(request, **kwargs)

    return told


def _operation(request: HttpRequest) -> Operation:
    return cast(Operation, request.operation)  # type: ignore[attr-defined]

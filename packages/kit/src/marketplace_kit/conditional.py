"""Conditional requests (RFC 9110): a strong `ETag` is the hash of the answer's bytes, so nothing has to keep one.

`@conditional` stands below the route of a GET, `@conditional_change(that_get)` below the route of its PATCH, and
`@conditional_change(that_get, its_schema)` below that of its DELETE.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.params.models import Header

from .calls import Call, surrounded
from .exceptions import DomainError
from .schemas import Out
from .transactions import action, lock_row

# What an answer says of itself whether or not its body is sent along.
TOLD_WITH_304 = ("Cache-Control", "Content-Location", "ETag", "Expires", "Vary")


class PreconditionFailed(DomainError):
    """It has changed since you read it. Fetch it again and send its new ETag in `If-Match`."""

    status = 412
    code = "precondition_failed"


def conditional[F: Callable[..., Any]](endpoint: F) -> F:
    """Mark a GET of one thing: it answers with an ETag, and 304 where `If-None-Match` has it. Below the route."""
    endpoint.is_conditional = True  # type: ignore[attr-defined]
    return decorate_view(_with_etag)(endpoint)


def conditional_change[F: Callable[..., Any]](
    current: Callable[..., Any], schema: type[Out] | None = None
) -> Callable[[F], F]:
    """Mark the PATCH or DELETE of what `current`, an endpoint, reads: it honours `If-Match`. Stands below the route.

    `current` returns the row that is changed, and answers as the PATCH does; a DELETE, which answers nothing, names
    the `schema` of that answer. The change must be rows only: it is undone where the version is stale.
    """
    header = Header(
        None,
        alias="If-Match",
        description="The ETag of the version you have read. Nothing is changed if the current version is another one.",
        # Empty places in the list are passed over: RFC 9110, 5.6.1.
        pattern=r'^(\s*\*\s*|[\s,]*(W/)?"[^"]*"(\s*,[\s,]*(W/)?"[^"]*")*[\s,]*)$',
    )
    read = inspect.unwrap(current)

    def react(call: Call, tags: str | None) -> HttpResponse:
        return call.answer() if tags is None else _change_if_match(call, read, schema, parse_etags(tags))

    def mark(endpoint: F) -> F:
        marked = surrounded(endpoint, header, react, PreconditionFailed)
        return cast(F, marked if schema else conditional(marked))

    return mark


@action
def _change_if_match(call: Call, read: Callable[..., Any], schema: type[Out] | None, tags: list[str]) -> HttpResponse:
    """Of all that change the same version at once, one comes through: the others wait for the row, and see another."""
    values = {name: call.values[name] for name in inspect.signature(read).parameters if name in call.values}
    row = read(call.request, **values)
    lock_row(type(row)._base_manager.all(), row.pk)
    current = Call(call.request, read, values)
    before = etag(call.shown_as(schema, current.run()) if schema else current.answer())
    # Changed before it is compared, so that whoever may not change it, or not like this, is told that first.
    answer = call.answer()
    if "*" not in tags and before not in tags:  # a weak tag is never equal: RFC 9110, 13.1.1
        raise PreconditionFailed
    return answer


def etag(response: HttpResponse) -> str:
    """The strong entity tag of an answer."""
    return f'"{sha256(response.content).hexdigest()[:32]}"'


def _with_etag(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def tagged(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        response = run(request, **kwargs)
        if response.status_code != 200 or not isinstance(response, HttpResponse):
            return response
        response["ETag"] = etag(response)
        if request.method != "GET":
            return response
        # To be kept, but looked at again: a host's own word on it goes first.
        is_private = bool(operation.auth_callbacks) or "HTTP_AUTHORIZATION" in request.META
        response.setdefault("Cache-Control", "private, no-cache" if is_private else "no-cache")
        return _not_modified(response) if _has_it(request, response["ETag"]) else response

    return tagged


def _has_it(request: HttpRequest, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, by the weak comparison: RFC 9110, 13.1.2."""
    tags = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return "*" in tags or tag in (known.removeprefix("W/") for known in tags)


def _not_modified(response: HttpResponse) -> HttpResponse:
    headers = {name: response[name] for name in TOLD_WITH_304 if name in response}
    return HttpResponseNotModified(headers=headers)
